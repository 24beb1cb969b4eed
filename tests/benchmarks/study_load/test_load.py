"""The bench of a server under load: every submission is sent, timed and found again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.study_load import load as load_module
from benchmarks.study_load import served_study
from benchmarks.study_load.load import Latency, Load, load
from study.domain.errors import StudyError


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three readers of small images."""
    monkeypatch.setattr(served_study, "SIDE", 32)
    monkeypatch.setattr(load_module, "_LEAST_READERS", 3)


@pytest.mark.exhaustive
def test_every_submission_is_timed_and_stored() -> None:
    said: list[str] = []
    found = load(3, 4, progress=lambda share, what: said.append(what))
    assert found.ok, found.as_text()
    assert (found.submit.count, found.stored, found.readers) == (12, 12, 3)
    # While one pair is answered the images of the pair after the next are fetched.
    assert found.pixels.count == 12
    for each in (found.submit, found.pixels, found.sign_in, found.reference):
        assert 0 < each.p50 <= each.p95 <= each.worst
    assert said[0] == "making a study"


def test_a_load_that_nobody_could_read_is_refused() -> None:
    with pytest.raises(StudyError, match="500 a second"):
        load(500, 60)


EVEN = Latency(100, 10.0, 20.0, 30.0)
DONE = Load(10, 10, 40, 2, EVEN, EVEN, EVEN, Latency(200, 2.0, 4.0, 9.0), 100, ())


@pytest.mark.parametrize(
    ("found", "ok"),
    [
        (DONE, True),
        (replace(DONE, stored=99), False),
        (replace(DONE, submit=replace(EVEN, count=99)), False),
        (replace(DONE, failed=("ReadTimeout: slow",)), False),
    ],
)
def test_the_command_prints_what_was_found_and_fails_with_it(
    monkeypatch: pytest.MonkeyPatch, found: Load, ok: bool
) -> None:
    monkeypatch.setattr(load_module, "load", lambda *arguments, **options: found)
    result = CliRunner().invoke(app, ["study-load", "--rate", "10", "--seconds", "10"])
    assert result.exit_code == (0 if ok else 1)
    assert "submit and next pair: p50 10.0 ms, p95 20.0 ms" in result.output
    assert "5.0 times as long at p50 and 5.0 times at p95" in result.output
    assert all(problem in result.output for problem in found.failed)
