"""Exclusion of a reader or a case from the analyses: a logged decision; no rating is deleted."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from study.domain.errors import StatisticsError
from study.domain.formatting import date_time
from study.domain.reader_codes import normalised_code
from study.storage.exclusion_log import decisions, in_force, unblinded_at
from study.storage.hash_chain import STUDY_ID, audit
from study.storage.models import Exclusion, Item, Reader, now_after


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
        Whether the rule was fixed before the first rating; not possible after the unblinding.

    Raises
    ------
    StatisticsError
        There is no such reader or case, it is excluded already, a text is missing, or the study is
        unblinded and the rule is called prespecified.
    """
    if rule.strip().lower() == Exclusion.UNDONE:
        raise StatisticsError(f"{rule.strip()!r} undoes an exclusion: give the rule another name.")
    kind, target, excluded = _checked(session, code, rule=rule, reason=reason, name=actor)
    if excluded:
        raise StatisticsError(f"{code} is excluded already.")
    unblinded = unblinded_at(session, session.info[STUDY_ID])
    if prespecified and unblinded:
        raise StatisticsError(
            f"The study was unblinded at {date_time(unblinded)}: a decision after that cannot be "
            "called prespecified. Exclude without that mark; the report says when it was decided."
        )
    _add(session, kind, target, rule, reason, actor, prespecified=prespecified)
    audit(session, actor, "exclude", target=code, detail=f"{rule}: {reason}")


def reinstate(session: Session, code: str, *, reason: str, actor: str) -> None:
    """Undo the exclusion of a reader or a case by a second record; the first one stays.

    Parameters
    ----------
    session : Session
        Of `Store.write`.
    code : str
        Of the reader or the case.
    reason : str
        The reason as a sentence, which the report prints.
    actor : str
        Name of the person who decides.

    Raises
    ------
    StatisticsError
        There is no such reader or case, it is not excluded, or a text is missing.
    """
    kind, target, excluded = _checked(session, code, reason=reason, name=actor)
    if not excluded:
        raise StatisticsError(f"{code} is not excluded: there is nothing to undo.")
    _add(session, kind, target, Exclusion.UNDONE, reason, actor)
    audit(session, actor, "reinstate", target=code, detail=reason)


def _checked(session: Session, code: str, **texts: str) -> tuple[str, str, bool]:
    """Kind and identifier of the target, and whether it is excluded now."""
    for name, text in texts.items():
        if not text.strip():
            raise StatisticsError(f"An exclusion of {code} needs a {name}: say why, and who.")
    study_id = session.info[STUDY_ID]
    kind, target = _target(session, study_id, code)
    if target is None:
        raise StatisticsError(f"This study has no reader and no case {code!r}.")
    return kind, target, target in in_force(decisions(session, study_id))


def _add(
    session: Session,
    kind: str,
    target: str,
    rule: str,
    reason: str,
    actor: str,
    *,
    prespecified: bool = False,
) -> None:
    latest = select(func.max(Exclusion.decided_at)).where(Exclusion.target_id == target)
    session.add(
        Exclusion(
            study_id=session.info[STUDY_ID],
            target_kind=kind,
            target_id=target,
            rule_code=rule.strip(),
            prespecified=prespecified,
            reason=reason.strip(),
            decided_by=actor.strip(),
            decided_at=now_after(session.scalar(latest)),
        )
    )
    session.flush()


def _target(session: Session, study_id: str, code: str) -> tuple[str, str | None]:
    """The kind and identifier of a reader or a case; None where there is none."""
    reader = select(Reader.id).where(
        Reader.study_id == study_id, Reader.code == normalised_code(code)
    )
    if (found := session.scalar(reader)) is not None:
        return "reader", found
    item = select(Item.id).where(Item.study_id == study_id, Item.case_key == code)
    return "item", session.scalar(item)
