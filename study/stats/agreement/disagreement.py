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
        self.size = units.scale.size
        rows, raters = np.nonzero(self.rated)
        columns = raters * self.size + self.codes[rows, raters]
        shape = len(self.codes), self.codes.shape[1] * self.size
        # A column for each rater and category: most are empty on a fine scale.
        self.chosen = csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)

    @property
    def entries(self) -> int:
        """Number of array elements for one resample."""
        return max(self.chosen.shape)

    def of(self, items: Floats, raters: Floats | None = None) -> tuple[Floats, Floats]:
        """Observed and expected disagreement of each resample.

        Parameters
        ----------
        items : ndarray, shape (resamples or 1, units)
            Weights of the units.
        raters : ndarray, shape (resamples or 1, raters), optional
            Weights of the raters; without them all count once. A rating never makes a pair with
            itself.
        """
        if raters is None:
            raters = np.ones((1, self.codes.shape[1]))
        rated = self.rated.T.astype(np.float64)
        number = raters @ rated
        pairs = number**2 - raters**2 @ rated
        categories = self._categories(items, raters)
        share = self._apart(categories, raters, number) / np.where(pairs > 0, pairs, 1.0)
        weights = items * np.where(pairs > 0, number, 0.0)
        total = categories.sum(axis=1)
        observed: Floats = (weights * share).sum(axis=1) / weights.sum(axis=1)
        return observed, self._across(categories) / (total * (total - 1))

    def _categories(self, items: Floats, raters: Floats) -> Floats:
        """Weight of the ratings in each category, shape (resamples, categories)."""
        each: Floats = np.asarray(self.chosen.T @ items.T).T
        categories: Floats = (raters[:, :, None] * each.reshape(len(items), -1, self.size)).sum(
            axis=1
        )
        return categories

    @abstractmethod
    def _apart(self, categories: Floats, raters: Floats, number: Floats) -> Floats:
        """Disagreement of all ordered pairs of ratings in each unit, shape (resamples, units)."""

    @abstractmethod
    def _across(self, categories: Floats) -> Floats:
        """Disagreement of all ordered pairs of ratings, shape (resamples,)."""


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
        self.values: Floats = np.asarray(units.scale.scores)
        used = units.scores[self.rated]
        self._prepare(used)
        # Alpha does not depend on the unit of the metric; the standard error needs at most 1.
        self.largest = float(self.metric(used.min(), used.max())) or 1.0
        self.pairs = tuple(combinations(range(self.codes.shape[1]), 2))
        self.apart: Floats = np.zeros((len(self.pairs), len(self.codes)))
        for place, (i, j) in enumerate(self.pairs):
            both = self.rated[:, i] & self.rated[:, j]
            apart = self.metric(self.scores[:, i], self.scores[:, j]) / self.largest
            self.apart[place] = np.where(both, apart, 0.0)
        self.within: Floats = 2 * self.apart.sum(axis=0) / (self.totals - 1)
        self.against_all: Floats = np.where(self.rated, self._means(), 0.0).sum(axis=1)
        self.against_all /= self.largest

    @abstractmethod
    def metric(self, first: Floats, second: Floats) -> Floats:
        """The squared difference of scores by the metric, not scaled."""

    def _prepare(self, used: Floats) -> None:
        """Compute what sums over ratings need, from all ratings."""

    @abstractmethod
    def _means(self) -> Floats:
        """Mean of the metric of each rating against all, not scaled, shape (units, raters)."""

    @abstractmethod
    def _total(self, categories: Floats) -> Floats:
        """As `_across`, not scaled."""

    def _apart(self, categories: Floats, raters: Floats, number: Floats) -> Floats:
        first, second = np.array(self.pairs).T
        apart: Floats = 2 * (raters[:, first] * raters[:, second]) @ self.apart
        return apart

    def _across(self, categories: Floats) -> Floats:
        return self._total(categories) / self.largest


