"""Sessions of repeats that an amendment adds to plans which are fixed.

The plans of the freeze stay as they are, with their digest. Each reader gets a session after all
others: main pairs once more that no repeat shows yet, drawn from the master seed by a stream of the
reader and the session, so that it can be drawn again. The database keeps who added it and why, and
the digest of the session (`ReaderChange`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from study.domain.errors import ProtocolError
from study.domain.formatting import plural
from study.domain.plan import Trial, plan_digest
from study.domain.protocol import Protocol
from study.domain.terms import Role
from study.planning.assignment import repeat_session
from study.planning.plan_rows import write_plan
from study.planning.seeds import SHARED, generator
from study.storage.hash_chain import audit
from study.storage.key import Key
from study.storage.models import Item, Presentation, Reader, ReadingSession, Stimulus, stamp
from study.storage.plan_check import stored_plans
from study.storage.reader_rows import add_change, has_withdrawn, is_replaced
from study.storage.store import Store


def add_repeat_session(
    store: Store,
    session: Session,
    key: Key,
    protocol: Protocol,
    place: int,
    *,
    reason: str,
    actor: str,
) -> None:
    """Add a session to the plan of every reader who has not withdrawn and was not replaced.

    Parameters
    ----------
    store : Store
    session : Session
        Of `Store.write`.
    key : Key
        Of the study, with its seed.
    protocol : Protocol
        The amended one.
    place : int
        Of the session in `repeat_sessions`.
    reason, actor : str
        Why, and who decides.

    Raises
    ------
    ProtocolError
        No reader has that many pairs which are not repeated yet.
    """
    readers = session.scalars(
        select(Reader).where(Reader.study_id == store.study_id).order_by(Reader.code)
    )
    most = 0
    for reader in readers.all():
        if not has_withdrawn(session, reader.id) and not is_replaced(session, reader.id):
            added = extend_plan(
                store, session, key, reader, protocol, place, reason=reason, actor=actor
            )
            most = max(most, len(added))
    wanted = protocol.repeat_sessions[place].repeats
    if most < wanted:
        raise ProtocolError(
            f"The added session has {wanted} repeats, but readers have {most} main pairs that are "
            "not repeated yet: give at most that many."
        )
    number = protocol.planned_sessions + place + 1
    words = protocol.repeat_sessions[place].words
    audit(session, actor, "add session", target=f"session {number}", detail=words)


def extend_plan(
    store: Store,
    session: Session,
    key: Key,
    reader: Reader,
    protocol: Protocol,
    place: int,
    *,
    reason: str,
    actor: str,
) -> tuple[Trial, ...]:
    """Add a session to the plan of one reader; see `add_repeat_session`."""
    number = protocol.planned_sessions + place + 1
    added = protocol.repeat_sessions[place]
    patients = dict(session.execute(select(Item.id, Item.patient_key)).all())
    purpose = f"added repeats {reader.id}"
    trials = repeat_session(
        stored_plans(session).get(reader.id, ()), patients, added.repeats, number,
        generator(key.seed, store.study_id, SHARED, number, purpose),
    )  # fmt: skip
    if not trials:
        return ()
    end = ended_before(session, reader.id, number)
    add_change(session, reader, "extended", f"session {number}: {reason.strip()}", actor)
    stimuli = session.scalars(select(Stimulus)).all()
    named = {(one.item_id, one.method_id): one.id for one in stimuli}
    mains = session.execute(
        select(ReadingSession.number, Presentation.position, Presentation.id)
        .join(ReadingSession, ReadingSession.id == Presentation.session_id)
        .where(ReadingSession.reader_id == reader.id, Presentation.role == Role.MAIN)
    )
    write_plan(session, reader.id, trials, named, {(n, place): one for n, place, one in mains})
    held = f"session {number}: {plural(len(trials), 'repeat')}; SHA-256 {plan_digest(trials)}"
    add_change(session, reader, "planned", held, actor)
    if end is not None and added.washout_days:
        row = session.scalars(
            select(ReadingSession).where(
                ReadingSession.reader_id == reader.id, ReadingSession.number == number
            )
        ).one()
        row.not_before = stamp(end + timedelta(days=added.washout_days))
    return trials


def ended_before(session: Session, reader_id: str, number: int) -> datetime | None:
    """When the session before this one has ended; None where it has not, or there is none."""
    before = session.scalars(
        select(ReadingSession)
        .where(ReadingSession.reader_id == reader_id, ReadingSession.number < number)
        .order_by(ReadingSession.number.desc())
        .limit(1)
    ).first()
    if before is None or before.finished_at is None:
        return None
    return datetime.fromisoformat(before.finished_at)
