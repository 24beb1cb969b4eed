"""Confidence intervals: Wilson, t, and normal; and the options of statistics that have one."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import TypedDict

import numpy as np
from scipy import stats
from scipy.special import ndtri, stdtrit

from study.domain.inference import Random
from study.stats.estimate import LEVEL, Estimate, Floats, Interval

RESAMPLES = 2000
"""Default number of bootstrap resamples."""
ZERO_ERROR = "the standard error is zero, which says nothing about the precision"


class IntervalOptions(TypedDict, total=False):
    """Options of every statistic with a confidence interval and a bootstrap.

    Parameters
    ----------
    resamples : int
        Bootstrap samples, 0 for none; `RESAMPLES` by default.
    seed : int
        Seed of the bootstrap, 0 by default.
    level : float
        Confidence level, 0.95 by default.
    """

    resamples: int
    seed: int
    level: float


class RandomOptions(IntervalOptions, total=False):
    """Options of a statistic whose bootstrap draws readers too.

    Parameters
    ----------
    random : Random
        What the bootstrap draws: readers, patients or, by default, both.
    """

    random: Random


def wilson_interval(successes: int, trials: int, level: float = LEVEL) -> Interval:
    """Wilson's score interval of a proportion.

    References
    ----------
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    Journal of the American Statistical Association 22(158), 1927.
    """
    method = "Wilson score interval"
    if trials == 0:
        return Interval(None, None, method, "there are no trials", level)
    ends = stats.binomtest(successes, trials).proportion_ci(level, method="wilson")
    return Interval(float(ends.low), float(ends.high), method, level=level)


def proportion(name: str, successes: int, trials: int, level: float = LEVEL) -> Estimate:
    """A proportion with its Wilson interval; undefined without trials."""
    ends = wilson_interval(successes, trials, level)
    value = successes / trials if trials else None
    return Estimate(
        name, value, ends.method, trials, None, ends.low, ends.high, level, reason=ends.reason
    )


def clustered_proportion(
    name: str, right: Sequence[bool], clusters: Sequence[Hashable], level: float = LEVEL
) -> Estimate:
    """A proportion of items in clusters, with the Wilson interval of their effective number.

    The number of items is divided by the design effect, at least 1, of Rao and Scott. Where all
    items are alike, which does not tell how alike those of a cluster are, each cluster counts as
    one. With one item in each cluster it is Wilson's interval.

    Parameters
    ----------
    name : str
    right : sequence of bool
        One for each item.
    clusters : sequence
        Of each item, such as its patient.
    level : float

    References
    ----------
    J. N. K. Rao, A. J. Scott, "A simple method for the analysis of clustered binary data",
    Biometrics 48(2), 1992.
    """
    counts: dict[Hashable, list[int]] = {}
    for one, cluster in zip(right, clusters, strict=True):
        counts.setdefault(cluster, [0, 0])
        counts[cluster][0] += bool(one)
        counts[cluster][1] += 1
    of = np.array(list(counts.values()), np.float64).reshape(-1, 2)
    successes, trials = int(of[:, 0].sum()), int(of[:, 1].sum())
    if trials == len(counts):
        return proportion(name, successes, trials, level)
    share = successes / trials
    effective = trials / _design_effect(of[:, 0], of[:, 1])
    # Wilson's score interval, of a number that need not be whole.
    z2 = float(stats.norm.isf((1 - level) / 2)) ** 2
    middle = (share + z2 / (2 * effective)) / (1 + z2 / effective)
    half = math.sqrt(z2 * (share * (1 - share) + z2 / (4 * effective)) / effective)
    half /= 1 + z2 / effective
    method = f"Wilson score interval, {len(counts)} clusters (Rao and Scott)"
    return Estimate(
        name, share, method, trials, None, max(middle - half, 0.0), min(middle + half, 1.0), level
    )


def _design_effect(successes: Floats, trials: Floats) -> float:
    """How many times the variance of a proportion is that of independent items."""
    clusters, total = len(trials), float(trials.sum())
    share = float(successes.sum()) / total
    if clusters < 2 or not 0 < share < 1:
        return total / clusters
    rest = successes - share * trials
    variance = clusters / (clusters - 1) * float((rest**2).sum()) / total**2
    return max(total * variance / (share * (1 - share)), 1.0)


def t_interval(
    value: float,
    se: float | None,
    df: float,
    level: float = LEVEL,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> Interval:
    """``value ± t(df) se``, cut to the range of the statistic.

    Undefined without a standard error, or if it is zero.
    """
    if df < 1 or se is None:
        method = "t interval"
    else:
        method = "normal interval" if math.isinf(df) else f"t({df:g}) interval"
    if se is None or df < 1:
        return Interval(None, None, method, "fewer than two items give no standard error", level)
    if se <= 1e-12 * max(1.0, abs(value)):
        return Interval(None, None, method, ZERO_ERROR, level)
    quantile = float(ndtri((1 + level) / 2) if math.isinf(df) else stdtrit(df, (1 + level) / 2))
    low, high = value - quantile * se, value + quantile * se
    # A rounding error may put the value itself just outside its range.
    low, high = max(low, min(bounds[0], value)), min(high, max(bounds[1], value))
    return Interval(low, high, method, level=level)


def z_interval(
    value: float,
    se: float | None,
    level: float = LEVEL,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> Interval:
    """``value ± z se``, for large-sample standard errors."""
    return t_interval(value, se, math.inf, level, bounds)


def mean_estimate(
    name: str,
    values: Floats,
    method: str,
    level: float = LEVEL,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> Estimate:
    """The mean of independent values with its t interval, cut to the range of the values.

    Undefined without values.
    """
    n = values.size
    if n == 0:
        return Estimate(name, None, method, 0, reason="there are no values")
    mean = float(values.mean())
    se = float(values.std(ddof=1) / math.sqrt(n)) if n > 1 else None
    ends = t_interval(mean, se, n - 1, level, bounds)
    return Estimate(name, mean, method, n, se, level=level).with_interval(ends)
