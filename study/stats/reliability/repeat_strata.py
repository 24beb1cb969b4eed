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

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from study.stats.estimate import Floats
from study.stats.reliability.anova import MeanSquares, ScoreSums
from study.stats.reliability.incomplete_anova import IncompleteSquares, incomplete_squares
from study.stats.table import Ratings
from study.stats.weighted_sums import Weighted


@dataclass(frozen=True, eq=False)
class Stratum:
    """Readings of the items that one reader has read repeatedly with one method.

    Parameters
    ----------
    readings : Ratings
        Readings as columns; each item has two or more.
    reader : int
        Place of the reader's weight.
    patients : ndarray of int, shape (items,)
        Place of the weight of each item's patient.
    """

    readings: Ratings
    reader: int
    patients: NDArray[np.int64]

    @property
    def size(self) -> int:
        """Number of items."""
        return len(self.readings.items)

    @property
    def entries(self) -> int:
        """Number of entries that a resample needs; many for missing readings."""
        readings = len(self.readings.raters)
        return 3 * readings + 4 if self.complete else readings * self.size

    def by_patient(self, values: Floats, count: int) -> Floats:
        """Sums of values, shape (items, values), over the items of each of all patients."""
        sums: Floats = np.zeros((count, values.shape[1]))
        np.add.at(sums, self.patients, values)
        return sums

    @cached_property
    def complete(self) -> ScoreSums | None:
        """The sums of the analysis of variance; None where readings are missing."""
        scores = self.readings.scores
        return None if np.isnan(scores).any() else ScoreSums(scores)

    @cached_property
    def observed(self) -> Floats:
        """Mean squared difference of two readings of each item."""
        scores = self.readings.scores
        squares = np.array([(scores[:, i] - scores[:, j]) ** 2 for i, j in self._pairs])
        observed: Floats = np.nanmean(squares, axis=0)
        return observed

    @cached_property
    def values(self) -> Floats:
        """What chance agreement sums up.

        1 and the observed difference; then whether each reading is there, its score, and the
        square of that.
        """
        there = ~np.isnan(self.readings.scores)
        known = np.where(there, self.readings.scores, 0.0)
        return np.column_stack([np.ones(self.size), self.observed, there, known, known**2])

    def by_chance(self, sums: Floats) -> Floats:
        """Mean squared difference of two readings of any two items, drawn independently.

        Parameters
        ----------
        sums : ndarray, shape (resamples, values)
            Weighted sums of the `values`.
        """
        number, total, squares = np.split(sums[:, 2:], 3, axis=1)
        number = np.where(number > 0, number, np.nan)
        mean, square = total / number, squares / number
        apart = [square[:, i] + square[:, j] - 2 * mean[:, i] * mean[:, j] for i, j in self._pairs]
        chance: Floats = np.nanmean(apart, axis=0)
        return chance

    @cached_property
    def _pairs(self) -> list[tuple[int, int]]:
        """The pairs of readings that an item has both of."""
        there = ~np.isnan(self.readings.scores)
        pairs = combinations(range(there.shape[1]), 2)
        return [(i, j) for i, j in pairs if (there[:, i] & there[:, j]).any()]


def components(squares: MeanSquares) -> tuple[Floats, Floats, Floats]:
    """Variance of items, of the order of readings, and error; shape (resamples,) each.

    Negative ones are as they are; the error is NaN without degrees of freedom.
    """
    if isinstance(squares, IncompleteSquares):
        return squares.variance_items, squares.variance_raters, squares.error
    return (
        (squares.between - squares.error) / squares.raters,
        (squares.judges - squares.error) / squares.items,
        squares.error,
    )


def pooled_icc(strata: Sequence[Stratum], patients: Floats) -> Weighted:
    """ICC(A,1) from the variance components within strata; NaN where there is no variance.

    Parameters
    ----------
    strata : sequence of Stratum
        Those with one item say nothing and are left out.
    patients : ndarray, shape (resamples, patients)
        Their weights.
    """
    known = [stratum for stratum in strata if stratum.size > 1]
    squares = _complete_squares([one for one in known if one.complete], patients)

    def icc(readers: Floats) -> Floats:
        total, freedom = np.zeros((2, 3, max(len(patients), len(readers))))
        for stratum in known:
            weights = readers[:, stratum.reader, None]
            if stratum in squares:
                found = squares[stratum](weights)
            else:
                items = weights * patients[:, stratum.patients]
                found = incomplete_squares(stratum.readings.scores, items)
            for place, part in enumerate(components(found)):
                count = found.items - (place != 1)
                weight = np.where(np.isfinite(part), count, 0.0)
                total[place] += weight * np.where(np.isfinite(part), part, 0.0)
                freedom[place] += weight
        items, order, error = total / np.where(freedom > 0, freedom, np.nan)
        spread = items + order + error
        scale = np.abs(items) + np.abs(order) + error
        correlation: Floats = items / np.where(spread > 1e-12 * scale, spread, np.nan)
        return correlation

    return icc


def _complete_squares(
    strata: Sequence[Stratum], patients: Floats
) -> dict[Stratum, Callable[[Floats], MeanSquares]]:
    """The mean squares of complete strata, from the weight of their reader."""

    def of(sums: ScoreSums, each: Floats) -> Callable[[Floats], MeanSquares]:
        return lambda reader: sums.squares(reader * each)

    made = [(one, one.complete) for one in strata]
    parts = _products([(one, sums.values) for one, sums in made if sums], patients)
    return {one: of(sums, each) for (one, sums), each in zip(made, parts, strict=True) if sums}


def _products(values: Sequence[tuple[Stratum, Floats]], patients: Floats) -> list[Floats]:
    """Weighted sums of the values of each stratum, all by one product of matrices."""
    if not values:
        return []
    count = patients.shape[1]
    product = patients @ np.hstack([one.by_patient(each, count) for one, each in values])
    return np.split(product, np.cumsum([each.shape[1] for _, each in values])[:-1], axis=1)


def pooled_kappa(strata: Sequence[Stratum], patients: Floats) -> Weighted:
    """Quadratic kappa with the chance agreement within strata; NaN where there is no variation.

    With one stratum this is Cohen's kappa of two readings, Conger's of more. In several, often
    small ones, an item is not compared with itself by chance; strata of one item are left out.
    """
    several = len(strata) > 1
    known = [stratum for stratum in strata if stratum.size > several]
    sums = _products([(one, one.values) for one in known], patients)
    squares = _products([(one, one.values[:, :2]) for one in known], patients**2)

    def kappa(readers: Floats) -> Floats:
        observed, chance = np.zeros((2, max(len(patients), len(readers))))
        for stratum, given, squared in zip(known, sums, squares, strict=True):
            weight = readers[:, stratum.reader, None]
            weighted, (number, itself) = weight * given, (weight**2 * squared).T
            count, by_chance = weighted[:, 0], stratum.by_chance(weighted)
            if several:
                by_chance = (count**2 * by_chance - itself) / (count**2 - number)
            observed += weighted[:, 1]
            chance += count * by_chance
        found: Floats = 1 - observed / np.where(chance > 1e-12, chance, np.nan)
        return found

    return kappa
