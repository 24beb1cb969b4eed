"""An open file, whose slices are decoded once."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
import threading
import weakref
from collections.abc import Callable, Hashable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakValueDictionary

from numpy.typing import NDArray

from enhancers.decoding.content import FileContent, remove_upload
from enhancers.decoding.derived_heads import derived_head_of
from enhancers.decoding.messages import medical_image, raw_slice, take_spectrum
from enhancers.decoding.pool import DecodePool, decode_pool
from enhancers.decoding.slice_store import SliceStore, slice_store
from enhancers.image import MedicalImage
from enhancers.load import Caps
from enhancers.load.depths import with_depths
from enhancers.load.raw import RawSlice
from enhancers.load.volumes.header import Header
from enhancers.load.volumes.volume import Volume
from enhancers.load.window import finish
from enhancers.private_folders import process_folder
from enhancers.save.dicom import DerivedFacts, DerivedHead
from enhancers.save.stack import in_order, to_tiff_pages
from enhancers.voxel_grid import STORED, VoxelGrid

_numbers = itertools.count()
_open: WeakValueDictionary[Hashable, OpenedFile] = WeakValueDictionary()
_opening = threading.Lock()


def _shared(key: Hashable, opened: Callable[[], OpenedFile]) -> OpenedFile:
    """The file that is open under this key, or a new one."""
    with _opening:
        found = _open.get(key)
        if found is None:
            found = _open[key] = opened()
        return found


def next_number() -> int:
    """A number for what is opened next, by which the store keeps its slices."""
    return next(_numbers)


class Opened(Protocol):
    """What is open: a file, or a series of files."""

    @property
    def slice_count(self) -> int:
        """Number of slices."""

    @property
    def grid(self) -> VoxelGrid | None:
        """The voxels of a volume that other planes can be cut of; None where there is none."""

    @property
    def time_name(self) -> str:
        """What differs from one time of a volume to the next, in a word."""

    @property
    def slice_name(self) -> str:
        """What differs from one slice to the next, in a word."""

    def image(
        self,
        slice_index: int | None = None,
        window: tuple[float, float] | None = None,
        *,
        plane: str = STORED,
        time: int | None = None,
    ) -> MedicalImage:
        """A slice (see `OpenedFile.image`)."""

    def frames(self) -> tuple[int | None, ...]:
        """For each slice its frame in its DICOM object; None where that has one."""

    @property
    def one_object(self) -> bool:
        """Whether the slices are frames of one DICOM object."""

    def derived_head(self, index: int, facts: DerivedFacts, shape: tuple[int, int]) -> DerivedHead:
        """The head of a DICOM object that is derived from that of a slice."""

    def section(self, plane: str, index: int, time: int) -> NDArray[Any]:
        """The source values of a slice, without a window; quick once the volume is at hand."""


class OpenedFile:
    """The slices of a file, each decoded at the first look, in a worker process.

    Another window, or a slice that was looked at before, needs no decoding, and of a NIfTI volume
    of moderate size no slice of any plane does: what was decoded is kept in a store of limited
    size, until this object ends. Whoever opens the same file meanwhile gets this object.

    Parameters
    ----------
    content : FileContent
    caps : Caps
    pool : DecodePool, optional
        By default that of the process, as `store`.
    store : SliceStore, optional
    """

    def __init__(
        self,
        content: FileContent,
        caps: Caps,
        *,
        pool: DecodePool | None = None,
        store: SliceStore | None = None,
    ) -> None:
        self.content, self.caps = content, caps
        self._pool = pool or decode_pool()
        self._store = slice_store() if store is None else store
        self._number = next_number()
        self._lock = threading.Lock()
        self._first: dict[tuple[str, int], int] = {}
        self._digest = ""
        self._count = 0
        self._header: Header | None = None
        self._sample: NDArray[Any] | None = None
        weakref.finalize(self, self._store.forget, self._number)

    @classmethod
    def upload(cls, path: Path, caps: Caps) -> OpenedFile:
        """An uploaded file; its name is removed from the disk at once (`FileContent.take`)."""
        content = FileContent.take(path, caps)
        return _shared((content, caps), lambda: cls(content, caps))

    @classmethod
    def upload_pair(cls, header: Path, values: Path, caps: Caps) -> OpenedFile:
        """Two uploads, a header and its values (`FileContent.take_pair`)."""
        return cls(FileContent.take_pair(header, values, caps), caps)

    @classmethod
    def upload_pictures(cls, paths: Sequence[Path], caps: Caps) -> OpenedFile:
        """Several uploaded pictures as one file, its pages in the order of their names.

        Raises
        ------
        ImageReadError, ParameterError, ServerBusy
            As `upload`, `image` and `enhancers.save.stack.to_tiff_pages`.
        """
        try:
            opened = [cls.upload(path, caps) for path in in_order(paths)]
        finally:
            for path in paths:
                remove_upload(path)
        images = [opened[0].image()]
        caps.check_bytes(len(opened) * images[0].source.nbytes)
        pages = to_tiff_pages(images + [one.image() for one in opened[1:]])
        with tempfile.TemporaryDirectory(dir=process_folder()) as folder:
            path = Path(folder) / "pages"
            path.write_bytes(pages)
            return cls.upload(path, caps)

    @classmethod
    def local(cls, path: Path, caps: Caps) -> OpenedFile:
        """A file that stays where it is (`FileContent.local`)."""
        with contextlib.suppress(OSError):
            known = path.stat()
            key = path.absolute(), known.st_mtime_ns, known.st_size, caps
            return _shared(key, lambda: cls(FileContent.local(path, caps), caps))
        return cls(FileContent.local(path, caps), caps)

    @property
    def slice_count(self) -> int:
        """Number of slices; known when one was decoded."""
        return self._count or self.image().slice_count

    def image(
        self,
        slice_index: int | None = None,
        window: tuple[float, float] | None = None,
        *,
        plane: str = STORED,
        time: int | None = None,
    ) -> MedicalImage:
        """A slice, as `enhancers.load.load` gives it.

        Parameters
        ----------
        slice_index : int, optional
        window : (low, high), optional
            In source units; None is that of the file, or the default.
        plane : str
            Of a volume (`grid`).
        time : int, optional
            By default the first.

        Raises
        ------
        ImageReadError, ParameterError, ServerBusy
            As `DecodePool.ask`.
        """
        # Whoever asks for the slice that is being decoded waits for it.
        with self._lock:
            image = self._image(slice_index, window, plane, time or 0)
            return with_depths(
                image,
                lambda others: [self._image(at, None, plane, time or 0).source for at in others],
            )

    def _image(
        self, slice_index: int | None, window: tuple[float, float] | None, plane: str, time: int
    ) -> MedicalImage:
        index = self._first.get((plane, time)) if slice_index is None else slice_index
        raw = self._kept(index, plane, time)
        if raw is not None:
            return finish(raw, self._digest, window)
        return self._decoded(slice_index, window, plane, time)

    @property
    def grid(self) -> VoxelGrid | None:
        """The voxels of a volume that is held; None for other files, and before `image`."""
        return None if self._header is None else self._header.grid

    @property
    def time_name(self) -> str:
        """What a file calls the fourth dimension."""
        return "time"

    @property
    def slice_name(self) -> str:
        """What a file of several pictures calls one of them."""
        return "slice"

    def section(self, plane: str, index: int, time: int) -> NDArray[Any]:
        """The source values of a slice, (rows, columns) or (rows, columns, 3)."""
        volume = self._store.get(self._number, None)
        if isinstance(volume, Volume):
            return volume.section(plane, index, time)
        return self.image(index, plane=plane, time=time).source

    def coded_values(self, names: Sequence[str]) -> dict[str, str]:
        """Elements of a DICOM header that hold a code (`enhancers.load.coded_values`)."""
        answer = self._pool.ask(self.content, "header", names=list(names), caps=asdict(self.caps))
        values = answer.facts["values"]
        return {name: str(values[name]) for name in names}

    def frames(self) -> tuple[int | None, ...]:
        """For each slice its frame in the DICOM object; None where that has one."""
        return (None,) if self.slice_count == 1 else tuple(range(self.slice_count))

    @property
    def one_object(self) -> bool:
        """Whether the slices are frames of one DICOM object."""
        stated = self.coded_values(["NumberOfFrames"])["NumberOfFrames"]
        return stated.isdecimal() and int(stated) > 1

    def derived_head(self, index: int, facts: DerivedFacts, shape: tuple[int, int]) -> DerivedHead:
        """The head of a DICOM object that is derived from this one (`save.dicom.derived_head`).

        Raises
        ------
        ImageReadError, ServerBusy
            As `DecodePool.ask`.
        """
        answer = self._pool.ask(
            self.content, "derived", facts=facts.as_json(), shape=shape, caps=asdict(self.caps)
        )
        return derived_head_of(answer.facts, answer.arrays)

    def _kept(self, index: int | None, plane: str, time: int) -> RawSlice | None:
        volume = self._store.get(self._number, None)
        if isinstance(volume, Volume):
            return volume.slice(index, plane, time)
        if index is None:
            return None
        found = self._store.get(self._number, (plane, index, time))
        return found if isinstance(found, RawSlice) else None

    def _decoded(
        self, index: int | None, window: tuple[float, float] | None, plane: str, time: int
    ) -> MedicalImage:
        answer = self._pool.ask(
            self.content, "image", slice_index=index, window=window, caps=asdict(self.caps),
            volume=True, plane=plane, time=time,
        )  # fmt: skip
        source, pixels, *more = answer.arrays
        spectrum = take_spectrum(answer.facts, more)
        header = answer.facts.get("volume")
        # All slices of a file have the same sample, which is kept once.
        if more and header is None and self._sample is None:
            self._sample = more[0]
        volume = None
        sample = self._sample
        if header is not None:
            self._header = Header.from_json(header)
            volume = Volume.of_bytes(more[0], self._header)
            sample = volume.sample
        raw = raw_slice(answer.facts, source, sample, spectrum)
        image = medical_image(answer.facts, raw, pixels, window)
        self._digest = image.digest
        if plane == STORED:
            self._count = image.slice_count
        if index is None:
            self._first[plane, time] = image.slice_index
        if volume is None:
            self._store.put(self._number, (plane, image.slice_index, time), raw)
        else:
            self._store.put(self._number, None, volume)
        return image
