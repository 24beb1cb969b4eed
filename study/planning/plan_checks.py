"""Checks that plans are as random, balanced and complete as the protocol requires."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from math import comb, lgamma, log

from study.domain.errors import ProtocolError
from study.domain.formatting import plural
from study.domain.plan import (
    LEAST_DISTANCE,
    MAIN_SESSION,
    REPEAT_SESSION,
    MethodSet,
    Plan,
    PlannedCase,
    Trial,
    repeat_distance,
    session_repeats,
)
from study.domain.protocol import Protocol
from study.domain.qualification import SPARE_ATTEMPTS, presentations
from study.domain.terms import Role
from study.planning.blocks import block_balance
from study.planning.crossover import crossover_problems, orders
from study.planning.ordering import PATIENT_GAP
from study.stats.comparison.carry_over import carry_over

_LEAST_LOG_CHANCE = log(1e-6)
"""Log probability below which equal random orders are not accepted as a coincidence."""
_READ = (Role.MAIN, Role.REPEAT, Role.NULL)


def randomisation_problems(protocol: Protocol, plans: Sequence[Plan]) -> list[str]:
    """Problems of plans that prevent a freeze.

    Parameters
    ----------
    protocol : Protocol
    plans : sequence of plans
        One for each reader, in order.

    Returns
    -------
    list of str
        A sentence for each problem.
    """
    problems = []
    if not protocol.randomise_sides:
        problems.append("Sides are not randomised: set randomise_sides.")
    if not protocol.randomise_order:
        problems.append("The order is not randomised: set randomise_order.")
    if len(plans) != protocol.readers:
        problems.append(f"There are {len(plans)} plans for {protocol.readers} readers.")
    for number, plan in enumerate(plans, 1):
        found = [*_counts(protocol, plan), *_repeats(protocol, plan)]
        found += _panels(protocol, plan)
        found += crossover_problems(plan) if protocol.crossover else []
        found += [*_sides(plan), *_nulls(plan)] if protocol.paired else []
        problems += [f"Reader {number}: {problem}" for problem in found]
    problems += _between(protocol, plans)
    mirrored = not (protocol.single or protocol.block)
    return [*problems, *_not_mirrored(plans)] if mirrored else problems


def _mains(plan: Plan) -> list[Trial]:
    return [trial for trial in plan if trial.role is Role.MAIN]


def _counts(protocol: Protocol, plan: Plan) -> list[str]:
    roles = Counter(trial.role for trial in plan)
    wanted = {
        Role.TRAINING: protocol.training,
        Role.DUMMY: protocol.dummies * _main_sessions(protocol, plan),
        Role.REPEAT: protocol.repeats,
        Role.NULL: protocol.nulls,
        Role.QUALIFICATION: presentations(protocol.qualification, single=protocol.single)
        * (protocol.attempts + SPARE_ATTEMPTS),
    }
    problems = [
        f"{roles[role]} {role} pairs instead of {number}."
        for role, number in wanted.items()
        if roles[role] != number
    ]
    if not roles[Role.MAIN]:
        problems.append("no main pair.")
    twice = [key for key, n in Counter((t.case, t.pair) for t in _mains(plan)).items() if n > 1]
    if twice:
        problems.append(f"{len(twice)} main pairs are shown more than once.")
    sessions: dict[int, list[Trial]] = {}
    for trial in plan:
        sessions.setdefault(trial.session, []).append(trial)
    later = [trial for one in sessions.values() for trial in one[protocol.dummies :]]
    if any(trial.role is Role.DUMMY for trial in later):
        problems.append("dummies are not the first pairs of the main session.")
    return problems


def _main_sessions(protocol: Protocol, plan: Plan) -> int:
    return len({trial.session for trial in _mains(plan)}) if protocol.crossover else 1


def _sides(plan: Plan) -> list[str]:
    left: dict[MethodSet, int] = {}
    number: dict[MethodSet, int] = {}
    for trial in _mains(plan):
        number[trial.pair] = number.get(trial.pair, 0) + 1
        left[trial.pair] = left.get(trial.pair, 0) + (trial.left == trial.pair[0])
    return [
        f"sides of a method pair are out of balance: {count} of {number[pair]} one way."
        for pair, count in left.items()
        if abs(2 * count - number[pair]) > 1
    ]


def _repeats(protocol: Protocol, plan: Plan) -> list[str]:
    main = {(trial.session, trial.position): trial for trial in _mains(plan)}
    least = _distance(protocol, plan)
    sessions = {session for session, _ in main} or {MAIN_SESSION}
    if protocol.later_repeats:
        sessions = {REPEAT_SESSION}
    problems = []
    for trial in plan:
        if trial.role is not Role.REPEAT:
            continue
        first = main.get(trial.repeated)
        if trial.session not in sessions:
            problems.append(f"the repeat at {trial.position} is in the wrong session.")
        elif first is None or (first.case, first.pair) != (trial.case, trial.pair):
            problems.append(f"the repeat at {trial.position} does not repeat a main pair.")
        elif trial.session == first.session and trial.position - first.position < least:
            problems.append(
                f"the repeat at {trial.position} is {trial.position - first.position} pairs after "
                f"its main pair, {least} are needed."
            )
    return problems


def _panels(protocol: Protocol, plan: Plan) -> list[str]:
    """Wrong numbers of images, and methods of a ranking that are in a panel too often."""
    problems = [
        f"the {trial.role} at {trial.position} shows {plural(len(trial.methods), 'image')}, not "
        f"{protocol.images}."
        for trial in plan
        if len(trial.methods) != protocol.images
        or (trial.role is Role.NULL and not protocol.paired)
    ]
    if not protocol.ranking:
        return problems
    mains = _mains(plan)
    places = Counter((name, place) for trial in mains for place, name in enumerate(trial.methods))
    names = {protocol.control} if protocol.block else {name for name, _ in places}
    for name in sorted(names):
        counts = [places[name, place] for place in range(protocol.images)]
        # A Latin square that is cut off may miss one in one panel and not in another.
        if max(counts) - min(counts) > 1:
            problems.append(
                f"a method is {max(counts)} times in one panel, {min(counts)} in another."
            )
    return problems


def _nulls(plan: Plan) -> list[str]:
    same = [trial for trial in plan if trial.left == trial.right]
    wrong = [trial for trial in same if trial.role is not Role.NULL]
    wrong += [trial for trial in plan if trial.role is Role.NULL and trial.left != trial.right]
    return [f"the {trial.role} pair at {trial.position} has wrong methods." for trial in wrong]


def _between(protocol: Protocol, plans: Sequence[Plan]) -> list[str]:
    """Equal orders, readers with different pairs."""
    orders = [[(trial.case, trial.pair) for trial in _mains(plan)] for plan in plans]
    if not orders:
        return []
    problems = []
    if not protocol.block and any(sorted(order) != sorted(orders[0]) for order in orders):
        problems.append("Readers do not all see the same main pairs.")
    size = len(orders[0])
    # log of 1/n!: the chance of one given order.
    chance = -lgamma(size + 1)
    if any(order == sorted(order) for order in orders) and chance < _LEAST_LOG_CHANCE:
        problems.append("A reader has the main pairs in the order of the list.")
    alike = sum(a == b for a, b in combinations(orders, 2))
    everyone = alike == comb(len(orders), 2) > 0
    if alike and log(comb(len(orders), 2)) + chance < _LEAST_LOG_CHANCE:
        problems.append(f"{alike} couples of readers have the same order.")
    elif everyone and (len(orders) - 1) * chance < _LEAST_LOG_CHANCE:
        problems.append("All readers have the same order.")
    return problems


def _not_mirrored(plans: Sequence[Plan]) -> list[str]:
    """Readers 2k and 2k + 1 with equal sides."""
    return [
        f"Reader {first + 2} does not mirror the sides of reader {first + 1}."
        for first in range(0, len(plans) - 1, 2)
        if not _mirrored(plans[first], plans[first + 1])
    ]


def _mirrored(plan: Plan, other: Plan) -> bool:
    sides = {(trial.case, trial.pair): trial.methods[::-1] for trial in _mains(plan)}
    return all(sides.get((trial.case, trial.pair)) == trial.methods for trial in _mains(other))


def plan_notes(
    protocol: Protocol, cases: Sequence[PlannedCase], plans: Sequence[Plan]
) -> list[str]:
    """Notes about valid plans: which spacing could not be kept.

    Parameters
    ----------
    protocol : Protocol
    cases : sequence of PlannedCase
    plans : sequence of plans

    Returns
    -------
    list of str
        A sentence for each note.
    """
    notes = []
    warm_up = protocol.training + protocol.dummies
    if warm_up and not any(case.training for case in cases if case.id not in protocol.qualifying):
        notes.append(
            f"No case is kept for training: the {warm_up} training and dummy pairs of each reader "
            "show cases that are also rated."
        )
    rated = {case.patient for case in cases if not case.training}
    if both := sum(case.training and case.patient in rated for case in cases):
        notes.append(
            f"{plural(both, 'training case')} of a patient whose other images are rated later: "
            "training, and its feedback, may make them known."
        )
    patients = {case.id: case.patient for case in cases}
    gap = min((_patient_gap(plan, patients) for plan in plans), default=PATIENT_GAP)
    if gap < PATIENT_GAP:
        notes.append(
            f"The same patient comes back after {plural(gap, 'other pair')} in places; "
            f"{PATIENT_GAP} are wanted: there are too few patients."
        )
    if protocol.block and plans:
        notes.append(block_balance(plans, protocol.control).as_text())
    if protocol.crossover and plans:
        notes.append(carry_over([orders(plan) for plan in plans]).as_text())
    mains = max((len(_mains(plan)) for plan in plans), default=0)
    distance = min((_distance(protocol, plan) for plan in plans), default=0)
    wanted = max(LEAST_DISTANCE, mains // 4)
    if distance and not protocol.repeat_distance and distance < wanted:
        notes.append(f"Repeats come at least {distance} pairs after their main pair, not {wanted}.")
    return notes


def _distance(protocol: Protocol, plan: Plan) -> int:
    """Least distance of repeats in a session; 0 where none is possible."""
    sessions = max(1, _main_sessions(protocol, plan))
    mains = len(_mains(plan)) // sessions
    try:
        return min(
            repeat_distance(protocol.with_(repeats=share), mains)
            for share in session_repeats(protocol, sessions)
        )
    except ProtocolError:
        return 0


def _patient_gap(plan: Plan, patients: dict[str, str]) -> int:
    """Least number of other pairs between two rated pairs of one patient in a session."""
    last: dict[tuple[int, str], int] = {}
    gap = PATIENT_GAP
    for trial in plan:
        if trial.role in _READ:
            key = (trial.session, patients[trial.case])
            if key in last:
                gap = min(gap, trial.position - last[key] - 1)
            last[key] = trial.position
    return gap
