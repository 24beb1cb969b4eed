"""Figures of merit of methods and readers: mean scores, ROC areas, sensitivity, specificity, VGC.

Cases without a rating are left out of the figures of that reader and method.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from study.domain.errors import StatisticsError
from study.domain.formatting import plural
from study.domain.inference import Random
from study.stats.estimate import LEVEL, Estimate, Floats, PValue
from study.stats.intervals import t_interval
from study.stats.mrmc.obuchowski_rockette import NO_VARIANCE, SMALL, Figures, ReaderFigures
from study.stats.mrmc.two_samples import Covariance, TwoSamples, area_covariance
from study.stats.panel import Panel
from study.stats.random_effects import difference_variance, p_of_t, patient_means


def mean_scores(panel: Panel) -> Figures:
    """Mean score over patients of each method and reader, of the means over their cases."""
    count = len(panel.methods) * len(panel.readers)
    columns = panel.scores.transpose(0, 2, 1).reshape(len(panel.items), count)
    values, covariance, patients = _mean_covariance(patient_means(columns, panel.clusters))
    return _figures("Mean score", panel, values, covariance, patients, "covariance of means",
                    bounds=(-math.inf, math.inf))  # fmt: skip


def roc_areas(
    panel: Panel, positive: Sequence[bool], how: Covariance = Covariance.DELONG
) -> Figures:
    """Area under the empirical ROC curve of each method and reader.

    Parameters
    ----------
    panel : Panel
        Higher scores mean that a case is more likely positive.
    positive : sequence of bool
        Truth of each item of the panel.
    how : Covariance

    Raises
    ------
    StatisticsError
        A reader has no positive or no negative case with a method.
    """
    truth, places = np.asarray(positive, dtype=bool), _places(panel)
    samples = []
    for method, reader in np.ndindex(len(panel.methods), len(panel.readers)):
        scores = panel.scores[:, reader, method]
        high, low = truth & ~np.isnan(scores), ~truth & ~np.isnan(scores)
        if not high.any() or not low.any():
            lacking = "negative" if high.any() else "positive"
            raise StatisticsError(
                f"reader {panel.readers[reader]!r} has no rating of a {lacking} case with method "
                f"{panel.methods[method]!r}: leave the reader or the method out"
            )
        samples.append(TwoSamples(scores[low], scores[high], places[low], places[high]))
    patients = len(set(panel.clusters))
    values = np.array([one.area for one in samples])
    covariance = area_covariance(samples, patients, how)
    return _figures("ROC area", panel, values, covariance, patients, f"{how.words} covariance")


def proportions(panel: Panel, chosen: Sequence[bool], name: str) -> Figures:
    """Share of 1 among some cases, of each method and reader: sensitivity, or specificity.

    Parameters
    ----------
    panel : Panel
        Scores 0 and 1.
    chosen : sequence of bool
        The items that count.
    name : str
    """
    kept = np.asarray(chosen, dtype=bool)
    count = len(panel.methods) * len(panel.readers)
    columns = panel.scores[kept].transpose(0, 2, 1).reshape(int(kept.sum()), count)
    there = ~np.isnan(columns)
    number = there.sum(axis=0)
    if not (number > 0).all():
        raise StatisticsError(
            f"{name} needs a rated case of every reader and method: leave readers or methods out"
        )
    values = np.where(there, columns, 0.0).sum(axis=0) / number
    each = np.where(there, columns - values, 0.0) / number
    places = _places(panel)[kept]
    influence = np.zeros((len(set(panel.clusters)), count))
    np.add.at(influence, places, each)
    patients = len(set(places.tolist()))
    covariance = influence.T @ influence * (patients / (patients - 1) if patients > 1 else np.nan)
    return _figures(name, panel, values, covariance, patients, "covariance of proportions")


@dataclass(frozen=True)
class Vgc:
    """Visual grading characteristics of two methods: area above 1/2 where the first is better.

    Parameters
    ----------
    first, second : str
    random : Random
    area : Estimate
        Mean area over readers.
    test : PValue
        That it is one half.
    pooled : float
        Area of the ratings of all readers together, without an interval.
    readers : tuple of ReaderFigures
        Area of each reader.
    """

    first: str
    second: str
    random: Random
    area: Estimate
    test: PValue
    pooled: float
    readers: tuple[ReaderFigures, ...]


def vgc(
    panel: Panel,
    first: str,
    second: str,
    random: Random = Random.BOTH,
    *,
    how: Covariance = Covariance.DELONG,
    level: float = LEVEL,
) -> Vgc:
    """Area under the VGC curve of two methods: of the first against the second.

    Readers without a rating of one of the two are left out.
    """
    name = f"VGC area of {first} against {second}"
    found = reader_samples(panel, first, second)
    patients, readers = len(set(panel.clusters)), len(found)
    sizes = f"{plural(readers, 'reader')}, {plural(patients, 'patient')}"
    method = f"Obuchowski-Rockette, {random.words} random, {how.words} covariance; {sizes}"
    if not found:
        reason = "no reader has rated both methods"
        none = Estimate(name, None, method, 0, level=level, reason=reason)
        return Vgc(
            first, second, random, none, PValue(name, None, method, 0, reason=reason), 0.5, ()
        )
    samples = [sample for _, sample in found]
    areas = np.array([one.area for one in samples])
    estimate, test = _against_half(name, areas, area_covariance(samples, patients, how), random,
                                   patients, method, level)  # fmt: skip
    return Vgc(
        first, second, random, estimate, test, _pooled(samples).area,
        tuple(ReaderFigures(reader, (float(area),))
              for (reader, _), area in zip(found, areas, strict=True)),
    )  # fmt: skip


def reader_samples(panel: Panel, first: str, second: str) -> list[tuple[str, TwoSamples]]:
    """Scores of two methods by each reader who rated both; those of the first should be higher."""
    places = _places(panel)
    high, low = (panel.scores[:, :, panel.place(one)] for one in (first, second))
    found = [
        (reader, _samples(low[:, place], high[:, place], places))
        for place, reader in enumerate(panel.readers)
    ]
    return [(reader, sample) for reader, sample in found if sample.low.size and sample.high.size]


def _pooled(samples: Sequence[TwoSamples]) -> TwoSamples:
    """The samples of all readers as one."""
    return TwoSamples(
        np.concatenate([one.low for one in samples]),
        np.concatenate([one.high for one in samples]),
        np.concatenate([one.low_patients for one in samples]),
        np.concatenate([one.high_patients for one in samples]),
    )


def _against_half(
    name: str,
    areas: Floats,
    covariance: Floats,
    random: Random,
    patients: int,
    method: str,
    level: float,
) -> tuple[Estimate, PValue]:
    """The mean area with its interval, and the test that it is one half."""
    value, reason = float(areas.mean()), None
    if random is not Random.CASES and areas.size < 2:
        reason = "one reader: readers need two to be random"
    elif random is not Random.READERS and patients < 2:
        reason = "one patient: patients need two to be random"
    else:
        variance = difference_variance(areas, covariance, random, patients)
        reason = None if variance.value > SMALL else NO_VARIANCE
    if reason is not None:
        found = Estimate(name, value, method, patients, level=level, reason=reason)
        return found, PValue(name, None, method, patients, reason=reason)
    se = math.sqrt(variance.value)
    ends = t_interval(value, se, variance.df, level, (0.0, 1.0))
    t = (value - 0.5) / se
    found = Estimate(name, value, method, patients, se, level=level).with_interval(ends)
    return found, PValue(name, p_of_t(t, variance.df), method, patients, t, variance.df)


def _samples(low: Floats, high: Floats, places: np.ndarray) -> TwoSamples:
    """Two samples from scores of the same items, NaN where missing."""
    of_low, of_high = ~np.isnan(low), ~np.isnan(high)
    return TwoSamples(low[of_low], high[of_high], places[of_low], places[of_high])


def _places(panel: Panel) -> np.ndarray:
    order = {cluster: place for place, cluster in enumerate(dict.fromkeys(panel.clusters))}
    return np.array([order[cluster] for cluster in panel.clusters], dtype=np.int64)


def _mean_covariance(means: Floats) -> tuple[Floats, Floats, int]:
    """Mean of each column over patients, covariance of these means, number of patients."""
    there = ~np.isnan(means)
    number = there.sum(axis=0).astype(np.float64)
    if not (number > 0).all():
        raise StatisticsError(
            "every reader needs a rating with every method: leave readers or methods out"
        )
    values = np.where(there, means, 0.0).sum(axis=0) / number
    centred = np.where(there, means - values, 0.0)
    both = there.T.astype(np.float64) @ there
    correction = both / np.maximum(both - 1, 1)
    covariance = centred.T @ centred * correction / np.outer(number, number)
    return values, covariance, int(there.any(axis=1).sum())


def _figures(
    name: str,
    panel: Panel,
    values: Floats,
    covariance: Floats,
    patients: int,
    source: str,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Figures:
    shape = (len(panel.methods), len(panel.readers))
    return Figures(
        name, panel.methods, panel.readers, values.reshape(shape),
        covariance.reshape(*shape, *shape), patients, source, bounds,
    )  # fmt: skip
