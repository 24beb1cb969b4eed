"""Krippendorff's alpha for nominal, ordinal, interval and ratio scales.

References
----------
K. Krippendorff, "Computing Krippendorff's alpha-reliability", University of Pennsylvania, 2011.
Standard error: K. L. Gwet, "Handbook of inter-rater reliability", 4th edition, 2014, chapter 3.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from study.domain.errors import StatisticsError
from study.stats.agreement import CERTAIN, NO_VARIATION, Agreement, undefined_agreement
from study.stats.estimate import LEVEL, Floats, Interval
from study.stats.intervals import RESAMPLES, cluster_weights, percentile_interval, t_interval
from study.stats.table import Ratings

METRICS = ("nominal", "ordinal", "interval", "ratio")
CHUNK = 4_000_000
"""Array elements held at once while ordinal resamples are computed."""


def krippendorff_alpha(
    ratings: Ratings,
    metric: str = "ordinal",
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> Agreement:
    """Alpha: 1 minus the ratio of observed to expected disagreement, by the metric of the scale.

    Items with one rating are left out. The ordinal metric depends on the data, so its interval
    is the bootstrap's; the other metrics also have Gwet's standard error.

    Parameters
    ----------
    ratings : Ratings
        Missing ratings are left out.
    metric : str
        nominal, ordinal, interval or ratio; the last two use the scores of the scale.
    resamples, seed, level
        See `IntervalOptions`.

    Raises
    ------
    StatisticsError
        The metric is unknown.
    """
    if metric not in METRICS:
        raise StatisticsError(f"no metric {metric!r}: choose from {', '.join(METRICS)}")
    units = ratings.take(ratings.raters_per_item >= 2, np.full(len(ratings.raters), True))
    name, method = f"Krippendorff's alpha, {metric}", f"Krippendorff 2011, {metric} metric"
    base = undefined_agreement(name, method, units, metric, level)
    if not units.items:
        return base
    if metric == "ratio" and (units.scores < 0).any():
        return replace(base, reason="the ratio metric needs scores from 0 up")
    disagreement = (
        _OrdinalDisagreement(units) if metric == "ordinal" else _MetricDisagreement(units, metric)
    )
    observed, expected = disagreement.of(np.ones((1, len(units.items))))
    if expected[0] < CERTAIN:
        return replace(base, reason=NO_VARIATION)
    value = 1 - float(observed[0] / expected[0])
    bootstrap = None
    if resamples:
        above, below = disagreement.of(cluster_weights(units.clusters, resamples, seed))
        draws = 1 - above / np.where(below < CERTAIN, np.nan, below)
        bootstrap = percentile_interval(draws, units.clusters, seed, level)
    found = replace(base, value=value, bootstrap=bootstrap, reason=None)
    if isinstance(disagreement, _MetricDisagreement):
        return _with_error(found, disagreement, value)
    return found.with_interval(bootstrap or Interval(None, None, "none", "no bootstrap"))


class _MetricDisagreement:
    """Disagreement by a metric of the scores alone, scaled to at most 1."""

    def __init__(self, units: Ratings, metric: str) -> None:
        self.counts = units.counts
        self.totals: Floats = units.counts.sum(axis=1)
        scores = np.asarray(units.scale.scores)
        across = scores[:, None] - scores[None, :]
        if metric == "nominal":
            squared = (across != 0).astype(np.float64)
        elif metric == "interval":
            squared = across**2
        else:
            together = scores[:, None] + scores[None, :]
            squared = np.where(together == 0, 0.0, across / np.where(together == 0, 1, together))
            squared = squared**2
        used = self.counts.sum(axis=0) > 0
        # Alpha does not depend on the unit of the metric; the standard error needs at most 1.
        largest = float(squared[np.ix_(used, used)].max())
        self.squared: Floats = squared / (largest or 1.0)
        self.within: Floats = ((self.counts @ self.squared) * self.counts).sum(axis=1) / (
            self.totals - 1
        )

    def of(self, resampling: Floats) -> tuple[Floats, Floats]:
        """Observed and expected disagreement of each resample."""
        categories = resampling @ self.counts
        number = resampling @ self.totals
        across = ((categories @ self.squared) * categories).sum(axis=1)
        return (resampling @ self.within) / number, across / (number * (number - 1))


class _OrdinalDisagreement:
    """Disagreement by ranks: the number of ratings between two categories."""

    def __init__(self, units: Ratings) -> None:
        self.counts = units.counts
        self.codes = units.codes
        self.totals: Floats = units.counts.sum(axis=1)

    def of(self, resampling: Floats) -> tuple[Floats, Floats]:
        """Observed and expected disagreement of each resample."""
        step = max(1, CHUNK // max(self.codes.size, 1))
        parts = [
            self._part(resampling[start : start + step])
            for start in range(0, len(resampling), step)
        ]
        return (
            np.concatenate([observed for observed, _ in parts]),
            np.concatenate([expected for _, expected in parts]),
        )

    def _part(self, resampling: Floats) -> tuple[Floats, Floats]:
        categories = resampling @ self.counts
        number = categories.sum(axis=1)
        # Middle ranks as shares of all ratings: their differences are Krippendorff's metric.
        ranks = (np.cumsum(categories, axis=1) - categories / 2) / number[:, None]
        rated = self.codes >= 0
        each = np.where(rated, ranks[:, np.where(rated, self.codes, 0)], 0.0)
        squares, sums = (each**2).sum(axis=2), each.sum(axis=2)
        within = 2 * (self.totals * squares - sums**2) / (self.totals - 1)
        mean = (categories * ranks).sum(axis=1)
        across = 2 * (number * (categories * ranks**2).sum(axis=1) - mean**2)
        return (resampling * within).sum(axis=1) / number, across / (number * (number - 1))


def _with_error(found: Agreement, disagreement: _MetricDisagreement, value: float) -> Agreement:
    """Add Gwet's standard error, that of alpha before its small-sample correction."""
    counts, totals, weights = disagreement.counts, disagreement.totals, 1 - disagreement.squared
    units, mean = len(totals), float(totals.mean())
    prevalence = counts.mean(axis=0) / mean
    small = 1 / float(totals.sum())
    pairs = (counts * (counts @ weights - 1)).sum(axis=1) / (mean * (totals - 1))
    agreeing = float(pairs.mean())
    observed = (1 - small) * agreeing + small
    chance = float(prevalence @ weights @ prevalence)
    found = replace(found, observed=observed, chance=chance)
    if units < 2:
        return found.with_interval(t_interval(value, None, 0, found.level))
    surplus = (totals - mean) / mean
    own = (pairs - observed * surplus - chance) / (1 - chance)
    by_chance = counts @ (weights @ prevalence) / mean - chance * surplus
    plain = (agreeing - chance) / (1 - chance)
    each = own - 2 * (1 - plain) * (by_chance - chance) / (1 - chance)
    se = float(np.sqrt(((each - plain) ** 2).sum() / (units * (units - 1))))
    ends = t_interval(value, se, units - 1, found.level, (-math.inf, 1.0))
    method = f"{found.method}, standard error of Gwet"
    return replace(found, se=se, method=method).with_interval(ends)
