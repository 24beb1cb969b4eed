"""Paired comparison of two methods on the same images.

Means are unweighted over the groups (modalities), so that the group with the most images does not
dominate. Intervals of a mean over groups use the degrees of freedom of Welch and Satterthwaite;
with one group they are those of a paired t test.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from enhancers.multiple_testing import holm_adjusted

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % interval, and the p value of the t test that the mean is zero.

    ``low``, ``high`` and ``p`` are None where a group has a single value.
    """

    mean: float
    low: float | None
    high: float | None
    p: float | None


@dataclass(frozen=True)
class Paired:
    """Differences, first minus second, on the images for which both methods have a value.

    Parameters
    ----------
    images, subjects : int
    by_image : Interval
        Mean over images, taken as independent, as papers do.
    by_subject : Interval
        Mean over the means of the subjects: images of one subject are not independent.
    wilcoxon : float or None
        p value of the signed-rank test on the images.
    above, below : int
        Number of images on which the first is higher, and lower; ties count in neither.
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
    """The values of two methods on one image."""

    group: str
    subject: str
    first: float
    second: float

    @property
    def difference(self) -> float:
        """First minus second."""
        return self.first - self.second


def compare(pairs: Sequence[Pair]) -> Paired | None:
    """Compare two methods on the pairs with a finite difference; None where there is none."""
    usable = [pair for pair in pairs if math.isfinite(pair.difference)]
    if not usable:
        return None
    images: dict[str, list[float]] = {}
    of_subject: dict[tuple[str, str], list[float]] = {}
    for pair in usable:
        images.setdefault(pair.group, []).append(pair.difference)
        of_subject.setdefault((pair.group, pair.subject), []).append(pair.difference)
    subjects: dict[str, list[float]] = {}
    for (group, _), own in of_subject.items():
        subjects.setdefault(group, []).append(float(np.mean(own)))
    differences = np.array([pair.difference for pair in usable])
    return Paired(
        images=len(usable),
        subjects=len(of_subject),
        by_image=interval(images),
        by_subject=interval(subjects),
        wilcoxon=signed_rank(differences),
        above=int(np.sum(differences > 0)),
        below=int(np.sum(differences < 0)),
    )


def interval(groups: Mapping[str, Sequence[float]], level: float = LEVEL) -> Interval:
    """The unweighted mean over groups of their means, with its t interval.

    The variance of the mean over G groups is Σ s²/n / G², with the degrees of freedom of
    Satterthwaite (1946) and Welch (1947). There is no interval where a group has a single value.
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
    """Two-sided p value of Wilcoxon's signed-rank test with Pratt's treatment of zeros.

    None for fewer than two differences.
    """
    from scipy import stats

    if differences.size < 2:
        return None
    if not differences.any():
        return 1.0
    return float(stats.wilcoxon(differences, zero_method="pratt").pvalue)


def holm(values: Sequence[float | None]) -> list[float | None]:
    """The p values of one family, adjusted by Holm (1979); None stays None and does not count."""
    adjusted = iter(holm_adjusted([value for value in values if value is not None]))
    return [None if value is None else float(next(adjusted)) for value in values]
