"""Scores of several methods on the same items by the same readers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from study.domain.errors import StatisticsError
from study.stats.estimate import Floats, round_to_digits
from study.stats.table import RatingRow, clusters_of, cross_tabulate

MOST_METHODS = 100
"""More are hardly methods, and have too many pairs."""


@dataclass(frozen=True, eq=False)
class Panel:
    """Scores of items by readers for methods, as an array of three axes.

    Parameters
    ----------
    items, readers, methods, clusters : tuple of str
        Names along the axes, and the cluster of each item.
    scores : ndarray, shape (items, readers, methods)
        NaN where a rating is missing.
    """

    items: tuple[str, ...]
    readers: tuple[str, ...]
    methods: tuple[str, ...]
    scores: Floats
    clusters: tuple[str, ...]

    def __post_init__(self) -> None:
        shape = (len(self.items), len(self.readers), len(self.methods))
        if self.scores.shape != shape or len(self.clusters) != len(self.items):
            raise StatisticsError(
                f"scores of shape {self.scores.shape} and {len(self.clusters)} clusters do not fit "
                f"{shape[0]} items, {shape[1]} readers and {shape[2]} methods"
            )

    def place(self, method: str) -> int:
        """Index of a method.

        Raises
        ------
        StatisticsError
            There is no such method.
        """
        if method not in self.methods:
            raise StatisticsError(
                f"there is no method {method!r}: choose from {', '.join(self.methods)}"
            )
        return self.methods.index(method)

    def with_methods(self, methods: Sequence[str]) -> Panel:
        """The scores of exactly these methods, in this order; NaN for those without any."""
        shape = (len(self.items), len(self.readers), len(methods))
        scores = np.full(shape, np.nan)
        for place, method in enumerate(methods):
            if method in self.methods:
                scores[:, :, place] = self.scores[:, :, self.place(method)]
        return replace(self, methods=tuple(methods), scores=scores)

    def with_items(self, kept: Sequence[bool] | NDArray[np.bool_]) -> Panel:
        """The scores of some items only."""
        chosen = np.asarray(kept, dtype=bool)
        names, clusters = (
            tuple(name for name, there in zip(of, chosen, strict=True) if there)
            for of in (self.items, self.clusters)
        )
        return replace(self, items=names, clusters=clusters, scores=self.scores[chosen])

    def differences(self, first: str, second: str) -> Floats:
        """First minus second, shape (items, readers); NaN where one of the two is missing."""
        differences: Floats = (
            self.scores[:, :, self.place(first)] - self.scores[:, :, self.place(second)]
        )
        return differences

    def means_of_both(self, first: str, second: str) -> Floats:
        """Means over the readers who rated an item with both methods, shape (items, 2)."""
        scores = self.scores[:, :, [self.place(first), self.place(second)]]
        both = np.isnan(scores).sum(axis=2) == 0
        count = both.sum(axis=1)
        sums = np.where(both[:, :, None], scores, 0.0).sum(axis=1)
        means: Floats = np.where(count > 0, sums.T / np.maximum(count, 1), np.nan).T
        return means

    def complete_means(self) -> Floats:
        """Means over the readers who rated all methods, shape (items that have one, methods)."""
        full = np.isnan(self.scores).sum(axis=2) == 0
        count = full.sum(axis=1)
        total = np.where(full[:, :, None], self.scores, 0.0).sum(axis=1)
        means: Floats = total[count > 0] / count[count > 0][:, None]
        return round_to_digits(means)


def panel_of(rows: Iterable[RatingRow]) -> Panel:
    """The panel of ratings in long form, each with a method.

    If no row names a method, the raters are compared as methods (two drugs, three techniques).

    Raises
    ------
    StatisticsError
        A rating is repeated, only some rows name a method, or there are more methods than
        `MOST_METHODS`.
    """
    rows = list(rows)
    named = [bool(row.method) for row in rows]
    if any(named) and not all(named):
        row = rows[named.index(False)]
        raise StatisticsError(f"{row.place}: the method is empty")

    def method(row: RatingRow) -> str:
        return row.method or row.rater

    compared = {method(row) for row in rows}
    if len(compared) > MOST_METHODS:
        raise StatisticsError(
            f"there are {len(compared)} methods to compare, at most {MOST_METHODS} can be: check "
            "which column is that of the methods"
        )

    (items, readers, methods), scores = cross_tabulate(
        rows,
        (lambda row: row.item, lambda row: row.rater if row.method else "", method),
        lambda row: f"with {method(row)!r}",
    )
    return Panel(items, readers, methods, scores, clusters_of(rows, items))
