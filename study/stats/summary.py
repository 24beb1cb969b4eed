"""Descriptive statistics of ratings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Unpack

import numpy as np

from study.domain.inference import Random
from study.stats.estimate import LEVEL, Estimate, Floats
from study.stats.intervals import RESAMPLES, RandomOptions
from study.stats.table import Ratings
from study.stats.two_way_bootstrap import TwoWayResamples
from study.stats.weighted_sums import Weighted, by_cluster


@dataclass(frozen=True)
class RatingSummary:
    """Descriptive statistics of a table of ratings.

    Parameters
    ----------
    n, missing : int
        Number of ratings, and of cells of items x raters without one.
    labels : tuple of str
        The categories of the scale.
    counts : tuple of int
        Ratings in each category, including unused ones.
    mean, sd, median, lower_quartile, upper_quartile : float or None
        Of the scores; None without ratings. The standard deviation needs two.
    """

    n: int
    missing: int
    labels: tuple[str, ...]
    counts: tuple[int, ...]
    mean: float | None
    sd: float | None
    median: float | None
    lower_quartile: float | None
    upper_quartile: float | None


def summarise(ratings: Ratings) -> RatingSummary:
    """Compute the descriptive statistics of a table."""
    given = ratings.scores[ratings.codes >= 0]
    missing = ratings.scores.size - given.size
    counts = tuple(int(count) for count in ratings.counts.sum(axis=0))
    labels = ratings.scale.labels
    if not given.size:
        return RatingSummary(0, missing, labels, counts, None, None, None, None, None)
    lower, median, upper = (float(each) for each in np.quantile(given, [0.25, 0.5, 0.75]))
    sd = float(given.std(ddof=1)) if given.size > 1 else None
    return RatingSummary(
        given.size, missing, labels, counts, float(given.mean()), sd, median, lower, upper
    )


def mean_score(ratings: Ratings, **options: Unpack[RandomOptions]) -> Estimate:
    """The mean of all ratings, with an interval for random readers and patients.

    Parameters
    ----------
    ratings : Ratings
        Missing ratings are left out.
    **options
        See `RandomOptions`.
    """
    present, level = ratings.present(), options.get("level", LEVEL)
    given = present.codes >= 0
    count = int(given.sum())
    reason = "there are no ratings"
    found = Estimate("Mean score", None, "mean of all ratings", count, level=level, reason=reason)
    if not count:
        return found
    scores = np.where(given, present.scores, 0.0)
    value = float(scores.sum() / count)
    found = replace(found, value=value, reason=None)
    resamples = options.get("resamples", RESAMPLES)
    if not resamples:
        return found
    patients, sums = by_cluster(present.clusters, np.stack([scores, given], axis=1))
    drawn = TwoWayResamples(
        len(present.raters), patients, options.get("random", Random.BOTH), resamples,
        options.get("seed", 0),
    )  # fmt: skip

    def statistic(items: Floats) -> Weighted:
        total, number = (items @ sums[:, place] for place in (0, 1))
        return lambda raters: (total * raters).sum(axis=1) / (number * raters).sum(axis=1)

    draws = drawn.draws(statistic, scores.shape[1])
    return replace(found, bootstrap=drawn.interval(value, draws, level))
