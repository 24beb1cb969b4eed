"""Balance of the design: on which side and at which position each method was shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from study.domain.errors import StatisticsError
from study.stats.comparison.preference import Choice, by_pair, even_test
from study.stats.estimate import PValue

BLOCKS = 4
"""Number of equal parts of a session for the order test."""
FEWEST = 5.0
"""Expected count below which the chi-square approximation is not trusted."""


@dataclass(frozen=True)
class SideBalance:
    """How often the first of two methods was shown on each side.

    Parameters
    ----------
    first, second : str
        The methods, in alphabetical order.
    left, right : int
        Number of pairs with the first method on that side.
    worst : int
        Largest |left - right| of any reader.
    test : PValue
        Exact binomial test of equal probability.
    """

    first: str
    second: str
    left: int
    right: int
    worst: int
    test: PValue


@dataclass(frozen=True)
class MethodPosition:
    """A method shown at a position of a reader's session; positions count from 0."""

    reader: str
    position: int
    method: str


@dataclass(frozen=True)
class OrderBalance:
    """How often each method was shown in each part of the sessions.

    Parameters
    ----------
    methods : tuple of str
    counts : tuple of tuple of int
        A row for each method, a column for each part of the session, in order.
    test : PValue
        Chi-square test of independence of method and part.
    """

    methods: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    test: PValue


def side_balance(choices: Sequence[Choice]) -> tuple[SideBalance, ...]:
    """The balance of every pair of different methods, whether answered or not."""
    found = []
    for (first, second), of_pair in by_pair(choices).items():
        surplus: Counter[str] = Counter()
        for choice in of_pair:
            surplus[choice.reader] += 1 if choice.left == first else -1
        left = sum(choice.left == first for choice in of_pair)
        right = len(of_pair) - left
        worst = max(abs(number) for number in surplus.values())
        test = even_test(f"{first} left of {second}", left, right)
        found.append(SideBalance(first, second, left, right, worst, test))
    return tuple(found)


def order_balance(places: Sequence[MethodPosition], blocks: int = BLOCKS) -> OrderBalance:
    """Chi-square test that every method was shown equally often in every part of a session.

    Each reader's positions are divided into `blocks` parts of equal length.

    Raises
    ------
    StatisticsError
        There are fewer than two blocks.
    """
    if blocks < 2:
        raise StatisticsError(f"the order needs at least two blocks, got {blocks}")
    lengths: dict[str, int] = {}
    for place in places:
        lengths[place.reader] = max(lengths.get(place.reader, 0), place.position + 1)
    methods = sorted({place.method for place in places})
    counts = np.zeros((len(methods), blocks), dtype=np.int64)
    for place in places:
        block = place.position * blocks // lengths[place.reader]
        counts[methods.index(place.method), block] += 1
    rows = tuple(tuple(row) for row in counts.tolist())
    return OrderBalance(tuple(methods), rows, _independence(counts))


def _independence(counts: np.ndarray[tuple[int, int], np.dtype[np.int64]]) -> PValue:
    name, n = "Method against position", int(counts.sum())
    method = f"chi-square, {counts.shape[1]} parts of the session"
    if counts.shape[0] < 2:
        return PValue(name, None, method, n, reason="it needs two methods")
    if not counts.sum(axis=0).all():
        return PValue(name, None, method, n, reason="the sessions are shorter than their parts")
    found = stats.chi2_contingency(counts, correction=False)
    if float(found.expected_freq.min()) < FEWEST:
        method += "; approximate, some expected counts are below 5"
    return PValue(name, float(found.pvalue), method, n, float(found.statistic), float(found.dof))
