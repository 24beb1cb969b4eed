from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.performance import figures
from benchmarks.performance.figures import Measurement, Report
from enhancers.errors import ReadingRoomError

EVIDENCE = Path(__file__).resolve().parents[3] / "assets" / "evidence"
LINES = (
    Measurement("loop", 1.0432, 1.15, detail="19 calls"),
    Measurement("growth", 9.0, 4.0, "MB"),
    Measurement("whole run", None, 0.3, "s", "needs a GPU"),
    Measurement("slices", 2.0),
)


def made(title: str, *lines: Measurement) -> Report:
    return Report(title, "a machine", (("torch", "2"),), "bench x", "today", lines)


def test_a_figure_is_met_missed_not_run_or_just_a_figure() -> None:
    assert [line.verdict for line in LINES] == ["met", "MISSED", "not run", ""]
    assert not made("x", *LINES).met
    assert made("x", LINES[0], LINES[2], LINES[3]).met


def test_a_table_says_machine_versions_command_and_every_figure() -> None:
    text = figures.section(made("Speed", *LINES))
    assert "## Speed" in text
    assert "`bench x`, today." in text
    assert "a machine. torch 2." in text
    assert "| loop | 1.04 | 1.15 | met | 19 calls |" in text
    assert "| growth | 9 MB | 4 MB | MISSED |  |" in text
    assert "| whole run |  | 0.3 s | not run | needs a GPU |" in text


def test_a_report_takes_the_place_of_an_older_one_and_leaves_the_others(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "table.md"
    figures.write(path, made("Speed", LINES[1]))
    figures.write(path, made("Memory", LINES[3]))
    figures.write(path, made("Speed", LINES[0]))
    reports = figures.read(path.with_suffix(".json"))
    assert [found.title for found in reports] == ["Memory", "Speed"]
    assert reports[1].lines == (LINES[0],)
    assert path.read_text(encoding="utf-8") == figures.as_markdown(reports, "table.json")


@pytest.mark.parametrize("content", [b"", b"[]x", b'{"a": 1}', b'[{"title": 3}]', b"\xff"])
def test_another_file_is_not_overwritten(content: bytes, tmp_path: Path) -> None:
    stored = tmp_path / "table.json"
    stored.write_bytes(content)
    with pytest.raises(ReadingRoomError, match=r"table\.json"):
        figures.write(tmp_path / "table.md", made("Speed", *LINES))
    assert stored.read_bytes() == content


def test_this_machine_is_described() -> None:
    found = figures.report("Speed", "x", "cpu", [LINES[0]])
    assert "CPU" in found.machine
    assert dict(found.versions)["torch"]
    assert replace(found, lines=()).met


def test_the_table_in_the_project_is_made_of_the_stored_figures() -> None:
    stored = EVIDENCE / "benchmarks.json"
    reports = figures.read(stored)
    assert reports
    shown = (EVIDENCE / "benchmarks.md").read_text(encoding="utf-8")
    assert shown == figures.as_markdown(reports, stored.name)
