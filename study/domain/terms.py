"""The words of a design: the states of a study, and what methods, pairs and sessions are for."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """Status of a study, in the order of its life."""

    DRAFT = "draft"
    FROZEN = "frozen"
    OPEN = "open"
    CLOSED = "closed"
    UNBLINDED = "unblinded"


class MethodKind(StrEnum):
    """What the images of a method are for."""

    TEST = "test"
    REFERENCE = "reference"
    """The clean or original image, hidden among the others."""
    ANCHOR = "anchor"
    """An image degraded on purpose, which should be rated low."""
    ORIGINAL = "original"
    """The unenhanced image, shown beside the others under its name and never rated."""


class Role(StrEnum):
    """Why a pair is shown."""

    TRAINING = "training"
    QUALIFICATION = "qualification"
    """An image with a known answer, before the study."""
    DUMMY = "dummy"
    """The first pairs of the main session, discarded while ratings stabilise (ITU-R BT.500)."""
    MAIN = "main"
    REPEAT = "repeat"
    """A main pair shown again, sides exchanged at random, for intra-reader agreement."""
    NULL = "null"
    """The same image on both sides: there is nothing to prefer."""


class Phase(StrEnum):
    """What a session is for."""

    TRAINING = "training"
    QUALIFICATION = "qualification"
    """An attempt at the qualification, which opens the main session."""
    MAIN = "main"
    REPEAT = "repeat"
    """Repeats only, after a washout."""


class Shown(StrEnum):
    """What a reader sees at a time; the protocol calls it `presentation`."""

    PAIR = "pair"
    """Two images of a case, side by side."""
    SINGLE = "single"
    """One image."""
    RANKING = "ranking"
    """Three to six images of a case, which are ranked."""


UNITS = {Shown.PAIR: "pair", Shown.SINGLE: "image", Shown.RANKING: "ranking"}
"""What is shown at a time, as the word for one of it."""
SHOWN_WORDS = {Shown.PAIR: "pairs", Shown.SINGLE: "images", Shown.RANKING: "rankings"}
"""What is shown at a time, in words."""
