"""``enhancers series``, and series in ``run``, as a user types them."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from enhancers.__main__ import main
from enhancers.save import read_png16
from enhancers.series import LocalSeries, find_series, load_slice
from tests.series.test_images import pet
from tests.support import dicom_series


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["enhancers", *map(str, arguments)])
    return main()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tilted series with a gap, and a series of four times."""
    dicom_series.stack(tmp_path / "in" / "ct", [6, 0, 2])
    files = [
        dicom_series.slice_file(
            (0, 0, 2 * place), 10 * time + place, TemporalPositionIdentifier=time, Modality="MR",
            SeriesInstanceUID="1.2.3.2", SeriesNumber=5, SOPInstanceUID=f"1.2.4.{time}.{place}",
        )
        for time in (1, 2, 3, 4)
        for place in range(3)
    ]  # fmt: skip
    dicom_series.write(tmp_path / "in" / "mr", files)
    return tmp_path / "in"


def test_the_table_has_a_line_for_each_series(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    (folder / "notes.txt").write_text("These are notes.")
    assert call(monkeypatch, "series", folder) == 0
    head, ct, mr, note, left_out = capsys.readouterr().out.splitlines()
    assert head.split()[:4] == ["series", "modality", "size", "slices"]
    assert ct.split() == ["1", "CT", "24", "x", "20", "3", "axial", "0.7", "x", "0.7", "x", "3",
                          "2"]  # fmt: skip
    assert mr.startswith("2.1 to 2.4  MR")
    assert "3 x 4" in mr
    assert mr.endswith("time 1 to 4")
    assert note == "Note on 1: The distance of the slices varies from 2 to 4 mm."
    assert left_out == "Left out: files that are no DICOM (1)."


def test_json_has_every_slice_in_its_order(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    assert call(monkeypatch, "series", folder, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert [one["key"] for one in facts["series"]] == ["1", "2.1", "2.2", "2.3", "2.4"]
    assert facts["series"][0]["slices"] == [
        {"file": "ct/IM998", "frame": None, "position": 0.0},
        {"file": "ct/IM997", "frame": None, "position": 2.0},
        {"file": "ct/IM999", "frame": None, "position": 6.0},
    ]


def test_run_takes_a_slice_in_the_sorted_order(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    folder: Path,
    tmp_path: Path,
) -> None:
    out, record = tmp_path / "out.png", tmp_path / "out.json"
    arguments = ("--method", "clahe", "--out", out, "--json", record)
    assert call(monkeypatch, "run", folder, "--series", "1", "--slice", 2, *arguments) == 0
    assert "slice 3 of 3 (--slice 2)." in capsys.readouterr().err
    facts = json.loads(record.read_text())["input"]
    assert (facts["slice_index"], facts["slice_count"]) == (2, 3)
    at_six = facts["file_digest"]
    # A series that is alone needs no key, and opens at its middle slice.
    assert call(monkeypatch, "run", folder / "ct", *arguments) == 0
    assert json.loads(record.read_text())["input"]["slice_index"] == 1
    first = ("run", folder / "ct" / "IM999", "--slice", "middle")
    assert call(monkeypatch, *first, *arguments) == 0
    assert json.loads(record.read_text())["input"]["file_digest"] == at_six


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "There are 5 series; choose one by its key: 1 (CT, 24 x 20, 3 slices"),
        (("--series", "9"), "There is no series 9"),
        (("--series", "1", "--slice", "3"), "series 1 has the slices 0 to 2"),
        (("--series", "1", "--slice", "first"), "give a number or middle"),
    ],
)
def test_what_cannot_be_run_is_an_error_that_helps(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    folder: Path,
    arguments: tuple[str, ...],
    says: str,
) -> None:
    out = folder / "out.png"
    assert call(monkeypatch, "run", folder, "--method", "clahe", "--out", out, *arguments) == 2
    assert says in capsys.readouterr().err
    assert not out.exists()


