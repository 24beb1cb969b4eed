"""Balance of the orders in which methods are read over the sessions of a crossover.

References
----------
E. J. Williams, Experimental designs balanced for the estimation of residual effects of treatments,
Aust. J. Sci. Res. A 2 (1949) 149-168.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations

from study.domain.formatting import plural


@dataclass(frozen=True)
class CarryOver:
    """How often each method is in each session and directly before each other one.

    Parameters
    ----------
    readers : int
    methods : tuple of str
    in_session : tuple of tuple of int
        Number of readers of each method by session.
    before : tuple of tuple of int
        Number of readers who read the method of the row directly before that of the column.
    """

    readers: int
    methods: tuple[str, ...]
    in_session: tuple[tuple[int, ...], ...]
    before: tuple[tuple[int, ...], ...]

    @property
    def sessions(self) -> tuple[int, int]:
        """Least and largest number of readers of a method in a session."""
        counts = [count for row in self.in_session for count in row]
        return min(counts), max(counts)

    @property
    def followed(self) -> tuple[int, int]:
        """Least and largest number of readers of one method directly before another."""
        places = permutations(range(len(self.methods)), 2)
        counts = [self.before[first][second] for first, second in places]
        return min(counts), max(counts)

    @property
    def balanced(self) -> bool:
        """Whether all methods are in each session and before each other equally often."""
        return len(set(self.sessions)) == len(set(self.followed)) == 1

    def as_text(self) -> str:
        """The balance in a sentence, and which numbers of readers are balanced."""
        text = (
            f"Order of the {len(self.methods)} methods over the sessions: each is in each session "
            f"for {_span(self.sessions)}, and directly before each other one for "
            f"{_span(self.followed)}: "
        )
        if self.balanced:
            return text + "balanced for first-order carry-over."
        return text + f"not balanced; multiples of {orders_of(len(self.methods))} readers are."


def orders_of(methods: int) -> int:
    """Number of orders in a balanced set: rows of a Williams square, of two for odd numbers."""
    return methods * 2 if methods % 2 else methods


def carry_over(orders: Sequence[Sequence[str]]) -> CarryOver:
    """The balance of the readers' orders of methods, each by session.

    Parameters
    ----------
    orders : sequence of sequence of str
        One for each reader; at least two methods in all.
    """
    names = tuple(sorted({name for order in orders for name in order}))
    places = Counter((name, place) for order in orders for place, name in enumerate(order))
    follows = Counter(pair for order in orders for pair in pairwise(order))
    return CarryOver(
        len(orders),
        names,
        tuple(tuple(places[name, place] for place in range(len(names))) for name in names),
        tuple(tuple(follows[first, second] for second in names) for first in names),
    )


def _span(ends: tuple[int, int]) -> str:
    low, high = ends
    return plural(high, "reader") if low == high else f"{low} to {plural(high, 'reader')}"
