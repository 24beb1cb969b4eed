"""The files of a case, opened: pictures, volumes in one file, and DICOM series of many."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from enhancers.decoding import OpenedFile, UploadedSeries, holds_frames, is_archive
from enhancers.image import MedicalImage
from enhancers.load import Caps, coded_values, load, read_bytes
from enhancers.load.same_place import PlaceReader
from enhancers.load.slices import FileSlices
from enhancers.series import LocalSeries, find_series, is_collection
from enhancers.series.times import pick_at
from enhancers.voxel_grid import STORED
from study.stimuli.deidentification import ELEMENTS

Header = Mapping[str, str]


class CaseFile(Protocol):
    """A file, or the files of a DICOM series."""

    @property
    def slice_count(self) -> int:
        """Number of slices."""

    def image(
        self, index: int | None = None, window: tuple[float, float] | None = None
    ) -> MedicalImage:
        """A slice, the middle one by default (`enhancers.load.load`)."""

    def headers(self, indices: Sequence[int | None]) -> tuple[Header, ...]:
        """The different headers of these slices of DICOM files, with `ELEMENTS` of each."""


def opened(path: Path, caps: Caps, *, stack: bool, isolated: bool) -> CaseFile:
    """Open a file, or a folder or zip archive with one DICOM series.

    Slices of a stack are in the order of their positions, as for `enhancers run --all-slices`.

    Parameters
    ----------
    path : Path
    caps : Caps
    stack : bool
        Whether several slices are read.
    isolated : bool
        Decode in worker processes, for files that came over the network.

    Raises
    ------
    ImageReadError, ParameterError
        There is no such file, or not one series in it.
    """
    if isolated:
        if path.is_dir() or is_archive(path) or (stack and holds_frames(path, caps)):
            return _IsolatedSeries(path, caps)
        return _IsolatedFile(path, caps)
    if path.is_dir() or is_archive(path) or (stack and is_collection(path, caps)):
        return _Series(path, caps)
    return _Slices(path, caps) if stack else _File(path, caps)


def mask_reader(path: Path, caps: Caps, *, stack: bool, isolated: bool) -> PlaceReader:
    """How the slices of the file of a mask are read, in the order of an image's (`opened`)."""
    file = opened(path, caps, stack=stack, isolated=isolated)

    def read(
        *, slice_index: int | None = None, window: tuple[float, float] | None = None,
        plane: str = STORED, time: int = 0,
    ) -> MedicalImage:  # fmt: skip
        # Images of a study are slices as their files have them.
        assert (plane, time) == (STORED, 0)
        return file.image(slice_index, window)

    return read


class _File:
    """A file of which one slice is read."""

    slice_count = 1

    def __init__(self, path: Path, caps: Caps) -> None:
        self.path, self.caps = path, caps

    def image(
        self, index: int | None = None, window: tuple[float, float] | None = None
    ) -> MedicalImage:
        return load(self.path, slice_index=index, window=window, caps=self.caps)

    def headers(self, indices: Sequence[int | None]) -> tuple[Header, ...]:
        return (coded_values(read_bytes(self.path, self.caps), ELEMENTS, self.caps),)


class _Slices(_File):
    """A file of which several slices are read."""

    def __init__(self, path: Path, caps: Caps) -> None:
        super().__init__(path, caps)
        self._slices = FileSlices(path, caps)
        self.slice_count = self._slices.slice_count

    def image(
        self, index: int | None = None, window: tuple[float, float] | None = None
    ) -> MedicalImage:
        return self._slices.image(index, window)


class _Series:
    """A DICOM series."""

    def __init__(self, path: Path, caps: Caps) -> None:
        self.caps = caps
        self._series = pick_at(find_series(path, caps), None, None)
        self._images = LocalSeries(self._series, caps)
        self.slice_count = self._images.slice_count

    def image(
        self, index: int | None = None, window: tuple[float, float] | None = None
    ) -> MedicalImage:
        return self._images.image(index, window)

    def headers(self, indices: Sequence[int | None]) -> tuple[Header, ...]:
        def read(index: int) -> Header:
            return coded_values(self._series.slice(index).file.read(self.caps), ELEMENTS, self.caps)

        return _different(indices, self._series.middle, read)


class _IsolatedFile:
    """A file that worker processes decode."""

    def __init__(self, path: Path, caps: Caps) -> None:
        self._file = OpenedFile.local(path, caps)

    @property
    def slice_count(self) -> int:
        return self._file.slice_count

    def image(
        self, index: int | None = None, window: tuple[float, float] | None = None
    ) -> MedicalImage:
        return self._file.image(index, window)

    def headers(self, indices: Sequence[int | None]) -> tuple[Header, ...]:
        return (self._file.coded_values(ELEMENTS),)


class _IsolatedSeries:
    """A DICOM series that worker processes decode."""

    def __init__(self, path: Path, caps: Caps) -> None:
        self._upload = UploadedSeries.local(path, caps)
        self._images = self._upload.open()
        self.slice_count = self._images.slice_count

    def image(
        self, index: int | None = None, window: tuple[float, float] | None = None
    ) -> MedicalImage:
        return self._images.image(index, window)

    def headers(self, indices: Sequence[int | None]) -> tuple[Header, ...]:
        def read(index: int) -> Header:
            return self._images.coded_values(ELEMENTS, index)

        return _different(indices, self._images.series.middle, read)


def _different(
    indices: Sequence[int | None], middle: int, read: Callable[[int], Header]
) -> tuple[Header, ...]:
    found = [read(middle if index is None else index) for index in indices]
    return tuple(one for place, one in enumerate(found) if one not in found[:place])
