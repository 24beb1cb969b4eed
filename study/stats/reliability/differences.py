"""Differences between methods in agreement and reliability, by a bootstrap of both together.

The methods have readers and patients in common: each resample takes the same of them for both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Unpack

import numpy as np

from study.domain.inference import Random
from study.stats.agreement.chance_agreement import (
    FLEISS,
    GWET,
    ChanceModel,
    RatedItems,
    agreement_weights,
    beyond_chance,
)
from study.stats.estimate import LEVEL, Estimate, Floats, PValue
from study.stats.intervals import RESAMPLES, RandomOptions
from study.stats.panel import Panel
from study.stats.random_effects import p_of_t
from study.stats.reliability.pair_moments import PairMoments
from study.stats.scale import Scale
from study.stats.table import Ratings, from_matrix
from study.stats.two_way_bootstrap import Draws, TwoWayResamples
from study.stats.weighted_sums import Statistic, Weighted


@dataclass(frozen=True)
class AgreementDifference:
    """One coefficient of two methods, and its difference.

    Parameters
    ----------
    coefficient, first, second : str
    values : tuple of (float or None)
        Of the first and of the second method.
    difference : Estimate
        First minus second, with the interval of the bootstrap.
    test : PValue
        That it is zero.
    """

    coefficient: str
    first: str
    second: str
    values: tuple[float | None, float | None]
    difference: Estimate
    test: PValue


def agreement_differences(
    panel: Panel, scale: Scale | None = None, **options: Unpack[RandomOptions]
) -> tuple[AgreementDifference, ...]:
    """Differences of Fleiss' kappa, quadratic kappa, quadratic AC2 and ICC(A,1).

    Parameters
    ----------
    panel : Panel
        Items that a method lacks are left out of its coefficients.
    scale : Scale, optional
        By default the categories that occur with any method.
    **options
        See `RandomOptions`.
    """
    if scale is None:
        scale = Scale.derived(panel.scores[~np.isnan(panel.scores)])
    made = {
        method: _coefficients(panel, place, scale) for place, method in enumerate(panel.methods)
    }
    drawn = TwoWayResamples(
        len(panel.readers), panel.clusters, options.get("random", Random.BOTH),
        options.get("resamples", RESAMPLES) or 1, options.get("seed", 0), of_pairs=True,
    )  # fmt: skip
    everyone, everything = np.ones((1, len(panel.readers))), np.ones((1, len(panel.items)))
    values = {
        (method, name): float(statistic(everything)(everyone)[0])
        for method, known in made.items()
        for name, statistic in known.items()
    }
    draws = {
        (method, name): drawn.draws(made[method][name], panel.scores.size)
        for (method, name), value in values.items()
        if math.isfinite(value) and options.get("resamples", RESAMPLES)
    }
    return tuple(
        _difference(name, pair, values, draws, drawn, options.get("level", LEVEL), len(panel.items))
        for pair in combinations(panel.methods, 2)
        for name in made[pair[0]]
    )


def _coefficients(panel: Panel, place: int, scale: Scale) -> dict[str, Statistic]:
    ratings = from_matrix(panel.scores[:, :, place], scale, clusters=panel.clusters)
    moments = PairMoments(ratings.scores, ratings.items) if len(panel.readers) > 1 else None

    def icc(items: Floats) -> Weighted:
        if moments is None:
            return lambda _: np.full(len(items), np.nan)
        resampled = moments.resampled(items)
        return lambda readers: resampled(readers)[0].icc("A,1")

    return {
        "Fleiss' kappa": _kappa(ratings, FLEISS, "identity"),
        "quadratic-weighted Fleiss' kappa": _kappa(ratings, FLEISS, "quadratic"),
        "quadratic-weighted AC2": _kappa(ratings, GWET, "quadratic"),
        "ICC(A,1)": icc,
    }


def _kappa(ratings: Ratings, chance: ChanceModel, weighting: str) -> Statistic:
    rated = ratings.raters_per_item > 0
    everyone = np.full(len(ratings.raters), True)
    sample = RatedItems(ratings.take(rated, everyone), agreement_weights(ratings.scale, weighting))

    def coefficient(items: Floats) -> Weighted:
        def kappa(readers: Floats) -> Floats:
            each = None if (readers == 1).all() else readers
            drawn = sample.resample(items[:, rated], each)
            return beyond_chance(drawn.observed, chance.expected(drawn))

        return kappa

    return coefficient


def _difference(
    name: str,
    pair: Sequence[str],
    values: Mapping[tuple[str, str], float],
    draws: Mapping[tuple[str, str], Draws],
    drawn: TwoWayResamples,
    level: float,
    n: int,
) -> AgreementDifference:
    keys = [(method, name) for method in pair]
    found = [values[key] for key in keys]
    known = [value if math.isfinite(value) else None for value in found]
    label, method = f"{name}, {pair[0]} minus {pair[1]}", drawn.method
    difference = found[0] - found[1] if None not in known else None
    reason = "no bootstrap"
    if difference is None:
        reason = "undefined for one of the methods: no variation, or no item with two ratings"
    elif all(key in draws for key in keys):
        apart = draws[keys[0]].minus(draws[keys[1]])
        variance = drawn.variance(apart)
        if not isinstance(variance, str):
            se, ends = math.sqrt(variance.value), drawn.interval(difference, apart, level)
            estimate = Estimate(label, difference, "difference", n, se, level=level)
            t = difference / se
            test = PValue(label, p_of_t(t, variance.df), method, n, t, variance.df)
            return AgreementDifference(
                name, pair[0], pair[1], (known[0], known[1]), estimate.with_interval(ends), test
            )
        reason = variance
    return AgreementDifference(
        name, pair[0], pair[1], (known[0], known[1]),
        Estimate(label, difference, method, n, level=level, reason=reason),
        PValue(label, None, method, n, reason=reason),
    )  # fmt: skip
