"""The next and the previous pair of a reader, from the plan and the stored answers."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, bindparam, case, exists, select
from sqlalchemy.orm import Session

from study.reading.qualification import is_over
from study.storage.image_events import is_skipped
from study.storage.models import ImageEvent, Presentation, RatingEvent, ReadingSession, now

Turn = tuple[Presentation, ReadingSession]
"""A pair and its session."""

_ANSWERED = exists().where(RatingEvent.presentation_id == Presentation.id)
_PLAN = (
    select(Presentation, ReadingSession)
    .join(ReadingSession, ReadingSession.id == Presentation.session_id)
    .where(ReadingSession.reader_id == bindparam("reader_id"))
    .limit(1)
)
_UPCOMING = _PLAN.where(~_ANSWERED, ~is_skipped(Presentation.id), ~is_over).order_by(
    ReadingSession.number, Presentation.position
)
_PREVIOUS = _PLAN.where(_ANSWERED).order_by(
    ReadingSession.number.desc(), Presentation.position.desc()
)
_RECENT_ROWS = 1000
_RECENT = (
    select(RatingEvent.seq, RatingEvent.presentation_id, RatingEvent.actor_id)
    .order_by(RatingEvent.seq.desc())
    .limit(_RECENT_ROWS)
    .subquery()
)
_LATEST = (
    select(ReadingSession.number, Presentation.position)
    .select_from(_RECENT)
    .join(Presentation, Presentation.id == _RECENT.c.presentation_id)
    .join(ReadingSession, ReadingSession.id == Presentation.session_id)
    .where(_RECENT.c.actor_id == bindparam("reader_id"), ~exists().select_from(ImageEvent))
    .order_by(_RECENT.c.seq.desc())
    .limit(1)
)

_Plan = Select[Presentation, ReadingSession]
Place = dict[str, int]
"""Number of a session and position of a pair in it, as the parameters of `until`."""
until: Any = case(
    (ReadingSession.number < bindparam("number"), 2**31 - 1),
    (ReadingSession.number == bindparam("number"), bindparam("position")),
    else_=-1,
)
"""SQL: the last position of a session that comes before or at a place of the plan."""
_AFTER = _UPCOMING.where(Presentation.position > until)
_BEFORE = _PREVIOUS.where(Presentation.position <= until)


def latest_place(session: Session, reader_id: str) -> Place | None:
    """Where the answers of a reader end: all pairs up to there have answers, and none after it.

    None where that is not known without a look at the complete plan: images were lost once, so that
    pairs were skipped, or the last answer of the reader was long ago. Otherwise an answer takes the
    same time however long the plan is.
    """
    found = session.execute(_LATEST, {"reader_id": reader_id}).first()
    return {"number": found[0], "position": found[1]} if found else None


def _first(session: Session, reader_id: str, wanted: _Plan, near: _Plan) -> Turn | None:
    place = latest_place(session, reader_id)
    query = wanted if place is None else near
    found = session.execute(query, {"reader_id": reader_id, **(place or {})}).first()
    return (found[0], found[1]) if found else None


def current(session: Session, reader_id: str) -> Presentation | None:
    """The pair to be answered now; None at the end, or before a session opens."""
    following = upcoming(session, reader_id)
    if following is None or not is_due(following[1]):
        return None
    return following[0]


def upcoming(session: Session, reader_id: str) -> Turn | None:
    """The first pair without answers and its session, which may not be open yet.

    Pairs with a lost or damaged image are skipped until it is restored, attempts at the
    qualification once it is passed.
    """
    return _first(session, reader_id, _UPCOMING, _AFTER)


def is_shown_and_skipped(session: Session, token: str) -> bool:
    """Whether a pair was shown before one of its images was found lost: it may be answered.

    Nobody knows the token of a pair that was not shown.
    """
    pair = select(Presentation.id).where(Presentation.token == token, is_skipped(Presentation.id))
    return session.scalar(pair) is not None


def previous(session: Session, reader_id: str) -> Presentation | None:
    """The last pair of the plan with answers, which may be corrected."""
    found = _first(session, reader_id, _PREVIOUS, _BEFORE)
    return found[0] if found else None


def is_due(reading: ReadingSession, at: str = "") -> bool:
    """Whether a session is open at a time, by default now.

    One that has begun stays open, even where the clock of the server was set back since.
    """
    begun = reading.started_at is not None or reading.not_before is None
    return begun or str(reading.not_before) <= (at or now())
