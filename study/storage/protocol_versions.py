"""The versions of a study's protocol: the one that was frozen, and amended ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from study.storage.models import ProtocolVersion, Study

CURRENT_JSON: Any = func.coalesce(
    select(ProtocolVersion.protocol_json)
    .where(ProtocolVersion.study_id == Study.id)
    .order_by(ProtocolVersion.number.desc())
    .limit(1)
    .correlate(Study)
    .scalar_subquery(),
    Study.protocol_json,
)
"""SQL: the protocol of a study as readers see it now."""
CURRENT_NUMBER: Any = (
    select(func.count() + 1)
    .select_from(ProtocolVersion)
    .where(ProtocolVersion.study_id == Study.id)
    .correlate(Study)
    .scalar_subquery()
)
"""SQL: the number of that version; 1 is the one that was frozen."""


@dataclass(frozen=True)
class VersionRecord:
    """A version of the protocol: 1 is the frozen one, the others are amendments."""

    number: int
    sha256: str
    changes: str
    reason: str
    decided_by: str
    at: str


def history(session: Session, study: Study) -> tuple[VersionRecord, ...]:
    """The frozen protocol and its amendments; empty where there are none."""
    later = tuple(
        VersionRecord(
            one.number, one.protocol_sha256, one.changes, one.reason, one.decided_by, one.at
        )
        for one in amendments(session)
    )
    first = VersionRecord(1, study.protocol_sha256, "", "", "", study.frozen_at or "")
    return (first, *later) if later else ()


def amendments(session: Session) -> Sequence[ProtocolVersion]:
    """The amended protocols, in order."""
    return session.scalars(select(ProtocolVersion).order_by(ProtocolVersion.number)).all()


def current_json(session: Session, study_id: str) -> str:
    """The protocol as readers see it now."""
    return str(session.scalars(select(CURRENT_JSON).where(Study.id == study_id)).one())
