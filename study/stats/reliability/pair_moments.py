"""Mean squares from the pairs of raters, with weights of raters and of items.

The covariance, variance and difference of two raters over the items they share give the mean
squares of the analysis of variance, for a complete table exactly. A rater never makes a pair with
himself, so that raters can be resampled; with missing scores it is a moment estimate.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from study.stats.estimate import Floats
from study.stats.reliability.anova import MeanSquares


class PairMoments:
    """Sums over items for every pair of raters of scores, shape (items, raters), NaN if missing."""

    def __init__(self, scores: Floats) -> None:
        self.items, self.raters = scores.shape
        first, second = np.array(list(combinations(range(self.raters), 2)), dtype=np.int64).T
        self.first, self.second = first, second
        level = float(np.nanmean(scores))
        one, two = scores[:, first] - level, scores[:, second] - level
        there = ~(np.isnan(one) | np.isnan(two))
        one, two = (np.where(there, each, 0.0) for each in (one, two))
        self.sums = np.stack([
            there.astype(np.float64), one, two, one * two, (one**2 + two**2) / 2, np.abs(one - two),
        ])  # fmt: skip

    @property
    def size(self) -> int:
        """Number of entries that one resample needs."""
        return self.sums[:, 0].size

    def resampled(self, raters: Floats, items: Floats) -> tuple[MeanSquares, Floats]:
        """Mean squares, and mean absolute difference, of each resample.

        Parameters
        ----------
        raters : ndarray, shape (resamples, raters)
        items : ndarray, shape (resamples, items)
            Weights.
        """
        same = bool((items == items[0]).all())
        weights = items[:1] if same else items
        number, one, two, product, square, apart = (weights @ each for each in self.sums)
        pairs = raters[:, self.first] * raters[:, self.second]
        with np.errstate(divide="ignore", invalid="ignore"):
            shared = one * two / number
            covariance = (product - shared) / (number - 1)
            variance = (square - (one**2 + two**2) / 2 / number) / (number - 1)
            distance = ((one - two) / number) ** 2 / 2
        kept = pairs * (number > 1)
        total = kept.sum(axis=1)
        total = np.where(total > 0, total, np.nan)

        def mean(values: Floats) -> Floats:
            averaged: Floats = (kept * np.where(number > 1, values, 0.0)).sum(axis=1) / total
            return averaged

        of_items, error = mean(covariance), mean(variance - covariance)
        error = np.maximum(error, 0.0)
        noise = error * mean(1 / np.maximum(number, 1))
        # A pair's squared difference of means holds the variance of raters and that of the noise.
        of_raters = mean(distance) - noise
        counted = items.sum(axis=1)
        judges = error + counted * of_raters
        squares = MeanSquares(
            items=counted,
            raters=self.raters,
            between=error + self.raters * of_items,
            within=(judges + (counted - 1) * error) / counted,
            judges=judges,
            error=error,
        )
        both = (pairs * number).sum(axis=1)
        return squares, (pairs * apart).sum(axis=1) / np.where(both > 0, both, np.nan)
