"""The plan of each reader, from protocol, cases and methods.

All random numbers come from the master seed through `generator`, so a plan can be reproduced; the
stored plan is what counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import lcm

import numpy as np

from study.domain.errors import ProtocolError
from study.domain.plan import (
    EARLY_TRAINING_SESSION,
    MAIN_SESSION,
    QUALIFICATION_SESSION,
    REPEAT_SESSION,
    TRAINING_SESSION,
    MethodRow,
    MethodSet,
    Plan,
    PlannedCase,
    Trial,
    method_pairs,
    plan_digest,
    repeat_distance,
    session_repeats,
    shown_methods,
    sides,
)
from study.domain.protocol import Protocol
from study.domain.qualification import SPARE_ATTEMPTS, of_cases
from study.domain.question_kinds import LEAST_RANKED
from study.domain.terms import MethodKind, Phase, Role
from study.planning.blocks import read_methods
from study.planning.crossover import method_order
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

_Way = tuple[int, ...]
"""Which method of a set is in each slot."""


@dataclass(frozen=True, eq=False)
class _UnplacedPair:
    """A pair without a position yet; compared by identity."""

    case: PlannedCase
    methods: tuple[str, ...]
    role: Role
    again: _UnplacedPair | None = None

    @property
    def pair(self) -> MethodSet:
        return tuple(sorted(self.methods))


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
    images are shown alone, every method takes the place of a pair; in a ranking, all of them do. A
    crossover has a session for each method, with dummies and repeats of its own. A qualification
    comes after the training: a session for each attempt, `SPARE_ATTEMPTS` included.
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
        reader 2k with sides exchanged (the panels of a ranking reversed), in a different order.

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
    if protocol.repeat_sessions:
        raise ProtocolError(
            "repeat_sessions are added by amendments: set washout_days for repeats in a session of "
            "their own."
        )
    known = sorted(cases, key=lambda case: case.id)
    listed = [case for case in known if case.id not in protocol.qualifying]
    main_cases = [case for case in listed if not case.training]
    if not main_cases:
        raise ProtocolError("There is no case to read besides those for training.")
    pairs = shown_methods(protocol, methods)
    streams = SeedStreams(seed, study_id, reader)
    before = tuple(_qualification(protocol, known, pairs, streams))

    if protocol.crossover:
        return _crossover(protocol, listed, pairs, streams, before)
    warm_up = _warm_up(protocol, listed, pairs, streams)
    training, dummies = warm_up[: protocol.training], warm_up[protocol.training :]
    read = None
    if protocol.block:
        names = [name for name, _ in methods]
        read = read_methods(main_cases, names, protocol.control, protocol.block, streams)
    mains = _mains(protocol, main_cases, pairs, streams, dummies, read=read)
    reading, later = _with_repeats(protocol, mains, streams)
    tested = sorted(name for name, kind in methods if kind is MethodKind.TEST)
    reading = _with_nulls(protocol.nulls, reading, main_cases, tested, streams)
    return (
        *_trials(training, _training_session(protocol), Phase.TRAINING),
        *before,
        *_trials([*dummies, *reading], MAIN_SESSION, Phase.MAIN),
        *_trials(later, REPEAT_SESSION, Phase.REPEAT, [*dummies, *reading]),
    )


def repeat_session(
    plan: Sequence[Trial],
    patients: Mapping[str, str],
    repeats: int,
    session: int,
    rng: np.random.Generator,
) -> tuple[Trial, ...]:
    """Main trials of a plan once more, in a session after all others.

    Parameters
    ----------
    plan : sequence of Trial
        Of one reader, not of a crossover.
    patients : mapping
        Patient of each case.
    repeats : int
        Number of trials; fewer where fewer were not repeated yet.
    session : int
        Number of the new session.
    rng : Generator

    Returns
    -------
    tuple of Trial
        Spread over pairs and cases, on sides and in an order of their own.
    """
    read = [trial for trial in plan if trial.session == MAIN_SESSION]
    entries = [
        _UnplacedPair(PlannedCase(one.case, patients[one.case]), one.methods, one.role)
        for one in read
    ]
    again = {trial.repeat_of for trial in plan if trial.role is Role.REPEAT}
    mains = [
        entry
        for entry, trial in zip(entries, read, strict=True)
        if trial.role is Role.MAIN and trial.position not in again
    ]
    found = _repeats_of(mains, min(repeats, len(mains)), rng)
    order = spaced([entry.case.patient for entry in found], rng)
    return tuple(_trials([found[i] for i in order], session, Phase.REPEAT, entries))


def _crossover(
    protocol: Protocol,
    cases: Sequence[PlannedCase],
    methods: Sequence[MethodSet],
    streams: SeedStreams,
    before: Sequence[Trial],
) -> tuple[Trial, ...]:
    """The training, what comes before reading, a session for each method in the reader's order."""
    training = _warm_up(protocol.with_(dummies=0), cases, methods, streams)
    trials = [*_trials(training, _training_session(protocol), Phase.TRAINING), *before]
    mains = [case for case in cases if not case.training]
    order = method_order([name for (name,) in methods], streams)
    shares = session_repeats(protocol, len(order))
    for session, (method, repeats) in enumerate(zip(order, shares, strict=True), MAIN_SESSION):
        alone, own = [(method,)], protocol.with_(training=0, repeats=repeats)
        dummies = _warm_up(own, cases, alone, streams, session)
        shown = _mains(own, mains, alone, streams, dummies, session)
        shown, _ = _with_repeats(own, shown, streams, session)
        trials += _trials([*dummies, *shown], session, Phase.MAIN)
    return tuple(trials)


