"""The series of an upload of several files or an archive, and their slices, decoded once."""

from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from enhancers.decoding.content import LinkedFolder, TakenFolder, on_disk
from enhancers.decoding.derived_heads import derived_head_of
from enhancers.decoding.messages import ConnectionEnded, raw_slice
from enhancers.decoding.opened_file import Opened, OpenedFile, next_number
from enhancers.decoding.pool import DecodePool, Progress, decode_pool
from enhancers.decoding.series_messages import file_facts, series_found
from enhancers.decoding.slice_store import SliceStore, slice_store
from enhancers.errors import ImageReadError
from enhancers.load import Caps
from enhancers.load.raw import RawSlice, unpacked
from enhancers.save.dicom import DerivedFacts, DerivedHead
from enhancers.series import Series, SeriesImages
from enhancers.series.headers import is_dicom
from enhancers.series.times import at_all_times, pick_at
from enhancers.series.zip_archive import is_zip
from enhancers.voxel_grid import STORED, VoxelGrid

_HEAD = 1024
REPORT_SECONDS = 0.4
"""Least seconds between two reports of progress, each of which costs the server time."""
BATCH_BYTES = 16 * 2**20
"""Bytes of the slices that are decoded with one request, of 16 bits."""


def is_archive(path: Path) -> bool:
    """Whether an upload is a zip archive; one that is gone is not, and opening it says so."""
    try:
        with on_disk(path).open("rb") as file:
            return is_zip(file.read(_HEAD))
    except OSError:
        return False


def holds_series(paths: Sequence[Path], caps: Caps) -> bool:
    """Whether an upload is read as DICOM series: several files, an archive, or several frames."""
    return len(paths) > 1 or is_archive(paths[0]) or holds_frames(paths[0], caps)


def holds_frames(path: Path, caps: Caps, pool: DecodePool | None = None) -> bool:
    """Whether an upload is a DICOM file of several frames, whose series are to be found.

    False where the upload is gone, which is said when it is opened.

    Raises
    ------
    ServerBusy
    """
    path = on_disk(path)
    try:
        with path.open("rb") as file:
            if not is_dicom(file.read(_HEAD)):
                return False
        answer = (pool or decode_pool()).ask(
            None, "frames", source=str(path), caps=asdict(caps)
        )  # fmt: skip
    except (OSError, ImageReadError):
        return False
    return int(answer.facts["frames"]) > 1


def open_upload(path: Path, caps: Caps, key: str | None = None) -> Opened:
    """An uploaded file, or a series: the one with a key, or the only one that it holds.

    Raises
    ------
    ImageReadError, ParameterError, ServerBusy
        As `OpenedFile.upload` and `UploadedSeries`.
    """
    if key is None and not holds_series([path], caps):
        return OpenedFile.upload(path, caps)
    return UploadedSeries([path], caps).open(key)


