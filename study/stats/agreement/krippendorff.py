"""Krippendorff's alpha for nominal, ordinal, interval and ratio scales.

References
----------
K. Krippendorff, "Computing Krippendorff's alpha-reliability", University of Pennsylvania, 2011.
Standard error: K. L. Gwet, "Handbook of inter-rater reliability", 4th edition, 2014, chapter 3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Unpack

import numpy as np

from study.domain.errors import StatisticsError
from study.domain.inference import Random
from study.stats.agreement.chance_agreement import CERTAIN
from study.stats.agreement.coefficients import NO_VARIATION, Agreement, undefined_agreement
from study.stats.agreement.disagreement import (
    Disagreement,
    IntervalDisagreement,
    MetricDisagreement,
    NominalDisagreement,
    OrdinalDisagreement,
    RatioDisagreement,
)
from study.stats.estimate import LEVEL, Floats, Interval
from study.stats.intervals import RESAMPLES, RandomOptions, t_interval
from study.stats.table import Ratings
from study.stats.two_way_bootstrap import LOG_DISTANCE, TwoWayResamples
from study.stats.weighted_sums import Weighted

DISAGREEMENTS: Mapping[str, Callable[[Ratings], Disagreement]] = {
    "nominal": NominalDisagreement,
    "ordinal": OrdinalDisagreement,
    "interval": IntervalDisagreement,
    "ratio": RatioDisagreement,
}
METRICS = tuple(DISAGREEMENTS)


def krippendorff_alpha(
    ratings: Ratings,
    metric: str = "ordinal",
    **options: Unpack[RandomOptions],
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
    **options
        See `RandomOptions`.

    Raises
    ------
    StatisticsError
        The metric is unknown.
    """
    if metric not in METRICS:
        raise StatisticsError(f"no metric {metric!r}: choose from {', '.join(METRICS)}")
    units = ratings.take(ratings.raters_per_item >= 2, np.full(len(ratings.raters), True))
    level, resamples = options.get("level", LEVEL), options.get("resamples", RESAMPLES)
    name, method = f"Krippendorff's alpha, {metric}", f"Krippendorff 2011, {metric} metric"
    base = undefined_agreement(name, method, units, metric, level)
    if not units.items:
        return base
    if metric == "ratio" and (units.scores < 0).any():
        return replace(base, reason="the ratio metric needs scores from 0 up")
    disagreement = DISAGREEMENTS[metric](units)
    observed, expected = disagreement.of(np.ones((1, len(units.items))))
    if expected[0] < CERTAIN:
        return replace(base, reason=NO_VARIATION)
    value = 1 - float(observed[0] / expected[0])
    bootstrap = _bootstrap(disagreement, units, value, options) if resamples else None
    found = replace(base, value=value, bootstrap=bootstrap, reason=None)
    if isinstance(disagreement, MetricDisagreement):
        return _with_error(found, disagreement, value)
    return found.with_interval(bootstrap or Interval(None, None, "none", "no bootstrap"))


def _bootstrap(
    disagreement: Disagreement, units: Ratings, value: float, options: RandomOptions
) -> Interval:
    """The interval over what is random."""
    drawn = TwoWayResamples(
        len(units.raters),
        units.clusters,
        options.get("random", Random.BOTH),
        options.get("resamples", RESAMPLES),
        options.get("seed", 0),
        of_pairs=True,
    )

    def statistic(items: Floats) -> Weighted:
        def alpha(raters: Floats) -> Floats:
            above, below = disagreement.of(items, raters)
            draws: Floats = 1 - above / np.where(below < CERTAIN, np.nan, below)
            return draws

        return alpha

    level, draws = options.get("level", LEVEL), drawn.draws(statistic, disagreement.entries)
    return drawn.interval(value, draws, level, LOG_DISTANCE)


def _with_error(found: Agreement, disagreement: MetricDisagreement, value: float) -> Agreement:
    """Add Gwet's standard error, that of alpha before its small-sample correction."""
    totals = disagreement.totals
    units, mean, number = len(totals), float(totals.mean()), float(totals.sum())
    small = 1 / number
    # Weights of agreement are 1 minus the disagreement, which is at most 1.
    pairs = (totals - disagreement.within) / mean
    agreeing = float(pairs.mean())
    observed = (1 - small) * agreeing + small
    against_all = disagreement.against_all
    chance = 1 - float(against_all.sum()) / number
    found = replace(found, observed=observed, chance=chance)
    if units < 2:
        return found.with_interval(t_interval(value, None, 0, found.level))
    surplus = (totals - mean) / mean
    own = (pairs - observed * surplus - chance) / (1 - chance)
    by_chance = (totals - against_all) / mean - chance * surplus
    plain = (agreeing - chance) / (1 - chance)
    each = own - 2 * (1 - plain) * (by_chance - chance) / (1 - chance)
    se = float(np.sqrt(((each - plain) ** 2).sum() / (units * (units - 1))))
    ends = t_interval(value, se, units - 1, found.level, (-1.0, 1.0))
    method = f"{found.method}, standard error of Gwet"
    return replace(found, se=se, method=method).with_interval(ends)
