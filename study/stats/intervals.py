"""Confidence intervals: Wilson, t, and normal; and the options of statistics that have one."""

from __future__ import annotations

import math
from typing import TypedDict

from scipy import stats

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
    quantile = float(stats.t.ppf((1 + level) / 2, df))
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
