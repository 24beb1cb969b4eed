"""Planes and times of NIfTI volumes, held in memory or read plane by plane."""

from pathlib import Path

import numpy as np
import pytest

from enhancers.errors import ImageReadError, ParameterError
from enhancers.load import load
from enhancers.load.volumes import volume as volumes
from tests.support import image_files

SHAPE, TIMES = (22, 30, 18), 3
ZOOMS = (1.0, 1.5, 3.0)
# Stored to the left, posterior and superior, in NIfTI's right, anterior, superior.
AFFINE = np.hstack([np.diag([-1.0, -1.5, 3.0]), np.zeros((3, 1))])
VALUES = np.random.default_rng(2).integers(0, 900, (*SHAPE, TIMES)).astype(np.int16)
VALUES[3, 4, 5, 2] = 4000


@pytest.fixture(params=["held", "plane by plane"])
def path(request, tmp_path: Path, monkeypatch) -> Path:
    if request.param != "held":
        monkeypatch.setattr(volumes, "SMALL_VOLUME", 0)
    found = tmp_path / "volume.nii"
    found.write_bytes(image_files.nifti(VALUES, affine=AFFINE))
    return found


@pytest.mark.parametrize("time", range(TIMES))
@pytest.mark.parametrize(
    ("plane", "index", "expected", "spacing"),
    [
        ("axial", 5, VALUES[:, :, 5], (1.5, 1.0)),
        ("coronal", 4, VALUES[:, 4, ::-1], (3.0, 1.0)),
        ("sagittal", 3, VALUES[3, :, ::-1], (3.0, 1.5)),
        ("stored", 5, VALUES[:, :, 5], (1.5, 1.0)),
    ],
)
def test_every_plane_at_every_time(path: Path, time, plane, index, expected, spacing) -> None:
    image = load(path, plane=plane, slice_index=index, time=time)
    assert np.array_equal(image.source, np.swapaxes(expected, 0, 1)[..., time])
    assert image.spacing == pytest.approx(spacing)
    assert image.geometry.spacing == pytest.approx(spacing)
    assert image.plane == ("" if plane == "stored" else plane)
    assert (image.slice_index, image.time_index, image.time_count) == (index, time, TIMES)


def test_one_window_in_all_planes_and_times(path: Path) -> None:
    images = [
        load(path, plane=plane, time=time)
        for plane in ("axial", "coronal", "sagittal")
        for time in range(TIMES)
    ]
    assert len({(one.window, one.units, one.modality) for one in images}) == 1


def test_what_there_is_not_is_said(path: Path) -> None:
    with pytest.raises(ParameterError, match="no time 3; the file has 3 times, 0 to 2"):
        load(path, time=3)
    with pytest.raises(ParameterError, match="no slice 30; the file has 30 slices, 0 to 29"):
        load(path, plane="coronal", slice_index=30)


def test_frames_over_time_of_one_slice(tmp_path: Path) -> None:
    path = tmp_path / "cine.nii"
    path.write_bytes(image_files.nifti(VALUES[:, :, :1], affine=AFFINE))
    assert np.array_equal(load(path, time=2).source, VALUES[:, :, 0, 2].T)


def test_oblique_planes_are_said_to_follow_the_voxels(tmp_path: Path) -> None:
    path = tmp_path / "turned.nii"
    angle = np.radians(20)
    turn = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    path.write_bytes(image_files.nifti(VALUES[..., 0], affine=turn @ AFFINE))
    assert any("turned by 20 degrees" in note for note in load(path, plane="coronal").warnings)
    assert not any("turned" in note for note in load(path).warnings)


def test_pictures_have_no_planes(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(image_files.png(image_files.ramp().astype(np.uint16)))
    with pytest.raises(ParameterError, match="as it is stored"):
        load(path, plane="axial")


def test_five_dimensions_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "tensor.nii"
    values = np.zeros((*SHAPE, 2, 6), np.int16)
    path.write_bytes(image_files.nifti(values, affine=AFFINE))
    with pytest.raises(ImageReadError, match="has 5 dimensions, 6 values"):
        load(path)


def test_of_a_vector_the_first_value_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "vector.nii"
    path.write_bytes(image_files.nifti(VALUES[:, :, :, None], affine=AFFINE))
    image = load(path, slice_index=5)
    assert np.array_equal(image.source, VALUES[:, :, 5, 0].T)
    assert image.time_count == 1
    assert any(f"has {TIMES} values" in note for note in image.warnings)


def test_the_window_is_that_of_all_times(tmp_path: Path) -> None:
    path = tmp_path / "dynamic.nii"
    brighter = VALUES[..., :1] // 4 * np.array([1, 2, 3, 4, 5], np.int16)
    path.write_bytes(image_files.nifti(brighter, affine=AFFINE))
    assert load(path).window.high > 0.9 * brighter.max()
