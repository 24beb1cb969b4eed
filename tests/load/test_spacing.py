"""Spacing of ultrasound regions and of TIFF files, and NIfTI files with two orientations."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from pydicom.dataset import Dataset

from enhancers.decoding import OpenedFile
from enhancers.image import Region
from enhancers.load import Caps, load
from tests.support import image_files

GRAY = image_files.ramp(40, 56, 255).astype(np.uint8)


def region(top: int, left: int, bottom: int, right: int, **elements: object) -> Dataset:
    item = Dataset()
    known = {
        "RegionSpatialFormat": 1, "RegionDataType": 1, "RegionFlags": 0,
        "RegionLocationMinX0": left, "RegionLocationMinY0": top, "RegionLocationMaxX1": right,
        "RegionLocationMaxY1": bottom, "PhysicalUnitsXDirection": 3, "PhysicalUnitsYDirection": 3,
        "PhysicalDeltaX": 0.02, "PhysicalDeltaY": -0.03,
    }  # fmt: skip
    for name, value in {**known, **elements}.items():
        setattr(item, name, value)
    return item


def ultrasound(path: Path, *regions: Dataset) -> Path:
    path.write_bytes(
        image_files.dicom(GRAY, Modality="US", SequenceOfUltrasoundRegions=list(regions))
    )
    return path


def test_ultrasound_region_gives_spacing_and_crop(tmp_path: Path) -> None:
    path = ultrasound(tmp_path / "us.dcm", region(5, 8, 34, 49))
    for image in (load(path), OpenedFile.local(path, Caps()).image()):
        assert image.spacing == pytest.approx((0.3, 0.2))
        cropped = image.cropped_to_region()
        assert np.array_equal(cropped.source, GRAY[5:35, 8:50])
        assert cropped.pixels.shape == cropped.source.shape
        assert cropped.region is None
        assert cropped.crop == Region(5, 8, 35, 50)
        assert cropped.with_modality(image.modality).source.shape == (30, 42)


def test_largest_region_counts_and_other_scales_are_said(tmp_path: Path) -> None:
    path = ultrasound(
        tmp_path / "us.dcm",
        region(0, 0, 17, 17, PhysicalDeltaX=0.5),
        region(5, 8, 34, 49),
        # A spectrum of velocities over time.
        region(0, 0, 39, 55, RegionSpatialFormat=3, PhysicalUnitsXDirection=4),
    )
    image = load(path)
    assert image.spacing == pytest.approx((0.3, 0.2))
    assert image.region.shape == (30, 42)
    assert any("different scales" in note for note in image.warnings)


def test_unusable_regions_are_none(tmp_path: Path) -> None:
    path = ultrasound(tmp_path / "us.dcm", region(5, 8, 9, 49), region(90, 8, 120, 49))
    image = load(path)
    assert (image.region, image.spacing) == (None, None)
    assert image.cropped_to_region() is image
    path = ultrasound(tmp_path / "us2.dcm", region(5, 8, 34, 900, PhysicalUnitsXDirection=4))
    image = load(path)
    assert (image.region.right, image.spacing) == (56, None)


def tiff(**options: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, GRAY, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "spacing"),
    [
        (tiff(resolution=(254, 127), resolutionunit="INCH"), (0.2, 0.1)),
        (tiff(resolution=(100, 50), resolutionunit="CENTIMETER"), (0.2, 0.1)),
        (tiff(resolution=(2, 1), resolutionunit="NONE"), None),
        (tiff(), None),
        (tiff(imagej=True, resolution=(2, 4), metadata={"unit": "mm"}), (0.25, 0.5)),
        (tiff(imagej=True, resolution=(2, 4), metadata={"unit": "micron"}), (0.00025, 0.0005)),
        (tiff(imagej=True, resolution=(2, 4), metadata={"unit": "pixel"}), None),
        (tiff(imagej=True, resolution=(2, 4)), None),
        (tiff(ome=True, metadata={"PhysicalSizeX": 0.5, "PhysicalSizeY": 2.0}), (0.002, 0.0005)),
        (
            tiff(ome=True, metadata={
                "PhysicalSizeX": 3.0, "PhysicalSizeXUnit": "mm",
                "PhysicalSizeY": 1.0, "PhysicalSizeYUnit": "cm",
            }),
            (10.0, 3.0),
        ),
        (tiff(ome=True), None),
    ],
)  # fmt: skip
def test_tiff_spacing(tmp_path: Path, data: bytes, spacing) -> None:
    path = tmp_path / "picture.tif"
    path.write_bytes(data)
    found = load(path).spacing
    assert found == (None if spacing is None else pytest.approx(spacing))


def test_turned_page_has_turned_spacing(tmp_path: Path) -> None:
    path = tmp_path / "picture.tif"
    turned = [(274, "H", 1, 6, True)]
    path.write_bytes(tiff(resolution=(254, 127), resolutionunit="INCH", extratags=turned))
    image = load(path)
    assert image.shape == GRAY.shape[::-1]
    assert image.spacing == pytest.approx((0.1, 0.2))


def test_screen_resolution_is_said(tmp_path: Path) -> None:
    path = tmp_path / "picture.tif"
    path.write_bytes(tiff(resolution=(72, 72), resolutionunit="INCH"))
    assert any("72 dots per inch" in note for note in load(path).warnings)


def nifti_with_both(turn: float, shift: float) -> bytes:
    """An sform to right, anterior, superior, and a qform turned about z and shifted along x."""
    values = np.random.default_rng(0).integers(0, 900, (20, 24, 18)).astype(np.int16)
    data = bytearray(image_files.nifti(values, affine=np.diag([1.0, 1.0, 2.0, 1.0])[:3]))
    struct.pack_into("<hh", data, 252, 1, 1)
    struct.pack_into("<6f", data, 256, 0, 0, np.sin(np.radians(turn) / 2), shift, 0, 0)
    return bytes(data)


def test_two_orientations_that_differ_are_said(tmp_path: Path) -> None:
    path = tmp_path / "volume.nii"
    path.write_bytes(nifti_with_both(0, 3.5))
    (note,) = (note for note in load(path).warnings if "sform" in note)
    assert "up to 3.5 mm elsewhere, and the axes differ by up to 0 degrees" in note
    path.write_bytes(nifti_with_both(180, 0))
    (note,) = (note for note in load(path).warnings if "sform" in note)
    assert "up to 180 degrees" in note
    path.write_bytes(nifti_with_both(0, 0.0001))
    assert not any("sform" in note for note in load(path).warnings)
