"""Records of what readers read on, and of what they did with the images."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from study.analysis.observations import pair_label
from study.analysis.records import DisplayRecord, EventRecord
from study.domain.terms import Phase
from study.storage.models import (
    DisplayCheck,
    InteractionEvent,
    Presentation,
    Reader,
    ReadingSession,
)

_DEVICE_LETTERS = 8


def displays(session: Session, readers: Mapping[str, Reader]) -> Iterator[DisplayRecord]:
    """The display checks of some readers in the order of time, without skipped ones.

    Parameters
    ----------
    session : Session
    readers : mapping
        Readers by identifier.
    """
    rows = select(DisplayCheck).where(DisplayCheck.reader_id.in_(list(readers)))
    for one in session.scalars(rows.order_by(DisplayCheck.at)):
        found = json.loads(one.detail_json)
        if DisplayCheck.SKIPPED in found:
            continue
        yield DisplayRecord(
            reader=readers[one.reader_id].code,
            at=one.at,
            passed=one.passed,
            patches_seen=sum(found["seen"]),
            patches=len(found["seen"]),
            ends_seen=found["ends_seen"],
            dim_room=found["dim_room"],
            carry_on=found["carry_on"],
            width=found["width"],
            height=found["height"],
            screen_width=found["screen_width"],
            screen_height=found["screen_height"],
            colour_depth=found["colour_depth"],
            ratio=float(found["ratio"]),
            device=str(found.get("device", {}).get("id", ""))[:_DEVICE_LETTERS],
        )


def events(session: Session, readers: Mapping[str, Reader]) -> Iterator[EventRecord]:
    """The interactions of some readers with images of the study, by reader in the order of time.

    Parameters
    ----------
    session : Session
    readers : mapping
        Readers by identifier.
    """
    rows = session.execute(
        select(
            ReadingSession.reader_id,
            ReadingSession.number,
            Presentation.position,
            InteractionEvent.at_ms,
            InteractionEvent.kind,
            InteractionEvent.payload,
        )
        .join(Presentation, Presentation.id == InteractionEvent.presentation_id)
        .join(ReadingSession, ReadingSession.id == Presentation.session_id)
        .where(
            ReadingSession.reader_id.in_(list(readers)),
            ReadingSession.phase != Phase.QUALIFICATION,
        )
    )
    found = [
        (readers[reader].code, number, position, at, kind, payload)
        for reader, number, position, at, kind, payload in rows
    ]
    for code, number, position, at, kind, payload in sorted(found):
        yield EventRecord(code, pair_label(code, number, position), at, kind, payload)
