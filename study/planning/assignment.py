"""The plan of each reader, from protocol, cases and methods.

All random numbers come from the master seed through `generator`, so a plan can be reproduced; the
stored plan is what counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import lcm

import numpy as np

from study.domain.errors import ProtocolError
from study.domain.plan import (
    MAIN_SESSION,
    REPEAT_SESSION,
    TRAINING_SESSION,
    MethodRow,
    Pair,
    Plan,
    PlannedCase,
    Trial,
    method_pairs,
    plan_digest,
    repeat_distance,
    shown_methods,
)
from study.domain.protocol import MethodKind, Phase, Protocol, Role
from study.planning.ordering import place_for, spaced, williams
from study.planning.plan_checks import plan_notes, randomisation_problems
from study.planning.seeds import SHARED, SeedStreams, generator

__all__ = [
    "Plan",
    "PlannedCase",
    "Trial",
    "assign",
    "generator",
    "method_pairs",
    "plan_digest",
    "plan_notes",
    "randomisation_problems",
]


@dataclass(frozen=True, eq=False)
class _UnplacedPair:
    """A pair without a position yet; compared by identity."""

    case: PlannedCase
    left: str
    right: str
    role: Role
    again: _UnplacedPair | None = None

    @property
    def pair(self) -> Pair:
        return (min(self.left, self.right), max(self.left, self.right))


def assign(
    protocol: Protocol,
    cases: Sequence[PlannedCase],
    methods: Sequence[MethodRow],
    *,
    seed: bytes,
    study_id: str,
    reader: int,
) -> tuple[Trial, ...]:
    """The plan of one reader.

    Session 0 is the training, session 1 has the dummies and then every main case with every pair
    of methods once, nulls and repeats among them; repeats after a washout are in session 2. Where
    images are shown alone, every method takes the place of a pair.
    Cases and methods may come in any order: the plan is the same.

    Parameters
    ----------
    protocol : Protocol
    cases : sequence of PlannedCase
    methods : sequence of (str, MethodKind)
        Identifiers and kinds; null pairs show methods under test.
    seed : bytes
        Master seed, 32 bytes.
    study_id : str
    reader : int
        Index of the reader, from 0 to `protocol.readers` - 1. Reader 2k + 1 sees the main pairs of
        reader 2k with sides exchanged, in a different order.

    Returns
    -------
    tuple of Trial
        In the order they are shown.

    Raises
    ------
    ProtocolError
        There is no such reader, no main case, or the design is not possible.
    """
    if not 0 <= reader < protocol.readers:
        raise ProtocolError(f"Reader place {reader} is outside 0 to {protocol.readers - 1}.")
    if len({case.id for case in cases}) != len(cases):
        raise ProtocolError("A case is listed twice: give each a different identifier.")
    listed = sorted(cases, key=lambda case: case.id)
    main_cases = [case for case in listed if not case.training]
    if not main_cases:
        raise ProtocolError("There is no case to read besides those for training.")
    pairs = shown_methods(protocol, methods)
    streams = SeedStreams(seed, study_id, reader)

    warm_up = _warm_up(protocol, listed, pairs, streams)
    training, dummies = warm_up[: protocol.training], warm_up[protocol.training :]
    mains = _mains(protocol, main_cases, pairs, streams, dummies)
    reading, later = _with_repeats(protocol, mains, streams)
    tested = sorted(name for name, kind in methods if kind is MethodKind.TEST)
    reading = _with_nulls(protocol.nulls, reading, main_cases, tested, streams)
    return (
        *_trials(training, TRAINING_SESSION, Phase.TRAINING),
        *_trials([*dummies, *reading], MAIN_SESSION, Phase.MAIN),
        *_trials(later, REPEAT_SESSION, Phase.REPEAT, [*dummies, *reading]),
    )


def _warm_up(
    protocol: Protocol, cases: Sequence[PlannedCase], pairs: Sequence[Pair], streams: SeedStreams
) -> list[_UnplacedPair]:
    """Training and dummy pairs, as different from each other as the cases allow."""
    rng = streams.of(TRAINING_SESSION, "warm-up")
    pool = [case for case in cases if case.training] or list(cases)
    number = protocol.training + protocol.dummies
    case_order, pair_order = rng.permutation(len(pool)), rng.permutation(len(pairs))
    swapped = _halves(number, rng)
    shown = []
    for i in range(number):
        case = pool[case_order[i % len(pool)]]
        # The shift combines every case with every pair before anything is repeated.
        shift = i // lcm(len(pool), len(pairs))
        left, right = _on_sides(pairs[pair_order[(i + shift) % len(pairs)]], swapped[i])
        role = Role.TRAINING if i < protocol.training else Role.DUMMY
        shown.append(_UnplacedPair(case, left, right, role))
    return shown


def _mains(
    protocol: Protocol,
    cases: Sequence[PlannedCase],
    pairs: Sequence[Pair],
    streams: SeedStreams,
    dummies: Sequence[_UnplacedPair],
) -> list[_UnplacedPair]:
    """Every case with every pair, in the reader's order and on the reader's sides."""
    swapped = _sides(cases, pairs, streams)
    if not protocol.randomise_sides:
        swapped = dict.fromkeys(swapped, False)
    places = [case for case in cases for _ in pairs]
    turn: dict[str, Iterator[int]] = {case.id: iter(range(len(pairs))) for case in cases}
    if protocol.randomise_order:
        recent = [shown.case.patient for shown in dummies]
        rng = streams.of(MAIN_SESSION, "order")
        places = [places[i] for i in spaced([c.patient for c in places], rng, recent=recent)]
        turn = _pair_orders(cases, len(pairs), streams)
    mains = []
    for case in places:
        pair = pairs[next(turn[case.id])]
        left, right = _on_sides(pair, swapped[case.id, pair])
        mains.append(_UnplacedPair(case, left, right, Role.MAIN))
    return mains


def _pair_orders(
    cases: Sequence[PlannedCase], pairs: int, streams: SeedStreams
) -> dict[str, Iterator[int]]:
    """The order of the pairs of each case: a row of a Williams square, another for each reader.

    Over as many readers as the square has rows, each pair of a case is first, second, ... equally
    often, so the pair of a method's first rating is balanced.
    """
    shared = streams.of(MAIN_SESSION, "pair order", SHARED)
    square = williams(pairs)
    turns: dict[str, Iterator[int]] = {}
    for case in cases:
        names = shared.permutation(pairs)
        row = (int(shared.integers(len(square))) + streams.reader) % len(square)
        turns[case.id] = iter([int(name) for name in names[square[row]]])
    return turns


def _sides(
    cases: Sequence[PlannedCase], pairs: Sequence[Pair], streams: SeedStreams
) -> dict[tuple[str, Pair], bool]:
    """Whether sides are exchanged, by case and pair: for half of the cases of each pair."""
    mirrored = bool(streams.reader % 2)
    rng = streams.of(MAIN_SESSION, "side", streams.reader - streams.reader % 2)
    return {
        (case.id, pair): bool(swap) ^ mirrored
        for pair in pairs
        for case, swap in zip(cases, _halves(len(cases), rng), strict=True)
    }


def _on_sides(pair: Pair, swap: bool) -> tuple[str, str]:
    """The methods on the left and the right; a single image has no sides to exchange."""
    left, right = pair
    return (right, left) if swap and right else (left, right)


def _halves(number: int, rng: np.random.Generator) -> list[bool]:
    """A random permutation with equal numbers of True and False, or one more of either."""
    first = int(rng.integers(2))
    return [bool(value) for value in rng.permutation((np.arange(number) + first) % 2)]


def _with_repeats(
    protocol: Protocol, mains: list[_UnplacedPair], streams: SeedStreams
) -> tuple[list[_UnplacedPair], list[_UnplacedPair]]:
    """The main session with repeats inserted, and the pairs of a later session."""
    distance = repeat_distance(protocol, len(mains))
    session = REPEAT_SESSION if protocol.washout_days else MAIN_SESSION
    rng = streams.of(session, "repeats")
    early = mains if protocol.washout_days else mains[: len(mains) - max(distance, 1) + 1]
    chosen = _spread_choice(early, protocol.repeats, rng)
    repeats = [
        _UnplacedPair(main.case, *sides, Role.REPEAT, main)
        for main, swap in zip(chosen, _halves(len(chosen), rng), strict=True)
        for sides in [_on_sides((main.left, main.right), swap)]
    ]
    if protocol.washout_days:
        order = spaced([shown.case.patient for shown in repeats], rng)
        return mains, [repeats[i] for i in order]
    reading = list(mains)
    for repeat in repeats:
        low = reading.index(repeat.again) + distance if repeat.again else 0
        patients = [shown.case.patient for shown in reading]
        place = place_for(patients, repeat.case.patient, low, len(reading), rng)
        reading.insert(place, repeat)
    return reading, []


def _spread_choice(
    mains: Sequence[_UnplacedPair], number: int, rng: np.random.Generator
) -> list[_UnplacedPair]:
    """A random choice, spread over the pairs of methods, then over cases."""
    left = [mains[i] for i in rng.permutation(len(mains))]
    pairs: dict[Pair, int] = {}
    cases: dict[str, int] = {}
    chosen = []
    for _ in range(number):
        best = min(left, key=lambda s: (pairs.get(s.pair, 0), cases.get(s.case.id, 0)))
        left.remove(best)
        pairs[best.pair] = pairs.get(best.pair, 0) + 1
        cases[best.case.id] = cases.get(best.case.id, 0) + 1
        chosen.append(best)
    return chosen


def _with_nulls(
    number: int,
    reading: Sequence[_UnplacedPair],
    cases: Sequence[PlannedCase],
    methods: Sequence[str],
    streams: SeedStreams,
) -> list[_UnplacedPair]:
    """Insert null pairs, one into each of ``number`` equal parts of the session."""
    rng = streams.of(MAIN_SESSION, "nulls")
    result = list(reading)
    case_order, method_order = rng.permutation(len(cases)), rng.permutation(len(methods))
    edges = [round(i * len(reading) / max(number, 1)) for i in range(number + 1)]
    parts = list(pairwise(edges))
    # From the end, so that the earlier parts keep their positions.
    for i, (low, high) in reversed(list(enumerate(parts))):
        case = cases[case_order[i % len(cases)]]
        method = methods[method_order[i % len(methods)]]
        patients = [shown.case.patient for shown in result]
        place = place_for(patients, case.patient, low, high, rng)
        result.insert(place, _UnplacedPair(case, method, method, Role.NULL))
    return result


def _trials(
    shown: Sequence[_UnplacedPair],
    session: int,
    phase: Phase,
    mains: Sequence[_UnplacedPair] | None = None,
) -> list[Trial]:
    """The trials of a session; repeats refer to positions in the main session."""
    places = {id(entry): place for place, entry in enumerate(shown if mains is None else mains)}
    return [
        Trial(
            position,
            session,
            phase,
            entry.case.id,
            entry.left,
            entry.right,
            entry.role,
            places[id(entry.again)] if entry.again else None,
        )
        for position, entry in enumerate(shown)
    ]
