"""Whether the plan was even: which side and which position each method was shown at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from study.domain.errors import StatisticsError
from study.stats.estimate import PValue
from study.stats.preference import Choice, even_test

BLOCKS = 4
"""Parts of a session that positions are counted in."""
FEWEST = 5.0
"""Expected count below which the chi-square approximation is not trusted."""


@dataclass(frozen=True)
class SideBalance:
    """How often the first of two methods was at each side, in all pairs shown.

    Parameters
    ----------
    first, second : str
        The methods, in alphabetical order.
    left, right : int
        How often the first was there.
    worst : int
        Largest |left - right| of any reader.
    test : PValue
        That the sides are equally likely.
    """

    first: str
    second: str
    left: int
    right: int
    worst: int
    test: PValue


@dataclass(frozen=True)
class Place:
    """A method at a position of a reader's session; positions count from 0."""

    reader: str
    position: int
    method: str


@dataclass(frozen=True)
class OrderBalance:
    """How often each method came in each part of the sessions.

    Parameters
    ----------
    methods : tuple of str
        Rows.
    counts : tuple of tuple of int
        One row a method, one column a part of the session, from the first to the last.
    test : PValue
        Chi-square that method and part are independent.
    """

    methods: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    test: PValue


def side_balance(choices: Sequence[Choice]) -> tuple[SideBalance, ...]:
    """The balance of every pair of different methods, answered or not."""
    shown: dict[tuple[str, str], list[Choice]] = {}
    for choice in choices:
        if not choice.null:
            first, second = sorted((choice.left, choice.right))
            shown.setdefault((first, second), []).append(choice)
    found = []
    for (first, second), of_pair in sorted(shown.items()):
        surplus: Counter[str] = Counter()
        for choice in of_pair:
            surplus[choice.reader] += 1 if choice.left == first else -1
        left = sum(choice.left == first for choice in of_pair)
        right = len(of_pair) - left
        worst = max(abs(number) for number in surplus.values())
        test = even_test(f"{first} left of {second}", left, right)
        found.append(SideBalance(first, second, left, right, worst, test))
    return tuple(found)


def order_balance(places: Sequence[Place], blocks: int = BLOCKS) -> OrderBalance:
    """Chi-square test that every method comes equally often in every part of a session.

    Each reader's positions are cut into `blocks` parts of equal length.

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
