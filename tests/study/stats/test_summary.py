"""The mean score with its interval for random readers and patients."""

import numpy as np
import pytest
from scipy import stats

from study.domain.inference import Random
from study.stats.summary import mean_score
from study.stats.table import Ratings, Scale

SCALE = Scale.span(1, 5)


def ratings(scores: np.ndarray, patients: int | None = None) -> Ratings:
    items, readers = scores.shape
    clusters = tuple(f"p{item % (patients or items)}" for item in range(items))
    return Ratings(
        tuple(f"i{item}" for item in range(items)), tuple(f"R{n}" for n in range(readers)), scores,
        SCALE, clusters,
    )  # fmt: skip


def drawn(readers: int = 5, items: int = 60) -> np.ndarray:
    rng = np.random.default_rng(0)
    bias = rng.normal(0, 0.6, readers)
    quality = rng.normal(3, 0.7, (items, 1))
    return np.clip(np.round(quality + bias + rng.normal(0, 0.3, (items, readers))), 1, 5)


def width(found) -> float:
    assert found.bootstrap is not None
    return found.bootstrap.high - found.bootstrap.low


def test_for_random_patients_the_interval_is_that_of_the_means_of_items() -> None:
    scores = drawn()
    found = mean_score(ratings(scores), random=Random.CASES)
    assert found.value == pytest.approx(scores.mean())
    means = scores.mean(1)
    reach = stats.t.ppf(0.975, len(means) - 1) * means.std(ddof=1) / np.sqrt(len(means))
    assert width(found) == pytest.approx(2 * reach, rel=0.08)


def test_readers_who_differ_widen_it() -> None:
    scores = drawn()
    of_cases, of_both = (
        width(mean_score(ratings(scores), random=random)) for random in (Random.CASES, Random.BOTH)
    )
    assert of_both > 1.5 * of_cases
    alike = np.repeat(scores[:, :1], 5, axis=1)
    assert width(mean_score(ratings(alike))) < 0.7 * of_both


def test_missing_ratings_are_left_out() -> None:
    scores = drawn()
    scores[:20, 0] = np.nan
    found = mean_score(ratings(scores))
    assert found.value == pytest.approx(np.nanmean(scores))
    assert found.n == np.isfinite(scores).sum()
    nothing = mean_score(ratings(np.full((3, 2), np.nan)))
    assert (nothing.value, nothing.reason) == (None, "there are no ratings")
