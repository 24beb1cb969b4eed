"""Spacing and aspect of pixels: ultrasound regions, pictures, NIfTI files with two orientations."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from pydicom.dataset import Dataset

from enhancers.decoding import OpenedFile
from enhancers.geometry import shown_aspect
from enhancers.image import Region
from enhancers.load import Caps, load
from enhancers.save import to_png16, to_tiff_source
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


def picture(kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(GRAY).save(buffer, kind, **options)
    return buffer.getvalue()


def jfif(unit: int, across: int, down: int) -> bytes:
    data = bytearray(picture("JPEG"))
    struct.pack_into(">BHH", data, 13, unit, across, down)
    return bytes(data)


def gif(stated: int) -> bytes:
    data = bytearray(picture("GIF"))
    data[12] = stated
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "aspect"),
    [
        (tiff(resolution=(2, 1), resolutionunit="NONE"), (2, 1)),
        (tiff(imagej=True, resolution=(2, 4), metadata={"unit": "pixel"}), (1, 2)),
        (tiff(imagej=True, resolution=(2, 4)), (1, 2)),
        (
            tiff(ome=True, metadata={
                "PhysicalSizeX": 3.0, "PhysicalSizeXUnit": "pixel",
                "PhysicalSizeY": 1.0, "PhysicalSizeYUnit": "pixel",
            }),
            (1, 3),
        ),
        (tiff(resolution=(2, 1), resolutionunit="NONE", extratags=[(274, "H", 1, 6, True)]),
         (1, 2)),
        (jfif(0, 4, 3), (4, 3)),
        # A density with a unit is that of a print.
        (jfif(1, 400, 300), (4, 3)),
        (picture("PNG", dpi=(200, 100)), (2, 1)),
        (picture("BMP", dpi=(200, 100)), (2, 1)),
        (gif(113), (1, 2)),
        (tiff(resolution=(3, 3), resolutionunit="NONE"), None),
        (tiff(resolution=(500, 1), resolutionunit="NONE"), None),
        (jfif(0, 0, 3), None),
        (jfif(0, 300, 301), None),
        (gif(0), None),
    ],
)  # fmt: skip
def test_pixels_without_lengths_have_an_aspect(tmp_path: Path, data: bytes, aspect) -> None:
    path = tmp_path / "picture"
    path.write_bytes(data)
    image = load(path)
    assert image.spacing is None
    found = image.aspect
    assert (found and found[0] / found[1]) == (aspect and pytest.approx(aspect[0] / aspect[1]))
    if aspect is not None:
        assert OpenedFile.local(path, Caps()).image().aspect == image.aspect


@pytest.mark.parametrize("size", [1, 2])
def test_a_result_keeps_the_aspect(tmp_path: Path, size: int) -> None:
    path = tmp_path / "picture.tif"
    path.write_bytes(tiff(resolution=(4, 3), resolutionunit="NONE"))
    image = load(path)
    pixels = image.pixels.repeat(size, 0).repeat(size, 1)
    path.write_bytes(to_tiff_source(image, pixels, image.units))
    found = load(path)
    assert found.spacing is None
    assert shown_aspect(found.aspect) == pytest.approx((4, 3))
    path.write_bytes(to_png16(pixels, image.aspect))
    assert load(path).aspect == (4, 3)
    with Image.open(path) as other:
        assert other.info["aspect"] == (4, 3)
    assert to_png16(pixels) == to_png16(pixels, (0.7, 0.7)) == to_png16(pixels, (1, 1000))


def test_pixels_that_cannot_be_are_shown_as_squares(tmp_path: Path) -> None:
    path = tmp_path / "picture.dcm"
    path.write_bytes(image_files.dicom(GRAY, PixelSpacing=[1000, 0.5]))
    image = load(path)
    assert image.spacing == (1000, 0.5)
    assert shown_aspect(image.aspect) == (1, 1)
    assert any("1e+03 x 0.5 mm, which cannot be right" in note for note in image.warnings)
    for stated in ([0, 1], [-1, 1], [1, 2000]):
        path.write_bytes(image_files.dicom(GRAY, PixelAspectRatio=stated))
        assert load(path).aspect is None
    for sides in ((float("nan"), 1.0), (0.0, 1.0), (-1.0, 1.0), (1.0, float("inf")), (1e-300, 1.0)):
        assert shown_aspect(sides) == (1, 1)
    assert shown_aspect((0.2, 10)) == (0.2, 10)


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