def _training_session(protocol: Protocol) -> int:
    return EARLY_TRAINING_SESSION if protocol.qualification else TRAINING_SESSION


def _qualification(
    protocol: Protocol,
    cases: Sequence[PlannedCase],
    sets: Sequence[MethodSet],
    streams: SeedStreams,
) -> Iterator[Trial]:
    """The attempts: the same images for all readers, in orders and on sides of the attempt's own.

    Where the known answers of a case name no method, which images are shown is drawn.
    """
    if not protocol.qualification:
        return
    shared = streams.of(QUALIFICATION_SESSION, "qualification", SHARED)
    by_id = {case.id: case for case in cases}
    chosen: list[tuple[PlannedCase, MethodSet]] = []
    for case, named in of_cases(protocol.qualification).items():
        if case not in by_id:
            raise ProtocolError(
                "A case of the qualification is not among those built: declare it again."
            )
        wanted: list[set[str]] = [{name} for name in named] if protocol.single else [set(named)]
        for names in wanted or [set()]:
            fitting = [one for one in sets if names <= set(one)]
            if not fitting:
                raise ProtocolError(
                    "The known answers of a case name methods that are not shown together: give "
                    "answers about those of one pair or ranking."
                )
            chosen.append((by_id[case], fitting[int(shared.integers(len(fitting)))]))
    for attempt in range(protocol.attempts + SPARE_ATTEMPTS):
        session = QUALIFICATION_SESSION + attempt
        rng = streams.of(session, "qualification")
        ways = _ways(len(chosen), len(chosen[0][1]), rng)
        shown = [
            _UnplacedPair(case, _arranged(methods, way), Role.QUALIFICATION)
            for (case, methods), way in zip(chosen, ways, strict=True)
        ]
        order = rng.permutation(len(shown))
        yield from _trials([shown[i] for i in order], session, Phase.QUALIFICATION)


def _warm_up(
    protocol: Protocol,
    cases: Sequence[PlannedCase],
    pairs: Sequence[MethodSet],
    streams: SeedStreams,
    session: int = TRAINING_SESSION,
) -> list[_UnplacedPair]:
    """Training and dummy pairs, as different from each other as the cases allow."""
    rng = streams.of(session, "warm-up")
    pool = [case for case in cases if case.training] or list(cases)
    number = protocol.training + protocol.dummies
    case_order, pair_order = rng.permutation(len(pool)), rng.permutation(len(pairs))
    ways = _ways(number, len(pairs[0]), rng)
    shown = []
    for i in range(number):
        case = pool[case_order[i % len(pool)]]
        # The shift combines every case with every pair before anything is repeated.
        shift = i // lcm(len(pool), len(pairs))
        methods = _arranged(pairs[pair_order[(i + shift) % len(pairs)]], ways[i])
        role = Role.TRAINING if i < protocol.training else Role.DUMMY
        shown.append(_UnplacedPair(case, methods, role))
    return shown


def _mains(
    protocol: Protocol,
    cases: Sequence[PlannedCase],
    pairs: Sequence[MethodSet],
    streams: SeedStreams,
    dummies: Sequence[_UnplacedPair],
    session: int = MAIN_SESSION,
    *,
    read: Mapping[str, frozenset[str]] | None = None,
) -> list[_UnplacedPair]:
    """Every case with every pair, in the reader's order and on the reader's sides.

    Where `read` has the methods that the reader reads of a case, only with pairs of these.
    """
    of_case = {
        case.id: [pair for pair in pairs if read is None or read[case.id] >= set(pair)]
        for case in cases
    }
    ways = _main_ways(cases, pairs, streams) if read is None else _block_ways(of_case, streams)
    if not protocol.randomise_sides:
        ways = dict.fromkeys(ways, tuple(range(len(pairs[0]))))
    places = [case for case in cases for _ in of_case[case.id]]
    number = len(of_case[cases[0].id])
    turn: dict[str, Iterator[int]] = {case.id: iter(range(number)) for case in cases}
    if protocol.randomise_order:
        recent = [shown.case.patient for shown in dummies]
        rng = streams.of(session, "order")
        places = [places[i] for i in spaced([c.patient for c in places], rng, recent=recent)]
        turn = _pair_orders(cases, number, streams)
    mains = []
    for case in places:
        pair = of_case[case.id][next(turn[case.id])]
        mains.append(_UnplacedPair(case, _arranged(pair, ways[case.id, pair]), Role.MAIN))
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


