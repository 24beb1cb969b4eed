"""What is random in a comparison of methods: readers, patients, or both.

A difference is tested in the form of Obuchowski and Rockette: from the difference of each reader,
and from the covariance of these differences between readers, which is what the patients they
share leave uncertain. The same form serves mean scores and areas under a curve.

References
----------
N. A. Obuchowski, H. E. Rockette, "Hypothesis testing of diagnostic accuracy for multiple readers
and multiple tests: an ANOVA approach with dependent observations", Communications in Statistics:
Simulation and Computation 24(2), 1995.
S. L. Hillis, "A comparison of denominator degrees of freedom methods for multiple observer ROC
analysis", Statistics in Medicine 26(3), 2007.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from study.domain.formatting import plural
from study.domain.inference import Random
from study.stats.estimate import LEVEL, Estimate, Floats, PValue
from study.stats.intervals import t_interval

FEW_CLUSTERS = 20
"""Intervals and p values are approximate with fewer patients than this."""
NO_VARIANCE = "the differences do not vary, which says nothing about the precision"


@dataclass(frozen=True)
class Variance:
    """The variance of an estimate, and the degrees of freedom of its t distribution."""

    value: float
    df: float


@dataclass(frozen=True)
class RandomEffectsTest:
    """A difference with its interval and test, for what the protocol declares as random.

    Parameters
    ----------
    random : Random
    readers, patients : int
        Numbers of each with a difference.
    difference : Estimate
        Mean over readers of their mean differences of patients, with standard error and interval.
    test : PValue
        Two-sided test that it is zero.
    """

    random: Random
    readers: int
    patients: int
    difference: Estimate
    test: PValue


def components(
    random: Random, of_readers: float, shared: float, readers: int, patients: float
) -> Variance:
    """The variance of a mean over readers and patients.

    Parameters
    ----------
    random : Random
    of_readers : float
        Variance of the mean from the differences between readers; it includes the noise.
    shared : float
        For `Random.BOTH`, the part of the variance that the patients add to it; for
        `Random.CASES`, the variance with these readers.
    readers, patients : int or float
        Numbers of each. With infinitely many patients the degrees of freedom are Hillis'; with
        few of them the uncertainty of `shared` counts too (Satterthwaite).
    """
    if random is Random.READERS:
        return Variance(of_readers, readers - 1)
    shared = max(shared, 0.0)
    if random is Random.CASES:
        return Variance(shared, patients - 1)
    total = of_readers + shared
    spread = of_readers**2 / (readers - 1) + shared**2 / (patients - 1)
    return Variance(total, total**2 / spread if spread > 0 else math.nan)


def difference_variance(
    by_reader: Floats, covariance: Floats, random: Random, patients: float = math.inf
) -> Variance:
    """The variance of the mean of the readers' differences.

    Parameters
    ----------
    by_reader : ndarray, shape (readers,)
        Each reader's difference of two methods: of mean scores, or of areas under a curve.
    covariance : ndarray, shape (readers, readers)
        Their covariance from the sampling of patients.
    random : Random
    patients : float
        Number of patients, or infinity for Hillis' degrees of freedom as published.
    """
    count = by_reader.size
    if random is Random.CASES:
        return components(random, 0.0, float(covariance.sum()) / count**2, count, patients)
    of_readers = float(by_reader.var(ddof=1)) / count
    between = float(covariance.sum() - np.trace(covariance)) / (count * (count - 1))
    return components(random, of_readers, between, count, patients)


def random_effects_test(
    differences: Floats,
    clusters: Sequence[str],
    random: Random = Random.BOTH,
    *,
    span: float = math.inf,
    level: float = LEVEL,
) -> RandomEffectsTest:
    """Test the difference of two methods on the means of patients.

    Parameters
    ----------
    differences : ndarray, shape (items, readers)
        First minus second method; NaN where one of the two is missing.
    clusters : sequence of str
        Patient of each item.
    random : Random
    span : float
        Largest possible difference: the length of the scale.
    level : float
        Confidence level.
    """
    means = patient_means(differences, clusters)
    means = means[~np.isnan(means).all(axis=1)][:, ~np.isnan(means).all(axis=0)]
    patients, readers = means.shape
    method = f"Obuchowski-Rockette on means of patients, {random.words} random"
    sizes = f"{plural(readers, 'reader')}, {plural(patients, 'patient')}"
    reason = _too_few(random, readers, patients)
    name, low_high = "Mean difference", (-span, span)
    if not patients:
        reason = "no item has both methods"
        none = Estimate(name, None, method, 0, level=level, reason=reason)
        return RandomEffectsTest(random, 0, 0, none, PValue(name, None, method, 0, reason=reason))
    by_reader = np.nanmean(means, axis=0)
    value = float(by_reader.mean())
    found = Estimate(name, value, f"{method}; {sizes}", patients, level=level, reason=reason)
    test = PValue("Random effects", None, found.method, patients, reason=reason or NO_VARIANCE)
    if reason is not None:
        return RandomEffectsTest(random, readers, patients, found, test)
    variance = difference_variance(by_reader, _covariance(means), random, patients)
    se = math.sqrt(variance.value)
    if se <= 1e-12 * max(1.0, abs(value)):
        found = replace(found, reason=NO_VARIANCE)
        return RandomEffectsTest(random, readers, patients, found, test)
    ends = t_interval(value, se, variance.df, level, low_high)
    t = value / se
    return RandomEffectsTest(
        random,
        readers,
        patients,
        Estimate(name, value, found.method, patients, se, level=level).with_interval(ends),
        PValue(
            test.name, p_of_t(t, variance.df), test.method, patients, statistic=t, df=variance.df
        ),
    )


def p_of_t(t: float, df: float) -> float:
    """Two-sided p value of a t statistic."""
    return float(2 * stats.t.sf(abs(t), df))


def patient_means(differences: Floats, clusters: Sequence[str]) -> Floats:
    """Mean of each reader's differences over the items of a patient, shape (patients, readers)."""
    order = {cluster: place for place, cluster in enumerate(dict.fromkeys(clusters))}
    places = [order[cluster] for cluster in clusters]
    there = ~np.isnan(differences)
    total, number = np.zeros((2, len(order), differences.shape[1]))
    np.add.at(total, places, np.where(there, differences, 0.0))
    np.add.at(number, places, there)
    means: Floats = total / np.where(number > 0, number, np.nan)
    return means


def _covariance(means: Floats) -> Floats:
    """Covariance of the readers' mean differences, from the patients that two of them share."""
    there = ~np.isnan(means)
    centred = np.where(there, means - np.nanmean(means, axis=0), 0.0)
    each = there.sum(axis=0).astype(np.float64)
    both = there.T.astype(np.float64) @ there
    correction = both / np.maximum(both - 1, 1)
    covariance: Floats = centred.T @ centred * correction / np.outer(each, each)
    return covariance


def _too_few(random: Random, readers: int, patients: int) -> str | None:
    if random is not Random.CASES and readers < 2:
        return f"{plural(readers, 'reader')}: their variation cannot be estimated, it needs two"
    if random is not Random.READERS and patients < 2:
        return f"{plural(patients, 'patient')}: their variation cannot be estimated, it needs two"
    return None
