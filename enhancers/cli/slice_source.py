"""The slices that a command was given, and the DICOM objects that they are in."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from enhancers.errors import ParameterError
from enhancers.voxel_grid import STORED

if TYPE_CHECKING:
    from enhancers.image import MedicalImage
    from enhancers.load import Caps
    from enhancers.save.dicom import DerivedFacts, DerivedHead
    from enhancers.series import Series, SeriesImages


class SliceSource:
    """The slices of a file, or of a series of a folder, zip archive or DICOMDIR.

    Parameters
    ----------
    path : Path
    key : str or None
        Of the series.
    caps : Caps
    plane : str
    time : int or None
        As for `enhancers.series.planes.load_plane`.

    Raises
    ------
    ImageReadError, ParameterError
    """

    def __init__(
        self, path: Path, key: str | None, caps: Caps, plane: str = STORED, time: int | None = None
    ) -> None:
        from enhancers.load.slices import FileSlices
        from enhancers.series import LocalSeries, find_series, is_collection
        from enhancers.series.times import pick_at

        self._path, self._caps, self._plane = path, caps, plane
        self._series: Series | None = None
        self._images: SeriesImages | FileSlices
        if key is not None or is_collection(path, caps):
            self._series = pick_at(find_series(path, caps), key, time)
            self._images = LocalSeries(self._series, caps)
            read: Callable[..., MedicalImage] = partial(self._images.image, plane=plane)
        else:
            self._images = FileSlices(path, caps, plane=plane, time=time or 0)
            read = self._images.image
        self._read = read
        self.count = self._images.slice_count
        if self._series is not None and plane != STORED:
            self.count = read().slice_count

    def describe(self) -> None:
        """Say on standard error which series is read, and what is unusual about it."""
        if self._series is None:
            return
        said = f"Series {self._series.key}: {self._series.description}."
        for note in (said, *self._series.notes):
            print(f"Note: {note}", file=sys.stderr)

    def check_dicom(self) -> None:
        """Raise ParameterError where the slices are not those of DICOM files."""
        if self._plane != STORED:
            raise ParameterError(
                f"The {self._plane} slices are of no DICOM object; use .nii.gz, .nrrd or .mha."
            )
        self._object(0)

    def image(self, index: int | None, window: tuple[float, float] | None = None) -> MedicalImage:
        """A slice, the middle one by default."""
        return self._read(index, window)

    def frames(self) -> Sequence[int | None]:
        """For each slice its frame in its DICOM object; None where that has one."""
        if self._series is not None:
            return [one.frame for one in self._series.slices]
        return [None] if self.count == 1 else list(range(self.count))

    @property
    def one_object(self) -> bool:
        """Whether all slices are frames of one DICOM object."""
        return self._series is not None and self._series.one_object

    def head_of(self, index: int, facts: DerivedFacts, shape: tuple[int, int]) -> DerivedHead:
        """The head of an object that is derived from that of a slice."""
        from enhancers.save.dicom import derived_head

        return derived_head(self._object(index), facts, shape, self._caps)

    def _object(self, index: int) -> bytes:
        """The file of a slice, up to its pixels at least."""
        if self._series is not None:
            return self._series.slices[index].file.read(self._caps)
        from enhancers.load import read_bytes
        from enhancers.load.file_format import sniff

        with self._path.open("rb") as file:
            kind = sniff(file.read(2**20))
        if kind != "DICOM":
            raise ParameterError(
                f"A DICOM result needs the header of a DICOM source, and this is a {kind} file; "
                "use .nii.gz, .nrrd, .mha or .tif."
            )
        return read_bytes(self._path, self._caps)
