"""The versions of a study's protocol: the one that was frozen, and amended ones."""

from __future__ import annotations

from collections.abc import Sequence
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


def amendments(session: Session) -> Sequence[ProtocolVersion]:
    """The amended protocols, in order."""
    return session.scalars(select(ProtocolVersion).order_by(ProtocolVersion.number)).all()


def current_json(session: Session, study_id: str) -> str:
    """The protocol as readers see it now."""
    return str(session.scalars(select(CURRENT_JSON).where(Study.id == study_id)).one())