class NominalDisagreement(MetricDisagreement):
    """1 for different categories."""

    def metric(self, first: Floats, second: Floats) -> Floats:
        """1 where the scores differ."""
        return np.asarray(first != second, dtype=np.float64)

    def _means(self) -> Floats:
        everywhere = np.bincount(self.codes[self.rated], minlength=self.size)
        means: Floats = 1 - everywhere[np.where(self.rated, self.codes, 0)] / everywhere.sum()
        return means

    def _total(self, categories: Floats) -> Floats:
        total: Floats = categories.sum(axis=1) ** 2 - (categories**2).sum(axis=1)
        return total


class IntervalDisagreement(MetricDisagreement):
    """The squared difference of the scores."""

    def metric(self, first: Floats, second: Floats) -> Floats:
        """Squared difference."""
        squared: Floats = (first - second) ** 2
        return squared

    def _prepare(self, used: Floats) -> None:
        # Centring keeps digits that the sums of squares would lose.
        self.centre = float(used.mean())

    def _means(self) -> Floats:
        centred = np.where(self.rated, self.scores - self.centre, 0.0)
        means: Floats = centred**2 + (centred**2).sum() / self.totals.sum()
        return means

    def _total(self, categories: Floats) -> Floats:
        values = self.values - self.centre
        squares = categories.sum(axis=1) * (categories @ values**2)
        total: Floats = 2 * (squares - (categories @ values) ** 2)
        return total


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

    def _prepare(self, used: Floats) -> None:
        positive = used[used > 0]
        least, most = (positive.min(), positive.max()) if positive.size else (1.0, 1.0)
        start, end = -math.log(2 * most) - 19, 4 - math.log(2 * least)
        self.points = np.exp(np.arange(start, end, STEP))

    def _means(self) -> Floats:
        counts = np.bincount(self.codes[self.rated], minlength=self.size)
        weighted = STEP * self.points**2 * (counts @ self._factors(self.values))
        number, zeros = counts.sum(), counts @ (self.values == 0)
        means: Floats = np.empty_like(self.scores)
        for place, scores in enumerate(self.scores.T):
            both = 4 * (self._factors(scores) @ weighted)
            means[:, place] = 1 - np.where(scores == 0, zeros, both) / number
        return means

    def _factors(self, scores: Floats) -> Floats:
        """The factor of each score at each point."""
        # A score below zero is on the scale, but no rating.
        known = np.maximum(scores, 0.0)[:, None]
        factors: Floats = known * np.exp(-known * self.points)
        return factors

    def _total(self, categories: Floats) -> Floats:
        alike = 4 * STEP * ((categories @ self._factors(self.values)) ** 2 @ self.points**2)
        zeros = categories @ (self.values == 0)
        total: Floats = categories.sum(axis=1) ** 2 - zeros**2 - alike
        return total


class OrdinalDisagreement(Disagreement):
    """Disagreement by ranks: the number of ratings between two categories.

    Middle ranks as shares of all ratings: their differences are Krippendorff's metric.
    """

    def _apart(self, categories: Floats, raters: Floats, number: Floats) -> Floats:
        ranks = self._ranks(categories)
        weighted = raters[:, :, None] * ranks[:, None, :]
        sums, squares = (
            np.asarray(self.chosen @ each.reshape(len(each), -1).T).T
            for each in (weighted, weighted * ranks[:, None, :])
        )
        apart: Floats = 2 * (number * squares - sums**2)
        return apart

    def _across(self, categories: Floats) -> Floats:
        ranks, number = self._ranks(categories), categories.sum(axis=1)
        mean = (categories * ranks).sum(axis=1)
        across: Floats = 2 * (number * (categories * ranks**2).sum(axis=1) - mean**2)
        return across

    @staticmethod
    def _ranks(categories: Floats) -> Floats:
        ranks: Floats = (np.cumsum(categories, axis=1) - categories / 2) / categories.sum(
            axis=1, keepdims=True
        )
        return ranks
