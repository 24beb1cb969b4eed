"""Readers by their codes, and the decisions about them after the freeze."""

from __future__ import annotations

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from study.domain.errors import StudyError
from study.domain.reader_codes import normalised_code
from study.storage.models import Consent, Reader, ReaderChange, now_after


def existing_reader(session: Session, study_id: str, code: str) -> Reader:
    """The reader with a code, as typed.

    Raises
    ------
    StudyError
        There is none.
    """
    of_study = Reader.study_id == study_id
    found = session.scalar(select(Reader).where(of_study, Reader.code == normalised_code(code)))
    if found is None:
        known = session.scalars(select(Reader.code).where(of_study).order_by(Reader.code)).all()
        there = (
            f"it has {', '.join(known)}"
            if known
            else "readers get their codes at the freeze: R01, R02, and so on, or those given there"
        )
        raise StudyError(f"There is no reader {code!r} in this study; {there}.")
    return found


def has_withdrawn(session: Session, reader_id: str) -> bool:
    """Whether a reader has withdrawn the consent, which is final."""
    gone = exists().where(Consent.reader_id == reader_id, Consent.action == "withdrawn")
    return bool(session.scalar(select(gone)))


def is_replaced(session: Session, reader_id: str) -> bool:
    """Whether another reader has taken over the plan of this one."""
    return bool(session.scalar(select(exists().where(ReaderChange.other_id == reader_id))))


def add_change(
    session: Session, reader: Reader, kind: str, text: str, actor: str, other: Reader | None = None
) -> None:
    """Store a decision about a reader.

    Parameters
    ----------
    session : Session
        Of `Store.write`.
    reader : Reader
    kind : str
        See `ReaderChange`.
    text : str
        The reason or the note.
    actor : str
        Who decides.
    other : Reader, optional
        Whose plan is taken over.
    """
    latest = select(func.max(ReaderChange.at)).where(ReaderChange.reader_id == reader.id)
    session.add(
        ReaderChange(
            reader_id=reader.id,
            kind=kind,
            other_id=None if other is None else other.id,
            text=text.strip(),
            decided_by=actor,
            at=now_after(session.scalar(latest)),
        )
    )
    session.flush()
