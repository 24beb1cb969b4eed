"""The example protocols of the documentation, from the file to a frozen plan and a report."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from study.analysis.log import run
from study.cli import main
from study.demo.reader_model import ReaderModel
from study.demo.simulated_readers import read
from study.domain.protocol import Protocol
from study.domain.protocol_json import from_json
from study.report import render
from study.storage.store import Store
from tests.support.small_studies import write_methods

DOCS = Path(__file__).parents[2] / "docs"
NAMES = ("weak7", "strong7", "plain7", "clean7")
SIZES = {
    "denoising-five-readers": (20, 4),
    "preference-two-methods": (60, 2),
    "repeat-reading-reliability": (15, 3),
    "single-image-quality": (25, 4),
    "angle-two-sessions": (20, 2),
    "ranking-four-methods": (40, 4),
}
"""Cases and methods that an example is made for, as its notes say."""
Command = Callable[..., str]


def protocol(name: str) -> Protocol:
    return from_json((DOCS / "protocols" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    monkeypatch.setenv("READINGROOM_STUDY_KEY", str(tmp_path / "key.json"))

    def call(*words: object) -> str:
        monkeypatch.setattr(sys, "argv", ["study", *map(str, words)])
        assert main() == 0, capsys.readouterr().err
        return capsys.readouterr().out

    return call


def frozen(command: Command, name: str, folder: Path) -> tuple[Path, int]:
    """A study frozen with an example, and how many pairs each reader has."""
    cases, methods = SIZES[name]
    groups = protocol(name).blinding_groups
    images = write_methods(folder / "images", NAMES[:methods], cases + 2)
    training = [f"--training=pat{case // 2}_s{case}" for case in (cases, cases + 1)]
    answers = [f"--group={NAMES[i]}={groups[i % len(groups)]}" for i in range(methods)]
    study = folder / "study"
    command("init", study, "--protocol", DOCS / "protocols" / f"{name}.json")
    command("build", study, "--folders", images, "--separator", "_", "--accept-differences",
            *answers, *training)  # fmt: skip
    pairs = re.search(r"(\d+) (?:pairs|images|rankings) for each reader", command("freeze", study))
    assert pairs
    return study, int(pairs[1])


def test_every_example_is_tested_and_described() -> None:
    page = (DOCS / "for-coordinators.md").read_text(encoding="utf-8")
    examples = {path.stem for path in (DOCS / "protocols").glob("*.json")}
    assert examples == set(SIZES)
    for name, (cases, methods) in SIZES.items():
        assert f"--protocol docs/protocols/{name}.json --cases {cases} --methods {methods}" in page
        assert re.search(rf"\b{cases} cases\b.*\b{methods} methods\b", protocol(name).notes)


@pytest.mark.parametrize("name", SIZES)
def test_an_example_gives_the_plan_that_the_estimate_promises(
    name: str, command: Command, tmp_path: Path
) -> None:
    cases, methods = SIZES[name]
    told = command("plan", "--protocol", DOCS / "protocols" / f"{name}.json", "--cases", cases,
                   "--methods", methods)  # fmt: skip
    study, pairs = frozen(command, name, tmp_path)
    assert re.search(rf"all (?:pairs|images|rankings) each +{pairs}\n", told)
    store = Store.open(study)
    try:
        assert store.protocol() == protocol(name)
    finally:
        store.close()


@pytest.mark.exhaustive
def test_a_study_of_preferences_alone_has_a_report(command: Command, tmp_path: Path) -> None:
    study, pairs = frozen(command, "preference-two-methods", tmp_path)
    command("open", study)
    store = Store.open(study)
    try:
        assert read(store, "R01", ReaderModel("R01", {}, seed=1)) == pairs
        command("close", study)
        made = run(store, actor="anna")
    finally:
        store.close()
    html = render(made.data, made.analysis)
    assert protocol("preference-two-methods").questions[0].text in html
    assert "Methods were compared on the mean" not in html
    assert "Agreement was quantified" not in html


def test_repeats_after_a_washout_wait_for_the_second_session(
    command: Command, tmp_path: Path
) -> None:
    study, pairs = frozen(command, "repeat-reading-reliability", tmp_path)
    command("open", study)
    store = Store.open(study)
    try:
        first = read(store, "R01", ReaderModel("R01", {}, seed=1))
    finally:
        store.close()
    assert first == pairs - protocol("repeat-reading-reliability").repeats
