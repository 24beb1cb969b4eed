"""``benchmarks evidence`` from end to end, with cheap candidates on drawn images."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from PIL import Image

from benchmarks.__main__ import main
from benchmarks.evidence import (
    chapters,
    claims,
    failure_cases,
    failure_text,
    measure,
    page,
    paths,
    results,
    write,
)
from benchmarks.evidence.chapters import Chapter
from benchmarks.evidence.claims import Claim
from benchmarks.evidence.failure_pictures import draw
from enhancers.errors import ReadingRoomError
from enhancers.evaluation.cases import read_cases
from enhancers.evaluation.methods_under_test import MethodUnderTest, Outcome
from enhancers.evaluation.problem import Degraded, Task
from enhancers.phantoms import phantom
from tests.support.image_files import dicom

TINY = (
    Chapter("first", "The first", "Is it?", "enlarge", limit=3, methods=("pinv", "bicubic"),
            groups=("mr", "ct")),
    Chapter("second", "The second", "Is it?", "lowdose-ct", source="phantoms", limit=1,
            methods=("pinv", "nlm@beta=1")),
)  # fmt: skip
CHEAP = tuple(one for one in failure_cases.FAILURE_CASES if one.method == "clahe")
SIDE = 64
MARKS = f"# A project\n\n{write.BEGIN}\n{write.END}\n"

Run = Callable[..., int]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """The command on a plan of two small chapters and one picture; files lie in ``tmp_path``."""
    monkeypatch.setattr(chapters, "CHAPTERS", MappingProxyType({one.key: one for one in TINY}))
    for module in (page, write):
        monkeypatch.setattr(module, "CHAPTERS", chapters.CHAPTERS)
    monkeypatch.setattr(measure, "read_cases", partial(read_cases, side=SIDE))
    monkeypatch.setattr(failure_text, "CHAPTERS", chapters.CHAPTERS)
    monkeypatch.setattr(failure_text, "FAILURE_CASES", CHEAP)
    monkeypatch.setattr(failure_cases, "FAILURE_CASES", CHEAP)
    monkeypatch.setattr(claims, "CLAIMS", (claim("bicubic", "pinv"),))
    (tmp_path / "README.md").write_text(MARKS, encoding="utf-8")

    def call(*words: str) -> int:
        given = ["--work", str(tmp_path / "work"), "--out", str(tmp_path / "out"),
                 "--readme", str(tmp_path / "README.md"), "--device", "cpu"]  # fmt: skip
        monkeypatch.setattr(sys, "argv", ["benchmarks", "evidence", *given, *words])
        return main()

    return call


def claim(candidate: str, rival: str) -> Claim:
    return Claim("one", "The one is above the other", "first", "x4", candidate, (rival,), "psnr")


def before_each(monkeypatch: pytest.MonkeyPatch, look: Callable[[str], None]) -> None:
    """Let ``look`` see the key of every candidate just before it is run; it may raise."""
    enhance = MethodUnderTest.enhance

    def seen(
        self: MethodUnderTest, degraded: Degraded, task: Task, *, seed: int, device: str
    ) -> Outcome:
        look(self.key)
        return enhance(self, degraded, task, seed=seed, device=device)

    monkeypatch.setattr(MethodUnderTest, "enhance", seen)


def counted(monkeypatch: pytest.MonkeyPatch, stop_after: int = 1000) -> list[str]:
    """The candidates that are run from now on; Ctrl-C comes after so many."""
    calls: list[str] = []

    def count(key: str) -> None:
        if len(calls) == stop_after:
            raise KeyboardInterrupt
        calls.append(key)

    before_each(monkeypatch, count)
    return calls


def test_the_whole_of_it_on_phantoms(run: Run, tmp_path: Path) -> None:
    assert run("--data", "phantoms") == 0
    out = tmp_path / "out"
    found = results.read(out)
    assert [one.key for one in found.chapters] == ["first", "second"]
    assert [one.source for one in found.chapters] == ["phantoms", "phantoms"]
    text = (out / write.PAGE).read_text(encoding="utf-8")
    assert text == page.as_markdown(found)
    linked = set(re.findall(r"\]\(([^)]+)\)", text))
    assert linked == {path.name for path in out.glob("*.png")} == set(found.files)
    assert "fails-clahe.png" in linked
    assert "second-quarter-dose-scores.png" in linked
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert readme == write.with_table(MARKS, found)
    assert "| met | phantoms: 3 each of MR and CT |" in readme
    assert (tmp_path / "work" / "phantoms" / "lowdose-ct" / "summary.md").is_file()
    assert {path.suffix for path in out.iterdir()} == {".json", ".md", ".png"}


def test_an_interrupted_run_keeps_whole_chapters_and_goes_on(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        calls = counted(patch, stop_after=5)
        assert run("--data", "phantoms", "--limit", "1") == 130
        assert len(calls) == 5
    found = results.read(tmp_path / "out")
    assert [one.key for one in found.chapters] == ["first"]
    assert (tmp_path / "out" / write.PAGE).read_text(encoding="utf-8") == page.as_markdown(found)
    calls = counted(monkeypatch)
    assert run("--data", "phantoms", "--limit", "1") == 0
    # The first chapter was done, and one of two candidates of the second.
    assert calls == ["nlm@beta=1"]
    assert len(results.read(tmp_path / "out").chapters) == 2


def test_only_one_chapter_leaves_the_others_as_they_are(run: Run, tmp_path: Path) -> None:
    assert run("--only", "second") == 0
    out = tmp_path / "out"
    before = results.read(out)
    assert not before.failures
    assert run("--only", "first", "--data", "phantoms", "--limit", "1") == 0
    found = results.read(out)
    assert found.chapter("second") == before.chapter("second")
    first = found.chapter("first")
    assert first is not None
    assert first.command.endswith("--only first --data phantoms --limit 1")
    assert run("--only", "page") == 0
    assert results.read(out) == found


def test_without_images_only_what_is_drawn_is_run(run: Run, tmp_path: Path) -> None:
    assert run() == 0
    found = results.read(tmp_path / "out")
    assert [one.key for one in found.chapters] == ["second"]
    assert len(found.failures) == 1
    assert "Not run yet." in (tmp_path / "out" / write.PAGE).read_text(encoding="utf-8")


def test_images_of_the_user_stay_where_they_are(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "secret-name"
    folder.mkdir()
    for seed, modality in ((1, "MR"), (2, "MR"), (3, "CT")):
        pixels = (4095 * phantom("ct", size=SIDE, seed=seed).pixels).astype(np.int64)
        (folder / f"patient-{seed}").write_bytes(dicom(pixels, Modality=modality))
    assert run("--only", "first", "--data", str(folder), "--limit", "1") == 0
    out = tmp_path / "out"
    found = results.read(out).chapter("first")
    assert found is not None
    assert (found.source, sum(one.images for one in found.images)) == ("images", 2)
    assert {path.name for path in out.glob("*.png")} == {"first-x4-scores.png"}
    for path in (*out.glob("*.md"), *out.glob("*.json")):
        text = path.read_text(encoding="utf-8")
        assert "secret" not in text
        assert "patient" not in text


def test_chapters_without_images_of_theirs_are_left_out(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    third = Chapter("third", "The third", "Is it?", "lowdose-ct", limit=1, methods=("pinv",))
    more = MappingProxyType({one.key: one for one in (*TINY, third)})
    for module in (chapters, page, write, failure_text):
        monkeypatch.setattr(module, "CHAPTERS", more)
    folder = tmp_path / "scans"
    folder.mkdir()
    pixels = (4095 * phantom("ct", size=SIDE, seed=3).pixels).astype(np.int64)
    (folder / "scan").write_bytes(dicom(pixels, Modality="CT"))
    assert run("--data", str(folder)) == 0
    found = results.read(tmp_path / "out")
    assert [(one.key, one.source) for one in found.chapters] == [
        ("second", "phantoms"), ("third", "images"),
    ]  # fmt: skip
    assert "the chapter first is left out: " in capsys.readouterr().err
    assert run("--only", "first,third", "--data", str(folder)) == 2
    # A claim of what was left out, missed before, is not this run's fault.
    monkeypatch.setattr(claims, "CLAIMS", (claim("pinv", "bicubic"),))
    assert run("--only", "first", "--data", "phantoms") == 1
    assert run("--data", str(folder)) == 0


def test_a_damaged_archive_is_an_error_and_no_chapter_left_out(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    for group in ("mr", "ct"):
        (folder / f"{group}.npz").write_bytes(b"PK\x03\x04 torn")
    assert run("--data", str(folder)) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_a_missed_claim_ends_with_status_1(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(claims, "CLAIMS", (claim("pinv", "bicubic"),))
    assert run("--only", "first", "--data", "phantoms") == 1
    assert "**MISSED**" in capsys.readouterr().out
    assert "- **Missed:** The one" in (tmp_path / "out" / write.PAGE).read_text(encoding="utf-8")
    # What was not run now is not this run's fault.
    assert run("--only", "second") == 0


def test_pictures_that_nothing_shows_any_more_are_removed(run: Run, tmp_path: Path) -> None:
    assert run("--only", "second") == 0
    out = tmp_path / "out"
    found = results.read(out)
    (out / "of-somebody-else.png").write_bytes(b"kept")
    [chapter] = found.chapters
    write.write(out, None, replace(found, chapters=(replace(chapter, plots=chapter.plots[1:]),)))
    left = {path.name for path in out.glob("*.png")}
    assert left == {plot.file for plot in chapter.plots[1:]} | {"of-somebody-else.png"}


@pytest.mark.parametrize("words", [("--limit", "1"), ("--data", "phantoms")])
def test_a_trial_does_not_overwrite_what_is_shipped(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (paths.EVIDENCE / "evidence.json").read_bytes()
    monkeypatch.setattr(sys, "argv", ["benchmarks", "evidence", *words])
    assert main() == 2
    assert "give --out DIR" in capsys.readouterr().err
    assert (paths.EVIDENCE / "evidence.json").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--only", "secnd"), "--only secnd is no chapter; did you mean second?"),
        (("--only", "first"), "The chapter first needs images; give --data DIR"),
        (("--data", "nowhere"), "nowhere is not a folder"),
        (("--only", "second", "--limit", "0"), "--limit"),
    ],
)
def test_what_cannot_be_run_is_one_line(
    run: Run, words: tuple[str, ...], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words) == 2
    text = capsys.readouterr().err
    assert text.startswith("error: ")
    assert told in text
    assert text.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_broken_file_is_told_before_anything_is_run(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / results.NAME).write_text('{"chapters": [', encoding="utf-8")
    calls = counted(monkeypatch)
    assert run("--only", "second") == 2
    text = capsys.readouterr().err
    assert re.fullmatch(r"error: \S+evidence\.json does not hold evidence .*\n", text)
    assert not calls


def test_a_readme_without_the_marks_is_told_before_anything_is_run(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "README.md").write_text("# A project\n", encoding="utf-8")
    calls = counted(monkeypatch)
    assert run("--only", "second") == 2
    assert "has no place for the claims; put the lines" in capsys.readouterr().err
    assert not calls


def test_what_fails_on_one_image_is_listed(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(key: str) -> None:
        if key == "nlm@beta=1":
            raise ReadingRoomError("No room for it.")

    before_each(monkeypatch, refuse)
    assert run("--only", "second") == 1
    assert "failed: quarter-dose" in capsys.readouterr().err
    text = (tmp_path / "out" / write.PAGE).read_text(encoding="utf-8")
    assert "### Not measured\n\n- quarter-dose, ct-10000, Non-local means" in text
    assert "No room for it." in text


def test_a_failure_is_drawn_the_same_every_time(tmp_path: Path) -> None:
    first, again = (draw(tmp_path / name, CHEAP[0], "cpu") for name in ("a", "b"))
    assert first == again
    [judged] = first.judged
    assert judged.before is not None
    assert judged.after < judged.before - 3
    drawn = [(tmp_path / name / first.plot.file).read_bytes() for name in ("a", "b")]
    assert drawn[0] == drawn[1]
    with Image.open(tmp_path / "a" / first.plot.file) as picture:
        assert (picture.mode, picture.width > 4 * 256) == ("L", True)


def test_the_project_has_a_place_for_its_own() -> None:
    assert write.check(paths.README)
    assert (paths.EVIDENCE / results.NAME).is_file()
