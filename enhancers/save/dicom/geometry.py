"""Spacing, positions and regions of a derived object that is enlarged or a part of its source."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.valuerep import format_number_as_ds

from enhancers.geometry import ImageGeometry
from enhancers.load.dicom.header import frame_item, number

_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")


def as_ds(value: float) -> str:
    """A decimal string of at most 16 characters (PS3.5, 6.2)."""
    return str(format_number_as_ds(float(value) + 0.0))


def enlarge(dataset: Dataset, scale: int) -> None:
    """Divide all spacings by ``scale``, and move the first pixel's centre accordingly."""
    if scale == 1:
        return
    groups = dataset.get("PerFrameFunctionalGroupsSequence") or ()
    moved: set[int] = set()
    for place in range(max(len(groups), 1)):
        _move(dataset, place, scale, moved)
    for item in _holders(dataset):
        for name in _SPACINGS:
            if name in item:
                pair = [number(item, name, position) for position in (0, 1)]
                setattr(item, name, [as_ds((one or 0.0) / scale) for one in pair])
    for region in dataset.get("SequenceOfUltrasoundRegions") or ():
        _enlarge_region(region, scale)


def place_first_frame(dataset: Dataset, geometry: ImageGeometry | None) -> None:
    """State where a frame lies that is not where the object is, as on a grid (C.8.8.3.1)."""
    if geometry is not None and "ImagePositionPatient" in dataset:
        dataset.ImagePositionPatient = [as_ds(one) for one in geometry.origin]


def _holders(dataset: Dataset) -> Iterator[Dataset]:
    yield dataset
    for name in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for group in dataset.get(name) or ():
            yield from group.get("PixelMeasuresSequence") or ()


def _move(dataset: Dataset, frame: int, scale: int, moved: set[int]) -> None:
    measures = frame_item(dataset, "PixelMeasuresSequence", frame) or dataset
    plane = frame_item(dataset, "PlaneOrientationSequence", frame) or dataset
    position = frame_item(dataset, "PlanePositionSequence", frame) or dataset
    spacing = [number(measures, "PixelSpacing", place) for place in (0, 1)]
    if id(position) in moved or "ImagePositionPatient" not in position or None in spacing:
        return
    geometry = ImageGeometry.of_dicom(
        [number(position, "ImagePositionPatient", place) or 0.0 for place in range(3)],
        [number(plane, "ImageOrientationPatient", place) or 0.0 for place in range(6)],
        (spacing[0] or 1.0, spacing[1] or 1.0),
    )
    if geometry is not None:
        moved.add(id(position))
        origin = geometry.enlarged(scale).origin
        position.ImagePositionPatient = [as_ds(one) for one in origin]


def _enlarge_region(region: Dataset, scale: int) -> None:
    for name in ("RegionLocationMinX0", "RegionLocationMinY0"):
        if name in region:
            setattr(region, name, int(region[name].value) * scale)
    for name in ("RegionLocationMaxX1", "RegionLocationMaxY1"):
        if name in region:
            setattr(region, name, (int(region[name].value) + 1) * scale - 1)
    for name in ("PhysicalDeltaX", "PhysicalDeltaY"):
        if name in region:
            setattr(region, name, float(region[name].value) / scale)
    for name in ("ReferencePixelX0", "ReferencePixelY0"):
        if name in region:
            setattr(region, name, int(region[name].value) * scale)
