"""A batch on this machine: what it writes, keeps, does again and reports."""

from __future__ import annotations

import csv
import json
import os
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from enhancers import provenance
from enhancers.batch import BatchPlan, LocalBackend, Status, SummaryRow, listed, requests, run
from enhancers.batch.plan import BatchTask, request_digest
from enhancers.compare import enhance
from enhancers.load import load
from enhancers.save import read_png16, to_png16, to_tiff_source
from enhancers.settings import get_settings
from tests.support import image_files, volume_files
from tests.support.batch_folders import fill, results


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fill(tmp_path / "in")


def plan(folder: Path, methods: str = "clahe,srad", **options: object) -> BatchPlan:
    given = options.pop("given", {})
    out = options.pop("out", folder.parent / "out")
    return BatchPlan(folder, out, requests(methods.split(","), given), **options)


def go(asked: BatchPlan) -> list[SummaryRow]:
    return list(run(asked, listed(asked), LocalBackend(asked, "cpu")))


def statuses(rows: list[SummaryRow]) -> dict[tuple[str, str], str]:
    return {(row.file, row.method): str(row.status) for row in rows}


def test_every_image_goes_through_every_method(folder: Path) -> None:
    rows = go(plan(folder))
    for method in ("clahe", "srad"):
        for name in ("a.png", "sub/IM0001", "volume.nii.gz"):
            assert statuses(rows)[name, method] == "done"
    assert statuses(rows)["readme.txt", ""] == "skipped"
    image = load(folder / "a.png")
    expected = to_png16(enhance(image, "clahe").pixels)
    out = folder.parent / "out"
    assert results(out)["clahe/a.png.png"] == expected
    assert "srad/sub/IM0001.png" in results(out)
    assert "srad/volume.nii.gz/slice-001.png" in results(out)
    text = json.loads((out / "records/clahe/a.png.png.json").read_text())
    text.pop("batch")
    assert provenance.from_json(json.dumps(text)).method == "clahe"


def test_a_second_run_does_nothing(folder: Path) -> None:
    go(plan(folder))
    out = folder.parent / "out"
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    rows = go(plan(folder))
    assert {row.status for row in rows} == {Status.KEPT, Status.SKIPPED}
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.png")} == before


@pytest.mark.parametrize(
    "options",
    [{"given": {"clahe.clip_limit": "3"}}, {"form": "tif"}],
    ids=["parameter", "format"],
)
def test_what_changed_is_done_again(folder: Path, options: dict[str, object]) -> None:
    go(plan(folder))
    again = statuses(go(plan(folder, **options)))
    assert again["a.png", "clahe"] == "done"
    assert again["a.png", "srad"] == ("done" if "form" in options else "kept")
    assert statuses(go(plan(folder, **options)))["a.png", "clahe"] == "kept"


def test_a_changed_seed_or_file_is_done_again(folder: Path) -> None:
    go(plan(folder))
    assert statuses(go(plan(folder, seed=1)))["a.png", "clahe"] == "done"
    (folder / "a.png").write_bytes(image_files.png(image_files.ramp(40, 60).astype(np.uint16)))
    again = statuses(go(plan(folder, seed=1)))
    assert again["a.png", "clahe"] == "done"
    assert again["sub/IM0001", "clahe"] == "kept"


def test_what_networks_compute_with_counts_and_for_classical_methods_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def digests() -> list[str]:
        get_settings.cache_clear()
        tasks = [
            BatchTask("0" * 64, None, name, (), 0, None, "png") for name in ("srad", "null_space")
        ]
        return [request_digest(task, kind) for task in tasks for kind in ("cpu", "cuda")]

    before = digests()
    monkeypatch.setenv("READINGROOM_PRECISION", "half")
    after = digests()
    monkeypatch.undo()
    get_settings.cache_clear()
    assert before[0] == before[1] == after[0] == after[1]
    assert len({*before, *after}) == 5


@pytest.mark.parametrize("room", ["images/clahe/a.png.png", "records/clahe/a.png.png.json"])
@pytest.mark.parametrize("damage", ["gone", "empty", "cut", "foreign"])
def test_a_harmed_result_is_done_again(folder: Path, room: str, damage: str) -> None:
    go(plan(folder, "clahe"))
    out = folder.parent / "out"
    good, path = results(out), out / room
    data = path.read_bytes()
    path.write_bytes({"empty": b"", "cut": data[:-9], "foreign": b"[1]"}.get(damage, data))
    if damage == "gone":
        path.unlink()
    rows = statuses(go(plan(folder, "clahe")))
    assert rows["a.png", "clahe"] == "done"
    assert rows["sub/IM0001", "clahe"] == "kept"
    assert results(out) == good


def test_all_slices_reuse_the_one_that_is_there(folder: Path) -> None:
    go(plan(folder, "clahe"))
    rows = [row for row in go(plan(folder, "clahe", slices="all")) if "volume" in row.file]
    assert sorted((row.slice, str(row.status)) for row in rows) == [
        (0, "done"), (1, "kept"), (2, "done"),
    ]  # fmt: skip
    beyond = go(plan(folder, "clahe", slices=7))
    assert any("no slice 7" in row.message for row in beyond if row.status == Status.FAILED)
    assert statuses(beyond)["a.png", "clahe"] == "kept"


