"""Calibrated regions of an ultrasound image (PS3.3, C.8.5.5): spacing, and what to crop to."""

from __future__ import annotations

from pydicom.dataset import Dataset

from enhancers.geometry import is_length
from enhancers.image import Region
from enhancers.load.dicom.header import integer, number
from enhancers.load.raw import MIN_SIDE, Spacing

_TWO_DIMENSIONAL, _CENTIMETRES = 1, 3
_MOST_REGIONS = 64


def ultrasound_region(
    dataset: Dataset,
) -> tuple[Region | None, Spacing | None, tuple[str, ...]]:
    """The largest two-dimensional region, its row and column spacing in mm, and notes.

    None where the file states no region, and no spacing where that is not one of lengths.
    """
    rows, columns = integer(dataset, "Rows"), integer(dataset, "Columns")
    found: list[tuple[Region, Spacing | None]] = []
    for item in (dataset.get("SequenceOfUltrasoundRegions") or ())[:_MOST_REGIONS]:
        region = _region(item, rows, columns)
        if region is not None:
            found.append((region, _spacing(item)))
    if not found:
        return None, None, ()
    region, spacing = max(found, key=lambda one: one[0].size)
    notes: tuple[str, ...] = ()
    if spacing is not None and len({one for _, one in found}) > 1:
        notes = (
            "The ultrasound image has regions of different scales; the spacing is that of the "
            "largest one.",
        )
    return region, spacing, notes


def _region(item: Dataset, rows: int, columns: int) -> Region | None:
    if number(item, "RegionSpatialFormat") != _TWO_DIMENSIONAL:
        return None
    edges = [number(item, f"RegionLocation{name}") for name in ("MinY0", "MinX0", "MaxY1", "MaxX1")]
    if any(edge is None for edge in edges):
        return None
    top, left, bottom, right = (int(edge or 0) for edge in edges)
    found = Region(max(top, 0), max(left, 0), min(bottom + 1, rows), min(right + 1, columns))
    return found if min(found.shape) >= MIN_SIDE else None


def _spacing(item: Dataset) -> Spacing | None:
    units = [number(item, f"PhysicalUnits{axis}Direction") for axis in "YX"]
    row, column = (abs(number(item, f"PhysicalDelta{axis}") or 0.0) for axis in "YX")
    if units != [_CENTIMETRES, _CENTIMETRES] or not is_length(10.0 * row, 10.0 * column):
        return None
    return 10.0 * row, 10.0 * column
