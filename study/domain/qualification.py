"""Qualification before the study: images with known answers, a pass mark, and attempts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from study.domain.entries import check_types, made_from, object_of
from study.domain.errors import ProtocolError
from study.domain.question_kinds import IMAGE_SLOTS, Analysed
from study.domain.questions import (
    PAIR,
    PREFERS_LEFT,
    PREFERS_RIGHT,
    RIGHT,
    Question,
)

MOST_ATTEMPTS = 10
SPARE_ATTEMPTS = 3
"""Attempts that are planned besides those of the protocol: a coordinator may allow them."""


@dataclass(frozen=True)
class KnownAnswer:
    """What a right answer to a question about an image is.

    Parameters
    ----------
    case, question : str
        Identifier of the case, and code of the question.
    low, high : float
        Least and largest right answer. Of a comparison of two images it is how much `method` is
        preferred: 1 for a preference.
    method : str
        Identifier of the method whose image it is about; empty for every image that is shown.
    """

    case: str
    question: str
    low: float
    high: float
    method: str = ""

    def __post_init__(self) -> None:
        check_types(self)

    def is_right(self, value: float | None) -> bool:
        """Whether a value is right; "cannot judge", which is None, is not."""
        return value is not None and self.low <= value <= self.high


def graded(
    known: Iterable[KnownAnswer],
    case: str,
    methods: Sequence[str],
    answers: Mapping[tuple[str, int], float | None],
) -> list[bool]:
    """Whether each answer about a presentation with a known right one is right.

    Parameters
    ----------
    known : iterable of KnownAnswer
    case : str
        That was shown.
    methods : sequence of str
        In the order of the slots.
    answers : mapping
        Value by code of the question and slot; None for "cannot judge".
    """
    found = []
    for (code, slot), value in answers.items():
        for one in known:
            if (one.case, one.question) != (case, code):
                continue
            if slot == PAIR and one.method in methods:
                toward = PREFERS_RIGHT if methods.index(one.method) == RIGHT else PREFERS_LEFT
                found.append(one.is_right(None if value is None else value * toward))
            elif slot != PAIR and one.method in ("", methods[IMAGE_SLOTS.index(slot)]):
                found.append(one.is_right(value))
    return found


def known_answer(entry: object) -> KnownAnswer:
    """A known answer from its JSON object."""
    stated = object_of(entry, "known answer", KnownAnswer)
    return made_from(stated, "known answer", KnownAnswer)


def plain_answer(answer: KnownAnswer) -> dict[str, Any]:
    """Its JSON object, without an empty method."""
    return {name: value for name, value in asdict(answer).items() if value != ""}


def of_cases(known: Iterable[KnownAnswer]) -> dict[str, tuple[str, ...]]:
    """The methods that the known answers of each case name, by case in order."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for one in sorted(known, key=lambda answer: (answer.case, answer.method)):
        named = found[one.case]
        if one.method:
            named[one.method] = None
    return {case: tuple(methods) for case, methods in found.items()}


def presentations(known: Sequence[KnownAnswer], *, single: bool) -> int:
    """What is shown in an attempt: each named image alone, or a pair or ranking of each case."""
    named = of_cases(known)
    return sum(max(1, len(methods)) for methods in named.values()) if single else len(named)


def check_known(known: Sequence[KnownAnswer], questions: Sequence[Question]) -> None:
    """Raise ProtocolError for known answers that no reader could give, or that differ."""
    asked = {question.code: question for question in questions}
    seen: set[tuple[str, str, str]] = set()
    for one in known:
        question = asked.get(one.question)
        if question is None:
            raise ProtocolError(
                f"A known answer is about {one.question!r}: the questions are {', '.join(asked)}."
            )
        if question.analysed is Analysed.NOTHING:
            raise ProtocolError(f"{one.question} has no right answers: leave it out.")
        low, high = _ends(question)
        if not low <= one.low <= one.high <= high:
            raise ProtocolError(
                f"The known answer {one.low:g} to {one.high:g} of {one.question} is not possible: "
                f"give a range within {low:g} to {high:g}."
            )
        if question.of_pair and not one.method:
            raise ProtocolError(
                f"The known answer of {one.question} needs the method that is to be preferred."
            )
        place = (one.case, one.question, "" if question.of_pair else one.method)
        if place in seen:
            raise ProtocolError(f"{one.question} of an image has two known answers: keep one.")
        seen.add(place)


def _ends(question: Question) -> tuple[float, float]:
    if question.of_pair:
        return 0, question.maximum
    if question.minimum < question.maximum:
        return question.minimum, question.maximum
    return (question.low, question.high) if question.low < question.high else (0, float("inf"))
