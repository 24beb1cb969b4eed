"""Mean squares from the pairs of raters, with weights of raters and of items.

The covariance, variance and difference of two raters over the items they share give the mean
squares of the analysis of variance, for a complete table exactly. A rater never makes a pair with
himself, so that raters can be resampled; with missing scores it is a moment estimate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from study.stats.estimate import Floats
from study.stats.reliability.anova import MeanSquares
from study.stats.weighted_sums import by_cluster


class PairMoments:
    """Sums over items for every pair of raters.

    Parameters
    ----------
    scores : ndarray, shape (items, raters)
        NaN where missing.
    clusters : sequence of str
        Of the items; weights are those of clusters.

    Attributes
    ----------
    clusters : list of str
        In order of appearance.
    """

    def __init__(self, scores: Floats, clusters: Sequence[str]) -> None:
        self.raters = scores.shape[1]
        self.first, self.second = np.triu_indices(self.raters, 1)
        level = float(np.nanmean(scores))
        one, two = scores[:, self.first] - level, scores[:, self.second] - level
        there = ~(np.isnan(one) | np.isnan(two))
        one, two = (np.where(there, each, 0.0) for each in (one, two))
        moments = np.stack(
            [there, one, two, one * two, (one**2 + two**2) / 2, np.abs(one - two)], axis=1
        )
        self.clusters, sums = by_cluster(clusters, moments)
        self.sums = sums.reshape(len(sums), -1)
        self.items = by_cluster(clusters, np.ones((len(scores), 1)))[1]

    @property
    def size(self) -> int:
        """Number of entries that one resample needs."""
        return self.sums.shape[1]

    def resampled(self, items: Floats) -> Callable[[Floats], tuple[MeanSquares, Floats]]:
        """From weights of raters to mean squares, and mean absolute difference, of each resample.

        Parameters
        ----------
        items : ndarray, shape (resamples or 1, clusters)
            Weights.
        """
        sums = (items @ self.sums).reshape(len(items), -1, self.first.size)
        return partial(self._combined, sums.swapaxes(0, 1), (items @ self.items)[:, 0])

    def _combined(
        self, sums: Floats, counted: Floats, raters: Floats
    ) -> tuple[MeanSquares, Floats]:
        number, one, two, product, square, apart = sums
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
