"""Consent of readers: events that are added and never changed; a withdrawal is final."""

from __future__ import annotations

import hashlib

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from study.domain.protocol import Protocol
from study.storage.models import Consent

_LAST = (
    select(Consent)
    .where(Consent.reader_id == bindparam("reader_id"))
    .order_by((Consent.action == "withdrawn").desc(), Consent.at.desc())
    .limit(1)
)


def consent_digest(protocol: Protocol) -> str:
    """SHA-256 of the consent text, as hex."""
    return hashlib.sha256(protocol.consent.encode()).hexdigest()


def last_consent(session: Session, reader_id: str) -> Consent | None:
    """The reader's withdrawal, or else the latest consent."""
    return session.scalar(_LAST, {"reader_id": reader_id})


def accept(session: Session, reader_id: str, text_sha256: str) -> None:
    """Store a reader's consent to the text with this hash."""
    session.add(Consent(reader_id=reader_id, action="accepted", text_sha256=text_sha256))
    session.flush()


def withdraw(session: Session, reader_id: str, text_sha256: str) -> None:
    """Store a withdrawal: the reader cannot rate any more, and analyses leave the ratings out."""
    session.add(Consent(reader_id=reader_id, action="withdrawn", text_sha256=text_sha256))
    session.flush()
