"""The plan of every reader as it is in the database, against the digests fixed when it was made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import literal_column, select
from sqlalchemy.orm import Session

from study.domain.plan import Trial, plan_digest, sides
from study.domain.terms import Phase, Role
from study.storage.models import (
    Presentation,
    PresentationSlot,
    Reader,
    ReaderChange,
    ReadingSession,
    Stimulus,
    Study,
)

_PHASES, _ROLES = {one.value: one for one in Phase}, {one.value: one for one in Role}
_DIGEST = re.compile(r"SHA-256 ([0-9a-f]{64})")


_ADDED = re.compile(r"session (\d+): ")


def plan_problems(session: Session, study: Study) -> Iterator[str]:
    """Sentences about plans that are not those that were fixed; nothing for a draft."""
    plans = stored_plans(session)
    late: dict[str, str] = {}
    codes = dict(session.execute(select(Reader.id, Reader.code)).all())
    for reader, text in session.execute(
        select(ReaderChange.reader_id, ReaderChange.text).where(ReaderChange.kind == "planned")
    ):
        added = _ADDED.match(text)
        if added is None:
            late[reader] = text
            continue
        number, fixed = int(added[1]), _DIGEST.search(text)
        own = [trial for trial in plans.get(reader, []) if trial.session == number]
        plans[reader] = [trial for trial in plans.get(reader, []) if trial.session != number]
        if fixed is not None and plan_digest(own) != fixed[1]:
            yield f"Session {number} of {codes[reader]} was changed: its SHA-256 is another one."
    for reader, text in late.items():
        fixed = _DIGEST.search(text)
        if fixed is not None and plan_digest(plans.get(reader, [])) != fixed[1]:
            yield f"The plan of {codes[reader]} was changed: its SHA-256 is another one."
    if study.plan_sha256 is None:
        return
    planned = [reader for reader in codes if reader not in late]
    orders = {tuple(_as_written(session, planned)), tuple(sorted(planned, key=codes.__getitem__))}
    found = {
        plan_digest(trial for reader in order for trial in plans.get(reader, []))
        for order in orders
    }
    if study.plan_sha256 not in found:
        yield (
            "The plan of the readers was changed: its SHA-256 is not the one fixed at the freeze, "
            f"{study.plan_sha256}."
        )


def stored_plans(session: Session) -> dict[str, list[Trial]]:
    """The trials of each reader, by identifier, in the order of the plan."""
    of_stimulus = dict(session.execute(select(Stimulus.id, Stimulus.method_id)).all())
    shown: dict[str, list[tuple[int, str]]] = {}
    for pair, slot, stimulus in session.execute(
        select(
            PresentationSlot.presentation_id, PresentationSlot.slot, PresentationSlot.stimulus_id
        ).execution_options(yield_per=1000)
    ):
        if stimulus in of_stimulus:
            shown.setdefault(pair, []).append((slot, of_stimulus[stimulus]))
    rows = session.execute(
        select(
            Presentation.id,
            Presentation.position,
            Presentation.item_id,
            Presentation.role,
            Presentation.repeat_of,
            ReadingSession.reader_id,
            ReadingSession.number,
            ReadingSession.phase,
        )
        .join(ReadingSession, ReadingSession.id == Presentation.session_id)
        .order_by(ReadingSession.reader_id, ReadingSession.number, Presentation.position)
    ).all()
    places = {row[0]: row[1] for row in rows}
    plans: dict[str, list[Trial]] = {}
    for pair, position, case, role, repeat_of, reader, number, phase in rows:
        plans.setdefault(reader, []).append(
            Trial(
                position=position,
                session=number,
                phase=_PHASES[phase],
                case=case,
                role=_ROLES[role],
                repeat_of=places.get(repeat_of or ""),
                **sides([method for _, method in sorted(shown.pop(pair, ()))]),
            )
        )
    return plans


def _as_written(session: Session, readers: Sequence[str]) -> list[str]:
    """Readers in the order in which the freeze wrote their plans, which their codes need not be."""
    place: Any = literal_column(
        "presentation.ctid"
        if session.connection().dialect.name == "postgresql"
        else "presentation.rowid"
    )
    wanted = select(ReadingSession.reader_id).join(
        Presentation, Presentation.session_id == ReadingSession.id
    )
    return [one for one in dict.fromkeys(session.scalars(wanted.order_by(place))) if one in readers]
