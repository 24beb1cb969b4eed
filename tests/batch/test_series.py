"""Planes, times and cropped images in a batch: of series, frames of a file, and files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from enhancers.__main__ import main
from enhancers.batch import BatchPlan, listed, requests
from enhancers.batch.cluster import _FileSender
from enhancers.batch.worker import TaskResult, Worker
from enhancers.load import load
from enhancers.series import Series
from tests.load.test_spacing import region, ultrasound
from tests.series.test_planes import ORIENTATIONS, nifti_of, series_of
from tests.support import dicom_series, image_files

REGION = region(5, 8, 34, 49)


def batch(monkeypatch: pytest.MonkeyPatch, *arguments: object, status: int = 0) -> None:
    given = ("enhancers", "batch", *map(str, arguments), "--methods", "clahe", "--jobs", "1")
    monkeypatch.setattr(sys, "argv", list(given))
    assert main() == status


def made(out: Path) -> dict[str, bytes]:
    found = sorted(out.rglob("*.png"))
    return {
        path.relative_to(out / "images" / "clahe").as_posix(): path.read_bytes() for path in found
    }


def clip(path: Path, count: int = 3) -> Path:
    """A cine with a region, whose first pixel is the number of its frame."""
    frames = np.stack([image_files.ramp(40, 60, 200 + n) for n in range(count)]).astype(np.uint8)
    frames[:, 0, 0] = np.arange(count)
    path.write_bytes(
        image_files.dicom(
            frames, Modality="US", NumberOfFrames=count, SequenceOfUltrasoundRegions=[REGION]
        )
    )
    return path


@pytest.mark.parametrize("plane", ["coronal", "sagittal", "axial"])
def test_planes_of_a_series_are_those_of_a_volume_in_one_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, plane: str
) -> None:
    (tmp_path / "one").mkdir()
    nifti_of(tmp_path / "one" / "volume.nii", ORIENTATIONS["sagittal"])
    series = series_of(tmp_path / "series", ORIENTATIONS["sagittal"])
    for source, more in ((tmp_path / "one", ()), (series, ("--series", 1))):
        batch(
            monkeypatch, source, *more, "--plane", plane, "--slice", 5, "--window", "0:900",
            "--out", tmp_path / source.name / "out",
        )  # fmt: skip
    (one,), (other,) = (made(tmp_path / name / "out").values() for name in ("one", "series"))
    assert one == other
    record = next((tmp_path / "series" / "out" / "records").rglob("*.json"))
    assert json.loads(record.read_text())["input"]["plane"] == plane


def test_a_changed_slice_makes_the_planes_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    series = series_of(tmp_path / "series", ORIENTATIONS["axial"])
    asked = (series, "--series", 1, "--plane", "coronal", "--out", tmp_path / "out")
    for said in ("1 done", "1 kept"):
        batch(monkeypatch, *asked)
        assert said in capsys.readouterr().out
    path = sorted(one for one in series.rglob("*") if one.is_file())[0]
    path.write_bytes(path.read_bytes() + b"\0" * 8)
    batch(monkeypatch, *asked)
    assert "1 done" in capsys.readouterr().out


def test_cropped_images_of_files_and_clips(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    ultrasound(folder / "still.dcm", REGION)
    clip(folder / "clip.dcm")
    batch(monkeypatch, folder, "--out", out, "--slice", "all", "--crop-to-region")
    found = made(out)
    assert list(found) == [*(f"clip.dcm/slice-00{n}.png" for n in range(3)), "still.dcm.png"]
    for path in out.rglob("*.png"):
        assert load(path).shape == (30, 42)
    batch(monkeypatch, folder, "--out", out, "--slice", "all")
    assert {load(path).shape for path in out.rglob("*.png")} == {(40, 60), (40, 56)}


def test_a_file_without_a_region_is_not_shown_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(image_files.png(image_files.ramp().astype(np.uint16)))
    out = tmp_path / "out"
    batch(monkeypatch, tmp_path / "in", "--out", out, "--crop-to-region", status=1)
    assert "states no ultrasound region" in capsys.readouterr().err
    assert not list(out.rglob("*.png"))


def test_frames_in_a_folder_are_sorted_and_times_picked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    frames = [{"z": z, "time": t} for t in (1, 2) for z in (30, 10, 40, 20)]
    (folder / "enhanced.dcm").write_bytes(dicom_series.enhanced(frames))
    clip(folder / "clip.dcm")
    plan = BatchPlan(folder, tmp_path / "out", requests(["clahe"]), slices="all", time=1)
    sources = list(listed(plan))
    assert [one.name for one in sources] == [
        "clip.dcm/slice-001", *(f"enhanced.dcm/slice-00{n}" for n in range(4)),
    ]  # fmt: skip
    assert [one.tasks[0].place.frame for one in sources] == [1, 5, 7, 4, 6]


def test_a_node_without_the_disk_gets_the_files_of_a_series(tmp_path: Path) -> None:
    class Ray:
        def __init__(self) -> None:
            self.sent: list[object] = []

        def put(self, what: object) -> object:
            self.sent.append(what)
            return what

    folder = series_of(tmp_path / "series", ORIENTATIONS["axial"])
    plan = BatchPlan(
        folder, tmp_path / "out", requests(["clahe"]), series="1", plane="coronal", slices="all"
    )
    tasks = [(one.image, one.tasks[0]) for one in listed(plan)]
    ray = Ray()
    files = _FileSender(ray)
    here = [Worker("cpu").work(task, image) for image, task in tasks[:2]]
    sent = [files.get(task, image) for image, task in tasks[:2]]
    for path in folder.rglob("*"):
        if path.is_file():
            path.unlink()
    there = [Worker("cpu").work(task, one) for one, (_, task) in zip(sent, tasks, strict=False)]
    assert len(ray.sent) == 1
    assert isinstance(sent[0], Series)
    assert all(isinstance(one, TaskResult) for one in (*here, *there))
    assert [one.data for one in here] == [one.data for one in there]
