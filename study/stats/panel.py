"""Scores of several methods on the same items by the same readers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from study.domain.errors import StatisticsError
from study.stats.estimate import Floats, tidy
from study.stats.table import RatingRow, clusters_of


@dataclass(frozen=True, eq=False)
class Panel:
    """One score, or none, of each item by each reader for each method.

    Parameters
    ----------
    items, readers, methods, clusters : tuple of str
        Names, and the cluster of each item.
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
        """Place of a method."""
        if method not in self.methods:
            raise StatisticsError(
                f"there is no method {method!r}: choose from {', '.join(self.methods)}"
            )
        return self.methods.index(method)

    def differences(self, first: str, second: str) -> Floats:
        """First less second by item and reader, NaN where one of the two is missing."""
        apart: Floats = self.scores[:, :, self.place(first)] - self.scores[:, :, self.place(second)]
        return apart

    def average(self, by_reader: Floats) -> Floats:
        """Mean over the readers that are not NaN, of shape (items,); NaN without any."""
        there = ~np.isnan(by_reader)
        count = there.sum(axis=1)
        total = np.where(there, by_reader, 0.0).sum(axis=1)
        mean: Floats = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        return mean

    def complete_means(self) -> Floats:
        """Means over the readers who rated all methods, shape (items that have one, methods)."""
        full = np.isnan(self.scores).sum(axis=2) == 0
        count = full.sum(axis=1)
        total = np.where(full[:, :, None], self.scores, 0.0).sum(axis=1)
        means: Floats = total[count > 0] / count[count > 0][:, None]
        return tidy(means)


def panel_of(rows: Iterable[RatingRow]) -> Panel:
    """The panel of long ratings with a method each.

    Where no row names a method, the raters are what is compared (two drugs, three techniques).

    Raises
    ------
    StatisticsError
        A rating is repeated, or some rows lack the method.
    """
    rows = list(rows)
    named = [bool(row.method) for row in rows]
    if any(named) and not all(named):
        row = rows[named.index(False)]
        raise StatisticsError(f"{row.place}: the method is empty")
    items: dict[str, int] = {}
    readers: dict[str, int] = {}
    methods: dict[str, int] = {}
    seen: dict[tuple[int, int, int], RatingRow] = {}
    for row in rows:
        reader, method = (row.rater, row.method) if row.method else ("", row.rater)
        cell = (
            items.setdefault(row.item, len(items)),
            readers.setdefault(reader, len(readers)),
            methods.setdefault(method, len(methods)),
        )
        if cell in seen:
            raise StatisticsError(
                f"repeat readings: {row.place} is a second rating of item {row.item!r} with "
                f"{method!r}, after {seen[cell].place}. Keep one of them, or number them in a "
                "column named replicate"
            )
        seen[cell] = row
    scores = np.full((len(items), len(readers), len(methods)), np.nan)
    for cell, row in seen.items():
        scores[cell] = np.nan if row.value is None else row.value
    return Panel(
        tuple(items), tuple(readers), tuple(methods), scores, clusters_of(seen.values(), items)
    )
