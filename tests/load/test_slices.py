"""Slices that are read one at a time are those of a file that is read as a whole."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEG2000Lossless, RLELossless

from enhancers.errors import ImageReadError, ParameterError
from enhancers.load import Caps, load, slices
from enhancers.load.slices import FileSlices
from enhancers.load.volumes import stream
from tests.support import dicom_series, image_files

VOLUME = np.random.default_rng(0).integers(-500, 1500, (22, 26, 18)).astype(np.int16)


@pytest.fixture(autouse=True)
def _no_file_is_read_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "load", None)


def check(path: Path, **given: object) -> None:
    found = FileSlices(path, Caps(), **given)
    for index in (None, *range(found.slice_count)):
        one, whole = found.image(index), load(path, slice_index=index, **given)
        for field in dataclasses.fields(one):
            if field.name == "reading":
                continue
            mine, theirs = getattr(one, field.name), getattr(whole, field.name)
            assert np.array_equal(mine, theirs) if isinstance(mine, np.ndarray) else mine == theirs


SIGNS = ((1, 1, 1), (-1, 1, -1), (-1, -1, -1))
BLOCKS = [
    pytest.param(
        block, signs, marks=[pytest.mark.exhaustive] * (block != 2500 and signs[1] == signs[0])
    )
    for block in (1, 2500, 2**25)
    for signs in SIGNS
]
"""Bytes read at once and directions of the axes: every direction with blocks of several slices."""


@pytest.mark.parametrize(("block", "signs"), BLOCKS)
@pytest.mark.parametrize("axes", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("packed", [False, True])
def test_volumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, axes, signs, packed: bool
) -> None:
    monkeypatch.setattr(stream, "BLOCK_BYTES", block)
    affine = np.zeros((3, 4))
    for voxel, (world, sign) in enumerate(zip(axes, signs, strict=True)):
        affine[world, voxel] = sign * (0.7, 0.9, 2.5)[voxel]
    path = tmp_path / "volume"
    path.write_bytes(image_files.nifti(VOLUME[:17, :18, :16], affine=affine, packed=packed))
    check(path)
    check(path, plane="coronal")


def test_times(tmp_path: Path) -> None:
    path = tmp_path / "times.nii"
    values = np.random.default_rng(1).integers(0, 1500, (22, 26, 18, 3)).astype(np.int16)
    path.write_bytes(image_files.nifti(values, affine=np.eye(4)[:3]))
    check(path, time=2)
    with pytest.raises(ParameterError):
        FileSlices(path, Caps(), time=3)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, JPEG2000Lossless, RLELossless])
@pytest.mark.parametrize("window", [{}, {"WindowCenter": 400, "WindowWidth": 300}])
def test_frames(tmp_path: Path, syntax: UID, window: dict[str, int]) -> None:
    values = np.stack([image_files.ramp(39, 55, top=900) + n for n in range(5)]).astype(np.uint16)
    path = tmp_path / "frames"
    path.write_bytes(image_files.dicom(values, syntax, Modality="MR", **window))
    check(path)


def test_frames_with_functional_groups(tmp_path: Path) -> None:
    path = tmp_path / "frames"
    path.write_bytes(dicom_series.enhanced([{"z": 3.0 * index} for index in range(4)]))
    check(path)


def test_a_volume_that_ends_early(tmp_path: Path) -> None:
    path = tmp_path / "volume.nii.gz"
    data = image_files.nifti(VOLUME, packed=True)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ImageReadError, match="damaged or truncated"):
        FileSlices(path, Caps()).image(17)
