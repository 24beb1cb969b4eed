"""Ratings in long form, and as the table of items and raters that statistics work on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from study.domain.errors import StatisticsError
from study.stats.estimate import Floats
from study.stats.scale import Scale

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class RatingRow:
    """One rating.

    Parameters
    ----------
    item, rater : str
        What was rated and by whom.
    value : float or None
        The score; None if the rating is missing.
    cluster : str
        What the item belongs to (its patient); empty: the item stands for itself.
    method : str
        What made the item, where several are compared.
    replicate : int
        1 for the first reading, 2 for the repeat.
    line : int
        Line of the file it came from, 0 if from none.
    """

    item: str
    rater: str
    value: float | None
    cluster: str = ""
    method: str = ""
    replicate: int = 1
    line: int = 0

    def __post_init__(self) -> None:
        if self.value is not None and not math.isfinite(self.value):
            raise StatisticsError(
                f"{self.place}: the score of item {self.item!r} by rater {self.rater!r} is "
                f"{self.value}: a missing rating is None"
            )

    @property
    def place(self) -> str:
        """Where it came from, to be quoted in errors."""
        return f"line {self.line}" if self.line else "a row"


@dataclass(frozen=True, eq=False)
class Ratings:
    """One rating, or none, of each item by each rater.

    Parameters
    ----------
    items, raters, clusters : tuple of str
        Names of the rows and columns, and the cluster of each row.
    scores : ndarray, shape (items, raters)
        NaN where a rating is missing.
    scale : Scale
        Every score is on it.

    Raises
    ------
    StatisticsError
        The shapes differ, or a score is not on the scale.
    """

    items: tuple[str, ...]
    raters: tuple[str, ...]
    scores: Floats
    scale: Scale
    clusters: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.scores.shape != (len(self.items), len(self.raters)):
            raise StatisticsError(
                f"{len(self.items)} items and {len(self.raters)} raters do not fit "
                f"scores of shape {self.scores.shape}"
            )
        if len(self.clusters) != len(self.items):
            raise StatisticsError(f"{len(self.items)} items need as many clusters")
        _ = self.codes

    @cached_property
    def codes(self) -> Codes:
        """Place of each rating on the scale, -1 where it is missing."""
        return self.scale.codes(self.scores)

    @cached_property
    def counts(self) -> Floats:
        """How many raters chose each category, shape (items, categories)."""
        counts: Floats = (self.codes[:, :, None] == np.arange(self.scale.size)).sum(
            axis=1, dtype=np.float64
        )
        return counts

    @property
    def raters_per_item(self) -> Codes:
        """How many ratings each item has."""
        counted: Codes = (self.codes >= 0).sum(axis=1)
        return counted

    def present(self) -> Ratings:
        """Without the items and raters that have no rating at all."""
        rated = self.codes >= 0
        return self.take(rated.sum(axis=1) > 0, rated.sum(axis=0) > 0)

    def complete(self) -> Ratings:
        """The items that every rater with any rating has rated."""
        present = self.present()
        raters = len(present.raters)
        return present.take(present.raters_per_item == raters, np.full(raters, True))

    def take(self, rows: NDArray[np.bool_], columns: NDArray[np.bool_]) -> Ratings:
        """The part of the table in which `rows` and `columns` are True."""
        return Ratings(
            tuple(np.compress(rows, np.array(self.items, dtype=object))),
            tuple(np.compress(columns, np.array(self.raters, dtype=object))),
            self.scores[rows][:, columns],
            self.scale,
            tuple(np.compress(rows, np.array(self.clusters, dtype=object))),
        )

    def pair(self, first: str, second: str) -> Ratings:
        """The items that both of two raters have rated."""
        columns = [self.column(first), self.column(second)]
        both = (self.codes[:, columns] >= 0).sum(axis=1) == 2
        part = self.take(both, np.full(len(self.raters), True))
        return replace(part, raters=(first, second), scores=part.scores[:, columns])

    def column(self, rater: str) -> int:
        """Place of a rater."""
        if rater not in self.raters:
            raise StatisticsError(
                f"there is no rater {rater!r}: choose from {', '.join(self.raters)}"
            )
        return self.raters.index(rater)


def from_matrix(
    scores: ArrayLike,
    scale: Scale | None = None,
    *,
    items: Sequence[str] | None = None,
    raters: Sequence[str] | None = None,
    clusters: Sequence[str] | None = None,
) -> Ratings:
    """A table from scores of shape (items, raters), NaN or None where a rating is missing.

    Without a scale the categories are those that occur, and `Scale.declared` is False.
    """
    matrix = np.asarray(scores, dtype=np.float64)
    if matrix.ndim != 2:
        raise StatisticsError(f"scores need items as rows and raters as columns, got {scores!r}")
    if np.isinf(matrix).any():
        raise StatisticsError("an infinite score is not a rating")
    if scale is None:
        scale = Scale.derived(matrix[~np.isnan(matrix)])
    names = _names(items, "item", matrix.shape[0])
    groups = names if clusters is None else tuple(clusters)
    return Ratings(names, _names(raters, "rater", matrix.shape[1]), matrix, scale, groups)


def tabulate(rows: Iterable[RatingRow], scale: Scale | None = None) -> Ratings:
    """The table of long ratings, items and raters in the order in which they come.

    Raises
    ------
    StatisticsError
        A rater has rated an item more than once, an item is in two clusters, there is no
        rating, or one is not on the scale.
    """
    items: dict[str, int] = {}
    raters: dict[str, int] = {}
    seen: dict[tuple[int, int], RatingRow] = {}
    for row in rows:
        cell = (
            items.setdefault(row.item, len(items)),
            raters.setdefault(row.rater, len(raters)),
        )
        if cell in seen:
            raise StatisticsError(
                f"repeat readings: {row.place} is a second rating of item {row.item!r} by rater "
                f"{row.rater!r}, after {seen[cell].place}. Keep one of them, or number them in a "
                "column named replicate"
            )
        seen[cell] = row
    matrix = np.full((len(items), len(raters)), np.nan)
    for (item, rater), row in seen.items():
        matrix[item, rater] = np.nan if row.value is None else row.value
    return from_matrix(
        matrix,
        scale,
        items=tuple(items),
        raters=tuple(raters),
        clusters=clusters_of(seen.values(), items),
    )


def clusters_of(rows: Iterable[RatingRow], items: Iterable[str]) -> tuple[str, ...]:
    """The cluster of each item; an item without one is its own.

    Raises
    ------
    StatisticsError
        The rows of one item name two clusters.
    """
    known: dict[str, str] = {}
    for row in rows:
        if row.cluster and known.setdefault(row.item, row.cluster) != row.cluster:
            raise StatisticsError(
                f"{row.place}: item {row.item!r} is in cluster {row.cluster!r}, "
                f"but before it was in {known[row.item]!r}"
            )
    # The mark keeps an item's own name apart from a cluster that is called the same.
    return tuple(known.get(item, f"item {item}") for item in items)


def _names(given: Sequence[str] | None, kind: str, count: int) -> tuple[str, ...]:
    return tuple(given) if given is not None else tuple(f"{kind} {i + 1}" for i in range(count))
