"""The questions that are asked about each pair, and the catalogue to choose from."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from study.domain.errors import ProtocolError

LEFT, RIGHT, PAIR = 0, 1, 2
"""Slots of an answer: the left image, the right one, or the pair."""
CANNOT_JUDGE = "cannot judge"
"""Stored in place of a number where the reader could not judge."""
NO_PREFERENCE, PREFERS_LEFT, PREFERS_RIGHT = 0, -1, 1


class QuestionKind(StrEnum):
    """How a question is answered."""

    LIKERT = "likert"
    """An integer for each image."""
    PREFERENCE = "preference"
    """Left, right or no preference, for the pair."""


_TYPES: dict[str, type | tuple[type, ...]] = {
    "str": str, "int": int, "float": (int, float), "bool": bool,
}  # fmt: skip


def check_types(thing: Any) -> None:
    """Raise ProtocolError where a plain field of a dataclass has a value of another type."""
    for entry in fields(thing):
        value = getattr(thing, entry.name)
        wanted = _TYPES.get(str(entry.type), object)
        plain = wanted is object or wanted is bool or not isinstance(value, bool)
        if not isinstance(value, wanted) or not plain:
            raise ProtocolError(f"{entry.name}={value!r} must be of type {entry.type}.")


@dataclass(frozen=True)
class Question:
    """A question that is asked about each pair.

    Parameters
    ----------
    code : str
        Short lower-case name for exports, such as "quality".
    text : str
        What the reader reads.
    kind : QuestionKind
    minimum, maximum : int
        Ends of the scale, inclusive; -1 and 1 for a preference.
    anchors : tuple of str
        Meaning of each point of the scale, from minimum to maximum.
    cannot_judge : bool
        Whether "cannot judge" is a possible answer.
    primary : bool
        Whether the primary analysis is about this question.
    """

    code: str
    text: str
    kind: QuestionKind = QuestionKind.LIKERT
    minimum: int = 1
    maximum: int = 5
    anchors: tuple[str, ...] = ()
    cannot_judge: bool = True
    primary: bool = False

    def __post_init__(self) -> None:
        check_types(self)
        if not self.code.isidentifier() or self.code != self.code.lower():
            raise ProtocolError(f"The question code {self.code!r} must be a lower-case word.")
        if not self.text.strip():
            raise ProtocolError(f"The question {self.code} has no text.")
        if self.minimum >= self.maximum or self.maximum - self.minimum > 8:
            raise ProtocolError(
                f"The scale {self.minimum} to {self.maximum} of {self.code} is not possible: "
                "use 2 to 9 points, such as 1 to 5."
            )
        if self.kind is QuestionKind.PREFERENCE and self.scale != (-1, 0, 1):
            raise ProtocolError(f"A preference goes from -1 to 1, {self.code} from {self.minimum}.")
        if self.anchors and len(self.anchors) != self.maximum - self.minimum + 1:
            raise ProtocolError(
                f"{self.code} has {len(self.anchors)} anchor texts for "
                f"{self.maximum - self.minimum + 1} points: give one for each."
            )

    @property
    def slots(self) -> tuple[int, ...]:
        """The slots an answer is needed for."""
        return (PAIR,) if self.kind is QuestionKind.PREFERENCE else (LEFT, RIGHT)

    @property
    def largest_margin(self) -> float:
        """What a margin must be below: the length of the scale, or half of all preferences."""
        preference = self.kind is QuestionKind.PREFERENCE
        return 0.5 if preference else float(self.maximum - self.minimum)

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


def question_from(entry: dict[str, Any]) -> Question:
    """A question from its JSON object."""
    entry = {**entry, "kind": QuestionKind(entry.get("kind", "likert"))}
    entry["anchors"] = tuple(entry.get("anchors", ()))
    return Question(**entry)
