"""The end of a reading session: no pair of it is left to be shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, case, exists, select
from sqlalchemy.orm import Session, aliased

from study.domain.plan import MAIN_SESSION
from study.domain.protocol import Protocol
from study.domain.terms import Phase
from study.reading.qualification import assess
from study.storage.image_events import is_skipped
from study.storage.models import Presentation, RatingEvent, ReadingSession, stamp


def is_left(session_id: object, but: type[Presentation] | None = None) -> ColumnElement[bool]:
    """SQL: whether a session has a pair to be shown, apart from one."""
    other = aliased(Presentation)
    left = [
        other.session_id == session_id,
        ~exists().where(RatingEvent.presentation_id == other.id),
        ~is_skipped(other.id),
    ]
    if but is None:
        return exists().where(*left)
    # Nearly always one of those that follow, which are looked at first. For a result that is no
    # condition SQLite looks at both sides of OR.
    later = exists().where(*left, other.position > but.position)
    return case((later, True), else_=exists().where(*left, other.id != but.id))


def end_session(session: Session, sitting: ReadingSession, protocol: Protocol) -> None:
    """Store the end of a session, its result, and when the one after a washout opens."""
    end = datetime.now(UTC)
    sitting.finished_at = stamp(end)
    if sitting.phase == Phase.QUALIFICATION:
        assess(session, sitting, protocol)
    following = (
        select(ReadingSession)
        .where(
            ReadingSession.reader_id == sitting.reader_id,
            ReadingSession.number > sitting.number,
        )
        .order_by(ReadingSession.number)
        .limit(1)
    )
    later = session.scalar(following)
    if later is not None and later.number > MAIN_SESSION and later.not_before is None:
        days = protocol.washout_before(later.number)
        later.not_before = stamp(end + timedelta(days=days)) if days else None
    session.flush()


def end_exhausted_sessions(session: Session, protocol: Protocol) -> None:
    """End the sessions of all readers whose last pairs are skipped."""
    wanted = select(ReadingSession).where(
        ReadingSession.started_at.is_not(None),
        ReadingSession.finished_at.is_(None),
        ~is_left(ReadingSession.id),
    )
    for sitting in session.scalars(wanted).all():
        end_session(session, sitting, protocol)
