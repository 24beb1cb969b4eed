"""An open file, whose slices are decoded once."""

from __future__ import annotations

import itertools
import threading
import weakref
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from enhancers.decoding.content import FileContent
from enhancers.decoding.messages import medical_image, raw_slice, take_spectrum
from enhancers.decoding.pool import DecodePool, decode_pool
from enhancers.decoding.slice_store import SliceStore, slice_store
from enhancers.image import MedicalImage
from enhancers.load import Caps
from enhancers.load.raw import RawSlice
from enhancers.load.volumes.header import Header
from enhancers.load.volumes.volume import Volume
from enhancers.load.window import finish

_numbers = itertools.count()


class OpenedFile:
    """The slices of a file, each decoded at the first look, in a worker process.

    Another window, or a slice that was looked at before, needs no decoding, and of a NIfTI volume
    of moderate size no slice does: what was decoded is kept in a store of limited size, until this
    object ends.

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
        self._number = next(_numbers)
        self._lock = threading.Lock()
        self._first: int | None = None
        self._digest = ""
        self._sample: NDArray[Any] | None = None
        weakref.finalize(self, self._store.forget, self._number)

    @classmethod
    def upload(cls, path: Path, caps: Caps) -> OpenedFile:
        """An uploaded file; its name is removed from the disk at once (`FileContent.take`)."""
        return cls(FileContent.take(path, caps), caps)

    @classmethod
    def local(cls, path: Path, caps: Caps) -> OpenedFile:
        """A file that stays where it is."""
        return cls(FileContent(path, caps), caps)

    def image(
        self, slice_index: int | None = None, window: tuple[float, float] | None = None
    ) -> MedicalImage:
        """A slice, as `enhancers.load.load` gives it.

        Parameters
        ----------
        slice_index : int, optional
        window : (low, high), optional
            In source units; None is that of the file, or the default.

        Raises
        ------
        ImageReadError, ParameterError, ServerBusy
            As `DecodePool.ask`.
        """
        # Whoever asks for the slice that is being decoded waits for it.
        with self._lock:
            raw = self._kept(self._first if slice_index is None else slice_index)
            if raw is not None:
                return finish(raw, self._digest, window)
            return self._decoded(slice_index, window)

    def coded_values(self, names: Sequence[str]) -> dict[str, str]:
        """Elements of a DICOM header that hold a code (`enhancers.load.coded_values`)."""
        answer = self._pool.ask(self.content, "header", names=list(names), caps=asdict(self.caps))
        values = answer.facts["values"]
        return {name: str(values[name]) for name in names}

    def _kept(self, index: int | None) -> RawSlice | None:
        if index is None:
            return None
        found = self._store.get(self._number, index)
        if isinstance(found, RawSlice):
            return found
        volume = self._store.get(self._number, None)
        if not isinstance(volume, Volume):
            return None
        return volume.slice(index)

    def _decoded(self, index: int | None, window: tuple[float, float] | None) -> MedicalImage:
        answer = self._pool.ask(
            self.content, "image", slice_index=index, window=window, caps=asdict(self.caps),
            volume=True,
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
            volume = Volume.of_bytes(more[0], Header.from_json(header))
            sample = volume.slice(int(answer.facts["raw"]["slice_index"])).sample
        raw = raw_slice(answer.facts, source, sample, spectrum)
        image = medical_image(answer.facts, raw, pixels, window)
        self._digest = image.digest
        if index is None:
            self._first = image.slice_index
        if volume is None:
            self._store.put(self._number, image.slice_index, raw)
        else:
            self._store.put(self._number, None, volume)
        return image
