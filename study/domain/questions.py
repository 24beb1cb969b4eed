"""The questions that are asked about each pair or image, and the catalogue to choose from."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from study.domain.drawings import POLYGON, SHAPES
from study.domain.entries import check_types, entries_of, made_from, object_of
from study.domain.errors import ProtocolError
from study.domain.question_kinds import (
    KINDS,
    LEAST_RANKED,
    LEFT,
    LONGEST_TEXT,
    MOST_CHOICES,
    MOST_POINTS,
    MOST_RANKED,
    NO_SCALE,
    PAIR,
    RIGHT,
    Analysed,
    QuestionKind,
)

__all__ = [
    "CANNOT_JUDGE", "CATALOG", "LEFT", "NO_PREFERENCE", "PAIR", "PREFERENCE", "PREFERS_LEFT",
    "PREFERS_RIGHT", "RANKING", "RIGHT", "Analysed", "Question", "QuestionKind", "plain_question",
    "question_from",
]  # fmt: skip
CANNOT_JUDGE = "cannot judge"
"""Stored in place of a number where the reader could not judge."""
NO_PREFERENCE, PREFERS_LEFT, PREFERS_RIGHT = 0, -1, 1


@dataclass(frozen=True)
class Question:
    """A question that is asked about each pair or image.

    Parameters
    ----------
    code : str
        Short lower-case name for exports, such as "quality".
    text : str
        What the reader reads.
    kind : QuestionKind
    minimum, maximum : int
        Ends of the scale, inclusive; the kind has them where it is not "likert" or "choice", and
        both are 0 where answers are no points of a scale.
    anchors : tuple of str
        Meaning of each point of the scale, from minimum to maximum; of both ends for a visual
        analogue scale.
    cannot_judge : bool
        Whether "cannot judge" is a possible answer.
    primary : bool
        Whether the primary analysis is about this question.
    unit : str
        Of a number.
    low, high : float
        Range of a number.
    longest : int
        Most characters of a text.
    shape : str
        "polygon" or "ellipse": of a region.
    show_value : bool
        Whether readers see what is measured on their drawing.
    truth : bool
        Whether the answer is a confidence that the truth of the case is positive.
    ties : bool
        Of a ranking: whether several images may have the same rank.
    """

    code: str
    text: str
    kind: QuestionKind = QuestionKind.LIKERT
    minimum: int = 1
    maximum: int = 5
    anchors: tuple[str, ...] = ()
    cannot_judge: bool = True
    primary: bool = False
    unit: str = ""
    low: float = 0.0
    high: float = 0.0
    longest: int = 500
    shape: str = POLYGON
    show_value: bool = False
    truth: bool = False
    ties: bool = False

    def __post_init__(self) -> None:
        check_types(self)
        if not self.code.isidentifier() or self.code != self.code.lower():
            raise ProtocolError(f"The question code {self.code!r} must be a lower-case word.")
        if not self.text.strip():
            raise ProtocolError(f"The question {self.code} has no text.")
        self._check_scale()
        if self.kind is QuestionKind.NUMBER and not self.low < self.high:
            raise ProtocolError(
                f"{self.code} needs a range of numbers: low below high, not {self.low:g} and "
                f"{self.high:g}."
            )
        if not 1 <= self.longest <= LONGEST_TEXT:
            raise ProtocolError(f"longest={self.longest} is outside 1 to {LONGEST_TEXT}.")
        if self.shape not in SHAPES:
            raise ProtocolError(f"shape={self.shape!r} is unknown: choose {' or '.join(SHAPES)}.")
        if self.primary and self.analysed is Analysed.NOTHING:
            raise ProtocolError(
                f"{self.code} cannot be primary: answers of the kind {self.kind} are not analysed."
            )

    def _check_scale(self) -> None:
        """Raise ProtocolError for ends or anchors that the kind does not have."""
        ends, points = KINDS[self.kind].ends, self.maximum - self.minimum + 1
        if self.ranks:
            if self.minimum != 1 or not LEAST_RANKED <= self.maximum <= MOST_RANKED:
                raise ProtocolError(
                    f"The ranks of {self.code} go from 1 to the number of images that are shown, "
                    f"{LEAST_RANKED} to {MOST_RANKED}, not from {self.minimum} to {self.maximum}."
                )
            if self.cannot_judge or self.anchors:
                raise ProtocolError(
                    f"{self.code} is a ranking: every image gets a rank, so set cannot_judge to "
                    "false and leave out anchors."
                )
        elif self.ties:
            raise ProtocolError(f"{self.code} is no ranking: leave out ties.")
        if self.kind is QuestionKind.CHOICE and not self.anchors:
            raise ProtocolError(f"{self.code} needs its choices: list them as anchors.")
        most = MOST_CHOICES if self.kind is QuestionKind.CHOICE else MOST_POINTS
        if ends is None and not 2 <= points <= most:
            raise ProtocolError(
                f"The scale {self.minimum} to {self.maximum} of {self.code} is not possible: "
                f"use 2 to {most} points, such as 1 to 5."
            )
        if ends is not None and (self.minimum, self.maximum) != ends:
            raise ProtocolError(
                f"A {self.kind} goes from {ends[0]} to {ends[1]}, {self.code} from {self.minimum} "
                f"to {self.maximum}."
            )
        wanted = 2 if self.kind is QuestionKind.VAS else points if ends != NO_SCALE else 0
        if len(self.anchors) not in {0, wanted}:
            raise ProtocolError(
                f"{self.code} has {len(self.anchors)} anchor texts for {wanted} points: give one "
                "for each."
            )

    @property
    def slots(self) -> tuple[int, ...]:
        """The slots an answer is needed for where pairs are shown."""
        return KINDS[self.kind].slots

    @property
    def of_pair(self) -> bool:
        """Whether it is asked about the pair."""
        return self.slots == (PAIR,)

    @property
    def ranks(self) -> bool:
        """Whether the images of a presentation are ranked."""
        return self.kind is QuestionKind.RANKING

    @property
    def analysed(self) -> Analysed:
        """As what its answers are analysed."""
        return KINDS[self.kind].analysed

    @property
    def span(self) -> float:
        """Largest difference of two values that are analysed; infinite where it is not known."""
        if self.kind is QuestionKind.NUMBER:
            return self.high - self.low
        span = KINDS[self.kind].span
        return float(self.maximum - self.minimum) if KINDS[self.kind].ends is None else span

    @property
    def largest_margin(self) -> float:
        """What a margin must be below: the length of the scale, or half of all preferences."""
        return 0.5 if self.of_pair else self.span

    @property
    def positive_from(self) -> int:
        """The least answer that says yes, or calls a case positive: above the middle of the scale.

        The middle itself, of an odd number of points, does neither.
        """
        return (self.minimum + self.maximum) // 2 + 1

    @property
    def scale(self) -> tuple[int, ...]:
        """The points of the scale, in order."""
        return tuple(range(self.minimum, self.maximum + 1))


_QUALITY = ("unacceptable", "poor", "fair", "good", "excellent")
CATALOG: tuple[Question, ...] = (
    Question("quality", "Overall image quality", anchors=_QUALITY, primary=True),
    Question(
        "fidelity", "Anatomical fidelity: are structures shown as they are?",
        anchors=("not at all", "hardly", "partly", "largely", "fully"),
    ),
    Question(
        "noise", "Noise",
        anchors=("unacceptable", "disturbing", "moderate", "slight", "none visible"),
    ),
    Question("sharpness", "Sharpness of edges and small structures", anchors=_QUALITY),
    Question(
        "artefacts", "Artefacts or invented structure",
        anchors=("unacceptable", "disturbing", "moderate", "slight", "none visible"),
    ),
    Question(
        "confidence", "Diagnostic confidence with this image",
        anchors=("none", "low", "moderate", "high", "full"),
    ),
)  # fmt: skip
"""Ready-made criteria; the first two are the default."""
PREFERENCE = Question(
    "preference", "Which image do you prefer?", QuestionKind.PREFERENCE, -1, 1,
    ("left", "no preference", "right"), cannot_judge=True,
)  # fmt: skip


RANKING = Question(
    "ranking", "Rank the images: 1 is the best", QuestionKind.RANKING, 1, 4, cannot_judge=False,
    primary=True,
)  # fmt: skip


def question_from(entry: object) -> Question:
    """A question from its JSON object.

    Raises
    ------
    ProtocolError
        It is none, lacks a field, or has one that is unknown or not possible.
    """
    stated = object_of(entry, "question", Question)
    kind = stated.get("kind", QuestionKind.LIKERT)
    if kind not in tuple(QuestionKind):
        raise ProtocolError(f"The kind {kind!r} is unknown: choose from {', '.join(QuestionKind)}.")
    kind = QuestionKind(kind)
    anchors = tuple(entries_of(stated.get("anchors", []), "anchors"))
    ends = KINDS[kind].ends
    if ends is None:
        ends = (1, len(anchors)) if kind is QuestionKind.CHOICE or anchors else (1, 5)
    given = {"minimum": ends[0], "maximum": ends[1], **stated}
    if kind is QuestionKind.RANKING:
        given = {"maximum": RANKING.maximum, "cannot_judge": False, **stated}
    return made_from({**given, "kind": kind, "anchors": anchors}, "question", Question)


def plain_question(question: dict[str, Any]) -> dict[str, Any]:
    """The JSON object of a question, without what was added later and has its default."""
    return {name: value for name, value in question.items() if _ADDED.get(name, ...) != value}


_ADDED: dict[str, Any] = {
    one.name: one.default
    for one in fields(Question)
    if one.name in {"unit", "low", "high", "longest", "shape", "show_value", "truth", "ties"}
}
