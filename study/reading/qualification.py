"""Attempts at the qualification: when one is over, what came of it, and how many are left."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from study.domain.drawings import frame_of
from study.domain.plan import QUALIFICATION_SESSION
from study.domain.protocol import Protocol
from study.domain.qualification import graded
from study.domain.question_kinds import measured
from study.domain.questions import CANNOT_JUDGE
from study.domain.terms import Phase
from study.storage.hash_chain import audit
from study.storage.models import (
    Item,
    Presentation,
    PresentationSlot,
    QualificationResult,
    Question,
    RatingEvent,
    Reader,
    ReaderChange,
    ReadingSession,
    Stimulus,
)

_attempt = aliased(ReadingSession)
_PASSED = (
    select(_attempt.id)
    .join(QualificationResult, QualificationResult.session_id == _attempt.id)
    .where(_attempt.reader_id == ReadingSession.reader_id, QualificationResult.passed)
    .correlate(ReadingSession)
)
is_over: Any = and_(
    ReadingSession.phase == Phase.QUALIFICATION,
    or_(
        exists().where(QualificationResult.session_id == ReadingSession.id),
        _PASSED.exists(),
    ),
)
"""SQL: whether a session is an attempt that has a result or is not needed any more."""


def attempt_of(sitting: ReadingSession) -> int:
    """The number of an attempt, from 1; 0 for any other session."""
    if sitting.phase != Phase.QUALIFICATION:
        return 0
    return sitting.number - QUALIFICATION_SESSION + 1


def has_qualified(session: Session, reader_id: str) -> bool:
    """Whether an attempt of a reader was passed."""
    found = (
        select(QualificationResult.id)
        .join(ReadingSession, ReadingSession.id == QualificationResult.session_id)
        .where(ReadingSession.reader_id == reader_id, QualificationResult.passed)
    )
    return session.scalar(found) is not None


def has_result(session: Session, session_id: str) -> bool:
    """Whether a session is an attempt whose result is fixed."""
    found = select(QualificationResult.id).where(QualificationResult.session_id == session_id)
    return session.scalar(found) is not None


def allowed_attempts(session: Session, reader_id: str, protocol: Protocol) -> int:
    """The attempts of the protocol, and those that a coordinator has allowed besides."""
    more = select(func.count()).where(
        ReaderChange.reader_id == reader_id, ReaderChange.kind == "attempt"
    )
    return protocol.attempts + (session.scalar(more) or 0)


def is_barred(session: Session, sitting: ReadingSession, protocol: Protocol) -> bool:
    """Whether a session that comes next is not open to the reader, who has not qualified."""
    if not protocol.qualification or sitting.phase == Phase.TRAINING:
        return False
    if sitting.phase == Phase.QUALIFICATION:
        return attempt_of(sitting) > allowed_attempts(session, sitting.reader_id, protocol)
    return not has_qualified(session, sitting.reader_id)


def assess(session: Session, sitting: ReadingSession, protocol: Protocol) -> None:
    """Store the result of an attempt that has ended, and log it."""
    if has_result(session, sitting.id):
        return
    right = _graded(session, sitting.id, protocol)
    if not right:  # All images were lost: the attempt waits until they are restored.
        return
    # In whole answers, so that 0.8 of 5 is 4 whatever 5 * 0.8 rounds to.
    passed = sum(right) >= round(protocol.pass_mark * len(right), 9)
    session.add(
        QualificationResult(
            session_id=sitting.id, correct=sum(right), asked=len(right), passed=passed
        )
    )
    code = session.get_one(Reader, sitting.reader_id).code
    outcome = "passed" if passed else "not passed"
    detail = f"attempt {attempt_of(sitting)}: {outcome}, {sum(right)} of {len(right)} right"
    audit(session, code, "qualification", target=code, detail=detail)


def _graded(session: Session, session_id: str, protocol: Protocol) -> list[bool]:
    """Whether each answer of an attempt with a known right one is right."""
    shown = session.execute(
        select(Presentation.id, Presentation.item_id, Item.window_json)
        .join(Item, Item.id == Presentation.item_id)
        .where(Presentation.session_id == session_id)
    ).all()
    found: list[bool] = []
    for pair, case, window in shown:
        methods = session.scalars(
            select(Stimulus.method_id)
            .join(PresentationSlot, PresentationSlot.stimulus_id == Stimulus.id)
            .where(PresentationSlot.presentation_id == pair)
            .order_by(PresentationSlot.slot)
        ).all()
        rows = session.execute(
            select(Question.code, RatingEvent.slot, RatingEvent.value_num, RatingEvent.value_text)
            .join(Question, Question.id == RatingEvent.question_id)
            .where(RatingEvent.presentation_id == pair)
            .order_by(RatingEvent.revision)
        )
        frame = frame_of(0, 0, window)
        answers = {
            (code, slot): measured(protocol.question(code), text, frame)
            if text and text != CANNOT_JUDGE
            else number
            for code, slot, number, text in rows
        }
        found += graded(protocol.qualification, case, methods, answers)
    return found
