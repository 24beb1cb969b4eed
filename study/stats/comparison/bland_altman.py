"""Bland and Altman's limits of agreement of two methods of measurement, with their intervals.

References
----------
J. M. Bland, D. G. Altman, "Measuring agreement in method comparison studies", Statistical Methods
in Medical Research 8(2), 1999.
A. Carkeet, "Exact parametric confidence intervals for Bland-Altman limits of agreement",
Optometry and Vision Science 92(3), 2015.
J. M. Bland, D. G. Altman, "Agreement between methods of measurement with multiple observations per
individual", Journal of Biopharmaceutical Statistics 17(4), 2007.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from study.domain.inference import Random
from study.stats.estimate import LEVEL, Estimate, Floats, Interval, PValue
from study.stats.intervals import RESAMPLES, IntervalOptions, mean_estimate
from study.stats.two_way_bootstrap import TwoWayResamples
from study.stats.weighted_sums import Weighted

Z = float(stats.norm.ppf(0.975))
NO_SPREAD = "the differences do not vary"


@dataclass(frozen=True)
class BlandAltman:
    """Agreement of two methods, or raters, on the same items.

    Parameters
    ----------
    first, second : str
    bias : Estimate
        Mean difference, first minus second.
    sd : float or None
        Standard deviation of the differences.
    lower, upper : Estimate
        Limits of agreement: bias - 1.96 SD and bias + 1.96 SD.
    slope : Estimate
        Of the difference on the mean of the two: 0 where the bias does not depend on the size.
    slope_test : PValue
    """

    first: str
    second: str
    bias: Estimate
    sd: float | None
    lower: Estimate
    upper: Estimate
    slope: Estimate
    slope_test: PValue


def bland_altman(
    first: str,
    second: str,
    scores: Floats,
    clusters: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> BlandAltman:
    """Limits of agreement.

    Parameters
    ----------
    first, second : str
        Names of the two.
    scores : ndarray, shape (items, 2)
        NaN where missing; such items are left out.
    clusters : sequence of str
        Patient of each item. Where each has one, intervals of the limits are Carkeet's exact ones;
        where patients have several, the standard deviation is of the variance components between
        and within patients, and the intervals are of a bootstrap of patients.
    resamples, seed, level
        See `IntervalOptions`.
    """
    kept = np.flatnonzero(~np.isnan(scores).any(axis=1))
    names = [clusters[place] for place in kept.tolist()]
    pairs: Floats = scores[kept]
    differences = pairs[:, 0] - pairs[:, 1]
    slope, test = _slope(pairs, level)
    if len(set(names)) == len(names):
        bias, sd, ends = _independent(differences, level)
    else:
        options = IntervalOptions(resamples=resamples, seed=seed, level=level)
        bias, sd, ends = _clustered(differences, names, options)
    return BlandAltman(first, second, bias, sd, *ends, slope, test)


def exact_limit(mean: float, sd: float, n: int, z: float, level: float = LEVEL) -> Interval:
    """Carkeet's exact interval of mean + z SD of n independent normal differences."""
    method = "exact interval of Carkeet 2015"
    if n < 2 or sd <= 0:
        return Interval(None, None, method, "fewer than two items" if n < 2 else NO_SPREAD, level)
    low, high = (
        mean + float(stats.nct.ppf(share, n - 1, z * math.sqrt(n))) * sd / math.sqrt(n)
        for share in ((1 - level) / 2, (1 + level) / 2)
    )
    return Interval(low, high, method, level=level)


def _independent(
    differences: Floats, level: float
) -> tuple[Estimate, float | None, tuple[Estimate, Estimate]]:
    bias = mean_estimate("Bias", differences, "mean difference", level)
    sd = float(differences.std(ddof=1)) if differences.size > 1 else None
    return bias, sd, _limits(bias, sd, [
        exact_limit(bias.value or 0.0, sd or 0.0, differences.size, z, level) for z in (-Z, Z)
    ])  # fmt: skip


