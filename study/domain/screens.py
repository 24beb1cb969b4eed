"""The screens of a reader as plain data: what the page draws, and what it sends of the display."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from study.domain.questions import Question

FREQUENCIES = ("daily", "weekly", "monthly", "less often", "never")
"""How often a reader may say to read such images."""
PATCHES = 18
"""Gray patches of the display check (AAPM TG-270 simple quality control pattern)."""


class Kind(StrEnum):
    """The screens a reader may be on."""

    CLOSED = "closed"
    WITHDRAWN = "withdrawn"
    CONSENT = "consent"
    PROFILE = "profile"
    DISPLAY = "display"
    READY = "ready"
    PAIR = "pair"
    WAIT = "wait"
    GUESS = "guess"
    DONE = "done"


@dataclass(frozen=True)
class Progress:
    """Counts of pairs, never a score.

    Every pair of the reading sessions counts alike, so that the count does not say which ones are
    repeats, nulls or dummies; training pairs are counted apart.
    """

    phase: str
    done: int
    total: int


@dataclass(frozen=True)
class Notice:
    """Why there is nothing to do."""

    text: str


@dataclass(frozen=True)
class ConsentText:
    """The text to agree to, and its SHA-256, which comes back with the agreement."""

    text: str
    digest: str


@dataclass(frozen=True)
class ProfileForm:
    """What readers say about themselves (no names)."""

    frequencies: tuple[str, ...] = FREQUENCIES


@dataclass(frozen=True)
class DisplayForm:
    """What a screen must have; whether a check was tried before and failed."""

    least_width: int
    least_height: int
    patches: int
    failed: bool


@dataclass(frozen=True)
class Ready:
    """Before the first pair of a session."""

    instructions: str
    pairs: int
    minutes: int
    feedback: bool
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class Reading:
    """What the answers to a pair are made of."""

    questions: tuple[Question, ...]
    least_width: int
    least_height: int
    break_minutes: float
    sitting_minutes: float


@dataclass(frozen=True)
class Wait:
    """The next session opens later (UTC, ISO 8601)."""

    until: str


@dataclass(frozen=True)
class Guessing:
    """The question about how images were made; the answer is the place in `groups`."""

    groups: tuple[str, ...]
    least_width: int
    least_height: int


Body = Notice | ConsentText | ProfileForm | DisplayForm | Ready | Reading | Wait | Guessing


@dataclass(frozen=True)
class Screen:
    """What a reader is to see now.

    Parameters
    ----------
    kind : Kind
    title, reader : str
        Of the study; the reader's code.
    demo : bool
    progress : Progress, optional
    can_correct : bool
        Whether the answers given last may be corrected now.
    body : Body
        What belongs to the kind.
    """

    kind: Kind
    title: str
    reader: str
    demo: bool
    progress: Progress | None
    can_correct: bool
    body: Body


@dataclass(frozen=True)
class Display:
    """What a screen showed.

    Parameters
    ----------
    seen : tuple of bool
        For each of the `PATCHES` gray patches whether both small squares could be told from it.
    ends_seen : bool
        Whether 5 % on black and 95 % on white could be told apart.
    dim_room : bool
    width, height : int
        Of the window, in CSS pixels.
    screen_width, screen_height, colour_depth : int
    ratio : float
        Device pixels for one CSS pixel.
    carry_on : bool
        Whether the reader goes on although something could not be seen; it is noted.
    """

    seen: tuple[bool, ...]
    ends_seen: bool
    dim_room: bool
    width: int
    height: int
    screen_width: int
    screen_height: int
    colour_depth: int
    ratio: float
    carry_on: bool