def _main_ways(
    cases: Sequence[PlannedCase], pairs: Sequence[MethodSet], streams: SeedStreams
) -> dict[tuple[str, MethodSet], _Way]:
    """Which method of a set is where, by case and set; the other way round for every other reader.

    Sides are exchanged for half of the cases of each pair.
    """
    step = -1 if streams.reader % 2 else 1
    rng = streams.of(MAIN_SESSION, "side", streams.reader - streams.reader % 2)
    return {
        (case.id, pair): way[::step]
        for pair in pairs
        for case, way in zip(cases, _ways(len(cases), len(pair), rng), strict=True)
    }


def _block_ways(
    of_case: Mapping[str, Sequence[MethodSet]], streams: SeedStreams
) -> dict[tuple[str, MethodSet], _Way]:
    """The same for incomplete blocks, of which no two readers have the same ones.

    Sides are balanced within each pair; in a ranking the places of the control, which is the first
    of its set, and so nearly those of the others.
    """
    rng = streams.of(MAIN_SESSION, "side")
    shown = [(case, pair) for case, own in of_case.items() for pair in own]
    if len(shown[0][1]) >= LEAST_RANKED:
        return dict(zip(shown, _ways(len(shown), len(shown[0][1]), rng), strict=True))
    found: dict[tuple[str, MethodSet], _Way] = {}
    for pair in sorted({pair for _, pair in shown}):
        own = [key for key in shown if key[1] == pair]
        found |= zip(own, _ways(len(own), len(pair), rng), strict=True)
    return found


def _ways(number: int, size: int, rng: np.random.Generator) -> list[_Way]:
    """Random orders of the methods of a set, with each of them in each place equally often.

    Those of three and more are rows of Latin squares, each drawn at random.
    """
    if size < LEAST_RANKED:
        return [(1, 0)[-size:] if swap else (0, 1)[:size] for swap in _halves(number, rng)]
    rows: list[_Way] = []
    while len(rows) < number:
        square = williams(size)[:size]
        square = rng.permutation(size)[square][rng.permutation(size)][:, rng.permutation(size)]
        rows += [tuple(int(place) for place in row) for row in square]
    return [rows[i] for i in rng.permutation(number)]


def _arranged(methods: MethodSet, way: _Way) -> tuple[str, ...]:
    """The methods by slot."""
    return tuple(methods[place] for place in way)


def _halves(number: int, rng: np.random.Generator) -> list[bool]:
    """A random permutation with equal numbers of True and False, or one more of either."""
    first = int(rng.integers(2))
    return [bool(value) for value in rng.permutation((np.arange(number) + first) % 2)]


def _with_repeats(
    protocol: Protocol,
    mains: list[_UnplacedPair],
    streams: SeedStreams,
    session: int = MAIN_SESSION,
) -> tuple[list[_UnplacedPair], list[_UnplacedPair]]:
    """The main session with repeats inserted, and the pairs of a later session."""
    distance, later = repeat_distance(protocol, len(mains)), protocol.later_repeats
    rng = streams.of(REPEAT_SESSION if later else session, "repeats")
    early = mains if later else mains[: len(mains) - max(distance, 1) + 1]
    repeats = _repeats_of(early, protocol.repeats, rng)
    if later:
        order = spaced([shown.case.patient for shown in repeats], rng)
        return mains, [repeats[i] for i in order]
    reading = list(mains)
    for repeat in repeats:
        low = reading.index(repeat.again) + distance if repeat.again else 0
        patients = [shown.case.patient for shown in reading]
        place = place_for(patients, repeat.case.patient, low, len(reading), rng)
        reading.insert(place, repeat)
    return reading, []


def _repeats_of(
    mains: Sequence[_UnplacedPair], number: int, rng: np.random.Generator
) -> list[_UnplacedPair]:
    """A choice of main pairs as repeats, on sides of their own."""
    chosen = _spread_choice(mains, number, rng)
    size = len(mains[0].methods) if mains else 0
    return [
        _UnplacedPair(main.case, _arranged(main.methods, way), Role.REPEAT, main)
        for main, way in zip(chosen, _ways(len(chosen), size, rng), strict=True)
    ]


def _spread_choice(
    mains: Sequence[_UnplacedPair], number: int, rng: np.random.Generator
) -> list[_UnplacedPair]:
    """A random choice, spread over the pairs of methods, then over cases."""
    left = [mains[i] for i in rng.permutation(len(mains))]
    pairs: dict[MethodSet, int] = {}
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
        result.insert(place, _UnplacedPair(case, (method, method), Role.NULL))
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
            position=position,
            session=session,
            phase=phase,
            case=entry.case.id,
            role=entry.role,
            repeat_of=places[id(entry.again)] if entry.again else None,
            **sides(entry.methods),
        )
        for position, entry in enumerate(shown)
    ]
