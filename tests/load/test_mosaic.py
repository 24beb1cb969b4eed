"""Siemens mosaics: slices and their places, by the formula that the vendor's readers share."""

import struct
from pathlib import Path

import numpy as np
import pytest

from enhancers.load import load, probe
from enhancers.series import find_series, load_slice
from tests.support import image_files

ROWS, COLUMNS, COUNT, ACROSS = 20, 24, 7, 3
TILES = np.stack([image_files.ramp(ROWS, COLUMNS, 900 + 10 * k) for k in range(COUNT)])
SPACING, APART = (2.0, 1.5), 3.6
ORIENTATION = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)


def csa(tags: dict[str, list[str]]) -> bytes:
    """A Siemens header of the second version."""
    data = b"SV10\4\3\2\1" + struct.pack("<II", len(tags), 77)
    for name, values in tags.items():
        data += struct.pack(
            "<64si4siii", name.encode(), len(values), b"FD\0\0", 4, max(len(values), 6), 77
        )
        for value in (*values, *[""] * (6 - len(values))):
            text = value.encode() + b"\0" if value else b""
            data += struct.pack("<4i", len(text), len(text), 77, len(text))
            data += text.ljust(-(-len(text) // 4) * 4, b"\0")
    return data


def mosaic_file(tags: dict[str, list[str]] | None, *, count: bool = False) -> bytes:
    whole = np.zeros((ACROSS * ROWS, ACROSS * COLUMNS), np.uint16)
    for index, tile in enumerate(TILES):
        row, column = divmod(index, ACROSS)
        whole[row * ROWS : (row + 1) * ROWS, column * COLUMNS : (column + 1) * COLUMNS] = tile
    dataset = image_files.dicom_dataset(
        whole,
        {
            "Modality": "MR", "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"],
            "ImagePositionPatient": [10, 20, 30], "ImageOrientationPatient": list(ORIENTATION),
            "PixelSpacing": list(SPACING), "SpacingBetweenSlices": APART,
        },
    )  # fmt: skip
    if tags is not None:
        dataset.private_block(0x0029, "SIEMENS CSA HEADER", create=True).add_new(
            0x10, "OB", csa(tags)
        )
    if count:
        dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0A, "US", COUNT)
    return image_files.to_bytes(dataset)


@pytest.mark.parametrize("sign", [1, -1])
def test_slices_and_their_places(tmp_path: Path, sign: int) -> None:
    path = tmp_path / "mosaic.dcm"
    # Row x column is (-1, 0, 0).
    normal = [str(float(-sign)), "0", "0"]
    path.write_bytes(
        mosaic_file({"NumberOfImagesInMosaic": [str(COUNT)], "SliceNormalVector": normal})
    )
    assert (probe(path).slice_count, probe(path).rows, probe(path).columns) == (7, ROWS, COLUMNS)
    row, column = np.reshape(ORIENTATION, (2, 3))
    # The corner of a slice as large as the mosaic is stated.
    first = np.array([10.0, 20.0, 30.0])
    first += row * SPACING[1] * (ACROSS - 1) * COLUMNS / 2
    first += column * SPACING[0] * (ACROSS - 1) * ROWS / 2
    for index in range(COUNT):
        image = load(path, slice_index=index)
        assert np.array_equal(image.source, TILES[index])
        assert (image.slice_index, image.slice_count) == (index, COUNT)
        assert image.geometry.origin == pytest.approx(
            first - np.array([sign * APART * index, 0, 0])
        )
        assert image.geometry.step == pytest.approx((-sign * APART, 0, 0))
    (series,) = find_series(path).series
    order = range(COUNT) if sign > 0 else range(COUNT - 1, -1, -1)
    assert [one.frame for one in series.slices] == list(order)
    assert (series.rows, series.slice_spacing) == (ROWS, pytest.approx(APART))
    assert np.array_equal(load_slice(series, 0).source, TILES[order[0]])


def test_a_missing_normal_is_said(tmp_path: Path) -> None:
    path = tmp_path / "mosaic.dcm"
    path.write_bytes(mosaic_file(None, count=True))
    image = load(path, slice_index=2)
    assert np.array_equal(image.source, TILES[2])
    assert any("does not state the normal" in note for note in image.warnings)
    assert image.geometry.step == pytest.approx((-APART, 0, 0))


@pytest.mark.parametrize(
    "tags",
    [None, {"NumberOfImagesInMosaic": []}, {"NumberOfImagesInMosaic": ["x"]},
     {"NumberOfImagesInMosaic": ["400000"]}],
)  # fmt: skip
def test_without_a_number_the_mosaic_is_one_image(tmp_path: Path, tags) -> None:
    path = tmp_path / "mosaic.dcm"
    path.write_bytes(mosaic_file(tags))
    image = load(path)
    assert (image.shape, image.slice_count) == ((ACROSS * ROWS, ACROSS * COLUMNS), 1)
    assert any("shown as one image" in note for note in image.warnings)


def test_a_damaged_private_header_is_no_error(tmp_path: Path) -> None:
    good = csa({"NumberOfImagesInMosaic": [str(COUNT)]})
    path = tmp_path / "mosaic.dcm"
    for length in range(0, len(good), 16):
        dataset = image_files.dicom_dataset(TILES[0].astype(np.uint16), {"ImageType": "MOSAIC"})
        block = dataset.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
        block.add_new(0x10, "OB", good[: length - length % 2])
        path.write_bytes(image_files.to_bytes(dataset))
        assert load(path).slice_count == 1
