"""The command from end to end on drawn images: resumed, repeated, on a user's folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from enhancers.__main__ import main
from enhancers.errors import NetworkMissing, ParameterError, ReadingRoomError
from enhancers.evaluation import runs
from enhancers.evaluation.cases import read_cases
from enhancers.evaluation.method_text import chosen
from enhancers.evaluation.methods_under_test import MethodUnderTest
from enhancers.evaluation.pictures import place
from enhancers.evaluation.protocols import protocol
from enhancers.evaluation.report import write
from enhancers.evaluation.runs import RunPlan, count, run
from enhancers.evaluation.store import ROWS, Measured, ResultRow, RowStore
from enhancers.phantoms import phantom
from enhancers.save import read_png16, save_png16

SIDE = 64
TIMELESS = ("rows.csv", "rows.parquet", "summary.csv", "paired.csv", "summary.md", "about.json")


def plan(key: str, *methods: str, limit: int = 2, seeds: int = 1) -> RunPlan:
    asked = protocol(key)
    cases = read_cases("phantoms", asked.groups, limit=limit, side=SIDE)
    return RunPlan(asked, tuple(cases), tuple(chosen(asked, methods)), seeds)


def finish(asked: RunPlan, folder: Path) -> list[ResultRow]:
    rows = list(run(asked, folder))
    write(folder, asked, rows)
    return rows


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunPlan, Path, list[ResultRow]]:
    """Classical filters and DDNM on two low-dose CT phantoms, two seeds of what samples."""
    asked = plan("lowdose-ct", "pinv", "nlm@beta=1", "tv@weight=0.02", "tv@weight=0.1",
                 "null_space", seeds=2)  # fmt: skip
    folder = tmp_path_factory.mktemp("whole")
    return asked, folder, finish(asked, folder)


def test_a_protocol_runs_from_end_to_end(whole: tuple[RunPlan, Path, list[ResultRow]]) -> None:
    asked, folder, rows = whole
    assert len(rows) == count(asked) == 2 * (4 + 2)
    assert all(row.fresh and not row.error for row in rows)
    frame = pd.read_csv(folder / "rows.csv")
    assert frame.equals(pd.read_parquet(folder / "rows.parquet").assign(error=np.nan))
    assert set(frame["candidate"]) == {one.key for one in asked.candidates}
    assert (frame["psnr"] > 15).all()
    assert frame.loc[frame["candidate"] == "null_space", "calls"].gt(0).all()
    assert "seconds" not in (folder / "summary.md").read_text() + (folder / "rows.csv").read_text()
    assert (pd.read_csv(folder / "times.csv")["seconds"] >= 0).all()
    for name in ("quarter-dose-scores", "quarter-dose-differences"):
        assert (folder / "plots" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (folder / "plots" / f"{name}.svg").read_text()
    assert json.loads((folder / "about.json").read_text())["protocol"] == "lowdose-ct"


def test_all_candidates_of_an_image_get_the_same_and_are_measured_as_elsewhere(
    whole: tuple[RunPlan, Path, list[ResultRow]],
) -> None:
    from enhancers.degrade import degrade
    from enhancers.metrics import score

    asked, _, rows = whole
    case = asked.cases[0]
    noisy = degrade(case.truth, "low_dose", 0.25, seed=case.seed)
    row = next(row for row in rows if row.candidate == "pinv" and row.case == case.key)
    [psnr] = score(noisy, reference=case.truth, keys=["psnr"])
    assert row.measured.scores["psnr"] == psnr.value


def test_a_second_run_computes_nothing_and_gives_the_same_files(
    whole: tuple[RunPlan, Path, list[ResultRow]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, folder, _ = whole
    before = files(folder)
    monkeypatch.setattr(MethodUnderTest, "enhance", _never)
    rows = finish(asked, folder)
    assert not any(row.fresh or row.error for row in rows)
    assert files(folder) == before


def test_a_run_in_another_folder_gives_the_same_tables(
    whole: tuple[RunPlan, Path, list[ResultRow]], tmp_path: Path
) -> None:
    asked, folder, _ = whole
    finish(asked, tmp_path)
    for name in TIMELESS:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name


def test_an_interrupted_run_goes_on_where_it_stopped(
    whole: tuple[RunPlan, Path, list[ResultRow]], tmp_path: Path
) -> None:
    asked, folder, rows = whole
    begun = run(asked, tmp_path)
    for _ in range(5):
        next(begun)
    begun.close()
    stored = tmp_path / ROWS
    text = stored.read_text()
    assert text.count("\n") == 5
    # The power went in the middle of the fifth line.
    stored.write_text(text[: text.rindex('"calls"')])
    again = finish(asked, tmp_path)
    assert [row.fresh for row in again] == [False] * 4 + [True] * (len(rows) - 4)
    assert (tmp_path / "rows.csv").read_bytes() == (folder / "rows.csv").read_bytes()
    assert not any(row.fresh for row in run(asked, tmp_path))


def test_what_changes_is_computed_again_and_nothing_else(
    whole: tuple[RunPlan, Path, list[ResultRow]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = whole[1]
    more = plan("lowdose-ct", "pinv", "nlm@beta=1.1", "null_space", limit=2, seeds=2)
    changed = [row.candidate for row in run(more, folder) if row.fresh]
    assert changed == ["nlm@beta=1.1"] * 2
    digest = runs.source_digest
    monkeypatch.setattr(
        runs, "source_digest", lambda module: digest(module) + "x" * ("measures" in module)
    )
    assert all(row.fresh for row in run(plan("lowdose-ct", "pinv", limit=1), folder))


def test_an_image_that_fails_is_told_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = plan("lowdose-ct", "pinv", "nlm@beta=1")
    honest = MethodUnderTest.enhance

    def enhance(self: MethodUnderTest, *args: object, **kwargs: object) -> object:
        if self.method == "nlm":
            raise ReadingRoomError("There is too little memory for this.")
        return honest(self, *args, **kwargs)  # type: ignore[arg-type]

    with monkeypatch.context() as broken:
        broken.setattr(MethodUnderTest, "enhance", enhance)
        rows = finish(asked, tmp_path)
    assert [row.error for row in rows] == ["", "There is too little memory for this."] * 2
    assert "too little memory" in (tmp_path / "summary.md").read_text()
    assert [row.fresh for row in run(asked, tmp_path)] == [False, True] * 2


def test_a_missing_network_stops_the_run_before_it_begins(tmp_path: Path) -> None:
    asked = plan("lowdose-ct", "null_space@prior=adm256", limit=1)
    with pytest.raises(NetworkMissing):
        next(run(asked, tmp_path))


def test_seeds_must_be_possible() -> None:
    with pytest.raises(ParameterError, match="seeds=0"):
        plan("lowdose-ct", "pinv", limit=1, seeds=0)


def test_a_contrast_step_has_no_score_against_the_truth(tmp_path: Path) -> None:
    rows = finish(plan("us-speckle", "input", "classical", "classical:plain", limit=1), tmp_path)
    scores = {row.candidate: row.measured.scores for row in rows}
    assert "psnr" not in scores["classical"]
    assert scores["classical:plain"]["psnr"] is not None
    assert scores["classical"]["piqe"] is not None


def test_conditions_take_their_own_groups_and_the_methods_that_suit(tmp_path: Path) -> None:
    methods = ("null_space@steps=5", "pseudo_label:plain@strength=1@steps=2", "unimie@steps=5")
    asked = plan("steps", *methods, limit=1)
    wanted = {(job.condition.key, job.case.group, job.candidate.method) for job in runs.jobs(asked)}
    assert ("speckle", "us", "pseudo_label") in wanted
    assert not any(key == "speckle" and group != "us" for key, group, _ in wanted)
    assert {method for key, _, method in wanted if key == "under-exposure"} == {"unimie"}


def test_a_store_keeps_what_json_has_no_number_for(tmp_path: Path) -> None:
    store = RowStore(tmp_path)
    store.put("a", Measured({"psnr": float("inf"), "loe": None, "ssim": 0.1 + 0.2}, (1.5,), 3))
    again = RowStore(tmp_path).get("a")
    assert again is not None
    assert again.scores == {"psnr": float("inf"), "loe": None, "ssim": 0.1 + 0.2}
    assert (again.spectrum, again.calls) == ((1.5,), 3)


def test_a_damaged_store_is_computed_anew_where_it_is_damaged(tmp_path: Path) -> None:
    store = RowStore(tmp_path)
    store.put("a", Measured({"psnr": 1.0}))
    (tmp_path / ROWS).write_bytes(
        b'\xff\xfe{"digest"\n[]\n{"digest": 5}\n' + store.path.read_bytes()
    )
    assert len(RowStore(tmp_path)) == 1


def test_a_picture_that_is_missing_is_made_and_the_row_stays(tmp_path: Path) -> None:
    asked = plan("lowdose-ct", "pinv", limit=1)
    [first] = run(asked, tmp_path)
    [again] = run(asked, tmp_path, tmp_path / "pictures")
    assert again.fresh
    assert again.measured == first.measured
    assert [row.fresh for row in run(asked, tmp_path, tmp_path / "pictures")] == [False]
    names = {path.name for path in (tmp_path / "pictures").rglob("*.png")}
    assert names == {"truth.png", "degraded.png", "pinv.png"}


def test_names_that_no_path_can_hold_have_pictures_of_their_own(tmp_path: Path) -> None:
    def named(case: str) -> Path:
        return place(tmp_path, ResultRow("c", case, "ct", "s", 0.0, "nlm@beta=1", "nlm", "", 0))

    assert named("../../a").is_relative_to(tmp_path)
    assert ".." not in named("../../a").parts
    assert named("a/b") != named("a_b")
    assert named("x" * 300).parent.name.startswith("xxx")


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    words = ["enhancers", "evaluate", *map(str, arguments)]
    monkeypatch.setattr(sys, "argv", words)
    return main()


def fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> str:
    assert call(monkeypatch, *arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("error: ")
    return error


def test_the_command_measures_a_users_folder_with_masks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    for number, name in enumerate(("anna/one", "bert/two")):
        drawn = phantom("echo", size=SIDE, seed=number)
        assert drawn.labels is not None
        (data / name).parent.mkdir(parents=True)
        save_png16(data / f"{name}.png", drawn.pixels)
        save_png16(data / f"{name}.mask.png", (drawn.labels == 1).astype(np.float32))
    words = ("--protocol", "spine", "--data", data, "--methods", "input,srad", "--out", out,
             "--device", "cpu", "--limit", 2, "--against", "srad")  # fmt: skip
    assert call(monkeypatch, *words, "--pictures") == 0
    said = capsys.readouterr()
    assert "8 rows computed, 0 kept" in said.err
    assert "CNR" in said.out
    frame = pd.read_csv(out / "spine" / "rows.csv")
    assert set(frame["subject"]) == {"anna", "bert"}
    assert frame["cnr"].notna().all()
    assert frame.loc[frame["condition"] == "as-it-is", "psnr"].isna().all()
    [picture, *_] = sorted((out / "spine" / "pictures" / "speckle").glob("anna*/srad.png"))
    assert read_png16(picture.read_bytes()).shape == (SIDE, SIDE)
    assert (out / "spine" / "plots" / "speckle-worst.png").is_file()
    assert call(monkeypatch, *words) == 0
    assert "0 rows computed, 8 kept" in capsys.readouterr().err


def test_what_is_wrong_with_the_command_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = ("--data", "phantoms", "--out", tmp_path, "--device", "cpu")
    ask = ("--protocol", "lowdose-ct", *drawn)
    assert "did you mean lowdose-ct" in fails(monkeypatch, capsys, "--protocol", "lowdose", *drawn)
    assert "did you mean null_space" in fails(monkeypatch, capsys, *ask, "--methods", "nullspace")
    assert "srad is not among" in fails(
        monkeypatch, capsys, *ask, "--methods", "nlm", "--against", "srad"
    )
    absent = ("--protocol", "lowdose-ct", "--data", tmp_path / "no", "--out", tmp_path)
    assert "is not a folder" in fails(monkeypatch, capsys, *absent)
    assert "No group xx" in fails(monkeypatch, capsys, *ask, "--groups", "xx")
    assert "greater than or equal to 1" in fails(monkeypatch, capsys, *ask, "--seeds", "0")
    assert "--modality QQ" in fails(monkeypatch, capsys, *ask, "--modality", "QQ")
    assert not list(tmp_path.iterdir())


def _never(*_: object, **__: object) -> object:
    raise AssertionError("nothing was to be computed")
