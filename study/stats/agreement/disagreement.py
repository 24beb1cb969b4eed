"""Observed and expected disagreement of ratings, by the metrics of Krippendorff's alpha.

Memory grows with the number of ratings, not with the square of the number of different values, so
that measured values, of which hardly two are equal, are no harder than a scale of five points.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from itertools import combinations

import numpy as np
from scipy.sparse import csr_array

from study.stats.estimate import Floats
from study.stats.table import Ratings

CHUNK = 4_000_000
"""Array elements held at once while resamples are computed."""
STEP = 0.25
"""Step of the quadrature of the ratio metric in log t; its error is below 1e-14."""


class Disagreement(ABC):
    """Disagreement within units and across all ratings.

    Parameters
    ----------
    units : Ratings
        Every item has two ratings or more.

    Attributes
    ----------
    totals : ndarray, shape (units,)
        Number of ratings of each unit.
    """

    def __init__(self, units: Ratings) -> None:
        self.codes = units.codes
        self.rated = units.codes >= 0
        self.totals: Floats = self.rated.sum(axis=1, dtype=np.float64)

    def of(self, resampling: Floats) -> tuple[Floats, Floats]:
        """Observed and expected disagreement of each resample, shape (resamples, units)."""
        step = max(1, CHUNK // max(self.codes.size, 1))
        parts = [
            self._part(resampling[start : start + step])
            for start in range(0, len(resampling), step)
        ]
        return (
            np.concatenate([observed for observed, _ in parts]),
            np.concatenate([expected for _, expected in parts]),
        )

    @abstractmethod
    def _part(self, resampling: Floats) -> tuple[Floats, Floats]:
        """As `of`, for a few resamples."""

    def _counts(self, units: Ratings) -> csr_array:
        """Number of ratings of each unit in each category, shape (units, categories)."""
        rows, columns = np.nonzero(self.rated)
        entries = (np.ones(rows.size), (rows, self.codes[rows, columns]))
        return csr_array(entries, shape=(len(self.codes), units.scale.size))


class MetricDisagreement(Disagreement):
    """Disagreement by a metric of the scores alone, scaled to at most 1.

    Attributes
    ----------
    within : ndarray, shape (units,)
        Sum over the ordered pairs of ratings of a unit, over the number of ratings minus 1.
    against_all : ndarray, shape (units,)
        Sum over the ratings of a unit of the mean disagreement with all ratings.
    """

    def __init__(self, units: Ratings) -> None:
        super().__init__(units)
        self.scores: Floats = np.where(self.rated, units.scores, 0.0)
        self._prepare(units)
        # Alpha does not depend on the unit of the metric; the standard error needs at most 1.
        used = units.scores[self.rated]
        self.largest = float(self.metric(used.min(), used.max())) or 1.0
        pairs = np.zeros(len(self.codes))
        for i, j in combinations(range(self.codes.shape[1]), 2):
            both = self.rated[:, i] & self.rated[:, j]
            pairs += np.where(both, self.metric(self.scores[:, i], self.scores[:, j]), 0.0)
        self.within: Floats = 2 * pairs / self.largest / (self.totals - 1)
        self.against_all: Floats = np.where(self.rated, self._means(), 0.0).sum(axis=1)
        self.against_all /= self.largest

    @abstractmethod
    def metric(self, first: Floats, second: Floats) -> Floats:
        """The squared difference of scores by the metric, not scaled."""

    @abstractmethod
    def _prepare(self, units: Ratings) -> None:
        """Compute what sums over ratings need."""

    @abstractmethod
    def _means(self) -> Floats:
        """Mean of the metric of each rating against all, not scaled, shape (units, raters)."""

    @abstractmethod
    def _across(self, resampling: Floats) -> Floats:
        """Sum of the metric over all ordered pairs of ratings of each resample, not scaled."""

    def _part(self, resampling: Floats) -> tuple[Floats, Floats]:
        number = resampling @ self.totals
        across = self._across(resampling) / self.largest
        return (resampling @ self.within) / number, across / (number * (number - 1))


class NominalDisagreement(MetricDisagreement):
    """1 for different categories."""

    def metric(self, first: Floats, second: Floats) -> Floats:
        """1 where the scores differ."""
        return np.asarray(first != second, dtype=np.float64)

    def _prepare(self, units: Ratings) -> None:
        self.counts = self._counts(units)

    def _means(self) -> Floats:
        everywhere = self.counts.sum(axis=0)
        means: Floats = 1 - everywhere[np.where(self.rated, self.codes, 0)] / everywhere.sum()
        return means

    def _across(self, resampling: Floats) -> Floats:
        categories = resampling @ self.counts
        across: Floats = (resampling @ self.totals) ** 2 - (categories**2).sum(axis=1)
        return across


class IntervalDisagreement(MetricDisagreement):
    """The squared difference of the scores."""

    def metric(self, first: Floats, second: Floats) -> Floats:
        """Squared difference."""
        squared: Floats = (first - second) ** 2
        return squared

    def _prepare(self, units: Ratings) -> None:
        # Centring keeps digits that the sums of squares would lose.
        self.centred = np.where(self.rated, self.scores - units.scores[self.rated].mean(), 0.0)
        self.sums, self.squares = self.centred.sum(axis=1), (self.centred**2).sum(axis=1)

    def _means(self) -> Floats:
        means: Floats = self.centred**2 + self.squares.sum() / self.totals.sum()
        return means

    def _across(self, resampling: Floats) -> Floats:
        number = resampling @ self.totals
        across: Floats = 2 * (number * (resampling @ self.squares) - (resampling @ self.sums) ** 2)
        return across


class RatioDisagreement(MetricDisagreement):
    """The squared difference of the scores over their sum, for scores from 0 up.

    It is 1 - 4 a b / (a + b)², and 1 / (a + b)² is the integral of t exp(-a t) exp(-b t) over t:
    a sum over points of t in which the two scores are separate factors.
    """

    def metric(self, first: Floats, second: Floats) -> Floats:
        """Squared ratio of difference and sum; 0 for two zeros."""
        total = first + second
        ratio: Floats = (first - second) / np.where(total == 0, 1.0, total)
        return ratio**2

    def _prepare(self, units: Ratings) -> None:
        positive = units.scores[self.rated & (self.scores > 0)]
        least, most = (positive.min(), positive.max()) if positive.size else (1.0, 1.0)
        start, end = -math.log(2 * most) - 19, 4 - math.log(2 * least)
        points = np.exp(np.arange(start, end, STEP))
        self.zeros: Floats = (self.rated & (self.scores == 0)).sum(axis=1, dtype=np.float64)
        self.factors: Floats = np.zeros((len(self.codes), points.size))
        for scores in self.scores.T:
            self.factors += scores[:, None] * np.exp(-scores[:, None] * points)
        self.points = points

    def _means(self) -> Floats:
        weighted = STEP * self.points**2 * self.factors.sum(axis=0)
        number, zeros = self.totals.sum(), self.zeros.sum()
        means: Floats = np.empty_like(self.scores)
        for place, scores in enumerate(self.scores.T):
            both = 4 * scores * (np.exp(-scores[:, None] * self.points) @ weighted)
            means[:, place] = 1 - np.where(scores == 0, zeros, both) / number
        return means

    def _across(self, resampling: Floats) -> Floats:
        alike = 4 * STEP * ((resampling @ self.factors) ** 2 @ self.points**2)
        zeros = resampling @ self.zeros
        across: Floats = (resampling @ self.totals) ** 2 - zeros**2 - alike
        return across


class OrdinalDisagreement(Disagreement):
    """Disagreement by ranks: the number of ratings between two categories."""

    def __init__(self, units: Ratings) -> None:
        super().__init__(units)
        self.counts = self._counts(units)

    def _part(self, resampling: Floats) -> tuple[Floats, Floats]:
        categories = resampling @ self.counts
        number = categories.sum(axis=1)
        # Middle ranks as shares of all ratings: their differences are Krippendorff's metric.
        ranks = (np.cumsum(categories, axis=1) - categories / 2) / number[:, None]
        each = np.where(self.rated, ranks[:, np.where(self.rated, self.codes, 0)], 0.0)
        squares, sums = (each**2).sum(axis=2), each.sum(axis=2)
        within = 2 * (self.totals * squares - sums**2) / (self.totals - 1)
        mean = (categories * ranks).sum(axis=1)
        across = 2 * (number * (categories * ranks**2).sum(axis=1) - mean**2)
        return (resampling * within).sum(axis=1) / number, across / (number * (number - 1))
