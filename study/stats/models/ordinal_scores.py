"""The cumulative-logit mixed model of scores: methods fixed, readers and cases random."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

from study.domain.errors import StatisticsError
from study.stats.estimate import LEVEL, Estimate, PValue
from study.stats.intervals import z_interval
from study.stats.models.cumulative_logit import CumulativeLogit, cumulative_logit
from study.stats.models.random_factors import Factor
from study.stats.multiple_testing import CorrectedPValue, correct
from study.stats.panel import panel_of
from study.stats.table import RatingRow

MOST_CATEGORIES = 30


@dataclass(frozen=True)
class MethodOdds:
    """Log odds ratio of a higher score, first against second method.

    Parameters
    ----------
    first, second : str
    log_odds : Estimate
    odds_ratio : Estimate
    test : PValue
        Wald test that they are equal.
    """

    first: str
    second: str
    log_odds: Estimate
    odds_ratio: Estimate
    test: PValue


@dataclass(frozen=True)
class OrdinalScores:
    """The model of the scores of several methods.

    Parameters
    ----------
    pairs : tuple of MethodOdds
        Every pair of methods.
    corrected : tuple of CorrectedPValue
        Their p values, corrected in the family of all pairs.
    test : PValue
        Likelihood ratio test that all methods are equal.
    thresholds, deviations : tuple of Estimate
        Of the categories, and standard deviations of the random factors.
    log_likelihood : float
    """

    pairs: tuple[MethodOdds, ...]
    corrected: tuple[CorrectedPValue, ...]
    test: PValue
    thresholds: tuple[Estimate, ...]
    deviations: tuple[Estimate, ...]
    log_likelihood: float


def ordinal_scores(rows: Sequence[RatingRow], *, level: float = LEVEL) -> OrdinalScores:
    """Fit scores on methods with crossed random readers, cases, and readers by method.

    The latter is what makes the result one for other readers; patients of several cases are a
    random factor too. Factors with one level are left out.

    Raises
    ------
    StatisticsError
        There are fewer than two methods or categories, more than `MOST_CATEGORIES`, a rating is
        repeated, or the likelihood has no maximum.
    """
    rows = [row for row in rows if row.value is not None]
    panel_of(rows)  # Refuses repeats, which would count as independent.
    methods = tuple(dict.fromkeys(row.method for row in rows))
    if len(methods) < 2:
        raise StatisticsError(
            "the model compares methods, and the ratings name fewer than two: name their column "
            "with --method"
        )
    places = np.array([methods.index(row.method) for row in rows])
    scores = np.array([row.value or 0.0 for row in rows])
    used, codes = np.unique(scores, return_inverse=True)
    if used.size > MOST_CATEGORIES:
        raise StatisticsError(
            f"there are {used.size} different scores, and the model has a threshold between each: "
            f"round them to at most {MOST_CATEGORIES}, or compare their means, with mrmc"
        )
    columns = (places[:, None] == np.arange(1, len(methods))).astype(np.float64)
    factors = _factors(rows)
    fitted = cumulative_logit(codes, columns, methods[1:], factors, level=level)
    equal = cumulative_logit(codes, columns[:, :0], (), factors, level=level)
    ratio = max(2 * (fitted.log_likelihood - equal.log_likelihood), 0.0)
    df = len(methods) - 1
    method = f"likelihood ratio, chi-square({df}); {fitted.method}"
    pairs = tuple(
        _odds(fitted, methods, first, second, level)
        for first, second in combinations(range(len(methods)), 2)
    )
    return OrdinalScores(
        pairs,
        correct([pair.test.p for pair in pairs]),
        PValue("Equal methods", float(stats.chi2.sf(ratio, df)), method, len(rows), ratio, df),
        fitted.thresholds,
        fitted.deviations,
        fitted.log_likelihood,
    )


def _factors(rows: Sequence[RatingRow]) -> list[Factor]:
    cases = Factor.of("cases", [row.item for row in rows])
    patients = Factor.of("patients", [row.cluster or row.item for row in rows])
    readers = Factor.of("readers", [row.rater for row in rows])
    by_method = Factor.of("readers by method", [f"{row.rater}\0{row.method}" for row in rows])
    found = [cases]
    # A patient of one case is that case, and one reader by method is the method.
    if patients.levels < cases.levels:
        found.append(patients)
    if readers.levels > 1:
        found += [readers, by_method]
    return [factor for factor in found if factor.levels > 1]


def _odds(
    fitted: CumulativeLogit, methods: Sequence[str], first: int, second: int, level: float
) -> MethodOdds:
    """The first method of a pair is the earlier one; the reference has no coefficient."""
    contrast = np.zeros(len(methods))
    contrast[first], contrast[second] = 1.0, -1.0
    contrast = contrast[1:]
    values = np.array([each.value for each in fitted.coefficients], dtype=np.float64)
    value = float(contrast @ values)
    se = math.sqrt(float(contrast @ fitted.covariance @ contrast))
    name = f"{methods[first]} against {methods[second]}"
    ends = z_interval(value, se, level)
    log_odds = Estimate("log odds ratio", value, fitted.method, fitted.n, se, level=level)
    low, high = (None if end is None else math.exp(end) for end in (ends.low, ends.high))
    z = value / se
    return MethodOdds(
        methods[first],
        methods[second],
        log_odds.with_interval(ends),
        Estimate("odds ratio", math.exp(value), "of the log odds ratio", fitted.n, None, low, high,
                 level, ends.reason),
        PValue(name, float(2 * stats.norm.sf(abs(z))), "Wald, normal", fitted.n, z),
    )  # fmt: skip
