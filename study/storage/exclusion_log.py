"""The decisions on exclusions: which are in force, and which can be called prespecified."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from study.domain.terms import Status
from study.storage.models import AuditEvent, Exclusion


def decisions(session: Session, study_id: str) -> tuple[Exclusion, ...]:
    """All decisions of a study in the order of time."""
    return tuple(
        session.scalars(
            select(Exclusion)
            .where(Exclusion.study_id == study_id)
            .order_by(Exclusion.decided_at, Exclusion.id)
        )
    )


def in_force(found: Iterable[Exclusion]) -> dict[str, Exclusion]:
    """The last exclusion of each target that is not undone, by the identifier of the target."""
    balance: Counter[str] = Counter()
    last: dict[str, Exclusion] = {}
    for one in found:
        if one.rule_code == Exclusion.UNDONE:
            balance[one.target_id] -= 1
        else:
            balance[one.target_id] += 1
            last[one.target_id] = one
    return {target: one for target, one in last.items() if balance[target] > 0}


def unblinded_at(session: Session, study_id: str) -> str:
    """When a study was unblinded; empty before that."""
    found = session.scalar(
        select(func.min(AuditEvent.server_at)).where(
            AuditEvent.study_id == study_id, AuditEvent.action == Status.UNBLINDED
        )
    )
    return found or ""


def prespecified(decision: Exclusion, unblinded: str) -> bool:
    """Whether the rule of a decision was fixed before the first rating.

    A decision after the unblinding, at the time `unblinded`, cannot be called so.
    """
    return decision.prespecified and not (unblinded and decision.decided_at >= unblinded)
