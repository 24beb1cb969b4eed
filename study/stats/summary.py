"""Descriptive statistics of ratings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from study.stats.table import Ratings


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