def _clustered(
    differences: Floats, names: Sequence[str], options: IntervalOptions
) -> tuple[Estimate, float | None, tuple[Estimate, Estimate]]:
    level, resamples = options.get("level", LEVEL), options.get("resamples", RESAMPLES)
    order = {name: place for place, name in enumerate(dict.fromkeys(names))}
    patients = np.array([order[name] for name in names])
    ones = np.ones((1, differences.size))
    mean, sd = (float(each[0]) for each in _moments(differences, patients, ones))
    words = "variance components between and within patients"
    bias = Estimate("Bias", mean, f"mean difference; {words}", differences.size, level=level,
                    reason="no bootstrap")  # fmt: skip
    usable = math.isfinite(sd)
    none = Interval(None, None, "none", "no bootstrap" if usable else "too few patients", level)
    found = [none, none]
    if resamples and usable:
        drawn = TwoWayResamples(1, names, Random.CASES, resamples, options.get("seed", 0))

        def statistic(weights: Floats) -> Weighted:
            means, deviations = _moments(differences, patients, weights)
            ends = np.stack([means, means - Z * deviations, means + Z * deviations], axis=1)
            return lambda _: ends

        draws = drawn.draws(statistic, 3 * differences.size)
        values = (mean, mean - Z * sd, mean + Z * sd)
        ends, *found = (
            drawn.interval(value, draws.of(place), level) for place, value in enumerate(values)
        )
        bias = replace(bias, reason=None).with_interval(ends)
    return bias, sd if usable else None, _limits(bias, sd if usable else None, found)


def _moments(differences: Floats, patients: np.ndarray, weights: Floats) -> tuple[Floats, Floats]:
    """Weighted mean, and SD from one-way variance components, of each resample."""
    groups = np.eye(patients.max() + 1)[patients]
    number, total = weights @ groups, (weights * differences) @ groups
    items = number.sum(axis=1)
    mean = total.sum(axis=1) / items
    of_patient = total / number
    within = weights @ differences**2 - (total * of_patient).sum(axis=1)
    between = (number * (of_patient - mean[:, None]) ** 2).sum(axis=1)
    count = groups.shape[1]
    per_patient = (items - (number**2).sum(axis=1) / items) / max(count - 1, 1)
    within_ms = np.maximum(within, 0.0) / np.where(items > count, items - count, np.nan)
    between_ms = between / (count - 1 if count > 1 else np.nan)
    variance = within_ms + np.maximum(between_ms - within_ms, 0.0) / per_patient
    return mean, np.sqrt(variance)


def _limits(
    bias: Estimate, sd: float | None, ends: Sequence[Interval]
) -> tuple[Estimate, Estimate]:
    found = []
    for name, z, interval in zip(("Lower limit", "Upper limit"), (-Z, Z), ends, strict=True):
        reason = interval.reason or bias.reason
        value = None if bias.value is None or sd is None else bias.value + z * sd
        base = Estimate(name, value, f"bias {'+' if z > 0 else '-'} 1.96 SD", bias.n,
                        level=bias.level, reason=reason or "fewer than two items")  # fmt: skip
        found.append(base if value is None else base.with_interval(interval))
    return found[0], found[1]


def _slope(pairs: Floats, level: float) -> tuple[Estimate, PValue]:
    """The difference by the mean of the two, by least squares."""
    n, name, method = len(pairs), "Slope", "difference on mean, least squares"
    means, differences = pairs.mean(axis=1), pairs[:, 0] - pairs[:, 1]
    if n < 3 or not np.ptp(means) or not np.ptp(differences):
        reason = "it needs three items that differ"
        return (
            Estimate(name, None, method, n, level=level, reason=reason),
            PValue(name, None, method, n, reason=reason),
        )
    found = stats.linregress(means, differences)
    half = float(found.stderr) * float(stats.t.ppf((1 + level) / 2, n - 2))
    value = float(found.slope)
    return (
        Estimate(name, value, f"{method}; t({n - 2}) interval", n, float(found.stderr),
                 value - half, value + half, level),
        PValue(name, float(found.pvalue), method, n, value / float(found.stderr)
               if found.stderr else None, n - 2),
    )  # fmt: skip