def test_bad_files_are_reported_and_stop_nothing(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in")
    bad = image_files.bad_files()
    for key, file in bad.items():
        (folder / f"bad-{key}-{file.name}").write_bytes(file.data)
    os.mkfifo(folder / "pipe.png")
    rows = go(plan(folder, "clahe"))
    assert sum(row.status == Status.DONE for row in rows) == 3
    for key, file in bad.items():
        row = next(row for row in rows if row.file == f"bad-{key}-{file.name}")
        assert row.status == Status.FAILED, key
        assert file.says in row.message
    assert statuses(rows)["pipe.png", ""] == "failed"
    with (tmp_path / "out/summary.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == len(rows)
    assert [row["file"] for row in table] == sorted(row["file"] for row in table)


def test_results_inside_the_folder_are_not_taken_for_images(folder: Path) -> None:
    inside = folder / "sub" / "out"
    go(plan(folder, out=inside))
    (folder / ".hidden.png").write_bytes(b"nothing")
    rows = go(plan(folder, out=inside))
    assert {row.file for row in rows} == {"a.png", "sub/IM0001", "volume.nii.gz", "readme.txt"}


def test_an_interruption_leaves_whole_files_and_a_table(folder: Path) -> None:
    asked = plan(folder)
    with closing(run(asked, listed(asked), LocalBackend(asked, "cpu"))) as rows:
        first = [next(rows) for _ in range(3)]
    done = [row for row in first if row.status == Status.DONE]
    text = (asked.out / "summary.csv").read_text()
    assert text.count(",done,") == len(done) == 2
    assert text.count(",not run,") == 4
    assert len(results(asked.out)) == 2
    assert not list(asked.out.rglob(".*"))
    assert [str(row.status) for row in go(asked)].count("kept") == 2


def test_leftovers_of_dead_processes_are_removed(folder: Path) -> None:
    old, new = (folder.parent / f"out/images/clahe/.{name}.part" for name in ("1-0", "2-0"))
    old.parent.mkdir(parents=True)
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    go(plan(folder, "clahe"))
    assert not old.exists()
    assert new.exists()


def test_nothing_of_the_patient_is_written(folder: Path) -> None:
    go(plan(folder, slices="all"))
    written = b"".join(p.read_bytes() for p in (folder.parent / "out").rglob("*") if p.is_file())
    for secret in image_files.PATIENT:
        assert secret.encode() not in written
    assert str(folder.parent).encode() not in written


def test_tiffs_are_in_source_units(folder: Path) -> None:
    go(plan(folder, "clahe", form="tif"))
    image = load(folder / "a.png")
    expected = to_tiff_source(image, enhance(image, "clahe").pixels, image.units)
    assert results(folder.parent / "out")["clahe/a.png.tif"] == expected


def test_strange_names_stay_one_row_and_run_no_formula(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    data = image_files.png(image_files.ramp().astype(np.uint16))
    names = ["=1+1.png", "two\nlines.png", os.fsdecode(b"\xff\xfe.png"), "x" * 252 + "y", "a,b"]
    for name in names:
        (folder / name).write_bytes(data)
    rows = go(plan(folder, "clahe"))
    failed = [row for row in rows if row.status == Status.FAILED]
    assert [len(row.file) for row in failed] == [253]
    assert "cannot be written" in failed[0].message
    with (tmp_path / "out/summary.csv").open(newline="", encoding="utf-8") as file:
        found = {row["file"] for row in csv.DictReader(file)}
    assert {"'=1+1.png", "two\\nlines.png", "a,b"} <= found
    assert len(found) == len(names)


def test_a_full_disk_ends_the_batch(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = plan(folder, "clahe")
    written = []

    def full(part: Path, path: Path) -> None:
        written.append(path)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space left"):
        go(asked)
    assert len(written) == 2


def test_a_failing_method_is_reported(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object, **options: object) -> None:
        raise RuntimeError("not foreseen")

    monkeypatch.setattr("enhancers.classical.srad.run", broken)
    rows = go(plan(folder))
    assert statuses(rows)["a.png", "srad"] == "failed"
    assert statuses(rows)["a.png", "clahe"] == "done"
    message = next(row.message for row in rows if row.method == "srad")
    assert "internal error" in message


def test_several_processes_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    asked = plan(folder, slices="all", out=tmp_path / "apart")
    apart = list(run(asked, listed(asked), LocalBackend(asked, "cpu", jobs=2)))
    here = plan(folder, slices="all")
    assert sorted(statuses(apart).items()) == sorted(statuses(go(here)).items())
    assert results(asked.out) == results(here.out)
    pixels = read_png16(results(here.out)["srad/a.png.png"])
    assert pixels.shape == (40, 56)


def test_volumes_in_two_files_are_one_image_of_a_batch(tmp_path: Path) -> None:
    """Their headers may be the same, and their values not."""
    folder = tmp_path / "in"
    folder.mkdir()
    stacks = np.random.default_rng(0).integers(0, 900, (2, 24, 22, 3)).astype(np.int16)
    for name, stack in zip("ab", stacks, strict=True):
        (folder / name).mkdir()
        header = volume_files.nrrd(stack, data_file="scan.raw.gz", encoding="gzip")
        (folder / name / "scan.nhdr").write_bytes(header)
        (folder / name / "scan.raw.gz").write_bytes(volume_files.values(stack, "gzip"))
    rows = go(plan(folder, "clahe", slices="middle"))
    found = statuses(rows)
    assert found["a/scan.nhdr", "clahe"] == found["b/scan.nhdr", "clahe"] == "done"
    assert found["a/scan.raw.gz", ""] == "skipped"
    images = [data for name, data in results(tmp_path / "out").items() if name.endswith(".png")]
    assert len(set(images)) == 2
