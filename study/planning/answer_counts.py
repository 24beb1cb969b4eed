"""Counts of the answers of each reader, which are kept between looks: only new rows are read."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from study.domain.questions import CANNOT_JUDGE
from study.domain.terms import Phase
from study.storage import hash_chain
from study.storage.append_log import Head
from study.storage.models import Presentation, RatingEvent, ReadingSession

_START = Head(0, hash_chain.GENESIS)
_MISSING = RatingEvent.value_text == CANNOT_JUDGE


@dataclass
class AnswerCounts:
    """What a reader has answered.

    Attributes
    ----------
    done, trained, qualifying : int
        Answered pairs of the reading sessions, of the training, and of the qualification.
    answers, missing : int
        Current answers to reading pairs, and the "cannot judge" among them.
    corrections : int
        Corrected reading pairs.
    last_at : str
        Time of the latest answer to a reading pair; empty before the first.
    seconds : float or None
        Median time that a reading pair was visible.
    """

    done: int = 0
    trained: int = 0
    qualifying: int = 0
    answers: int = 0
    missing: int = 0
    corrections: int = 0
    last_at: str = ""
    seconds: float | None = None
    visible: list[float] = field(default_factory=list, repr=False)


@dataclass
class _Counted:
    """The counts up to a row of the chain."""

    head: Head = _START
    readers: dict[str, AnswerCounts] = field(default_factory=dict)


_KEPT: WeakKeyDictionary[Engine, _Counted] = WeakKeyDictionary()
_LOCK = threading.Lock()


def answer_counts(session: Session) -> Mapping[str, AnswerCounts]:
    """The counts by reader as the session sees them."""
    engine = session.get_bind().engine
    with _LOCK:
        kept = _KEPT.setdefault(engine, _Counted())
        head = hash_chain.head(session, RatingEvent)
        if not _leads(session, kept.head):  # Another database, or an earlier state of it.
            kept = _KEPT[engine] = _Counted()
        if head.seq > kept.head.seq:
            _add(session, kept, head)
        return dict(kept.readers)


def _leads(session: Session, head: Head) -> bool:
    """Whether the chain has this row still."""
    wanted = select(RatingEvent.row_hash).where(RatingEvent.seq == head.seq)
    return head.seq == 0 or session.scalar(wanted) == head.row_hash


def _add(session: Session, kept: _Counted, head: Head) -> None:
    rows = session.execute(
        select(
            ReadingSession.reader_id,
            ReadingSession.phase,
            RatingEvent.presentation_id,
            RatingEvent.revision,
            func.count(),
            func.count().filter(_MISSING),
            func.max(RatingEvent.client_visible_ms),
            func.max(RatingEvent.server_at),
        )
        .join(Presentation, Presentation.id == RatingEvent.presentation_id)
        .join(ReadingSession, ReadingSession.id == Presentation.session_id)
        .where(RatingEvent.seq > kept.head.seq, RatingEvent.seq <= head.seq)
        .group_by(
            ReadingSession.reader_id,
            ReadingSession.phase,
            RatingEvent.presentation_id,
            RatingEvent.revision,
        )
        .execution_options(yield_per=1000)
    )
    changed = set()
    for reader, phase, pair, revision, answers, missing, visible, last in rows:
        one = kept.readers.setdefault(reader, AnswerCounts())
        if phase == Phase.TRAINING:
            one.trained += revision == 1
            continue
        if phase == Phase.QUALIFICATION:
            one.qualifying += revision == 1
            continue
        changed.add(reader)
        before = (0, 0) if revision == 1 else _of_revision(session, pair, revision - 1)
        one.answers += answers - before[0]
        one.missing += missing - before[1]
        one.last_at = max(one.last_at, last)
        one.done += revision == 1
        one.corrections += revision == 2
        if revision == 1 and visible is not None:
            one.visible.append(visible / 1000)
    for reader in changed:
        one = kept.readers[reader]
        one.visible.sort()
        one.seconds = median(one.visible) if one.visible else None
    kept.head = head


def _of_revision(session: Session, pair: str, revision: int) -> tuple[int, int]:
    """Answers, and missing ones, of an earlier revision of a pair."""
    found = session.execute(
        select(func.count(), func.count().filter(_MISSING)).where(
            RatingEvent.presentation_id == pair, RatingEvent.revision == revision
        )
    ).one()
    return found[0], found[1]
