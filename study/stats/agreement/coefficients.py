"""Agreement of several raters: Fleiss, Conger, Brennan-Prediger, Gwet, and raw agreement.

A rater who skipped an item is left out of that item only. Standard errors are Gwet's, which are
valid for any true agreement. The textbook standard error of Fleiss' kappa is valid only without
any agreement, and intervals from it are far too short; `null_test` reports it for comparison.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Unpack

import numpy as np

from study.domain.inference import Random
from study.stats.agreement.chance_agreement import (
    BY_PREVALENCE,
    CERTAIN,
    CONGER,
    FLEISS,
    GWET,
    UNIFORM,
    ChanceModel,
    RatedItems,
    agreement_weights,
    beyond_chance,
)
from study.stats.estimate import LEVEL, Estimate, Floats, PValue
from study.stats.intervals import (
    RESAMPLES,
    RandomOptions,
    t_interval,
)
from study.stats.scale import Scale
from study.stats.table import Ratings
from study.stats.two_way_bootstrap import (
    FISHER_Z,
    LOG_DISTANCE,
    LOG_ODDS,
    Draws,
    OpenScale,
    TwoWayResamples,
)
from study.stats.weighted_sums import Weighted

NO_VARIATION = "no variation: all ratings are in one category"
NO_PAIRS = "no item has two ratings"


@dataclass(frozen=True)
class Agreement(Estimate):
    """A coefficient of agreement.

    Parameters
    ----------
    weighting : str
        identity, linear or quadratic; or the metric of alpha.
    observed, chance : float or None
        Observed agreement, and agreement expected by chance.
    raters_per_item : tuple of (int, int)
        Pairs (number of ratings, number of items with so many).
    """

    weighting: str = "identity"
    observed: float | None = None
    chance: float | None = None
    raters_per_item: tuple[tuple[int, int], ...] = ()


def fleiss_kappa(
    ratings: Ratings, weighting: str = "identity", **options: Unpack[RandomOptions]
) -> Agreement:
    """Fleiss' kappa; with two raters this is Scott's pi, not Cohen's kappa.

    Parameters
    ----------
    ratings : Ratings
        Missing ratings are left out.
    weighting : str
        identity, linear or quadratic, by the scores of the scale.
    **options
        See `RandomOptions`.

    References
    ----------
    J. L. Fleiss, "Measuring nominal scale agreement among many raters", Psychological Bulletin
    76(5), 1971. Standard error: K. L. Gwet, "Large-sample variance of Fleiss generalized kappa",
    Educational and Psychological Measurement 81(4), 2021.
    """
    return _coefficient(ratings, FLEISS, weighting, **options)


def conger_kappa(
    ratings: Ratings, weighting: str = "identity", **options: Unpack[RandomOptions]
) -> Agreement:
    """Conger's exact kappa, with separate marginals for each rater (two raters: Cohen's kappa).

    References
    ----------
    A. J. Conger, "Integration and generalization of kappas for multiple raters", Psychological
    Bulletin 88(2), 1980.
    """
    return _coefficient(ratings, CONGER, weighting, **options)


def gwet_ac(
    ratings: Ratings, weighting: str = "identity", **options: Unpack[RandomOptions]
) -> Agreement:
    """Gwet's AC1, or AC2 with weights; robust where one category prevails and kappa collapses.

    It depends on the number of categories, so the scale should be declared.
    """
    return _coefficient(ratings, GWET, weighting, **options)


def brennan_prediger(
    ratings: Ratings, weighting: str = "identity", **options: Unpack[RandomOptions]
) -> Agreement:
    """Brennan and Prediger's kappa: by chance all categories are equally likely."""
    return _coefficient(ratings, UNIFORM, weighting, **options)


