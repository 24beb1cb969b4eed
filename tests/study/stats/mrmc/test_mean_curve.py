"""Mean curves of readers, and areas without the pairs of scores."""

from __future__ import annotations

import numpy as np
import pytest

from study.stats.mrmc.mean_curve import empirical_curve, mean_curve
from study.stats.mrmc.two_samples import TwoSamples, share_below


def sample(rng: np.random.Generator, low: int, high: int, points: int) -> TwoSamples:
    a = rng.integers(points, size=low).astype(float)
    b = rng.integers(points, size=high).astype(float) + 0.5 * points * rng.random()
    return TwoSamples(a, np.round(b), np.arange(low), np.arange(high))


def test_a_curve_by_hand() -> None:
    one = TwoSamples(np.array([1.0, 2.0]), np.array([2.0, 3.0]), np.arange(2), np.arange(2))
    x, y = empirical_curve(one)
    assert x.tolist() == [0, 0, 0.5, 1]
    assert y.tolist() == [0, 0.5, 1, 1]
    assert one.area == 0.875


@pytest.mark.parametrize("seed", range(5))
def test_areas_are_shares_of_pairs_and_the_mean_curve_has_their_mean(seed: int) -> None:
    rng = np.random.default_rng(seed)
    samples = [sample(rng, 5 + n, 9 - n, 3 + 4 * n) for n in range(4)]
    for one in samples:
        assert one.area == pytest.approx(one.wins.mean())
        x, y = empirical_curve(one)
        assert np.trapezoid(y, x) == pytest.approx(one.area)
    x, y = mean_curve(samples)
    assert np.trapezoid(y, x) == pytest.approx(np.mean([one.area for one in samples]))


def test_areas_of_many_scores_take_memory_for_the_scores_alone() -> None:
    scores = np.arange(200_000, dtype=float)
    assert share_below(scores, scores).mean() == pytest.approx(0.5)