def test_a_batch_of_a_series(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    folder: Path,
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    asked = ("batch", folder, "--series", "1", "--methods", "clahe", "--out", out)
    assert call(monkeypatch, *asked, "--slice", "all") == 0
    assert "3 done" in capsys.readouterr().out
    assert call(monkeypatch, *asked) == 0
    assert "1 kept" in capsys.readouterr().out
    stored = sorted(path.relative_to(out).as_posix() for path in (out / "images").rglob("*.png"))
    assert stored == [f"images/clahe/series-1/slice-00{k}.png" for k in range(3)]
    record = out / "records" / "clahe" / "series-1" / "slice-002.png.json"
    facts = json.loads(record.read_text())["input"]
    assert (facts["slice_index"], facts["slice_count"]) == (2, 3)
    at_six = hashlib.sha256((folder / "ct" / "IM999").read_bytes()).hexdigest()
    assert facts["file_digest"] == at_six


def test_a_batch_of_a_zip_archive_with_one_series(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    folder: Path,
    tmp_path: Path,
) -> None:
    packed = shutil.make_archive(str(tmp_path / "ct"), "zip", folder / "ct")
    for source in (packed, folder / "ct"):
        out = tmp_path / f"out-{Path(source).name}"
        asked = ("batch", source, "--methods", "clahe", "--out", out, "--slice", "all")
        assert call(monkeypatch, *asked, *(("--series", "1") if source != packed else ())) == 0
        assert "3 done" in capsys.readouterr().out
    from_zip, from_folder = (
        [path.read_bytes() for path in sorted((tmp_path / name / "images").rglob("*.png"))]
        for name in ("out-ct.zip", "out-ct")
    )
    assert from_zip == from_folder
    assert len(from_zip) == 3
    out = tmp_path / "no"
    assert call(monkeypatch, "batch", folder, "--series", "7", "--methods", "clahe",
                "--out", out) == 2  # fmt: skip
    assert "There is no series 7" in capsys.readouterr().err


def read_png(path: Path) -> NDArray[np.float32]:
    return (read_png16(path.read_bytes()) / 65535).astype(np.float32)


@pytest.mark.parametrize(
    ("window", "low", "high"),
    [("--window=-100:300", -100, 300), ("--window=lung", -1350, 150), ("--window=brain", 0, 80)],
)
def test_a_window_by_limits_or_name_for_every_command(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path, window: str, low: int, high: int
) -> None:
    out, record = tmp_path / "out.png", tmp_path / "out.json"
    given = (folder, "--series", "1", "--slice", 2, window)
    clahe = ("--method", "clahe", "--out", out, "--json", record)
    assert call(monkeypatch, "run", *given, *clahe) == 0
    facts = json.loads(record.read_text())["input"]
    assert facts["window"] == [low, high]
    blurred = ("--kind", "blur", "--level", 0.001, "--out", out)
    assert call(monkeypatch, "degrade", *given, *blurred) == 0
    source = load_slice(find_series(folder).pick("1"), 2, window=(low, high))
    assert np.abs(read_png(out) - source.pixels).max() < 0.01
    results = tmp_path / "results"
    batch = ("--methods", "clahe", "--out", results)
    assert call(monkeypatch, "batch", *given, *batch) == 0
    [made] = (results / "records").rglob("*.json")
    assert json.loads(made.read_text())["input"]["window"] == [low, high]


def test_metrics_of_a_slice_in_a_window(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    given = (folder, "--series", "1", "--reference", folder / "ct", "--json")
    assert call(monkeypatch, "metrics", *given, "--slice", 2, "--window", "0:100") == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["ssim"]["value"] == 1.0
    assert call(monkeypatch, "metrics", *given, "--slice", 3) == 2
    assert "no slice 3" in capsys.readouterr().err
    # A slice alone does not say which of the reference belongs to it.
    index = find_series(folder).pick("1").slices[2].file.name
    alone = (folder / index, "--reference", folder / "ct", "--json", "--window", "0:4")
    assert call(monkeypatch, "metrics", *alone) == 2
    assert "reference has 3 slices and the image 1" in capsys.readouterr().err


def test_an_unknown_window_is_an_error_that_lists_the_known_ones(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    folder: Path,
    tmp_path: Path,
) -> None:
    for command, option, status in (("run", "--method", 2), ("batch", "--methods", 1)):
        asked = (command, folder, "--series", "1", option, "clahe", "--window", "kidney")
        out = tmp_path / ("out.png" if command == "run" else "out")
        assert call(monkeypatch, *asked, "--out", out) == status
        assert "Soft tissue, Lung" in capsys.readouterr().err


def test_run_and_batch_have_the_window_of_the_series(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pet(tmp_path / "pet")
    low, high = LocalSeries(find_series(tmp_path / "pet").pick(None)).window()[0]
    record = tmp_path / "out.json"
    for index in range(3):
        asked = ("--method", "clahe", "--out", tmp_path / "out.png", "--json", record)
        assert call(monkeypatch, "run", tmp_path / "pet", "--slice", index, *asked) == 0
        assert json.loads(record.read_text())["input"]["window"] == [low, high]
    results = tmp_path / "results"
    asked = ("--series", "1", "--methods", "clahe", "--out", results, "--slice", "all")
    assert call(monkeypatch, "batch", tmp_path / "pet", *asked) == 0
    records = [json.loads(path.read_text()) for path in (results / "records").rglob("*.json")]
    assert [one["input"]["window"] for one in records] == [[low, high]] * 3
