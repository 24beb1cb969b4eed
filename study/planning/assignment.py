"""A protocol, cases and methods become the plan of each reader: what is shown where and when.

Everything is drawn from the master seed through `generator`, so a plan can be drawn again; what
counts is the plan as it is stored.
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
class _Shown:
    """A pair before it has a position; told apart by identity."""

    case: PlannedCase
    left: str
    right: str
    role: Role
    again: _Shown | None = None

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
    of methods once, nulls and repeats among them; repeats after a washout are in session 2.
    Cases and methods may come in any order: the plan is the same.

    Parameters
    ----------
    protocol : Protocol
    cases : sequence of PlannedCase
    methods : sequence of (str, MethodKind)
        Identifiers and kinds; nulls are taken from those under test.
    seed : bytes
        Master seed, 32 bytes.
    study_id : str
    reader : int
        Place of the reader, from 0 to `protocol.readers` - 1. Places 2k and 2k + 1 are a couple:
        the second sees the main pairs of the first with sides exchanged, in an order of its own.

    Returns
    -------
    tuple of Trial
        In the order they are shown.

    Raises
    ------
    ProtocolError
        No such place, no main case, or a design that is not possible.
    """
    if not 0 <= reader < protocol.readers:
        raise ProtocolError(f"Reader place {reader} is outside 0 to {protocol.readers - 1}.")
    if len({case.id for case in cases}) != len(cases):
        raise ProtocolError("A case is listed twice: give each an identifier of its own.")
    listed = sorted(cases, key=lambda case: case.id)
    main_cases = [case for case in listed if not case.training]
    if not main_cases:
        raise ProtocolError("There is no case to read beside those for training.")
    pairs = method_pairs(protocol, methods)
    draws = SeedStreams(seed, study_id, reader)

    warm_up = _warm_up(protocol, listed, pairs, draws)
    training, dummies = warm_up[: protocol.training], warm_up[protocol.training :]
    mains = _mains(protocol, main_cases, pairs, draws, dummies)
    reading, later = _with_repeats(protocol, mains, draws)
    tested = sorted(name for name, kind in methods if kind is MethodKind.TEST)
    reading = _with_nulls(protocol.nulls, reading, main_cases, tested, draws)
    return (
        *_trials(training, TRAINING_SESSION, Phase.TRAINING),
        *_trials([*dummies, *reading], MAIN_SESSION, Phase.MAIN),
        *_trials(later, REPEAT_SESSION, Phase.REPEAT, [*dummies, *reading]),
    )


def _warm_up(
    protocol: Protocol, cases: Sequence[PlannedCase], pairs: Sequence[Pair], draws: SeedStreams
) -> list[_Shown]:
    """Training and dummy pairs, as different from each other as the cases allow."""
    rng = draws.of(TRAINING_SESSION, "warm-up")
    pool = [case for case in cases if case.training] or list(cases)
    number = protocol.training + protocol.dummies
    case_order, pair_order = rng.permutation(len(pool)), rng.permutation(len(pairs))
    swapped = _halves(number, rng)
    shown = []
    for i in range(number):
        case = pool[case_order[i % len(pool)]]
        # The shift makes every case meet every pair before anything comes twice.
        shift = i // lcm(len(pool), len(pairs))
        left, right = pairs[pair_order[(i + shift) % len(pairs)]]
        if swapped[i]:
            left, right = right, left
        role = Role.TRAINING if i < protocol.training else Role.DUMMY
        shown.append(_Shown(case, left, right, role))
    return shown


def _mains(
    protocol: Protocol,
    cases: Sequence[PlannedCase],
    pairs: Sequence[Pair],
    draws: SeedStreams,
    dummies: Sequence[_Shown],
) -> list[_Shown]:
    """Every case with every pair, in the reader's order and on the reader's sides."""
    swapped = _sides(cases, pairs, draws)
    if not protocol.randomise_sides:
        swapped = dict.fromkeys(swapped, False)
    places = [case for case in cases for _ in pairs]
    turn: dict[str, Iterator[int]] = {case.id: iter(range(len(pairs))) for case in cases}
    if protocol.randomise_order:
        recent = [shown.case.patient for shown in dummies]
        rng = draws.of(MAIN_SESSION, "order")
        places = [places[i] for i in spaced([c.patient for c in places], rng, recent=recent)]
        turn = _turns(cases, len(pairs), draws)
    mains = []
    for case in places:
        left, right = pair = pairs[next(turn[case.id])]
        if swapped[case.id, pair]:
            left, right = right, left
        mains.append(_Shown(case, left, right, Role.MAIN))
    return mains


