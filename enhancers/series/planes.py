"""Any slice of a path that somebody names: of a file, or of the DICOM series that it holds."""

from __future__ import annotations

from pathlib import Path

from enhancers.image import MedicalImage
from enhancers.load import DEFAULT_CAPS, Caps, load, opening_errors
from enhancers.series import LocalSeries, find_series, is_collection
from enhancers.series.found import Series
from enhancers.series.headers import is_dicom
from enhancers.series.times import pick_at
from enhancers.voxel_grid import STORED

_HEAD = 1024


def load_plane(
    path: Path,
    *,
    slice_index: int | None = None,
    window: tuple[float, float] | None = None,
    caps: Caps = DEFAULT_CAPS,
    plane: str = STORED,
    time: int | None = None,
) -> MedicalImage:
    """Read a slice of a plane at a time, of a volume in whatever files.

    Parameters
    ----------
    path : Path
        A file, or a folder, zip archive or DICOMDIR of one DICOM series.
    slice_index : int or None
        In the plane; None takes the middle one, or the one that `enhancers.load.load` takes.
    window : (low, high) or None
    caps : Caps
    plane : str
        "axial", "coronal", "sagittal", or "stored".
    time : int or None
        From 0; of frames that state no position, the frame.

    Raises
    ------
    ImageReadError
        As `enhancers.load.load`.
    ParameterError
        There is no such plane, slice or time.
    """
    if is_collection(path, caps) or ((plane != STORED or time is not None) and _holds_dicom(path)):
        series, frame = picked(path, None, time, caps)
        index = slice_index if frame is None else frame
        return LocalSeries(series, caps).image(index, window, plane=plane)
    return load(
        path, slice_index=slice_index, window=window, caps=caps, plane=plane, time=time or 0
    )


def picked(path: Path, key: str | None, time: int | None, caps: Caps) -> tuple[Series, int | None]:
    """The series of a path with a key at a time, and the slice where frames are the times.

    Raises
    ------
    ImageReadError, ParameterError
        There is no such series, or no such time.
    """
    found = find_series(path, caps)
    if time is not None and (len(found.series) == 1 or key is not None):
        series = found.pick(key) if key in {None, *(one.key for one in found.series)} else None
        if series is not None and series.over_time:
            series.slice(time)
            return series, time
    return pick_at(found, key, time), None


def _holds_dicom(path: Path) -> bool:
    with opening_errors(), path.open("rb") as file:
        return is_dicom(file.read(_HEAD))
