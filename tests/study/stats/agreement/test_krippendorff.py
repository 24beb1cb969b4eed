from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest

from study.domain.errors import StatisticsError
from study.domain.inference import Random
from study.stats.agreement.coefficients import NO_PAIRS, NO_VARIATION
from study.stats.agreement.krippendorff import DISAGREEMENTS, METRICS, krippendorff_alpha
from study.stats.scale import Scale
from study.stats.table import from_matrix
from tests.study.stats.published_tables import FIVE, KRIPPENDORFF, NAN, gwet

EXAMPLE = from_matrix(np.array(KRIPPENDORFF).T, FIVE)


@pytest.mark.parametrize(
    ("metric", "value"),
    [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)],
)
def test_krippendorff_2011(metric: str, value: float):
    found = krippendorff_alpha(EXAMPLE, metric)
    assert found.value == pytest.approx(value, abs=5e-4)
    assert found.n == 11


@pytest.mark.parametrize(
    ("metric", "value", "se"),
    [("nominal", 0.74342, 0.14557), ("interval", 0.84911, 0.12913)],
)
def test_gwets_standard_error(metric: str, value: float, se: float):
    found = krippendorff_alpha(gwet(), metric)
    assert found.value == pytest.approx(value, abs=5e-6)
    assert found.se == pytest.approx(se, abs=5e-6)
    half = 2.228139 * se  # t(10)
    assert found.low == pytest.approx(value - half, abs=5e-5)


def test_the_ordinal_interval_is_the_bootstraps():
    found = krippendorff_alpha(EXAMPLE, "ordinal")
    assert found.se is None
    assert (found.low, found.high) == (found.bootstrap.low, found.bootstrap.high)
    assert "bootstrap" in found.method
    without = krippendorff_alpha(EXAMPLE, "ordinal", resamples=0)
    assert (without.low, without.reason) == (None, "no bootstrap")


@pytest.mark.parametrize("metric", METRICS)
def test_weights_of_items_are_copies_of_them(metric: str):
    paired = EXAMPLE.take(EXAMPLE.raters_per_item >= 2, np.full(4, True))
    items = len(paired.items)
    weights = np.random.default_rng(2).multinomial(items, [1 / items] * items, size=30)
    values = []
    for row in weights:
        repeated = from_matrix(np.repeat(paired.scores, row, axis=0), FIVE)
        value = krippendorff_alpha(repeated, metric, resamples=0).value
        values.append(math.nan if value is None else value)
    above, below = DISAGREEMENTS[metric](paired).of(weights.astype(float))
    assert 1 - above / below == pytest.approx(np.array(values), nan_ok=True)


@pytest.mark.parametrize("metric", METRICS)
def test_weights_of_raters_count_pairs_of_different_raters(metric: str):
    paired = EXAMPLE.take(EXAMPLE.raters_per_item >= 2, np.full(4, True))
    kind, everything = DISAGREEMENTS[metric](paired), np.ones((1, len(paired.items)))
    plain = np.concatenate(kind.of(everything))
    # Equal weights change nothing, and a rater without weight is one who is not there.
    equal = kind.of(everything, np.ones((1, 4)))
    assert np.concatenate(equal) == pytest.approx(plain)
    three = paired.take(np.full(len(paired.items), True), np.array([True, True, False, True]))
    alone = three.take(three.raters_per_item >= 2, np.full(3, True))
    kept = np.array([[float(item in alone.items) for item in paired.items]])
    expected = DISAGREEMENTS[metric](alone).of(np.ones((1, len(alone.items))))
    found = kind.of(kept, np.array([[1.0, 1.0, 0.0, 1.0]]))
    assert np.concatenate(found) == pytest.approx(np.concatenate(expected))


def test_readers_who_differ_widen_the_interval():
    rng = np.random.default_rng(4)
    truth = rng.integers(1, 6, (60, 1)) + rng.normal(0, 0.4, (60, 6))
    shifted = truth + np.array([-1.5, -0.5, 0, 0, 0.5, 1.5])
    table = from_matrix(np.clip(np.rint(shifted), 1, 5), FIVE)
    both, patients = (
        krippendorff_alpha(table, "ordinal", random=random)
        for random in (Random.BOTH, Random.CASES)
    )
    assert both.value == patients.value
    assert both.high - both.low > 1.5 * (patients.high - patients.low)
    assert "6 readers and 60 patients" in both.bootstrap.method
    assert "bootstrap of 60 patients" in patients.bootstrap.method


