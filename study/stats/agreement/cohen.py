"""Cohen's kappa of two raters, and of all pairs of raters."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from study.domain.errors import StatisticsError
from study.stats.agreement.chance_agreement import CERTAIN, agreement_weights
from study.stats.estimate import LEVEL, Estimate, Floats, finite_or_none
from study.stats.intervals import z_interval
from study.stats.table import Ratings

TITLES = {
    "identity": "Cohen's kappa",
    "linear": "Linear-weighted Cohen's kappa",
    "quadratic": "Quadratic-weighted Cohen's kappa",
}

MOST_RATERS = 100


@dataclass(frozen=True)
class RaterPair:
    """The kappa of two raters, and their raw agreement with the same weights."""

    first: str
    second: str
    kappa: Estimate
    agreement: float | None


@dataclass(frozen=True)
class PairwiseKappas:
    """The kappas of all pairs of raters.

    Parameters
    ----------
    weighting : str
        identity, linear or quadratic.
    raters : tuple of str
    pairs : tuple of RaterPair
        Every pair once.
    mean : Estimate
        Light's kappa: the mean of the defined kappas, without an interval.
    """

    weighting: str
    raters: tuple[str, ...]
    pairs: tuple[RaterPair, ...]
    mean: Estimate

    def between(self, first: str, second: str) -> Estimate:
        """The kappa of two raters, in either order."""
        for pair in self.pairs:
            if {pair.first, pair.second} == {first, second}:
                return pair.kappa
        raise StatisticsError(f"{first!r} and {second!r} are not a pair of the raters")


def cohen_kappa(
    ratings: Ratings,
    first: str,
    second: str,
    weighting: str = "identity",
    *,
    level: float = LEVEL,
) -> Estimate:
    """Cohen's kappa on the items rated by both raters.

    Parameters
    ----------
    ratings : Ratings
        All categories of the scale count, including unused ones.
    first, second : str
        Two raters.
    weighting : str
        identity, linear or quadratic, by the scores of the scale.
    level : float
        Confidence level.

    References
    ----------
    J. L. Fleiss, J. Cohen, B. S. Everitt, "Large sample standard errors of kappa and weighted
    kappa", Psychological Bulletin 72(5), 1969.
    """
    weights = agreement_weights(ratings.scale, weighting)
    places = [ratings.column(rater) for rater in (first, second)]
    return _kappa(_cross_table(ratings, *places), weights, weighting, level)


def _kappa(table: Floats, weights: Floats, weighting: str, level: float) -> Estimate:
    """The kappa of a table of both raters' categories."""
    number = int(table.sum())
    method = f"Cohen, {weighting} weights, large-sample standard error (Fleiss, Cohen, Everitt)"
    base = Estimate(TITLES[weighting], None, method, number, level=level, reason="no common items")
    if not number:
        return base
    share = table / number
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    observed, chance = float((weights * share).sum()), float(rows @ weights @ columns)
    if 1 - chance < CERTAIN:
        return replace(base, reason="no variation: both raters put all items in one category")
    value = (observed - chance) / (1 - chance)
    margins = (weights @ columns)[:, None] + rows @ weights
    each = weights * (1 - chance) - margins * (1 - observed)
    # Its mean is that of the paper, po pe - 2 pe + po: the difference of two squares loses digits.
    variance = float((share * (each - (share * each).sum()) ** 2).sum())
    se = math.sqrt(variance / number) / (1 - chance) ** 2
    ends = z_interval(value, se, level, (-1.0, 1.0))
    return replace(base, value=value, se=se).with_interval(ends)


def pairwise_kappas(
    ratings: Ratings, weighting: str = "quadratic", *, level: float = LEVEL
) -> PairwiseKappas:
    """The kappas of all pairs of raters.

    Raises
    ------
    StatisticsError
        There are fewer than two raters, or more than `MOST_RATERS`.
    """
    if len(ratings.raters) < 2:
        raise StatisticsError(f"a pair needs two raters, got {', '.join(ratings.raters) or 'none'}")
    if len(ratings.raters) > MOST_RATERS:
        raise StatisticsError(
            f"{len(ratings.raters)} raters have too many pairs, at most {MOST_RATERS} can be: "
            "check which column is that of the raters, or use fleiss"
        )
    weights = agreement_weights(ratings.scale, weighting)
    pairs = []
    for first, second in combinations(range(len(ratings.raters)), 2):
        table = _cross_table(ratings, first, second)
        agreement = (
            finite_or_none(float((weights * table).sum() / table.sum())) if table.any() else None
        )
        kappa = _kappa(table, weights, weighting, level)
        pairs.append(RaterPair(ratings.raters[first], ratings.raters[second], kappa, agreement))
    mean = _mean((pair.kappa for pair in pairs), weighting, level)
    return PairwiseKappas(weighting, ratings.raters, tuple(pairs), mean)


def _mean(kappas: Iterable[Estimate], weighting: str, level: float) -> Estimate:
    found = [kappa.value for kappa in kappas if kappa.value is not None]
    return Estimate(
        f"Mean of the pairs ({TITLES[weighting]})",
        float(np.mean(found)) if found else None,
        "Light 1971",
        len(found),
        level=level,
        reason="the pairs share raters: no interval" if found else "no pair has a kappa",
    )


def _cross_table(ratings: Ratings, first: int, second: int) -> Floats:
    """How many items two raters put in each two categories."""
    size, codes = ratings.scale.size, ratings.codes[:, [first, second]]
    both = codes[(codes >= 0).all(axis=1)] @ [size, 1]
    return np.bincount(both, minlength=size**2).reshape(size, size).astype(np.float64)
