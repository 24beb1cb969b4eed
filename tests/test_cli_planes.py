"""--plane, --time and --crop-to-region of the commands."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from enhancers.__main__ import main
from enhancers.load import load
from enhancers.provenance import from_json
from tests.load.test_spacing import region, ultrasound
from tests.series.test_planes import ORIENTATIONS, VOLUME, nifti_of, series_of
from tests.support import dicom_series, image_files


def enhancers(*arguments: object, status: int = 0) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["enhancers", *map(str, arguments)]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        found = main()
    assert found == status, err.getvalue()
    return out.getvalue(), err.getvalue()


def degraded(source: Path, out: Path, *options: object) -> np.ndarray:
    """What the command reads, with next to no noise."""
    enhancers("degrade", source, "--kind", "gaussian", "--level", "0.0001", "--out", out, *options)
    return load(out).pixels


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> tuple[Path, Path]:
    """One volume as NIfTI and as a series."""
    folder = tmp_path_factory.mktemp("planes")
    orientation = ORIENTATIONS["sagittal"]
    return nifti_of(folder / "volume.nii", orientation), series_of(folder / "series", orientation)


def test_run_takes_a_plane_of_a_volume_and_of_a_series(files, tmp_path: Path) -> None:
    for source in files:
        out, record = tmp_path / "out.nii.gz", tmp_path / "record.json"
        enhancers(
            "run", source, "--method", "tv", "--plane", "coronal", "--slice", 4, "--out", out,
            "--json", record,
        )  # fmt: skip
        found = from_json(record.read_text()).input
        assert (found.plane, found.slice_index, found.slice_count) == ("coronal", 4, 26)
        assert found.geometry.edges == ("R", "L", "S", "I")
        expected = load(files[0], plane="coronal", slice_index=4)
        written = load(out)
        assert sorted(written.shape) == sorted(expected.shape)
        place = written.geometry.point(0, 0)
        corners = [expected.geometry.point(r, c) for r in (0, 19) for c in (0, 16)]
        assert min(np.linalg.norm(np.subtract(place, one)) for one in corners) < 1e-3


def test_all_slices_of_a_plane(files, tmp_path: Path) -> None:
    for number, source in enumerate(files):
        out = tmp_path / f"{number}.nii"
        enhancers(
            "run", source, "--method", "tv", "--set", "weight=0.001", "--plane", "axial",
            "--all-slices", "--out", out,
        )  # fmt: skip
        found = load(out, plane="axial", slice_index=3)
        expected = load(files[0], plane="axial", slice_index=3)
        assert found.slice_count == expected.slice_count == 20
        assert found.geometry.point(0, 0) == pytest.approx(expected.geometry.point(0, 0), abs=1e-3)


def test_degrade_and_metrics_take_plane_and_time(files, tmp_path: Path) -> None:
    volume = tmp_path / "dynamic.nii"
    values = np.stack([VOLUME, VOLUME[::-1] // 2], axis=-1).astype(np.int16)
    affine = np.diag([-1.0, -1.0, 2.0, 1.0])[:3]
    volume.write_bytes(image_files.nifti(values, affine=affine))
    options = ("--plane", "sagittal", "--time", 1)
    found = degraded(volume, tmp_path / "out.tif", *options)
    expected = load(volume, plane="sagittal", time=1)
    assert np.abs(found - expected.pixels).max() < 0.01
    text, _ = enhancers("metrics", volume, "--reference", volume, *options, "--json")
    assert json.loads(text)["metrics"]["ssim"]["value"] == pytest.approx(1.0)
    _, said = enhancers("metrics", volume, "--time", 2, status=2)
    assert "There is no time 2; the file has 2 times, 0 to 1, counted from 0." in said


def test_frames_of_a_clip_are_times(tmp_path: Path) -> None:
    frames = np.stack([image_files.ramp(40, 56, 200 + 20 * n).astype(np.uint8) for n in range(3)])
    path = tmp_path / "clip.dcm"
    path.write_bytes(image_files.dicom(frames, Modality="US"))
    found = degraded(path, tmp_path / "out.tif", "--time", 2)
    assert np.abs(found - frames[2] / 255).max() < 0.01


def test_crop_to_the_region(tmp_path: Path) -> None:
    path = ultrasound(tmp_path / "us.dcm", region(5, 8, 34, 49))
    assert degraded(path, tmp_path / "out.tif", "--crop-to-region").shape == (30, 42)
    plain = tmp_path / "plain.png"
    plain.write_bytes(image_files.png(image_files.ramp().astype(np.uint16)))
    _, said = enhancers(
        "degrade", plain, "--kind", "gaussian", "--level", "0.1", "--out", tmp_path / "o.png",
        "--crop-to-region", status=2,
    )  # fmt: skip
    assert "states no ultrasound region" in said


def test_batch_of_planes(files, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "volume.nii").write_bytes(files[0].read_bytes())
    out = tmp_path / "out"
    enhancers(
        "batch", folder, "--methods", "tv", "--out", out, "--plane", "coronal", "--slice", "all",
        "--jobs", 1,
    )  # fmt: skip
    assert len(list(out.rglob("*.png"))) == 26


def test_frames_of_one_file_are_in_the_order_of_their_positions(tmp_path: Path) -> None:
    source, out = tmp_path / "enhanced.dcm", tmp_path / "out.png"
    source.write_bytes(dicom_series.enhanced([{"z": z} for z in (30, 10, 40, 20)]))
    record = tmp_path / "record.json"
    arguments = ("--method", "tv", "--slice", 0, "--out", out, "--json", record)
    _, said = enhancers("run", source, *arguments)
    assert "Note: This is slice 1 of 4 (--slice 0)." in said
    assert from_json(record.read_text()).input.geometry.affine[2][3] == 10.0
