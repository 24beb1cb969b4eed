"""The plan of a reader, pair by pair, and what follows from the protocol alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from study.domain.canonical_json import update_with_list
from study.domain.errors import ProtocolError
from study.domain.protocol import Protocol
from study.domain.terms import MethodKind, Phase, Role

MethodRow = tuple[str, MethodKind]
"""Identifier and kind of a method."""
Pair = tuple[str, str]
"""Two different methods, sorted."""
MethodSet = tuple[str, ...]
"""The methods that are shown at a time, sorted: one, two, or those of a ranking; in a ranking of
incomplete blocks the control is first."""
TRAINING_SESSION, MAIN_SESSION, REPEAT_SESSION = 0, 1, 2
QUALIFICATION_SESSION = -99
"""The first attempt at the qualification; the others follow."""
EARLY_TRAINING_SESSION = QUALIFICATION_SESSION - 1
"""The training where a qualification comes after it: sessions are in the order of their numbers."""
LEAST_DISTANCE = 20
"""Default least number of pairs between a pair and its repeat."""


@dataclass(frozen=True)
class PlannedCase:
    """What the design knows of a case.

    Parameters
    ----------
    id : str
    patient : str
        Cases of the same patient are spaced.
    training : bool
        Whether it is for training and dummies only.
    """

    id: str
    patient: str
    training: bool = False


@dataclass(frozen=True)
class Trial:
    """One pair of a reader's plan.

    Parameters
    ----------
    position : int
        Place in its session, from 0.
    session : int
        0 training, 1 main, 2 repeats after a washout, then repeats that amendments have added; of a
        crossover 1, 2, ... for each method.
        With a qualification `EARLY_TRAINING_SESSION`, and `QUALIFICATION_SESSION` for the first
        attempt.
    phase : Phase
    case, left, right : str
        Identifiers of the case and of the methods on either side; a single image has no `right`.
    role : Role
    repeat_of : int, optional
        For a repeat: position of the main pair that is shown again; it is in session 1, in a
        crossover in the same one.
    others : tuple of str
        The methods of a ranking after the first two, in the order of the panels.
    """

    position: int
    session: int
    phase: Phase
    case: str
    left: str
    right: str
    role: Role
    repeat_of: int | None = None
    others: tuple[str, ...] = ()

    @property
    def pair(self) -> MethodSet:
        """The methods, whichever side or panel they are on."""
        return tuple(sorted(self.methods))

    @property
    def repeated(self) -> tuple[int, int]:
        """Session and position of the main pair that a repeat shows again."""
        session = MAIN_SESSION if self.phase is Phase.REPEAT else self.session
        return session, -1 if self.repeat_of is None else self.repeat_of

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods shown, by slot."""
        return (self.left, self.right, *self.others) if self.right else (self.left,)


Plan = Sequence[Trial]
"""The trials of one reader, in the order they are shown."""


def session_label(number: int) -> str:
    """A session in exports: its number, 0 for every training, Q1, Q2, ... for a qualification."""
    if QUALIFICATION_SESSION <= number < TRAINING_SESSION:
        return f"Q{number - QUALIFICATION_SESSION + 1}"
    return str(max(number, TRAINING_SESSION))


def plan_digest(trials: Iterable[Trial]) -> str:
    """SHA-256 of a plan as hex; of a study, all trials in order of the readers."""
    found = hashlib.sha256()
    update_with_list(found, map(_plain, trials))
    return found.hexdigest()


def _plain(trial: Trial) -> dict[str, Any]:
    """A trial for the digest; what was added later is left out where it is empty."""
    return {name: value for name, value in vars(trial).items() if name != "others" or value}


def sides(methods: Sequence[str]) -> dict[str, Any]:
    """The fields of a `Trial` for the methods that it shows, by slot."""
    left, right, *others = (*methods, "", "") if len(methods) < 2 else methods
    return {"left": left, "right": right, "others": tuple(filter(None, others))}


