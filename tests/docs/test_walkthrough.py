"""The commands of the coordinators' page, as they are written there, on a small study."""

from __future__ import annotations

import io
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from study.cli import main
from study.demo.reader_model import ReaderModel
from study.demo.simulated_readers import read
from study.storage.store import Store
from tests.support import image_files
from tests.support.small_studies import noisy, picture

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "for-coordinators.md"
SERVING = {"demo", "serve"}
"""Commands that run until they are interrupted; tests of the servers call them."""
PATIENTS = 4
KEY = "READINGROOM_STUDY_KEY"


def commands() -> Iterator[list[str]]:
    # Without a qualification, which needs training cases and a table of answers.
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("python -m study ") and not re.search("qualify|attempt|amend", line):
            yield shlex.split(line)[3:]


def write_images(folder: Path) -> None:
    """What section 2 of the page asks for: inputs with their truth, and outputs of methods."""
    places = {"cases": 6.0, "truth": 0.0, "outputs/original": 9.0, "outputs/network-a": 3.0,
              "outputs/network-b": 1.5}  # fmt: skip
    lines = ["case,patient,method,file"]
    for seed, (place, sigma) in enumerate(places.items()):
        (folder / place).mkdir(parents=True)
        for case in range(PATIENTS):
            data = image_files.png(noisy(picture(case), 100 * seed + case, sigma))
            name = f"{place}/p{case + 1:02}_1.png"
            (folder / name).write_bytes(data)
            if place in ("outputs/original", "outputs/network-a"):
                lines.append(f"c{case},p{case},{Path(place).name},{name}")
    (folder / "pairs.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "table.csv").write_text("item,rater,value\n1,A,4\n1,B,5\n2,A,2\n2,B,2\n")
    (folder / "scores.csv").write_text(
        "Scan;Arzt;Note\n1;A;4,5\n1;B;5\n2;A;2\n2;B;2,5\n3;A;3\n3;B;3\n"
    )


@pytest.mark.slow
@pytest.mark.exhaustive
def test_the_page_leads_from_a_folder_of_images_to_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_images(tmp_path)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    (tmp_path / "backups").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(KEY, str(tmp_path / "1.key.json"))

    def call(words: list[str]) -> str:
        monkeypatch.setattr(sys, "argv", ["study", *words])
        status, told = main(), capsys.readouterr()
        assert status == 0, (words, told)
        return told.out

    drafts = 0
    done = []
    for words in commands():
        done.append(words[0])
        if words[0] in SERVING:
            continue
        if words[0] == "build":
            drafts += 1
            if drafts > 1:
                with monkeypatch.context() as other:
                    other.setenv(KEY, str(tmp_path / f"{drafts}.key.json"))
                    call(["init", f"study{drafts}"])
                    call(["build", f"study{drafts}", *words[2:], "--accept-differences"])
                continue
        if words[0] == "close":
            store = Store.open(Path("study1"))
            assert read(store, "R01", ReaderModel("R01", {}, seed=1)) > PATIENTS
            store.close()
        told = call(words)
        if "--staff" in words:
            # The second person types this secret at the unblinding.
            secret = told.split("\t")[1].removeprefix("secret ")
            monkeypatch.setattr(sys, "stdin", io.StringIO(f"{secret}\n"))
    assert drafts == 4
    assert {"plan", "init", "build", "freeze", "open", "invite", "serve", "verify", "backup",
            "close", "unblind", "export", "report", "stats"} <= set(done)  # fmt: skip
    named = (tmp_path / "report.html").read_text(encoding="utf-8")
    masked = (tmp_path / "report-masked.html").read_text(encoding="utf-8")
    assert "null_space" in named
    assert "null_space" not in masked
