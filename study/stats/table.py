"""Ratings in long form, and as a table of items x raters."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from study.domain.errors import StatisticsError
from study.stats.estimate import Floats
from study.stats.scale import Scale

Codes = NDArray[np.int64]
MOST_CELLS = 20_000_000
"""Largest table, in cells of all axes."""


@dataclass(frozen=True)
class RatingRow:
    """One rating.

    Parameters
    ----------
    item, rater : str
        Item rated, and rater.
    value : float or None
        The score; None if the rating is missing.
    cluster : str
        Cluster of the item, such as the patient; if empty, the item is a cluster by itself.
    method : str
        Method that made the item, where several are compared.
    replicate : int
        1 for the first reading, 2 and more for repeats.
    line : int
        Line of the file, 0 if not from a file.
    truth : bool or None
        Whether the item is positive by its reference standard, where that is known.
    metric : float or None
        An objective metric of the image, where there is one.
    """

    item: str
    rater: str
    value: float | None
    cluster: str = ""
    method: str = ""
    replicate: int = 1
    line: int = 0
    truth: bool | None = None
    metric: float | None = None

    def __post_init__(self) -> None:
        if self.value is not None and not math.isfinite(self.value):
            raise StatisticsError(
                f"{self.place}: the score of item {self.item!r} by rater {self.rater!r} is "
                f"{self.value}: a missing rating is None"
            )

    @property
    def place(self) -> str:
        """Where the row came from, for error messages."""
        return f"line {self.line}" if self.line else "a row"


@dataclass(frozen=True, eq=False)
class Ratings:
    """Ratings as a table of items x raters, with the scale and the cluster of each item.

    Parameters
    ----------
    items, raters, clusters : tuple of str
        Names of the rows and columns, and the cluster of each row.
    scores : ndarray, shape (items, raters)
        NaN where a rating is missing.
    scale : Scale
        All scores are on it.

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
        """Index of each rating on the scale, -1 where it is missing; shape (items, raters)."""
        return self.scale.codes(self.scores)

    @cached_property
    def counts(self) -> Floats:
        """Number of raters who chose each category, shape (items, categories)."""
        counts: Floats = np.zeros((len(self.items), self.scale.size))
        items, raters = np.nonzero(self.codes >= 0)
        np.add.at(counts, (items, self.codes[items, raters]), 1.0)
        return counts

    @property
    def raters_per_item(self) -> Codes:
        """Number of ratings of each item."""
        counted: Codes = (self.codes >= 0).sum(axis=1)
        return counted

    def present(self) -> Ratings:
        """The table without items and raters that have no rating."""
        rated = self.codes >= 0
        return self.take(rated.sum(axis=1) > 0, rated.sum(axis=0) > 0)

    def complete(self) -> Ratings:
        """The items rated by every rater who rated any item."""
        present = self.present()
        raters = len(present.raters)
        return present.take(present.raters_per_item == raters, np.full(raters, True))

    def take(self, rows: NDArray[np.bool_], columns: NDArray[np.bool_]) -> Ratings:
        """The rows and columns selected by boolean masks."""
        return Ratings(
            tuple(np.compress(rows, np.array(self.items, dtype=object))),
            tuple(np.compress(columns, np.array(self.raters, dtype=object))),
            self.scores[rows][:, columns],
            self.scale,
            tuple(np.compress(rows, np.array(self.clusters, dtype=object))),
        )

    def column(self, rater: str) -> int:
        """Column index of a rater.

        Raises
        ------
        StatisticsError
            There is no such rater.
        """
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

    Without a scale, the categories are those that occur, and `Scale.declared` is False.
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
    """The table of ratings in long form, with items and raters in order of appearance.

    Raises
    ------
    StatisticsError
        A rater has rated an item more than once, an item is in two clusters, there is no
        rating, or one is not on the scale.
    """
    rows = list(rows)
    (items, raters), matrix = cross_tabulate(
        rows, (lambda row: row.item, lambda row: row.rater), lambda row: f"by rater {row.rater!r}"
    )
    return from_matrix(matrix, scale, items=items, raters=raters, clusters=clusters_of(rows, items))


def cross_tabulate(
    rows: Iterable[RatingRow],
    axes: Sequence[Callable[[RatingRow], str]],
    describe: Callable[[RatingRow], str],
) -> tuple[list[tuple[str, ...]], Floats]:
    """The names along each axis, in order of appearance, and the scores, NaN where missing.

    Parameters
    ----------
    rows : iterable of RatingRow
    axes : sequence of callable
        Name of a row on each axis.
    describe : callable
        Completes "a second rating of item ..." in the error.

    Raises
    ------
    StatisticsError
        Two rows have the same names, or the table is larger than `MOST_CELLS`.
    """
    names: list[dict[str, int]] = [{} for _ in axes]
    cells: dict[tuple[int, ...], RatingRow] = {}
    for row in rows:
        cell = tuple(
            known.setdefault(axis(row), len(known)) for known, axis in zip(names, axes, strict=True)
        )
        if cell in cells:
            raise StatisticsError(
                f"repeat readings: {row.place} is a second rating of item {row.item!r} "
                f"{describe(row)}, after {cells[cell].place}. Keep one of them, or number them in "
                "a column named replicate"
            )
        cells[cell] = row
    shape = [len(known) for known in names]
    if math.prod(shape) > MOST_CELLS:
        raise StatisticsError(
            f"{len(cells)} ratings are of {' x '.join(map(str, shape))} items, raters and methods, "
            "which is too much for a table: check which column is which"
        )
    scores = np.full(shape, np.nan)
    for cell, row in cells.items():
        if row.value is not None:
            scores[cell] = row.value
    return [tuple(known) for known in names], scores


def clusters_of(rows: Iterable[RatingRow], items: Iterable[str]) -> tuple[str, ...]:
    """The cluster of each item; an item without one is a cluster by itself.

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
    # The prefix distinguishes an item from a cluster of the same name.
    return tuple(known.get(item, f"item {item}") for item in items)


def _names(given: Sequence[str] | None, kind: str, count: int) -> tuple[str, ...]:
    return tuple(given) if given is not None else tuple(f"{kind} {i + 1}" for i in range(count))
