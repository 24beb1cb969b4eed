"""An attack, what is expected, and what was observed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

Place = TypeVar("Place")


class Verdict(StrEnum):
    """How an attack ended."""

    HELD = "held"
    FELL = "fell"
    NOT_TRIED = "not tried"


@dataclass(frozen=True)
class Outcome:
    """What came of an attack.

    Parameters
    ----------
    verdict : Verdict
    observed : str
        In a few words.
    """

    verdict: Verdict
    observed: str


class NotTried(Exception):
    """The attack needs what this study or server does not have."""


@dataclass(frozen=True)
class Attack(Generic[Place]):
    """An attack on a place: a server, or the files of a study.

    Parameters
    ----------
    name : str
    expected : str
        What a server or study that holds does, in a few words.
    run : callable
        Makes the attack; returns an `Outcome`, or raises `NotTried`.
    harmless : bool
        Whether it leaves nothing behind, so that a server that others use may be attacked.
    """

    name: str
    expected: str
    run: Callable[[Place], Outcome]
    harmless: bool = False


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    family: str
    place: str
    attack: str
    expected: str
    outcome: Outcome


def outcome(held: bool, observed: object) -> Outcome:
    """An outcome by whether the attack was withstood."""
    return Outcome(Verdict.HELD if held else Verdict.FELL, str(observed))


def tried(attack: Attack[Place], place: Place) -> Outcome:
    """Make an attack; an error of the attacked is an outcome too, and none that holds."""
    try:
        return attack.run(place)
    except NotTried as reason:
        return Outcome(Verdict.NOT_TRIED, str(reason))
    except Exception as error:
        text = " ".join(str(error).split())[:160]
        return Outcome(Verdict.FELL, f"{type(error).__name__}: {text}")
