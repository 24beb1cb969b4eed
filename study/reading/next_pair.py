"""The next and the previous pair of a reader, from the plan and the stored answers."""

from __future__ import annotations

from sqlalchemy import bindparam, exists, select
from sqlalchemy.orm import Session

from study.storage.image_events import is_skipped
from study.storage.models import Presentation, RatingEvent, ReadingSession, now

Turn = tuple[Presentation, ReadingSession]
"""A pair and its session."""

_ANSWERED = exists().where(RatingEvent.presentation_id == Presentation.id)
_PLAN = (
    select(Presentation, ReadingSession)
    .join(ReadingSession, ReadingSession.id == Presentation.session_id)
    .where(ReadingSession.reader_id == bindparam("reader_id"))
    .limit(1)
)
_UPCOMING = _PLAN.where(~_ANSWERED, ~is_skipped(Presentation.id)).order_by(
    ReadingSession.number, Presentation.position
)
_PREVIOUS = _PLAN.where(_ANSWERED).order_by(
    ReadingSession.number.desc(), Presentation.position.desc()
)


def current(session: Session, reader_id: str) -> Presentation | None:
    """The pair to be answered now; None at the end, or before a session opens."""
    following = upcoming(session, reader_id)
    if following is None or not is_due(following[1]):
        return None
    return following[0]


def upcoming(session: Session, reader_id: str) -> Turn | None:
    """The first pair without answers and its session, which may not be open yet.

    Pairs with a lost or damaged image are skipped until it is restored.
    """
    found = session.execute(_UPCOMING, {"reader_id": reader_id}).first()
    return (found[0], found[1]) if found else None


def is_shown_and_skipped(session: Session, token: str) -> bool:
    """Whether a pair was shown before one of its images was found lost: it may be answered.

    Nobody knows the token of a pair that was not shown.
    """
    pair = select(Presentation.id).where(Presentation.token == token, is_skipped(Presentation.id))
    return session.scalar(pair) is not None


def previous(session: Session, reader_id: str) -> Presentation | None:
    """The last pair of the plan with answers, which may be corrected."""
    found = session.execute(_PREVIOUS, {"reader_id": reader_id}).first()
    return found[0] if found else None


def is_due(reading: ReadingSession, at: str = "") -> bool:
    """Whether a session is open at a time, by default now.

    One that has begun stays open, even where the clock of the server was set back since.
    """
    begun = reading.started_at is not None or reading.not_before is None
    return begun or str(reading.not_before) <= (at or now())
