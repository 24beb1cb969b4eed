"""A small open study without images, for tests and benches."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from study.domain.answers import Answer
from study.domain.plan import QUALIFICATION_SESSION
from study.domain.protocol import Protocol
from study.domain.questions import PAIR
from study.domain.terms import Status
from study.planning.plan_rows import stored_kind
from study.storage.models import (
    Consent,
    Item,
    Method,
    Presentation,
    PresentationSlot,
    Question,
    Reader,
    ReadingSession,
    Stimulus,
    new_id,
)
from study.storage.store import Store

SEED_SHA256 = "5" * 64


def tiny_study(
    folder: Path,
    *,
    readers: int = 2,
    pairs: int = 6,
    training: int = 0,
    repeats: int = 0,
    qualification: int = 0,
    consent: bool = True,
    status: Status = Status.OPEN,
    protocol: Protocol | None = None,
    url: str | None = None,
    mirror: Path | None = None,
) -> Store:
    """Make a study of two methods.

    Parameters
    ----------
    folder : Path
    readers, pairs : int
        Readers R01, R02, ...; each has so many main pairs in session 1.
    training, repeats : int
        Pairs in a session 0 before, and in a session 2 after.
    qualification : int
        Pairs of an attempt at the qualification, which the last reader has.
    consent : bool
        Whether the readers have agreed.
    status : Status
        How far the study has come.
    protocol : Protocol, optional
    url, mirror
        See `Store.create`.
    """
    protocol = protocol or Protocol(readers=readers)
    store = Store.create(
        folder, protocol=protocol, code="TINY", seed_sha256=SEED_SHA256, url=url, mirror=mirror
    )
    with store.write() as session:
        session.add_all(_questions(store.study_id, protocol))
        items = _cases(session, store.study_id, max(pairs, training, repeats))
        for number in range(1, readers + 1):
            reader = Reader(id=new_id(), study_id=store.study_id, code=f"R{number:02d}")
            session.add(reader)
            session.flush()
            if consent:
                session.add(Consent(reader_id=reader.id, action="accepted", text_sha256="c" * 64))
            parts = (("training", training), ("main", pairs), ("repeat", repeats))
            for place, (phase, count) in enumerate(parts):
                if count:
                    _plan(session, reader.id, place, phase, items[:count])
            if qualification and number == readers:
                first, phase = QUALIFICATION_SESSION, "qualification"
                _plan(session, reader.id, first, phase, items[:qualification])
        for step in tuple(Status)[1:]:
            if store.status_in(session) != status:
                store.set_status(session, step, "coordinator")
    return store


def tiny_answers(protocol: Protocol, value: int | None = 3) -> tuple[Answer, ...]:
    """The same value for every image, and no preference."""
    return tuple(
        Answer(question.code, slot, 0 if slot == PAIR else value)
        for question in protocol.questions
        for slot in question.slots
    )


def reader_ids(session: Session) -> list[str]:
    """Identifiers of R01, R02, ..."""
    return list(session.scalars(select(Reader.id).order_by(Reader.code)))


def tokens(session: Session, reader_id: str) -> list[str]:
    """Tokens of a reader's presentations in the order of the plan."""
    wanted = (
        select(Presentation.token)
        .join(ReadingSession, ReadingSession.id == Presentation.session_id)
        .where(ReadingSession.reader_id == reader_id)
        .order_by(ReadingSession.number, Presentation.position)
    )
    return list(session.scalars(wanted))


def _questions(study_id: str, protocol: Protocol) -> list[Question]:
    return [
        Question(
            study_id=study_id,
            code=one.code,
            text=one.text,
            kind=stored_kind(one),
            minimum=one.minimum,
            maximum=one.maximum,
            anchors_json="[]",
            cannot_judge=one.cannot_judge,
            is_primary=one.primary,
            display_order=order,
        )
        for order, one in enumerate(protocol.questions)
    ]


def _cases(session: Session, study_id: str, count: int) -> list[tuple[Item, Stimulus, Stimulus]]:
    methods = [Method(id=new_id(), study_id=study_id, mask=f"M{n}") for n in (1, 2)]
    session.add_all(methods)
    session.flush()
    cases = []
    for number in range(1, count + 1):
        item = Item(
            id=new_id(),
            study_id=study_id,
            case_key=f"C{number:03d}",
            patient_key=f"P{number:03d}",
            modality="CT",
            window_json="{}",
        )
        left, right = (_stimulus(item.id, method.id) for method in methods)
        session.add_all((item, left, right))
        cases.append((item, left, right))
    session.flush()
    return cases


def _stimulus(item_id: str, method_id: str) -> Stimulus:
    return Stimulus(
        id=new_id(),
        item_id=item_id,
        method_id=method_id,
        file=f"{new_id()}.raw",
        pixel_sha256="0" * 64,
        width=1,
        height=1,
        channels=1,
        deid_check="synthetic",
    )


def _plan(
    session: Session,
    reader_id: str,
    number: int,
    phase: str,
    cases: list[tuple[Item, Stimulus, Stimulus]],
) -> None:
    reading = ReadingSession(id=new_id(), reader_id=reader_id, number=number, phase=phase)
    session.add(reading)
    session.flush()
    for position, (item, *sides) in enumerate(cases, start=1):
        shown = Presentation(
            id=new_id(), session_id=reading.id, item_id=item.id, position=position, role=phase
        )
        session.add(shown)
        session.flush()
        session.add_all(
            PresentationSlot(presentation_id=shown.id, slot=slot, stimulus_id=side.id)
            for slot, side in enumerate(sides)
        )
