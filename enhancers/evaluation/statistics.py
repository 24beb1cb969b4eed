"""Paired comparison of two candidates on the same images.

Means are unweighted over the groups (modalities), so that the group with most images does not
decide. Intervals of a mean over groups use Welch and Satterthwaite's degrees of freedom; with one
group they are the ordinary ones of a paired t test.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean with its interval; ``low`` and ``high`` are None where it cannot be had.

    ``p`` is of the t test that the mean is zero.
    """

    mean: float
    low: float | None
    high: float | None
    p: float | None


@dataclass(frozen=True)
class Paired:
    """How much the first candidate is above the second, on the images both have a value for.

    Parameters
    ----------
    images, subjects : int
    by_image : Interval
        Images taken as independent, as papers do.
    by_subject : Interval
        Of the means of the subjects, who are independent where images of one person are not.
    wilcoxon : float or None
        p value of the signed-rank test on the images.
    above, below : int
        Images on which the first is higher, and lower; equal ones are in neither.
    """

    images: int
    subjects: int
    by_image: Interval
    by_subject: Interval
    wilcoxon: float | None
    above: int
    below: int


@dataclass(frozen=True)
class Pair:
    """The values of two candidates on one image."""

    group: str
    subject: str
    first: float
    second: float

    @property
    def difference(self) -> float:
        """First minus second."""
        return self.first - self.second


def compare(pairs: Sequence[Pair]) -> Paired | None:
    """Compare on ``pairs``, of which those that are not finite are left out; None for no pair."""
    usable = [pair for pair in pairs if math.isfinite(pair.difference)]
    if not usable:
        return None
    images: dict[str, list[float]] = {}
    persons: dict[tuple[str, str], list[float]] = {}
    for pair in usable:
        images.setdefault(pair.group, []).append(pair.difference)
        persons.setdefault((pair.group, pair.subject), []).append(pair.difference)
    subjects: dict[str, list[float]] = {}
    for (group, _), own in persons.items():
        subjects.setdefault(group, []).append(float(np.mean(own)))
    differences = np.array([pair.difference for pair in usable])
    return Paired(
        images=len(usable),
        subjects=len(persons),
        by_image=interval(images),
        by_subject=interval(subjects),
        wilcoxon=signed_rank(differences),
        above=int(np.sum(differences > 0)),
        below=int(np.sum(differences < 0)),
    )


def interval(groups: Mapping[str, Sequence[float]], level: float = LEVEL) -> Interval:
    """The unweighted mean over groups of their means, with its t interval.

    The variance of the mean over G groups is Σ s²/n / G², its degrees of freedom those of
    Satterthwaite (1946) and Welch (1947). A group with one value has no variance, and then there
    is no interval.
    """
    from scipy import stats

    samples = [np.asarray(values, np.float64) for values in groups.values()]
    mean = float(np.mean([sample.mean() for sample in samples]))
    if any(sample.size < 2 for sample in samples):
        return Interval(mean, None, None, None)
    parts = np.array([sample.var(ddof=1) / sample.size for sample in samples]) / len(samples) ** 2
    error = math.sqrt(float(parts.sum()))
    if error == 0.0:
        return Interval(mean, mean, mean, 1.0 if mean == 0.0 else 0.0)
    freedom = float(
        parts.sum() ** 2
        / sum(part**2 / (sample.size - 1) for part, sample in zip(parts, samples, strict=True))
    )
    reach = float(stats.t.ppf(0.5 + level / 2, freedom)) * error
    p = 2 * float(stats.t.sf(abs(mean) / error, freedom))
    return Interval(mean, mean - reach, mean + reach, p)


def signed_rank(differences: NDArray[np.float64]) -> float | None:
    """Wilcoxon's signed-rank test: p, exact where scipy can; None for less than two."""
    from scipy import stats

    if differences.size < 2:
        return None
    if not differences.any():
        return 1.0
    return float(stats.wilcoxon(differences).pvalue)


def holm(values: Sequence[float | None]) -> list[float | None]:
    """Adjust p values of one family by Holm's step-down (1979); None stays and does not count."""
    known = [(value, index) for index, value in enumerate(values) if value is not None]
    adjusted: list[float | None] = [None] * len(values)
    highest = 0.0
    for rank, (value, index) in enumerate(sorted(known)):
        highest = max(highest, min(1.0, (len(known) - rank) * value))
        adjusted[index] = highest
    return adjusted
