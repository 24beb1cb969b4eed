"""The simulation of error rates: its truth, its clustering, and its table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.coverage import measure
from benchmarks.coverage.agreement_truth import population
from benchmarks.coverage.measure import KINDS, Kind, Rate, Scenario
from benchmarks.coverage.page import outside, page
from benchmarks.coverage.simulation import Clustering, Design, simulate
from enhancers.asset_files import ASSETS
from study.domain.inference import Random

PATIENTS = Design(20, 5)


def spread(clustering: Clustering) -> tuple[float, float]:
    """Standard deviation of the difference's means over patients, and over readers."""
    rng = np.random.default_rng(1)
    of_patients, of_readers = [], []
    for _ in range(100):
        opinion = simulate(PATIENTS, clustering, rng).opinion
        difference = opinion[0] - opinion[1]
        of_patients.append(difference.reshape(20, 5, 5).mean(axis=(1, 2)).var(ddof=1))
        of_readers.append(difference.mean(axis=0).var(ddof=1))
    return float(np.mean(of_patients)), float(np.mean(of_readers))


def test_the_difference_varies_with_what_it_is_clustered_by() -> None:
    noise = 2 * 0.6**2
    assert spread(Clustering.NONE) == pytest.approx((noise / 25, noise / 100), rel=0.15)
    patient, reader = spread(Clustering.PATIENT)
    assert patient == pytest.approx(2 * 0.5**2 + noise / 25, rel=0.1)
    assert reader == pytest.approx(noise / 100, rel=0.2)
    assert spread(Clustering.READER)[1] == pytest.approx(2 * 0.3**2 + noise / 100, rel=0.15)


def test_agreement_of_the_population_is_that_of_a_large_study() -> None:
    found = population(Clustering.NONE, 0)
    study = simulate(Design(6000, 1, 2), Clustering.NONE, np.random.default_rng(9))
    first, second = study.scores[0].T
    squared = ((first - second) ** 2).mean()
    by_chance = ((first[:, None] - second[None, ::7]) ** 2).mean()
    assert found["quadratic"] == pytest.approx(1 - squared / by_chance, abs=0.03)


def test_random_readers_hold_where_the_naive_test_does_not() -> None:
    [reader] = measure.measure(60, (PATIENTS,), (Clustering.READER,), seed=2)
    assert (reader.rates["score_test"].share or 0) <= 0.15
    assert (reader.rates["naive_score_test"].share or 0) >= 0.4
    assert (reader.rates["preference_interval"].share or 0) >= 0.85
    assert (reader.rates["naive_preference_interval"].share or 1) <= 0.6


def test_fixed_readers_do_not_hold_for_others() -> None:
    [reader] = measure.measure(40, (PATIENTS,), (Clustering.READER,), seed=2, random=Random.CASES)
    assert (reader.rates["score_test"].share or 0) >= 0.4


def test_rates_outside_their_bounds_are_bold() -> None:
    tests = next(kind for kind in KINDS if kind.rejects)
    assert not outside(Rate(true=5, defined=100), tests)
    assert outside(Rate(true=9, defined=100), tests)
    assert outside(Rate(undefined=3), tests)
    interval = Kind("x", "x", rejects=False)
    assert [outside(Rate(share, 100), interval) for share in (90, 95, 99)] == [True, False, True]
    rates = {kind.key: Rate(5 if kind.rejects else 95, 100) for kind in KINDS}
    rates["score_test"] = Rate(20, 100)
    rates["kappa_interval"] = Rate(46, 50, 50)
    text = page([Scenario(PATIENTS, Clustering.NONE, rates)], 100)
    assert "| 20 × 5 | 5 | none | **20.0** | 95.0 | 5.0 |" in text
    assert "92.0 (50 %)" in text


def test_the_page_that_is_shown_is_of_this_code() -> None:
    shown = (ASSETS / "evidence" / "coverage.md").read_text(encoding="utf-8")
    assert measure.first_study() in " ".join(shown.split()), (
        "the statistics have changed since the page was written: python -m benchmarks coverage "
        "--out assets/evidence/coverage.md"
    )


@pytest.mark.exhaustive
def test_the_command_prints_its_table_and_writes_the_page(tmp_path: Path) -> None:
    out = tmp_path / "coverage.md"
    done = CliRunner().invoke(app, ["coverage", "--studies", "10", "--out", str(out)])
    assert done.exit_code == 0, done.output
    text = out.read_text()
    for line in done.output.splitlines():
        assert line.split(" | ")[:3] in [one.split(" | ")[:3] for one in text.splitlines()]
    assert len(done.output.splitlines()) == len(measure.DESIGNS) * len(measure.CLUSTERINGS)
