"""Processes are killed while they submit: what was acknowledged is there, once and whole."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.study_load.durability import Durability, durability


def test_twenty_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    found = durability(20, folder=tmp_path, seed=1)
    assert found.ok, found
    assert found.kills == 20
    # Kills fell between submissions and inside of them.
    assert found.acknowledged >= 20
    assert found.resent >= 5
    assert "0 lost, 0 doubled" in found.as_text()


def test_a_loss_would_be_told() -> None:
    whole = Durability(20, 100, 0, 0, 0, 5, 2, whole=True)
    assert whole.ok
    for bad in ({"lost": 1}, {"doubled": 1}, {"partial": 1}, {"whole": False}):
        told = Durability(**(vars(whole) | bad))
        assert not told.ok
        assert told.as_text() != whole.as_text()


def test_the_command_kills_and_reports() -> None:
    done = CliRunner().invoke(app, ["durability", "--kills", "1"])
    assert done.exit_code == 0, done.output
    assert "1 kill -9" in done.output
    assert "0 lost, 0 doubled" in done.output
