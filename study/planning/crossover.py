"""Crossover over sessions: which method each reader reads in which session.

The orders are the rows of a Williams square, which balances first-order carry-over: over as many
readers as the square has rows, each method is in each session, and directly before each other
method, equally often (`study.stats.comparison.carry_over`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from study.domain.plan import MAIN_SESSION, Plan
from study.domain.terms import Role
from study.planning.ordering import williams
from study.planning.seeds import SHARED, SeedStreams


def method_order(methods: Sequence[str], streams: SeedStreams) -> tuple[str, ...]:
    """The methods of a reader by session: a row of a Williams square with random names and rows.

    Parameters
    ----------
    methods : sequence of str
    streams : SeedStreams
        Of the reader; names and rows come from a stream that all readers share.
    """
    shared = streams.of(MAIN_SESSION, "crossover", SHARED)
    names = [sorted(methods)[place] for place in shared.permutation(len(methods))]
    square = williams(len(methods))
    row = square[shared.permutation(len(square))[streams.reader % len(square)]]
    return tuple(names[place] for place in row)


def orders(plan: Plan) -> tuple[str, ...]:
    """The method of each session, as the main images of a plan show it; all where they differ."""
    shown: dict[int, dict[str, None]] = {}
    for trial in plan:
        if trial.role is Role.MAIN:
            shown.setdefault(trial.session, {})[trial.left] = None
    return tuple(" ".join(shown[session]) for session in sorted(shown))


def crossover_problems(plan: Plan) -> Iterator[str]:
    """Sessions of a plan that mix methods, and methods that are read in two sessions."""
    order = orders(plan)
    if any(" " in name for name in order):
        yield "a session of the crossover shows several methods."
    elif len(set(order)) < len(order):
        yield "a method is read in two sessions of the crossover."
