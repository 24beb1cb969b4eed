"""Reliability of repeated readings within strata: the readings of one reader of one method.

Readers differ in level and methods in quality. Where readings of several readers or methods are
taken as one sample, these differences count as differences between images, and repeats seem far
more reliable than they are. So variance components and chance agreement are those within a
stratum, averaged over the strata. Everything is a sum over items, without a table of categories,
which measurements on a fine scale would make very large.

References
----------
M. Haber, H. X. Barnhart, "Coefficients of agreement for fixed observers", Statistical Methods in
Medical Research 15(3), 2006 (agreement as a ratio of observed and chance disagreement).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from study.stats.estimate import Floats
from study.stats.reliability.anova import mean_squares
from study.stats.reliability.incomplete_anova import IncompleteSquares, incomplete_squares
from study.stats.table import Ratings


@dataclass(frozen=True, eq=False)
class Stratum:
    """Readings of the items that one reader has read repeatedly with one method.

    Parameters
    ----------
    readings : Ratings
        Readings as columns; each item has two or more.
    """

    readings: Ratings

    @property
    def size(self) -> int:
        """Number of items."""
        return len(self.readings.items)

    def components(self, weights: Floats) -> tuple[Floats, Floats, Floats]:
        """Variance of items, of the order of readings, and error; shape (resamples,) each.

        Negative ones are as they are; the error is NaN without degrees of freedom.
        """
        scores = self.readings.scores
        squares = (incomplete_squares if np.isnan(scores).any() else mean_squares)(scores, weights)
        if isinstance(squares, IncompleteSquares):
            return squares.variance_items, squares.variance_raters, squares.error
        return (
            (squares.between - squares.error) / squares.raters,
            (squares.judges - squares.error) / squares.items,
            squares.error,
        )

    @cached_property
    def observed(self) -> Floats:
        """Mean squared difference of two readings of each item."""
        scores = self.readings.scores
        squares = np.array([(scores[:, i] - scores[:, j]) ** 2 for i, j in self._pairs])
        observed: Floats = np.nanmean(squares, axis=0)
        return observed

    def by_chance(self, weights: Floats) -> Floats:
        """Mean squared difference of two readings of any two items, drawn independently."""
        scores = self.readings.scores
        there = ~np.isnan(scores)
        known = np.where(there, scores, 0.0)
        number = weights @ there
        mean = weights @ known / np.where(number > 0, number, np.nan)
        square = weights @ known**2 / np.where(number > 0, number, np.nan)
        apart = [square[:, i] + square[:, j] - 2 * mean[:, i] * mean[:, j] for i, j in self._pairs]
        chance: Floats = np.nanmean(apart, axis=0)
        return chance

    @cached_property
    def _pairs(self) -> list[tuple[int, int]]:
        """The pairs of readings that an item has both of."""
        there = ~np.isnan(self.readings.scores)
        pairs = combinations(range(there.shape[1]), 2)
        return [(i, j) for i, j in pairs if (there[:, i] & there[:, j]).any()]


def pooled_icc(strata: Sequence[Stratum], weights: Sequence[Floats]) -> Floats:
    """ICC(A,1) from the variance components within strata; NaN where there is no variance.

    Parameters
    ----------
    strata : sequence of Stratum
        Those with one item say nothing and are left out.
    weights : sequence of ndarray, shape (resamples, items)
        For each stratum.
    """
    total, freedom = np.zeros((2, 3, len(weights[0])))
    for stratum, given in zip(strata, weights, strict=True):
        if stratum.size < 2:
            continue
        count = given.sum(axis=1)
        for place, part in enumerate(stratum.components(given)):
            weight = np.where(np.isfinite(part), count if place == 1 else count - 1, 0.0)
            total[place] += weight * np.where(np.isfinite(part), part, 0.0)
            freedom[place] += weight
    items, order, error = total / np.where(freedom > 0, freedom, np.nan)
    spread = items + order + error
    scale = np.abs(items) + np.abs(order) + error
    correlation: Floats = items / np.where(spread > 1e-12 * scale, spread, np.nan)
    return correlation


def pooled_kappa(strata: Sequence[Stratum], weights: Sequence[Floats]) -> Floats:
    """Quadratic kappa with the chance agreement within strata; NaN where there is no variation.

    With one stratum this is Cohen's kappa of two readings, Conger's of more. In several, often
    small ones, an item is not compared with itself by chance; strata of one item are left out.
    """
    observed, chance = np.zeros((2, len(weights[0])))
    several = len(strata) > 1
    for stratum, given in zip(strata, weights, strict=True):
        if stratum.size < 1 + several:
            continue
        count, apart = given.sum(axis=1), given @ stratum.observed
        by_chance = stratum.by_chance(given)
        if several:
            itself = given**2 @ stratum.observed
            by_chance = (count**2 * by_chance - itself) / (count**2 - (given**2).sum(axis=1))
        observed += apart
        chance += count * by_chance
    kappa: Floats = 1 - observed / np.where(chance > 1e-12, chance, np.nan)
    return kappa
