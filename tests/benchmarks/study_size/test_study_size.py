"""The figures of a study's size: every step is measured, and growth is an exponent."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.study_size.measure import STEPS, Cost, Sizes


def test_growth_is_the_exponent_from_first_to_last() -> None:
    costs = {n: {step: Cost(n**1.5 / 1000, 100.0) for step in STEPS} for n in (10, 30, 100)}
    found = Sizes(costs, dict.fromkeys(costs, 1.0))
    assert found.growth("verify") == pytest.approx(1.5)
    assert "build grows with the cases to the power 1.50, wanted at most 1.15" in found.as_text()
    assert Sizes({10: costs[10]}, {10: 1.0}).growth("verify") is None


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_tiny_study_is_measured_through_all_steps() -> None:
    result = CliRunner().invoke(
        app, ["study-size", "--cases", "10", "--methods", "3", "--readers", "3"]
    )
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.output.splitlines()]
    assert [line[0] for line in lines if line[0] in STEPS] == list(STEPS)
