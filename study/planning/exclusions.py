"""Exclusion of a reader or a case from the analyses: a logged decision; no rating is deleted."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from study.domain.errors import StatisticsError
from study.domain.reader_codes import normalised_code
from study.storage.hash_chain import STUDY_ID, audit
from study.storage.models import Exclusion, Item, Reader


def exclude(
    session: Session,
    code: str,
    *,
    rule: str,
    reason: str,
    actor: str,
    prespecified: bool = False,
) -> None:
    """Exclude a reader (R01) or a case (C001) from the analyses.

    Parameters
    ----------
    session : Session
        Of `Store.write`.
    code : str
        Of the reader or the case.
    rule : str
        Short name of the applied rule, such as "wrong_display".
    reason : str
        The reason as a sentence, which the report prints.
    actor : str
        Name of the person who decides.
    prespecified : bool
        Whether the rule was fixed before the first rating.

    Raises
    ------
    StatisticsError
        There is no such reader or case, it is excluded already, or a text is missing.
    """
    for name, text in (("rule", rule), ("reason", reason), ("name", actor)):
        if not text.strip():
            raise StatisticsError(f"An exclusion of {code} needs a {name}: say why, and who.")
    study_id = session.info[STUDY_ID]
    kind, target = _target(session, study_id, code)
    if target is None:
        raise StatisticsError(f"This study has no reader and no case {code!r}.")
    if session.scalar(select(Exclusion.id).where(Exclusion.target_id == target)) is not None:
        raise StatisticsError(f"{code} is excluded already.")
    session.add(
        Exclusion(
            study_id=study_id,
            target_kind=kind,
            target_id=target,
            rule_code=rule.strip(),
            prespecified=prespecified,
            reason=reason.strip(),
            decided_by=actor.strip(),
        )
    )
    session.flush()
    audit(session, actor, "exclude", target=code, detail=f"{rule}: {reason}")


def _target(session: Session, study_id: str, code: str) -> tuple[str, str | None]:
    """The kind and identifier of a reader or a case; None where there is none."""
    reader = select(Reader.id).where(
        Reader.study_id == study_id, Reader.code == normalised_code(code)
    )
    if (found := session.scalar(reader)) is not None:
        return "reader", found
    item = select(Item.id).where(Item.study_id == study_id, Item.case_key == code)
    return "item", session.scalar(item)