def _turns(
    cases: Sequence[PlannedCase], pairs: int, draws: SeedStreams
) -> dict[str, Iterator[int]]:
    """For each case the order of its pairs: a row of a Williams square, another for each reader.

    Over as many readers as the square has rows, each pair of a case comes first, second, ...
    equally often, and so the pair that gives a method its first rating is balanced.
    """
    shared = draws.of(MAIN_SESSION, "pair order", SHARED)
    square = williams(pairs)
    turns: dict[str, Iterator[int]] = {}
    for case in cases:
        names = shared.permutation(pairs)
        row = (int(shared.integers(len(square))) + draws.reader) % len(square)
        turns[case.id] = iter([int(name) for name in names[square[row]]])
    return turns


def _sides(
    cases: Sequence[PlannedCase], pairs: Sequence[Pair], draws: SeedStreams
) -> dict[tuple[str, Pair], bool]:
    """Whether the sides of a case and pair are exchanged: for half of the cases of each pair."""
    mirrored = bool(draws.reader % 2)
    rng = draws.of(MAIN_SESSION, "side", draws.reader - draws.reader % 2)
    return {
        (case.id, pair): bool(swap) ^ mirrored
        for pair in pairs
        for case, swap in zip(cases, _halves(len(cases), rng), strict=True)
    }


def _halves(number: int, rng: np.random.Generator) -> list[bool]:
    """A permuted block: as many True as False, and by chance one more of either if odd."""
    first = int(rng.integers(2))
    return [bool(value) for value in rng.permutation((np.arange(number) + first) % 2)]


def _with_repeats(
    protocol: Protocol, mains: list[_Shown], draws: SeedStreams
) -> tuple[list[_Shown], list[_Shown]]:
    """The main session with repeats put in, and the pairs of a later session."""
    distance = repeat_distance(protocol, len(mains))
    session = REPEAT_SESSION if protocol.washout_days else MAIN_SESSION
    rng = draws.of(session, "repeats")
    early = mains if protocol.washout_days else mains[: len(mains) - max(distance, 1) + 1]
    chosen = _spread_choice(early, protocol.repeats, rng)
    repeats = [
        _Shown(main.case, *sides, Role.REPEAT, main)
        for main, swap in zip(chosen, _halves(len(chosen), rng), strict=True)
        for sides in [(main.right, main.left) if swap else (main.left, main.right)]
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


def _spread_choice(mains: Sequence[_Shown], number: int, rng: np.random.Generator) -> list[_Shown]:
    """A random choice that spreads over the pairs of methods, then over cases."""
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
    reading: Sequence[_Shown],
    cases: Sequence[PlannedCase],
    methods: Sequence[str],
    draws: SeedStreams,
) -> list[_Shown]:
    """Nulls, one in each of as many equal stretches of the session."""
    rng = draws.of(MAIN_SESSION, "nulls")
    result = list(reading)
    case_order, method_order = rng.permutation(len(cases)), rng.permutation(len(methods))
    edges = [round(i * len(reading) / max(number, 1)) for i in range(number + 1)]
    stretches = list(pairwise(edges))
    # From the end, so that the earlier stretches stay where they are.
    for i, (low, high) in reversed(list(enumerate(stretches))):
        case = cases[case_order[i % len(cases)]]
        method = methods[method_order[i % len(methods)]]
        patients = [shown.case.patient for shown in result]
        place = place_for(patients, case.patient, low, high, rng)
        result.insert(place, _Shown(case, method, method, Role.NULL))
    return result


def _trials(
    shown: Sequence[_Shown], session: int, phase: Phase, mains: Sequence[_Shown] | None = None
) -> list[Trial]:
    """Positions for the pairs of a session; repeats point at the main session."""
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
