"""The kinds of questions: a kind is one entry of `KINDS`, and one widget of the reader's page.

An entry says what an answer looks like on its way: `check` turns what the page sends into what is
stored, `measure` makes the number that is analysed of it. The database knows only whether an answer
is a point of a scale (`ends` that differ: a whole number between them) or a JSON object.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Protocol

from study.domain import drawings
from study.domain.drawings import ImageFrame, Points
from study.domain.errors import AnswerError

LEFT, RIGHT, PAIR = 0, 1, 2
"""Slots of an answer: the left image (or the only one), the right one, or the pair."""
IMAGE_SLOTS = (LEFT, RIGHT, 3, 4, 5, 6)
"""Slots of the images of a presentation, in the order of the panels: 2 is the pair."""
LEAST_RANKED, MOST_RANKED = 3, len(IMAGE_SLOTS)
"""Images of a ranking."""
EACH_IMAGE, THE_PAIR = (LEFT, RIGHT), (PAIR,)
NO_SCALE = (0, 0)
"""Ends of a kind whose answers are no points of a scale."""
LONGEST_TEXT = 2000
"""Characters of an answer, a comment or a reason."""
MOST_POINTS, MOST_CHOICES = 11, 20
"""Points of a rating scale, and of a list of choices."""

Value = int | float | str | Points | None
"""An answer as the page sends it; None means "cannot judge"."""


class QuestionKind(StrEnum):
    """How a question is answered."""

    LIKERT = "likert"
    """A point of a scale, for each image."""
    PREFERENCE = "preference"
    """Left, right or no preference, for the pair."""
    COMPARISON = "comparison"
    """Seven steps from the left image to the right one, for the pair."""
    VAS = "vas"
    """A place on a line from 0 to 100 (visual analogue scale), for each image."""
    NUMBER = "number"
    """A number with a range and a unit, for each image."""
    YES_NO = "yes_no"
    CHOICE = "choice"
    """One of several, in no order, for each image."""
    TEXT = "text"
    """Free text, which may be empty, for each image."""
    POINT = "point"
    LENGTH = "length"
    ANGLE = "angle"
    """The angle between two lines drawn on each image."""
    REGION = "region"
    """A polygon or an ellipse drawn on each image; its area is analysed."""
    RANKING = "ranking"
    """The ranks of the images that are shown together; 1 is the best."""


class Asked(Protocol):
    """What a kind needs to know of a question (`study.domain.questions.Question`)."""

    @property
    def code(self) -> str:
        """Its name in exports."""

    @property
    def kind(self) -> QuestionKind:
        """How it is answered."""

    @property
    def minimum(self) -> int:
        """The lower end of its scale."""

    @property
    def maximum(self) -> int:
        """The upper end of its scale."""

    @property
    def scale(self) -> tuple[int, ...]:
        """The points of its scale."""

    @property
    def unit(self) -> str:
        """Of a number."""

    @property
    def low(self) -> float:
        """The least number."""

    @property
    def high(self) -> float:
        """The largest number."""

    @property
    def longest(self) -> int:
        """Most characters of a text."""

    @property
    def shape(self) -> str:
        """Of a region: polygon or ellipse."""


class Analysed(StrEnum):
    """As what the answers of a kind are analysed."""

    SCORES = "scores"
    """Points of an ordered scale."""
    MEASURES = "measures"
    """Numbers: means, and agreement by intraclass correlations."""
    CATEGORIES = "categories"
    """Proportions, and agreement by kappa and AC1."""
    PREFERENCES = "preferences"
    """Of one method over another; the sign of the answer says for which side."""
    RANKS = "ranks"
    """Of the images of a presentation among each other."""
    NOTHING = "nothing"
    """They are in the exports alone."""


@dataclass(frozen=True)
class Kind:
    """An entry of `KINDS`.

    Parameters
    ----------
    analysed : Analysed
    words : str
        How it is answered, for the report and the codebook.
    ends : (int, int), optional
        Least and largest value, where they are the same for every question of the kind; `NO_SCALE`
        for answers that are stored as a JSON object. None where the question has them.
    slots : tuple of int
        What it is asked about: `EACH_IMAGE` or `THE_PAIR`.
    check : callable, optional
        Of question, value and frame of the image: the content of the JSON object; raises
        AnswerError where the value is not possible.
    restore : callable, optional
        The value as the page sends it, of that content.
    measure : callable, optional
        Of question, content and frame: the number that is analysed.
    unit : callable, optional
        Of question and frame: the unit of that number.
    span : float
        Largest difference of two such numbers; infinite where it is not known.
    """

    analysed: Analysed
    words: str
    ends: tuple[int, int] | None = NO_SCALE
    slots: tuple[int, ...] = EACH_IMAGE
    check: Callable[[Asked, Value, ImageFrame], Mapping[str, Any]] | None = None
    restore: Callable[[Mapping[str, Any]], Value] | None = None
    measure: Callable[[Asked, Mapping[str, Any], ImageFrame], float] | None = None
    unit: Callable[[Asked, ImageFrame], str] | None = None
    span: float = math.inf


def is_number(value: object) -> bool:
    """Whether a value is a finite number."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return plain and math.isfinite(float(str(value)))


def _number(question: Asked, value: Value, _: ImageFrame) -> Mapping[str, Any]:
    if not is_number(value) or not question.low <= float(str(value)) <= question.high:
        raise AnswerError(
            f"{value!r} is not possible for {question.code}: give a number from {question.low:g} "
            f"to {question.high:g}."
        )
    return {"number": value}


