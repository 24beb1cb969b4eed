"""Answers of a reader, and their validation before anything is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from study.domain.drawings import ImageFrame
from study.domain.entries import is_storable
from study.domain.errors import AnswerError
from study.domain.protocol import Protocol
from study.domain.question_kinds import IMAGE_SLOTS, LONGEST_TEXT, Value, stored
from study.domain.questions import CANNOT_JUDGE, LEFT, PAIR, RIGHT, Question

_LONGEST_KEY = 100
_LONGEST_MS = 2**31 - 1
_SLOT_NAMES = {LEFT: "the left image", RIGHT: "the right image", PAIR: "the pair"}


@dataclass(frozen=True)
class Answer:
    """The answer to one question about one image, or about the pair.

    Parameters
    ----------
    question : str
        Code of the question.
    slot : int
        `LEFT`, `RIGHT` or `PAIR`; of a ranking one of `IMAGE_SLOTS`.
    value : int, float, str, tuple of points, or None
        A point of the scale, a number, a text, or points in image coordinates
        (`study.domain.drawings`); None means "cannot judge".
    slice_number : int, optional
        Of a drawing on a stack: the slice it is on, from 1.
    """

    question: str
    slot: int
    value: Value
    slice_number: int | None = None


@dataclass(frozen=True)
class StoredAnswer:
    """An answer as its row has it: either a number or a text, which is `CANNOT_JUDGE` or JSON."""

    question: str
    slot: int
    number: float | None
    text: str | None


def check_submission(
    key: str, visible_ms: int | None, first_ms: int | None, comment: str, reason: str | None
) -> None:
    """Validate everything in a submission but its answers.

    Raises
    ------
    AnswerError
        A key, a time or a text is not possible.
    """
    if not 8 <= len(key) <= _LONGEST_KEY or not is_storable(key):
        raise AnswerError(f"A submission needs a random key of 8 to {_LONGEST_KEY} characters.")
    for ms in (visible_ms, first_ms):
        if ms is not None and not (_is_integer(ms) and 0 <= ms <= _LONGEST_MS):
            raise AnswerError(f"A time of {ms} ms is not possible.")
    if reason is not None and not reason.strip():
        raise AnswerError("Say why you correct your answers.")
    for name, text in (("comment", comment), ("reason", reason or "")):
        if len(text) > LONGEST_TEXT:
            raise AnswerError(
                f"The {name} has {len(text)} characters: shorten it to {LONGEST_TEXT}."
            )
        if not is_storable(text):
            raise AnswerError(f"The {name} has characters that cannot be stored.")


def check_answers(
    protocol: Protocol, answers: Sequence[Answer], frame: ImageFrame
) -> tuple[StoredAnswer, ...]:
    """Validate that there is exactly one answer for each question and slot, and make their rows.

    Parameters
    ----------
    protocol : Protocol
    answers : sequence of Answer
    frame : ImageFrame
        Of the images that were shown.

    Raises
    ------
    AnswerError
        An answer is missing, double, of an unknown question, outside its scale or its image.
    """
    wanted = {(one.code, slot) for one in protocol.questions for slot in protocol.slots(one)}
    given = [(answer.question, answer.slot) for answer in answers]
    if missing := sorted(wanted - set(given)):
        code, slot = missing[0]
        raise AnswerError(f"No answer to {code} for {_slot_name(protocol, slot)}. Answer all.")
    if len(given) != len(wanted) or set(given) != wanted:
        raise AnswerError("There are answers that were not asked for. Reload the page.")
    rows = tuple(_stored(protocol, answer, frame) for answer in answers)
    for question in protocol.questions:
        if question.ranks:
            _check_ranks(question, [row.number for row in rows if row.question == question.code])
    return rows


def _check_ranks(question: Question, ranks: Sequence[float | None]) -> None:
    """Raise AnswerError where ranks are tied that may not be."""
    if not question.ties and len(set(ranks)) < len(ranks):
        raise AnswerError(f"{question.code} has no ties: give every image another rank.")


def _slot_name(protocol: Protocol, slot: int) -> str:
    return f"image {IMAGE_SLOTS.index(slot) + 1}" if protocol.ranking else _SLOT_NAMES[slot]


def _stored(protocol: Protocol, answer: Answer, frame: ImageFrame) -> StoredAnswer:
    question = protocol.question(answer.question)
    if answer.value is None:
        if not question.cannot_judge:
            raise AnswerError(f"{question.code} must be judged: choose a point of the scale.")
        return StoredAnswer(question.code, answer.slot, None, CANNOT_JUDGE)
    number, text = stored(question, answer.value, frame, answer.slice_number)
    if text is not None and not is_storable(text):
        raise AnswerError(f"The answer to {question.code} has characters that cannot be stored.")
    return StoredAnswer(question.code, answer.slot, number, text)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
