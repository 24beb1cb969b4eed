"""Rotating incomplete blocks: which methods besides the control a reader reads of each case.

The blocks are those of a balanced incomplete block design. Each case goes through all of them from
reader to reader, and each reader from case to case, so that methods are read equally often, and
with each other equally often, where the numbers of readers and cases allow it; `block_balance`
counts what a plan has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

from study.domain.errors import ProtocolError
from study.domain.formatting import plural
from study.domain.plan import MAIN_SESSION, Plan, PlannedCase
from study.domain.terms import Role
from study.planning.seeds import SHARED, SeedStreams

MOST_BLOCKS = 500
Span = tuple[int, int]
"""Least and largest number."""


@dataclass(frozen=True)
class BlockBalance:
    """How often methods besides the control are read.

    Parameters
    ----------
    each : (int, int)
        Images of each method of all readers.
    together : (int, int) or None
        Cases and readers with both of each two methods; None for blocks of one.
    of_reader : (int, int)
        Images of each method of one reader.
    """

    each: Span
    together: Span | None
    of_reader: Span

    def as_text(self) -> str:
        """The balance in a sentence."""
        text = (
            f"Incomplete blocks: each method besides the control is read {_span(self.each)} by all "
            f"readers, {_span(self.of_reader)} by one reader"
        )
        if self.together:
            text += f", and {_span(self.together)} with each other one of the same case"
        spans = [self.each, *([self.together] if self.together else [])]
        even = all(low == high for low, high in spans)
        return f"{text}: {'balanced' if even else 'not fully balanced'}."


def _span(ends: Span) -> str:
    low, high = ends
    return plural(high, "time") if low == high else f"{low} to {plural(high, 'time')}"


def blocks(methods: Sequence[str], size: int) -> list[tuple[str, ...]]:
    """Blocks of some methods that hold each method, and each two methods, equally often.

    Choices of methods are taken cycle by cycle (each block and those made of it by going on to the
    next methods, in which each method is equally often), the one that evens out the pairs most
    first, until all pairs are equally often: the fewest blocks of this kind, or all choices.

    Raises
    ------
    ProtocolError
        There are more choices than `MOST_BLOCKS`.
    """
    names = sorted(methods)
    if comb(len(names), size) > MOST_BLOCKS:
        raise ProtocolError(
            f"Blocks of {size} of {len(names)} methods are more than {MOST_BLOCKS}: use another "
            "size or fewer methods."
        )
    left = _cycles(len(names), size)
    paired: Counter[tuple[int, ...]] = Counter(dict.fromkeys(combinations(range(len(names)), 2), 0))
    found: list[tuple[str, ...]] = []
    while left:
        best = min(left, key=lambda cycle: sum(n**2 for n in (paired + _pairs(cycle)).values()))
        left.remove(best)
        paired.update(_pairs(best))
        found += [tuple(names[place] for place in block) for block in best]
        if len(set(paired.values())) == 1:
            break
    return found


def _cycles(number: int, size: int) -> list[tuple[tuple[int, ...], ...]]:
    """All choices of places, each cycle in the order of going on by one place."""
    cycles = []
    seen: set[tuple[int, ...]] = set()
    for first in combinations(range(number), size):
        if first not in seen:
            shifted = (tuple(sorted((one + by) % number for one in first)) for by in range(number))
            cycles.append(tuple(dict.fromkeys(shifted)))
            seen.update(cycles[-1])
    return cycles


def _pairs(cycle: Iterable[tuple[int, ...]]) -> Counter[tuple[int, ...]]:
    return Counter(pair for block in cycle for pair in combinations(block, 2))


def read_methods(
    cases: Sequence[PlannedCase], methods: Sequence[str], control: str, size: int,
    streams: SeedStreams,
) -> dict[str, frozenset[str]]:  # fmt: skip
    """The methods that a reader reads of each case: the control and a block of the others.

    Parameters
    ----------
    cases : sequence of PlannedCase
        The main cases.
    methods : sequence of str
    control : str
    size : int
        Methods of a block besides the control.
    streams : SeedStreams
        Of the reader; the order of cases and names come from a stream that all readers share.
    """
    shared = streams.of(MAIN_SESSION, "blocks", SHARED)
    others = sorted(name for name in methods if name != control)
    renamed = dict(zip(others, shared.permutation(others).tolist(), strict=True))
    every = blocks(others, size)
    places = {cases[case].id: place for place, case in enumerate(shared.permutation(len(cases)))}
    return {
        case: frozenset(
            (control, *(renamed[name] for name in every[(place + streams.reader) % len(every)]))
        )
        for case, place in places.items()
    }


def block_balance(plans: Sequence[Plan], control: str) -> BlockBalance:
    """The balance of the main images or pairs of all plans, without the control."""
    shown = [_by_case(plan, control) for plan in plans]
    names = sorted({name for one in shown for block in one.values() for name in block})
    each = Counter(name for one in shown for block in one.values() for name in block)
    paired = Counter(
        pair for one in shown for block in one.values() for pair in combinations(sorted(block), 2)
    )
    own = [
        sum(name in block for block in one.values()) for one in shown for name in names
    ]  # fmt: skip
    together = [paired[pair] for pair in combinations(names, 2)]
    return BlockBalance(
        _ends(each[name] for name in names),
        _ends(together) if any(together) else None,
        _ends(own),
    )


def _by_case(plan: Plan, control: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for trial in plan:
        if trial.role is Role.MAIN:
            found.setdefault(trial.case, set()).update(set(trial.methods) - {control})
    return found


def _ends(counts: Iterable[int]) -> Span:
    found = list(counts)
    return (min(found), max(found)) if found else (0, 0)