def _text(question: Asked, value: Value, _: ImageFrame) -> Mapping[str, Any]:
    if not isinstance(value, str):
        raise AnswerError(f"{question.code} is answered with a text, which may be empty.")
    if len(value) > question.longest:
        raise AnswerError(
            f"The text of {question.code} has {len(value)} characters: shorten it to "
            f"{question.longest}."
        )
    return {"text": value}


def _points(number: int, question: Asked, value: Value, frame: ImageFrame) -> Mapping[str, Any]:
    return {"points": drawings.checked(question.code, value, frame, number, number)}


def _lines(number: int, question: Asked, value: Value, frame: ImageFrame) -> Mapping[str, Any]:
    content = _points(number, question, value, frame)
    points = content["points"]
    if any(points[i] == points[i + 1] for i in range(0, number, 2)):
        raise AnswerError(f"A line of {question.code} has two equal ends: draw it again.")
    return content


def _region(question: Asked, value: Value, frame: ImageFrame) -> Mapping[str, Any]:
    ellipse = question.shape == drawings.ELLIPSE
    least, most = (2, 2) if ellipse else (3, drawings.MOST_POINTS)
    points = drawings.checked(question.code, value, frame, least, most)
    if not ellipse and drawings.crosses_itself(points):
        raise AnswerError(f"The outline of {question.code} crosses itself: draw it again.")
    if not drawings.area(points, frame, question.shape):
        raise AnswerError(f"The region of {question.code} has no area: draw it again.")
    return {"shape": question.shape, "points": points}


def _restored_points(content: Mapping[str, Any]) -> Points:
    return tuple((x, y) for x, y in content["points"])


_drawn = partial(Kind, Analysed.MEASURES, restore=_restored_points)
KINDS: Mapping[QuestionKind, Kind] = {
    QuestionKind.LIKERT: Kind(Analysed.SCORES, "a point of the scale", None),
    QuestionKind.PREFERENCE: Kind(
        Analysed.PREFERENCES, "left, no preference, right", (-1, 1), THE_PAIR
    ),
    QuestionKind.COMPARISON: Kind(
        Analysed.PREFERENCES, "seven steps from left (-3) to right (3)", (-3, 3), THE_PAIR
    ),
    QuestionKind.VAS: Kind(
        Analysed.MEASURES, "a place on a line from 0 to 100", (0, 100), span=100.0
    ),
    QuestionKind.NUMBER: Kind(
        Analysed.MEASURES, "a number", check=_number,
        restore=lambda content: content["number"],
        measure=lambda _, content, frame: float(content["number"]),
        unit=lambda question, _: question.unit,
    ),
    QuestionKind.YES_NO: Kind(Analysed.CATEGORIES, "no (0) or yes (1)", (0, 1), span=1.0),
    QuestionKind.CHOICE: Kind(Analysed.CATEGORIES, "one of several", None),
    QuestionKind.TEXT: Kind(
        Analysed.NOTHING, "free text", check=_text, restore=lambda content: content["text"]
    ),
    QuestionKind.POINT: Kind(
        Analysed.NOTHING, "a point on the image", check=partial(_points, 1),
        restore=_restored_points,
    ),
    QuestionKind.LENGTH: _drawn(
        "the length of a line on the image", check=partial(_lines, 2),
        measure=lambda _, content, frame: drawings.length(content["points"], frame),
        unit=lambda _, frame: frame.unit,
    ),
    QuestionKind.ANGLE: _drawn(
        "the angle between two lines on the image, 0 to 90 degrees", check=partial(_lines, 4),
        measure=lambda _, content, frame: drawings.angle(content["points"], frame),
        unit=lambda *_: "°", span=90.0,
    ),
    QuestionKind.REGION: _drawn(
        "the area of a region on the image", check=_region,
        measure=lambda question, content, frame: drawings.area(
            content["points"], frame, content["shape"]
        ),
        unit=lambda _, frame: f"{frame.unit}²",
    ),
    QuestionKind.RANKING: Kind(Analysed.RANKS, "a rank, 1 is the best", None),
}  # fmt: skip


def stored(
    question: Asked, value: Value, frame: ImageFrame, slice_number: int | None = None
) -> tuple[float | None, str | None]:
    """An answer as number and text of its row; the one that is not None holds it.

    Parameters
    ----------
    question : Asked
    value : Value
    frame : ImageFrame
    slice_number : int, optional
        Of a stack: the slice of a drawing, from 1.

    Raises
    ------
    AnswerError
        The value is not possible.
    """
    check = KINDS[question.kind].check
    if check is not None:
        content = check(question, value, frame)
        if "points" in content and frame.slices > 1:
            number = drawings.checked_slice(question.code, slice_number, frame)
            content = {**content, "slice": number}
        return None, json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    if not isinstance(value, int) or isinstance(value, bool) or value not in question.scale:
        raise AnswerError(
            f"{value!r} is not on the scale of {question.code}: "
            f"{question.minimum} to {question.maximum}."
        )
    return float(value), None


def restored(question: Asked, text: str) -> Value:
    """The value of an answer that is stored as a JSON object."""
    restore = KINDS[question.kind].restore
    return None if restore is None else restore(json.loads(text))


def slice_of(text: str | None) -> int | None:
    """The slice of a drawing on a stack, from 1, of its stored text; None of other answers."""
    content = json.loads(text) if text and text.startswith("{") else {}
    number = content.get("slice")
    return None if number is None else int(number)


def measured(question: Asked, text: str, frame: ImageFrame) -> float | None:
    """The number that is analysed of an answer stored as a JSON object; None without one."""
    measure = KINDS[question.kind].measure
    return None if measure is None else measure(question, json.loads(text), frame)


def unit_of(question: Asked, frame: ImageFrame) -> str:
    """The unit of that number; empty where it has none."""
    unit = KINDS[question.kind].unit
    return "" if unit is None else unit(question, frame)