class UploadedSeries:
    """The series of an upload, found by a worker process.

    Parameters
    ----------
    paths : sequence of Path
        Several files, a zip archive, or a DICOM file of several frames; they are taken from the
        disk (`TakenFolder`).
    caps : Caps
    progress : callable, optional
        Gets the number of files whose headers were read, as this goes on.
    pool : DecodePool, optional
        By default that of the process, as `store`.
    store : SliceStore, optional
    folder : TakenFolder, optional
        The files, where they are taken already.

    Raises
    ------
    ImageReadError
        There is no DICOM image, or an archive is refused.
    ServerBusy
        Too many files wait.

    Attributes
    ----------
    found : SeriesFound
    number : int
        Of this upload, in this process.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        caps: Caps,
        progress: Progress | None = None,
        *,
        pool: DecodePool | None = None,
        store: SliceStore | None = None,
        folder: TakenFolder | None = None,
    ) -> None:
        self.caps = caps
        self._pool = pool or decode_pool()
        self._store = slice_store() if store is None else store
        self._folder = folder or TakenFolder(paths, caps)
        self._opened: dict[str, OpenedSeries] = {}
        source = self._folder.source
        answer = self._pool.ask(
            None, "series", progress=progress, source=str(source), caps=asdict(caps),
            report_seconds=REPORT_SECONDS,
        )  # fmt: skip
        try:
            found = series_found(answer.facts, source)
        except ConnectionEnded:
            raise ImageReadError("The files are damaged: they could not be listed.") from None
        if self._folder.copies:
            copies = found.ignored.get("copies of images", 0) + self._folder.copies
            found = replace(found, ignored={**found.ignored, "copies of images": copies})
        found.check()
        self.found, self.number = found, next_number()

    @classmethod
    def local(cls, path: Path, caps: Caps) -> UploadedSeries:
        """The series of a folder or file that stays where it is (errors as the class)."""
        return cls((), caps, folder=LinkedFolder(path))

    def open(self, key: str | None = None) -> OpenedSeries:
        """A series by its key; None takes the only volume (errors as `SeriesFound.pick`)."""
        series = pick_at(self.found, key, None)
        known = self._opened.get(series.key)
        if known is None:
            keys = [one.key for one in at_all_times(self.found, series)]
            times = tuple(functools.partial(self.open, one) for one in keys)
            known = OpenedSeries(
                self._folder, series, self.caps, self._pool, self._store, times,
                keys.index(series.key),
            )  # fmt: skip
            # Two requests may come at once; both get the same one.
            known = self._opened.setdefault(series.key, known)
        return known


class OpenedSeries(SeriesImages):
    """The slices of a series, each decoded at the first look, in a worker process.

    Parameters
    ----------
    folder : TakenFolder
        Of the upload; it stays as long as this object.
    series : Series
    caps : Caps
    pool : DecodePool
    store : SliceStore
    times : sequence of callable
        Open the series of all times of its volume.
    time : int
        Which of them this is.
    """

    def __init__(
        self,
        folder: TakenFolder,
        series: Series,
        caps: Caps,
        pool: DecodePool,
        store: SliceStore,
        times: Sequence[Callable[[], OpenedSeries]],
        time: int,
    ) -> None:
        super().__init__(series)
        self.caps = caps
        self._times, self._time = times, time
        self._folder, self._pool, self._store = folder, pool, store
        self._number = next_number()
        self._decoding = threading.Lock()
        self._digests: dict[int, str] = {}
        weakref.finalize(self, store.forget, self._number)

    def at(self, time: int | None) -> OpenedSeries:
        """The same volume at another time."""
        super().at(time)
        return self if time in (None, self._time) else self._times[time or 0]()

    @property
    def time_index(self) -> int:
        """Which of the times of its volume this is."""
        return self._time

    @property
    def time_count(self) -> int:
        """How many times there are."""
        return len(self._times)

    @property
    def grid(self) -> VoxelGrid | None:
        """The voxels, where the store has room for all of them."""
        one = self.series
        enough = 2 * one.rows * one.columns * len(one.slices) <= self._store.capacity
        return super().grid if enough else None

    def read(self, index: int) -> tuple[RawSlice, str]:
        """A slice, kept or decoded, and the digest of its file."""
        found = self._kept(index)
        if found is None:
            # Whoever asks for the slice that is being decoded waits for it.
            with self._decoding:
                found = self._kept(index) or self._decoded([index])[0]
        return unpacked(found), self._digests[index]

    def read_all(self, indices: Iterable[int]) -> Iterator[RawSlice]:
        """Several slices, many decoded with one request to the worker."""
        one, wanted = self.series, list(indices)
        each = max(1, BATCH_BYTES // (2 * one.rows * one.columns))
        for start in range(0, len(wanted), each):
            batch = wanted[start : start + each]
            with self._decoding:
                missing = [index for index in batch if self._kept(index) is None]
                if missing:
                    self._decoded(missing)
            yield from super().read_all(batch)

    def frames(self) -> tuple[int | None, ...]:
        """For each slice its frame in its DICOM object; None where that has one."""
        return tuple(one.frame for one in self.series.slices)

    @property
    def one_object(self) -> bool:
        """Whether the slices are frames of one DICOM object."""
        return self.series.one_object

    @property
    def slice_name(self) -> str:
        """What the slices are: frames of a cine differ in time."""
        return "time" if self.series.over_time else "slice"

    def derived_head(self, index: int, facts: DerivedFacts, shape: tuple[int, int]) -> DerivedHead:
        """The head of a DICOM object that is derived from that of a slice.

        Raises
        ------
        ImageReadError, ServerBusy
            As `DecodePool.ask`.
        """
        answer = self._pool.ask(
            None, "derived", source=str(self._folder.source), shape=shape, facts=facts.as_json(),
            file=file_facts(self.series.slice(index).file), caps=asdict(self.caps),
        )  # fmt: skip
        return derived_head_of(answer.facts, answer.arrays)

    def coded_values(self, names: Sequence[str], index: int) -> dict[str, str]:
        """Elements of a slice's header that hold a code (`enhancers.load.coded_values`)."""
        answer = self._pool.ask(
            None, "header", names=list(names), caps=asdict(self.caps),
            source=str(self._folder.source), file=file_facts(self.series.slice(index).file),
        )  # fmt: skip
        values = answer.facts["values"]
        return {name: str(values[name]) for name in names}

    def _kept(self, index: int) -> RawSlice | None:
        found = self._store.get(self._number, (STORED, index, 0))
        return found if isinstance(found, RawSlice) else None

    def _decoded(self, indices: Sequence[int]) -> list[RawSlice]:
        slices = [self.series.slice(index) for index in indices]
        answer = self._pool.ask(
            None, "slices", source=str(self._folder.source), caps=asdict(self.caps),
            slices=[(file_facts(one.file), one.frame) for one in slices],
        )  # fmt: skip
        found = []
        for index, facts, values in zip(
            indices, answer.facts["slices"], answer.arrays, strict=True
        ):
            self._digests[index] = str(facts["digest"])
            found.append(raw_slice(facts, values, None))
            self._store.put(self._number, (STORED, index, 0), found[-1])
        return found
