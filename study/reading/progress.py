"""Progress of a reader and the length of the current sitting."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, case, exists, func, select
from sqlalchemy.orm import Session

from study.domain.screens import Progress
from study.domain.terms import Phase
from study.reading.next_pair import latest_place, until
from study.storage.image_events import is_skipped
from study.storage.models import Presentation, RatingEvent, ReadingSession

SITTING_GAP_MINUTES = 10.0
"""A pause of this length ends a sitting and restarts the time to the next break."""
TRAINING, QUALIFICATION, READING = "training", "qualification", "reading"

# Through presentations, because rating events have an index of those.
_MINE = ReadingSession.reader_id == bindparam("reader_id")
_part: Any = case(
    # Each attempt is counted by itself.
    (ReadingSession.phase == Phase.QUALIFICATION, ReadingSession.id),
    (ReadingSession.phase == Phase.TRAINING, TRAINING),
    else_=READING,
)
_ANSWERED = exists().where(RatingEvent.presentation_id == Presentation.id)
_COUNTS = (
    select(
        func.count(Presentation.id).filter(_ANSWERED | ~is_skipped(Presentation.id)),
        func.count(Presentation.id).filter(_ANSWERED),
    )
    .join(ReadingSession, ReadingSession.id == Presentation.session_id)
    .where(_MINE, _part == bindparam("part"))
)
_COUNTS_UNTIL = (
    select(
        func.count(Presentation.position),
        func.count(Presentation.position).filter(Presentation.position <= until),
    )
    .join(ReadingSession, ReadingSession.id == Presentation.session_id)
    .where(_MINE, _part == bindparam("part"))
)
_AT = (
    select(func.min(RatingEvent.server_at))
    .where(RatingEvent.presentation_id == Presentation.id)
    .scalar_subquery()
)
_MOST_PAIRS = 500
_FIRST_ANSWERS = (
    select(_AT)
    .select_from(Presentation)
    .join(ReadingSession, ReadingSession.id == Presentation.session_id)
    .where(_MINE, _ANSWERED)
    .order_by(ReadingSession.number.desc(), Presentation.position.desc())
    .limit(_MOST_PAIRS)
)
_FIRST_ANSWERS_UNTIL = _FIRST_ANSWERS.where(Presentation.position <= until)


def progress(session: Session, sitting: ReadingSession) -> Progress:
    """Numbers of pairs done and planned: of the training, an attempt, or all other sessions."""
    names = {Phase.TRAINING: TRAINING, Phase.QUALIFICATION: QUALIFICATION}
    name = names.get(Phase(sitting.phase), READING)
    values = {
        "reader_id": sitting.reader_id, "part": sitting.id if name == QUALIFICATION else name,
    }  # fmt: skip
    place = latest_place(session, sitting.reader_id)
    wanted = _COUNTS if place is None else _COUNTS_UNTIL
    total, done = session.execute(wanted, values | (place or {})).one()
    return Progress(name, done, total)


def sitting_minutes(session: Session, reader_id: str, at: datetime) -> float:
    """Minutes since the start of the current sitting; 0 after a long pause."""
    begun = at
    place = latest_place(session, reader_id)
    wanted = _FIRST_ANSWERS if place is None else _FIRST_ANSWERS_UNTIL
    times = session.scalars(wanted, {"reader_id": reader_id, **(place or {})}).all()
    for text in sorted(times, reverse=True):
        before = datetime.fromisoformat(text)
        if before > at:  # The clock was set back.
            continue
        if begun - before > timedelta(minutes=SITTING_GAP_MINUTES):
            break
        begun = before
    return round((at - begun).total_seconds() / 60, 1)