def raw_agreement(
    ratings: Ratings, weighting: str = "identity", **options: Unpack[RandomOptions]
) -> Agreement:
    """Share of agreeing pairs of ratings of an item, averaged over the items."""
    level = options.get("level", LEVEL)
    sample = _rated_items(ratings, weighting)
    method = "mean over items with two ratings or more"
    base = undefined_agreement("Agreement", method, sample.ratings, weighting, level)
    shares = sample.agreeing[sample.paired > 0]
    if not shares.size:
        return base
    value = float(shares.mean())
    se = float(shares.std(ddof=1) / math.sqrt(shares.size)) if shares.size > 1 else None
    found = replace(base, value=value, se=se, observed=value, n=int(shares.size))
    return _with_intervals(found, sample, LOG_ODDS, FLEISS, lambda shares, _: shares, **options)


def category_kappas(ratings: Ratings, *, level: float = LEVEL) -> tuple[Agreement, ...]:
    """Fleiss' kappa of each category of the scale against all others, in the order of the scale."""
    found = []
    for place, label in enumerate(ratings.scale.labels):
        chosen = np.where(ratings.codes < 0, np.nan, (ratings.codes == place).astype(np.float64))
        against = replace(ratings, scores=chosen, scale=Scale.span(0, 1))
        kappa = fleiss_kappa(against, resamples=0, level=level)
        reason = kappa.reason
        if not kappa.defined and reason == NO_VARIATION:
            reason = "no rating or every rating is in this category"
        found.append(replace(kappa, name=f"Fleiss' kappa of {label}", reason=reason))
    return tuple(found)


@dataclass(frozen=True)
class NullTest(PValue):
    """The test of no agreement, with the standard error valid under that hypothesis only."""

    se: float | None = None


def null_test(ratings: Ratings) -> NullTest:
    """The test that Fleiss' kappa is zero; its standard error must not be used for intervals.

    References
    ----------
    J. L. Fleiss, J. C. M. Nee, J. R. Cumming, "Large sample variance of kappa in the case of
    different sets of raters", Psychological Bulletin 86(5), 1979.
    """
    present = ratings.present()
    n = len(present.items)
    base = NullTest(
        "test of no agreement", None, "Fleiss, Nee and Cumming 1979, normal", n, reason=NO_PAIRS
    )
    each = np.unique(present.raters_per_item)
    if each.size != 1:
        return replace(base, reason="the items have different numbers of ratings") if n else base
    raters = int(each[0])
    kappa = fleiss_kappa(present, resamples=0)
    if kappa.value is None:
        return replace(base, reason=kappa.reason)
    share = present.counts.sum(axis=0) / (n * raters)
    spread = float((share * (1 - share)).sum())
    skew = float((share * (1 - share) * (1 - 2 * share)).sum())
    se = math.sqrt(2 * (spread**2 - skew) / (n * raters * (raters - 1))) / spread
    z = kappa.value / se
    p = math.erfc(abs(z) / math.sqrt(2))
    return replace(base, p=p, statistic=z, se=se, reason=None)


def _coefficient(
    ratings: Ratings,
    chance: ChanceModel,
    weighting: str,
    **options: Unpack[RandomOptions],
) -> Agreement:
    sample = _rated_items(ratings, weighting)
    method = f"{chance.source}, {weighting} weights, standard error of Gwet"
    name, level = _name(chance, sample, weighting), options.get("level", LEVEL)
    base = undefined_agreement(name, method, sample.ratings, weighting, level)
    count = len(sample.totals)
    if not sample.paired.any():
        return base
    once = sample.resample(np.ones((1, count)))
    observed, expected = float(once.observed[0]), float(chance.expected(once)[0])
    base = replace(base, observed=observed, chance=expected)
    if 1 - expected < CERTAIN:
        return replace(base, reason=_no_variation(sample))
    value = (observed - expected) / (1 - expected)
    found = replace(
        base, value=value, se=_gwet_error(sample, chance, value, observed, expected), reason=None
    )

    scale = LOG_DISTANCE if chance is GWET else FISHER_Z
    return _with_intervals(found, sample, scale, chance, beyond_chance, **options)


