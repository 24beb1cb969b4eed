from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import cli
from benchmarks.performance import estimates, figures, memory, speed
from benchmarks.performance.figures import Measurement


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["benchmarks", *arguments])
    return cli.main()


def given(*lines: Measurement) -> Any:
    def found(*arguments: Any, **named: Any) -> Iterator[Measurement]:
        yield from lines

    return found


def test_figures_are_printed_and_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(speed, "speed", given(Measurement("loop", 1.0, 1.15)))
    out = tmp_path / "table.md"
    assert call(monkeypatch, "speed", "--device", "cpu", "--quick", "--out", str(out)) == 0
    assert "| loop | 1 | 1.15 | met |  |" in capsys.readouterr().out
    (kept,) = figures.read(tmp_path / "table.json")
    assert kept.title == "Speed on the CPU"
    assert kept.command == "python -m benchmarks speed --device cpu --quick"


def test_a_missed_figure_is_status_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "memory", given(Measurement("TV: growth", 9.0, 4.0, "MB")))
    assert call(monkeypatch, "memory", "--runs", "5", "--device", "cpu") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("memory", "--only", "nothing"),
        ("memory", "--runs", "2"),
        ("speed", "--side", "64"),
        ("speed", "--device", "cuda:7"),
        ("speed", "--device", "abacus"),
    ],
)
def test_mistakes_are_one_line(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, *arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert err.count("\n") == 1


@pytest.mark.exhaustive
def test_memory_of_one_method(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call(monkeypatch, "memory", "--only", "clahe", "--runs", "5", "--side", "256")
    assert "| CLAHE: growth |" in capsys.readouterr().out


def test_estimates_have_a_report_of_their_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(estimates, "compared", lambda case, side: Measurement(case.name, 3.0, 2.0))
    assert call(monkeypatch, "speed", "--estimates", "--side", "64") == 1
    out = capsys.readouterr().out
    assert "`python -m benchmarks speed --estimates --side 64`" in out
    assert "| Classical pipeline (MR) | 3 | 2 | MISSED |" in out