def by_all_pairs(scores: np.ndarray, metric: str) -> float:
    """Alpha from the disagreement of every pair of ratings (Krippendorff's definition)."""
    kept = [row[~np.isnan(row)] for row in scores]
    kept = [row for row in kept if row.size > 1]
    values = np.concatenate(kept)
    ordered = np.sort(values)
    middle = (ordered.searchsorted(values, "left") + ordered.searchsorted(values, "right")) / 2
    ranks = dict(zip(values.tolist(), middle.tolist(), strict=True))

    def squared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        if metric == "nominal":
            return (a != b).astype(float)
        if metric == "ordinal":
            a, b = (np.vectorize(ranks.get)(each) for each in (a, b))
        total = np.where(a + b == 0, 1, a + b) if metric == "ratio" else 1
        return ((a - b) / total) ** 2

    within = [squared(row[:, None], row).sum() / (row.size - 1) for row in kept]
    across = squared(values[:, None], values).sum() / (values.size - 1)
    return 1 - sum(within) / across


@pytest.mark.parametrize("metric", METRICS)
def test_measured_values_have_the_alpha_of_all_pairs(metric: str):
    rng = np.random.default_rng(7)
    scores = np.abs(rng.normal(2, 2, (60, 1)) + rng.normal(0, 0.7, (60, 4)))
    scores[rng.random(scores.shape) < 0.2] = NAN
    scores[:4, 0] = 0.0
    scores[5:9, 1:] = 1.25
    found = krippendorff_alpha(from_matrix(scores), metric, resamples=0)
    assert found.value == pytest.approx(by_all_pairs(scores, metric), abs=1e-10)


def test_alpha_of_measured_values_needs_memory_for_the_ratings_only():
    rng = np.random.default_rng(7)
    table = from_matrix(50 + rng.normal(0, 9, (1500, 1)) + rng.normal(0, 3, (1500, 4)))
    tracemalloc.start()
    for metric in METRICS:
        krippendorff_alpha(table, metric, resamples=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # A square of the 6000 different values has 288 MB.
    assert peak < 60e6


def test_constant_ratings_are_undefined():
    for metric in METRICS:
        found = krippendorff_alpha(from_matrix(np.full((5, 3), 4.0), FIVE), metric)
        assert (found.value, found.reason) == (None, NO_VARIATION)


def test_too_few_ratings_are_undefined():
    lonely = krippendorff_alpha(from_matrix([[1, NAN], [NAN, 2]], FIVE))
    assert (lonely.value, lonely.reason, lonely.n) == (None, NO_PAIRS, 0)
    one = krippendorff_alpha(from_matrix([[1, 2, 2]], FIVE), "nominal")
    assert one.value == pytest.approx(0.0)
    assert (one.se, one.low) == (None, None)


def test_the_ratio_metric_needs_scores_from_zero():
    scale = Scale.span(-2, 2)
    below = krippendorff_alpha(from_matrix([[-1, 2], [1, 1]], scale), "ratio")
    assert below.reason == "the ratio metric needs scores from 0 up"
    zero = krippendorff_alpha(from_matrix([[0, 0], [1, 1], [0, 1]], scale), "ratio")
    assert zero.value is not None


def test_ordinal_ignores_the_distance_of_the_scores():
    scores = np.array([[1, 2], [2, 2], [3, 3], [3, 4], [4, 4]], dtype=float)
    stretched = from_matrix(scores**3, Scale.parse("1,8,27,64"))
    plain = from_matrix(scores, Scale.span(1, 4))
    ordinal = [krippendorff_alpha(table, "ordinal").value for table in (plain, stretched)]
    interval = [krippendorff_alpha(table, "interval").value for table in (plain, stretched)]
    assert ordinal[0] == pytest.approx(ordinal[1])
    assert interval[0] != pytest.approx(interval[1], abs=1e-3)


def test_an_unknown_metric_is_refused():
    with pytest.raises(StatisticsError, match="no metric 'circular': choose from nominal"):
        krippendorff_alpha(EXAMPLE, "circular")