def _gwet_error(
    sample: RatedItems, chance: ChanceModel, value: float, observed: float, expected: float
) -> float | None:
    count = len(sample.totals)
    if count < 2:
        return None
    scale = count / float(sample.paired.sum())
    own = scale * (sample.agreeing - expected * sample.paired) / (1 - expected)
    drift = 2 * (1 - value) * (chance.by_item(sample, expected) - expected) / (1 - expected)
    return float(np.sqrt(((own - drift - value) ** 2).sum() / (count * (count - 1))))


def _with_intervals(
    found: Agreement,
    sample: RatedItems,
    scale: OpenScale,
    chance: ChanceModel,
    corrected: Callable[[Floats, Floats], Floats],
    **options: Unpack[RandomOptions],
) -> Agreement:
    value = found.value
    assert value is not None
    least = 0.0 if scale is LOG_ODDS else -1.0
    # Items with one rating count for chance agreement only, so a coefficient may fall below -1.
    bounds = (min(least, value), max(1.0, value))
    ends = t_interval(value, found.se, found.n - 1, found.level, bounds)
    found = found.with_interval(ends)
    resamples = options.get("resamples", RESAMPLES)
    if not resamples:
        return found
    models = BY_PREVALENCE if chance in BY_PREVALENCE else (chance,)
    how = options.get("random", Random.BOTH), resamples, options.get("seed", 0)
    drawn, draws = _draws(sample, models, *how)
    place = 1 + models.index(chance)
    draws = draws.each(lambda found: corrected(found[:, 0], found[:, place]))
    interval = drawn.interval(value, draws, found.level, scale)
    if interval.low is not None and interval.low < bounds[0]:
        interval = replace(interval, low=bounds[0])
    return replace(found, bootstrap=interval)


@lru_cache(maxsize=2)
def _draws(
    sample: RatedItems, models: Sequence[ChanceModel], random: Random, resamples: int, seed: int
) -> tuple[TwoWayResamples, Draws]:
    """Draws of the observed agreement and of that by chance; kept for the next coefficient."""
    ratings = sample.ratings
    drawn = TwoWayResamples(
        len(ratings.raters), ratings.clusters, random, resamples, seed, of_pairs=True
    )

    def statistic(items: Floats) -> Weighted:
        def weighted(raters: Floats) -> Floats:
            # All raters once: the sums over them need not be taken for each resample.
            each = sample.resample(items, None if (raters == 1).all() else raters)
            return np.stack([each.observed, *(one.expected(each) for one in models)], axis=1)

        return weighted

    return drawn, drawn.draws(statistic, sample.agreeing_pairs.shape[1] + sample.chosen[0].size)


@lru_cache(maxsize=4)
def _rated_items(ratings: Ratings, weighting: str) -> RatedItems:
    return RatedItems(ratings.present(), agreement_weights(ratings.scale, weighting))


def undefined_agreement(
    name: str, method: str, ratings: Ratings, weighting: str, level: float
) -> Agreement:
    """A coefficient without a value, for want of an item with two ratings."""
    each, items = np.unique(ratings.raters_per_item, return_counts=True)
    return Agreement(
        name,
        None,
        method,
        len(ratings.items),
        level=level,
        reason=NO_PAIRS,
        weighting=weighting,
        raters_per_item=tuple(zip(each.tolist(), items.tolist(), strict=True)),
    )


def _no_variation(sample: RatedItems) -> str:
    if sample.weights.shape[0] == 1 and not sample.ratings.scale.declared:
        return f"{NO_VARIATION}, and no scale was declared"
    return NO_VARIATION


def _name(chance: ChanceModel, sample: RatedItems, weighting: str) -> str:
    name = chance.name
    if chance is GWET and weighting != "identity":
        name = "AC2"
    if weighting != "identity":
        name = f"{weighting}-weighted {name}"
    if len(sample.ratings.raters) == 2 and chance in (FLEISS, CONGER):
        name += " (two raters: Scott's pi)" if chance is FLEISS else " (two raters: Cohen's kappa)"
    return name
