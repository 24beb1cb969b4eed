"""Messages of the reader's page: every field has one strict type and a limit."""

from __future__ import annotations

from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
)

from study.domain.drawings import MOST_POINTS
from study.domain.entries import is_storable
from study.domain.question_kinds import MOST_RANKED


def _storable(text: str) -> str:
    if not is_storable(text):
        raise ValueError("It has characters that cannot be stored.")
    return text


Text = Annotated[str, AfterValidator(_storable)]
Short = Annotated[Text, Field(max_length=100)]
Long = Annotated[Text, Field(max_length=2000)]
Count = Annotated[StrictInt, Field(ge=0, le=10**9)]


_Coordinate = StrictFloat | StrictInt
_Points = Annotated[tuple[tuple[_Coordinate, _Coordinate], ...], Field(max_length=MOST_POINTS)]


class _Message(BaseModel):
    """Refuses other fields and other types."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NothingMessage(_Message):
    """An empty object."""


class ConsentMessage(_Message):
    """Agreement to the text with this digest."""

    digest: Short


class ProfileMessage(_Message):
    """A reader's statements about experience."""

    specialty: Short
    experience_years: Count
    frequency: Short


class DisplayMessage(_Message):
    """A display check; see `study.domain.screens.Display`."""

    seen: Annotated[tuple[StrictBool, ...], Field(max_length=100)]
    ends_seen: StrictBool
    dim_room: StrictBool
    width: Count
    height: Count
    screen_width: Count
    screen_height: Count
    colour_depth: Count
    ratio: Annotated[StrictFloat | StrictInt, Field(gt=0, le=100)]
    carry_on: StrictBool


class WhichMessage(_Message):
    """Which pair to show."""

    which: Annotated[str, Field(pattern="^(current|previous)$")] = "current"


class AnswerMessage(_Message):
    """One answer; see `study.domain.answers.Answer`."""

    question: Short
    slot: StrictInt
    slice_number: StrictInt | None = None
    value: StrictInt | StrictFloat | Annotated[StrictStr, Field(max_length=2000)] | _Points | None


class RatingMessage(_Message):
    """Answers to a pair.

    `held` is the ticket that was used in advance for the next pair, `version` the number of the
    protocol whose questions the page shows.
    """

    token: Short
    answers: Annotated[tuple[AnswerMessage, ...], Field(max_length=200)]
    key: Short
    visible_ms: Count | None = None
    first_ms: Count | None = None
    comment: Long = ""
    held: Short = ""
    version: Count | None = None


class CorrectionMessage(RatingMessage):
    """New answers to the previous pair, and the reason."""

    reason: Long


class GuessesMessage(_Message):
    """The reader's guess of how each image that is shown was made."""

    token: Short
    guesses: Annotated[tuple[StrictInt | None, ...], Field(max_length=MOST_RANKED)]


class PauseMessage(_Message):
    """The reader pauses at a pair."""

    token: Short
    at_ms: Count


class EventMessage(_Message):
    """One interaction with the images, such as zoom."""

    kind: Short
    payload: Short
    at_ms: Count


class EventsMessage(_Message):
    """Interactions with the images of a pair."""

    token: Short
    events: Annotated[tuple[EventMessage, ...], Field(max_length=200)]
