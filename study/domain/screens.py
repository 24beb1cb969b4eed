"""The screens of a reader as plain data, and the display check that the page sends."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from study.domain.questions import Question

FREQUENCIES = ("daily", "weekly", "monthly", "less often", "never")
"""Possible answers of a reader to how often they read such images."""
PATCHES = 18
"""Number of gray patches of the display check (AAPM TG-270 simple quality control pattern)."""


class ScreenKind(StrEnum):
    """The screens of a reader."""

    CLOSED = "closed"
    WITHDRAWN = "withdrawn"
    CONSENT = "consent"
    PROFILE = "profile"
    DISPLAY = "display"
    READY = "ready"
    PAIR = "pair"
    WAIT = "wait"
    UNQUALIFIED = "unqualified"
    GUESS = "guess"
    DONE = "done"


@dataclass(frozen=True)
class Progress:
    """Numbers of pairs that are done and planned.

    Every pair of the reading sessions counts alike, so that the count does not say which ones are
    repeats, nulls or dummies; training pairs are counted apart.
    """

    phase: str
    done: int
    total: int


@dataclass(frozen=True)
class Notice:
    """A text that explains why there is nothing to do."""

    text: str


@dataclass(frozen=True)
class ConsentText:
    """The text to agree to, and its SHA-256, which comes back with the agreement."""

    text: str
    digest: str


@dataclass(frozen=True)
class ProfileForm:
    """Choices of the form about the reader, which asks for no name."""

    frequencies: tuple[str, ...] = FREQUENCIES


@dataclass(frozen=True)
class DisplayForm:
    """Requirements of the display check, and whether the last attempt failed."""

    least_width: int
    least_height: int
    patches: int
    failed: bool


@dataclass(frozen=True)
class Ready:
    """Instructions before the first pair of a session; an attempt at the qualification counts.

    `original` is whether the unenhanced image is shown beside the others, `stacks` whether images
    have several slices.
    """

    instructions: str
    pairs: int
    minutes: int
    feedback: bool
    questions: tuple[Question, ...]
    attempt: int = 0
    original: bool = False
    stacks: bool = False


@dataclass(frozen=True)
class Reading:
    """Questions about a pair, and the times for the suggestion of a break.

    `version` is the number of the protocol they are from, which comes back with the answers.
    """

    questions: tuple[Question, ...]
    least_width: int
    least_height: int
    break_minutes: float
    sitting_minutes: float
    version: int = 1


@dataclass(frozen=True)
class Wait:
    """When the next session opens (UTC, ISO 8601)."""

    until: str


@dataclass(frozen=True)
class BlindingForm:
    """The blinding question; an answer is an index into `groups`."""

    groups: tuple[str, ...]
    least_width: int
    least_height: int


Body = Notice | ConsentText | ProfileForm | DisplayForm | Ready | Reading | Wait | BlindingForm


@dataclass(frozen=True)
class Screen:
    """The screen that a reader sees.

    Parameters
    ----------
    kind : ScreenKind
    title, reader : str
        Title of the study, and code of the reader.
    demo : bool
    progress : Progress, optional
    can_correct : bool
        Whether the latest answers may be corrected now.
    body : Body
        Content of this kind of screen.
    """

    kind: ScreenKind
    title: str
    reader: str
    demo: bool
    progress: Progress | None
    can_correct: bool
    body: Body


@dataclass(frozen=True)
class Device:
    """The computer and the screen that a reader reads on.

    Parameters
    ----------
    id : str
        Digest of the cookie that marks the browser.
    screen : str
        Screen size, device pixels per CSS pixel and size class of the window, as the page
        reports them; a display check holds for one device and one such text.
    """

    id: str
    screen: str


@dataclass(frozen=True)
class Display:
    """Result of a display check.

    Parameters
    ----------
    seen : tuple of bool
        Whether both small squares of each of the `PATCHES` gray patches could be seen.
    ends_seen : bool
        Whether 5 % on black and 95 % on white could be seen.
    dim_room : bool
    width, height : int
        Of the window, in CSS pixels.
    screen_width, screen_height, colour_depth : int
    ratio : float
        Device pixels per CSS pixel.
    carry_on : bool
        Whether the reader continues although something could not be seen.
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
