"""Differences between methods in agreement and reliability, by a bootstrap of both together.

The methods have readers and patients in common: each resample takes the same of them for both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
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
)
from study.stats.estimate import LEVEL, Estimate, Floats, PValue
from study.stats.intervals import RESAMPLES, RandomOptions
from study.stats.panel import Panel
from study.stats.random_effects import p_of_t
from study.stats.reliability.pair_moments import PairMoments
from study.stats.scale import Scale
from study.stats.table import Ratings, from_matrix
from study.stats.two_way_bootstrap import TwoWayResamples

CERTAIN = 1e-12
"""Chance agreement this close to 1 leaves a coefficient undefined."""


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


Coefficient = Callable[[Floats, Floats], Floats]
"""From weights of readers and of items to a value of each resample."""


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
    return tuple(
        _difference(name, pair, (made[pair[0]][name], made[pair[1]][name]), drawn, panel, options)
        for pair in combinations(panel.methods, 2)
        for name in made[pair[0]]
    )


def _coefficients(panel: Panel, place: int, scale: Scale) -> dict[str, Coefficient]:
    ratings = from_matrix(panel.scores[:, :, place], scale, clusters=panel.clusters)
    moments = PairMoments(ratings.scores) if len(panel.readers) > 1 else None

    def icc(readers: Floats, items: Floats) -> Floats:
        if moments is None:
            return np.full(len(items), np.nan)
        found: Floats = moments.resampled(readers, items)[0].icc("A,1")
        return found

    return {
        "Fleiss' kappa": _kappa(ratings, FLEISS, "identity"),
        "quadratic-weighted Fleiss' kappa": _kappa(ratings, FLEISS, "quadratic"),
        "quadratic-weighted AC2": _kappa(ratings, GWET, "quadratic"),
        "ICC(A,1)": icc,
    }


def _kappa(ratings: Ratings, chance: ChanceModel, weighting: str) -> Coefficient:
    rated = ratings.raters_per_item > 0
    everyone = np.full(len(ratings.raters), True)
    sample = RatedItems(ratings.take(rated, everyone), agreement_weights(ratings.scale, weighting))

    def coefficient(readers: Floats, items: Floats) -> Floats:
        each = None if (readers == 1).all() else readers
        drawn = sample.resample(items[:, rated], each)
        by_chance = chance.expected(drawn)
        room = np.where(1 - by_chance < CERTAIN, np.nan, 1 - by_chance)
        found: Floats = (drawn.observed - by_chance) / room
        return found

    return coefficient


def _difference(
    name: str,
    pair: Sequence[str],
    coefficients: tuple[Coefficient, Coefficient],
    drawn: TwoWayResamples,
    panel: Panel,
    options: RandomOptions,
) -> AgreementDifference:
    level, n = options.get("level", LEVEL), len(panel.items)
    one, other = coefficients
    everyone, everything = np.ones((1, len(panel.readers))), np.ones((1, n))
    values = [float(each(everyone, everything)[0]) for each in coefficients]
    known = [value if math.isfinite(value) else None for value in values]
    label, method = f"{name}, {pair[0]} minus {pair[1]}", drawn.method
    found = _undefined(values, drawn, options)
    if found is None:
        draws = drawn.draws(
            lambda readers, items: one(readers, items) - other(readers, items), panel.scores.size
        )
        variance = drawn.variance(draws)
        if not isinstance(variance, str):
            value, se = values[0] - values[1], math.sqrt(variance.value)
            ends = drawn.interval(value, draws, level)
            estimate = Estimate(label, value, "difference", n, se, level=level).with_interval(ends)
            test = PValue(
                label, p_of_t(value / se, variance.df), method, n, value / se, variance.df
            )
            return AgreementDifference(name, pair[0], pair[1], (known[0], known[1]), estimate, test)
        found = variance
    difference = values[0] - values[1] if None not in known else None
    return AgreementDifference(
        name, pair[0], pair[1], (known[0], known[1]),
        Estimate(label, difference, method, n, level=level, reason=found),
        PValue(label, None, method, n, reason=found),
    )  # fmt: skip


def _undefined(
    values: Sequence[float], drawn: TwoWayResamples, options: RandomOptions
) -> str | None:
    """Why there is no bootstrap."""
    if not all(map(math.isfinite, values)):
        return "undefined for one of the methods: no variation, or no item with two ratings"
    return None if options.get("resamples", RESAMPLES) else "no bootstrap"