def shown_methods(protocol: Protocol, methods: Sequence[MethodRow]) -> tuple[MethodSet, ...]:
    """What each case is shown with: the pairs that are compared, every method, or all at once.

    Raises
    ------
    ProtocolError
        As `method_pairs`; or a ranking has another number of images than there are methods, or
        incomplete blocks have no control or no method to leave out.
    """
    pairs = method_pairs(protocol, methods)
    names = sorted(name for name, _ in methods)
    if protocol.block:
        if not protocol.control:
            raise ProtocolError(
                f"block={protocol.block}, but no method is the control, which every reader reads "
                "of every case: choose one, or set block to 0."
            )
        if protocol.block > len(names) - 2:
            raise ProtocolError(
                f"Blocks of {protocol.block} besides the control leave none of {len(names)} "
                "methods out: set block to 0 to read all."
            )
    if protocol.paired:
        return pairs
    if protocol.single:
        return tuple((name,) for name in names)
    if protocol.block:
        others = [name for name in names if name != protocol.control]
        return tuple((protocol.control, *block) for block in combinations(others, protocol.block))
    if len(names) != protocol.images:
        raise ProtocolError(
            f"Rankings of {protocol.images} images do not fit {len(names)} methods: set maximum="
            f"{len(names)} in the ranking questions, or build another number of methods."
        )
    return (tuple(names),)


def method_pairs(protocol: Protocol, methods: Sequence[MethodRow]) -> tuple[Pair, ...]:
    """The pairs of methods that are compared: those listed, all with the control, or all.

    Raises
    ------
    ProtocolError
        Fewer than two methods, none under test, or a pair or control that is not possible.
    """
    names = sorted(name for name, _ in methods)
    if len(set(names)) != len(names):
        raise ProtocolError("A method is listed twice: give each a different identifier.")
    if len(names) < 2:
        raise ProtocolError(f"A comparison needs at least 2 methods, this study has {len(names)}.")
    if all(kind is not MethodKind.TEST for _, kind in methods):
        raise ProtocolError("No method is under test: references and anchors alone are no study.")
    if protocol.control and protocol.control not in names:
        raise ProtocolError(f"The control {protocol.control!r} is not a method of this study.")
    if protocol.pairs:
        pairs = _listed(protocol.pairs, set(names))
    else:
        every = combinations(names, 2)
        pairs = tuple(p for p in every if not protocol.control or protocol.control in p)
    primary = protocol.primary_pair
    if primary and (min(primary), max(primary)) not in pairs:
        raise ProtocolError(
            f"The primary comparison {', '.join(primary)} is not among the pairs that are "
            "compared: add the pair, or choose another one."
        )
    return pairs


def _listed(pairs: Iterable[tuple[str, str]], names: set[str]) -> tuple[Pair, ...]:
    found: set[Pair] = set()
    for a, b in pairs:
        for name in (a, b):
            if name not in names:
                raise ProtocolError(f"The pair {a}, {b} names {name!r}, which is not a method.")
        if a == b:
            raise ProtocolError(f"The pair {a}, {b} has one method twice: use nulls for that.")
        pair = (min(a, b), max(a, b))
        if pair in found:
            raise ProtocolError(f"The pair {a}, {b} is listed twice.")
        found.add(pair)
    return tuple(sorted(found))


def session_repeats(protocol: Protocol, sessions: int) -> list[int]:
    """The hidden repeats of each session of a crossover, as equal as possible."""
    share, more = divmod(protocol.repeats, sessions)
    return [share + (number < more) for number in range(sessions)]


def repeat_distance(protocol: Protocol, mains: int) -> int:
    """Least difference of positions between a main pair and its repeat in the same session.

    Without a distance in the protocol it is 20 or a quarter of the main pairs, whichever is more,
    and at most half of them, so that repeats do not all come at the end.

    Raises
    ------
    ProtocolError
        More repeats than main pairs, or no room for the distance that the protocol asks for.
    """
    if protocol.repeats > mains:
        raise ProtocolError(
            f"repeats={protocol.repeats}, but there are only {mains} main pairs to repeat: set at "
            f"most {mains} in the design (its page, or plan --write, edit, plan --protocol --save)."
        )
    if not protocol.repeats or protocol.later_repeats:
        return 0
    room = mains - protocol.repeats + 1
    wanted = protocol.repeat_distance
    if wanted > room:
        raise ProtocolError(
            f"repeat_distance={wanted} leaves no room for {protocol.repeats} repeats of {mains} "
            f"main pairs: use at most {room}, fewer repeats, or a second session (washout_days)."
        )
    return wanted or max(1, min(max(LEAST_DISTANCE, mains // 4), mains // 2, room))
