"""Rating scales: ordered categories with scores."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from study.domain.errors import StatisticsError
from study.stats.estimate import Floats
from study.stats.table_file import number_of

LARGEST = 1001
"""Most categories of a declared range."""
MISSING_WORDS = frozenset(
    ("", "na", "n/a", "nan", "null", "none", "#n/a", "#na", "#null!", ".", "-", "–", "—", "missing",
     "cannot judge", "not read", "image lost")
)  # fmt: skip
"""Cells that mean a missing rating, unless the scale has a category of that name."""


@dataclass(frozen=True)
class Scale:
    """Ordered categories, each with a score for weights and means.

    Parameters
    ----------
    labels : tuple of str
        Names, in order.
    scores : tuple of float
        Strictly increasing or strictly decreasing.
    declared : bool
        False if the categories are those that occur in the data.

    Raises
    ------
    StatisticsError
        No category, a repeated one, or scores that are out of order.
    """

    labels: tuple[str, ...]
    scores: tuple[float, ...]
    declared: bool = True

    def __post_init__(self) -> None:
        if not self.labels or len(self.labels) != len(self.scores):
            raise StatisticsError("a scale needs at least one category, and one score for each")
        if len(set(self.labels)) != len(self.labels):
            raise StatisticsError(f"the scale {', '.join(self.labels)} repeats a category")
        steps = np.diff(self.scores)
        if not np.isfinite(self.scores).all() or not ((steps > 0).all() or (steps < 0).all()):
            raise StatisticsError(
                f"the scale {', '.join(self.labels)} is not in order: "
                "list the categories from one end to the other"
            )

    @classmethod
    def span(cls, low: int, high: int) -> Scale:
        """The integers from `low` to `high`."""
        if not low < high or high - low >= LARGEST:
            raise StatisticsError(
                f"the scale {low}:{high} needs a low and a higher end, "
                f"with at most {LARGEST} categories"
            )
        numbers = range(low, high + 1)
        return cls(tuple(map(str, numbers)), tuple(map(float, numbers)))

    @classmethod
    def parse(cls, text: str) -> Scale:
        """A scale from text: ``1:5``, ``1,2,3,5`` or ``poor,fair,good`` (scored 1, 2, 3).

        Raises
        ------
        StatisticsError
            The text is neither a range nor a list of at least two categories.
        """
        low, colon, high = text.partition(":")
        if colon and re.fullmatch(r"\s*[+-]?\d{1,9}:\s*[+-]?\d{1,9}\s*", text, re.ASCII):
            return cls.span(int(low), int(high))
        labels = tuple(label.strip() for label in text.split(","))
        if colon or len(labels) < 2 or not all(labels):
            raise StatisticsError(
                f"the scale {text!r} is not understood: write a range as 1:5, "
                "or the categories in their order as poor,fair,good"
            )
        numbers = [number_of(label) for label in labels]
        if None in numbers:
            return cls(labels, tuple(float(place) for place in range(1, len(labels) + 1)))
        return cls(labels, tuple(number for number in numbers if number is not None))

    @classmethod
    def derived(cls, scores: Iterable[float]) -> Scale:
        """The categories that occur in the data, if no scale was declared."""
        distinct = tuple(sorted({float(score) for score in scores}))
        if not distinct:
            raise StatisticsError("there is no rating to derive a scale from: declare the scale")
        labels = tuple(np.format_float_positional(score, trim="-") for score in distinct)
        return cls(labels, distinct, declared=False)

    @property
    def size(self) -> int:
        """Number of categories."""
        return len(self.labels)

    @property
    def length(self) -> float:
        """Largest possible difference of two scores; infinite if the scale was not declared."""
        return abs(self.scores[-1] - self.scores[0]) if self.declared else math.inf

    def score_of(self, text: str) -> float | None:
        """The score of a cell; None for a missing rating.

        Raises
        ------
        StatisticsError
            The cell is not on the scale.
        """
        if text in self.labels:
            return self.scores[self.labels.index(text)]
        if text.lower() in MISSING_WORDS:
            return None
        number = number_of(text)
        numeric = number_of(self.labels[0]) is not None
        if numeric and number is not None and number in self.scores:
            return number
        raise StatisticsError(f"{text!r} is not on the scale {self}")

    def codes(self, scores: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        """Index of each score on the scale, -1 for NaN.

        Raises
        ------
        StatisticsError
            A score is not on the scale.
        """
        order = np.argsort(self.scores)
        ordered = np.asarray(self.scores)[order]
        places = np.clip(np.searchsorted(ordered, scores), 0, self.size - 1)
        missing = np.isnan(scores)
        astray = ~missing & (ordered[places] != scores)
        if astray.any():
            raise StatisticsError(f"{scores[astray].flat[0]:g} is not on the scale {self}")
        return np.where(missing, -1, order[places])

    def __str__(self) -> str:
        shown = self.labels if self.size <= 12 else (*self.labels[:5], "...", self.labels[-1])
        return ", ".join(shown)
