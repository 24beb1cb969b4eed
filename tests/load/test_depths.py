"""Slices of small volumes come along with one of them, whoever reads the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK
import tifffile

from enhancers.decoding import OpenedFile
from enhancers.image import Region
from enhancers.load import Caps, depths, load, tiff
from enhancers.load.slices import FileSlices

VALUES = np.random.default_rng(0).integers(0, 4000, (4, 20, 30)).astype(np.uint16)


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    tifffile.imwrite(tmp_path / "pages.tif", VALUES, photometric="minisblack")
    return tmp_path / "pages.tif"


def test_pages_of_a_tiff(pages: Path) -> None:
    image = load(pages, slice_index=3)
    for found in (
        image, FileSlices(pages, Caps()).image(1), OpenedFile.local(pages, Caps()).image(0),
    ):  # fmt: skip
        np.testing.assert_array_equal(found.depths, VALUES)
    # They belong to the pixels, and are cropped with them.
    assert image.with_pixels(image.pixels).depths is None
    cropped = load(pages, slice_index=3)
    object.__setattr__(cropped, "region", Region(2, 3, 12, 23))
    np.testing.assert_array_equal(cropped.cropped_to_region().depths, VALUES[:, 2:12, 3:23])


def test_slices_of_a_volume_in_each_plane(tmp_path: Path) -> None:
    path = tmp_path / "v.nii.gz"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(VALUES), path)
    whole = load(path, slice_index=1)
    assert whole.depths is not None
    assert whole.depths.shape[0] == 4
    np.testing.assert_array_equal(whole.depths[1], whole.source)
    streamed = FileSlices(path, Caps()).image(1)
    np.testing.assert_array_equal(streamed.depths, whole.depths)
    opened = OpenedFile.local(path, Caps())
    np.testing.assert_array_equal(opened.image(1).depths, whole.depths)
    # Twenty and thirty slices are a volume, and no single input.
    assert load(path, slice_index=1, plane="sagittal").depths is None


def test_one_slice_many_colours_and_large_images_have_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pages: Path
) -> None:
    tifffile.imwrite(tmp_path / "one.tif", VALUES[0])
    assert load(tmp_path / "one.tif").depths is None
    tifffile.imwrite(tmp_path / "ten.tif", np.repeat(VALUES, 3, axis=0), photometric="minisblack")
    assert load(tmp_path / "ten.tif").depths is None
    monkeypatch.setattr(depths, "MOST_PIXELS", VALUES.size - 1)
    assert load(pages).depths is None


def test_a_truncated_file_says_that_pages_are_missing(pages: Path) -> None:
    assert not load(pages).warnings
    whole = pages.read_bytes()
    # tifffile writes each page behind the one before: the last page is gone.
    cut = load(whole[: len(whole) - VALUES[0].nbytes])
    assert cut.slice_count < 4
    assert tiff.CUT in cut.warnings


def test_pages_of_other_sizes_are_no_depths(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "mixed.tif") as file:
        for side in (20, 24):
            file.write(VALUES[0, :side, :side], photometric="minisblack")
    assert load(tmp_path / "mixed.tif").depths is None
