"""NaN and infinite values are background, with a note that counts them."""

from pathlib import Path

import numpy as np
import pytest

from enhancers.errors import ImageReadError
from enhancers.load import load
from tests.support import image_files

AFFINE = np.diag([-1.0, -1.0, 2.0, 1.0])[:3]
VALUES = np.random.default_rng(0).uniform(400, 2000, (20, 24, 5)).astype(np.float32)


def written(path: Path, values: np.ndarray) -> Path:
    path.write_bytes(image_files.nifti(values, affine=AFFINE))
    return path


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_undefined_values_are_background(tmp_path: Path, wrong: float) -> None:
    values = VALUES.copy()
    values[:4] = wrong
    image = load(written(tmp_path / "map.nii", values), slice_index=2)
    assert np.array_equal(image.source[:, 4:], values[4:, :, 2].T)
    assert (image.source[:, :4] == 0).all()
    assert (image.pixels[:, :4] == 0).all()
    note = "96 of 480 values are undefined (NaN or infinite); they are shown as background, 0."
    assert note in image.warnings


def test_background_of_negative_values_is_the_lowest_of_the_file(tmp_path: Path) -> None:
    values = VALUES - 1000
    values[0, 0, 0] = -1024
    values[:4, :, 2:] = np.nan
    path = written(tmp_path / "hu.nii", values)
    for index in (2, 3):
        assert (load(path, slice_index=index).source[:, :4] == -1024).all()


def test_a_slice_without_any_value_is_background(tmp_path: Path) -> None:
    values = VALUES.copy()
    values[..., 0] = np.nan
    image = load(written(tmp_path / "map.nii", values), slice_index=0)
    assert (image.source == 0).all()
    assert any("480 of 480" in note for note in image.warnings)
    with pytest.raises(ImageReadError, match="every value is NaN"):
        load(written(tmp_path / "one.nii", values[..., :1]))


def test_numbers_beyond_single_precision_are_undefined(tmp_path: Path) -> None:
    values = VALUES.astype(np.float64)
    values[3, 4, 2] = 1e300
    image = load(written(tmp_path / "map.nii", values), slice_index=2)
    assert image.source[4, 3] == 0
    assert any(note.startswith("1 of 480") for note in image.warnings)


def test_dicom_and_tiff_with_nan(tmp_path: Path) -> None:
    values = VALUES[..., 0].copy()
    values[2] = np.nan
    path = tmp_path / "map"
    path.write_bytes(image_files.tiff(values))
    assert (load(path).source[2] == 0).all()
    dataset = image_files.dicom_dataset(np.zeros(values.shape, np.uint16))
    del dataset.PixelData
    dataset.BitsAllocated = 32
    dataset.FloatPixelData = values.tobytes()
    path.write_bytes(image_files.to_bytes(dataset))
    image = load(path)
    assert (image.source[2] == 0).all()
    assert any("24 of 480" in note for note in image.warnings)
