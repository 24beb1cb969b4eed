"""Weighted sums over items, as resamples of readers and patients need them.

The items of a patient have one weight, and so have those of a reader: they are summed up once, and
a resample weighs the sums.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from study.stats.estimate import Floats

Weighted = Callable[[Floats], Floats]
"""From weights of readers, shape (resamples, readers), to a value of each resample, shape
(resamples,) or (resamples, values)."""
Statistic = Callable[[Floats], Weighted]
"""From weights of items, shape (resamples, items): the sums over items come first, and serve any
weights of readers. One row of weights, of items or of readers, stands for all resamples."""


def by_cluster(clusters: Sequence[str], values: Floats) -> tuple[list[str], Floats]:
    """The clusters in order of appearance, and the sums of the values of their items.

    Parameters
    ----------
    clusters : sequence of str
        Of each item.
    values : ndarray, shape (items, ...)

    Returns
    -------
    list of str, ndarray of shape (clusters, ...)
        Weights of clusters weigh these sums as they would weigh the items.
    """
    order = list(dict.fromkeys(clusters))
    if len(order) == len(values):
        return order, values
    shape = len(order), len(values)
    member = csr_array(
        (np.ones(shape[1]), (places_of(clusters, order), np.arange(shape[1]))), shape
    )
    sums: Floats = np.asarray(member @ values.reshape(len(values), -1))
    return order, sums.reshape(len(order), *values.shape[1:])


@dataclass(frozen=True)
class Cells:
    """Items that each belong to one reader and one patient.

    Parameters
    ----------
    readers, clusters : sequence of str
        Of the items.
    order : sequence of str
        All readers, in the order of their weights.
    """

    readers: Sequence[str]
    clusters: Sequence[str]
    order: Sequence[str]

    @cached_property
    def patients(self) -> list[str]:
        """All patients, in the order of their weights."""
        return list(dict.fromkeys(self.clusters))

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """The patient of each item."""
        return places_of(self.clusters, self.patients)

    @cached_property
    def _member(self) -> csr_array:
        """1 for the items of each patient and reader."""
        shape = len(self.patients) * len(self.order), len(self.clusters)
        rows = self.places * len(self.order) + places_of(self.readers, self.order)
        return csr_array((np.ones(shape[1]), (rows, np.arange(shape[1]))), shape=shape)

    def weighted(self, values: Floats, of_sums: Callable[[Floats], Floats]) -> Statistic:
        """A statistic that follows from sums over items.

        Parameters
        ----------
        values : ndarray, shape (items, values)
        of_sums : callable
            From weighted sums of the values, shape (resamples, values), to the statistic.
        """
        sums = (self._member @ values).reshape(len(self.patients), -1)

        def statistic(items: Floats) -> Weighted:
            of_readers = (items @ sums).reshape(len(items), len(self.order), -1)
            return lambda readers: of_sums((readers[:, :, None] * of_readers).sum(axis=1))

        return statistic


def places_of(names: Sequence[str], order: Sequence[str]) -> NDArray[np.int64]:
    """The place of each name in an order."""
    known = {name: place for place, name in enumerate(order)}
    return np.array([known[name] for name in names], dtype=np.int64)
