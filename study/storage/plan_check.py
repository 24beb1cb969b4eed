"""The plan of every reader as it is in the database, against the digests fixed when it was made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import groupby
from typing import Any

import orjson
from sqlalchemy import literal_column, select
from sqlalchemy.orm import Session

from study.domain.plan import Trial, sides
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

_DIGEST = re.compile(r"SHA-256 ([0-9a-f]{64})")
_ADDED = re.compile(r"session (\d+): ")


def plan_problems(session: Session, study: Study) -> Iterator[str]:
    """Sentences about plans that are not those that were fixed; nothing for a draft."""
    plans: dict[str, dict[int, bytes]] = {}
    for (reader, number), trials in groupby(
        _trials(session), lambda one: (one[0], one[1]["session"])
    ):
        plans.setdefault(reader, {})[number] = b",".join(_json(trial) for _, trial in trials)
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
        own = plans.get(reader, {}).pop(number, b"")
        if fixed is not None and _digest([own]) != fixed[1]:
            yield f"Session {number} of {codes[reader]} was changed: its SHA-256 is another one."
    for reader, text in late.items():
        fixed = _DIGEST.search(text)
        if fixed is not None and _digest(plans.get(reader, {}).values()) != fixed[1]:
            yield f"The plan of {codes[reader]} was changed: its SHA-256 is another one."
    if study.plan_sha256 is None:
        return
    planned = [reader for reader in codes if reader not in late]

    def is_fixed(order: Sequence[str]) -> bool:
        found = _digest(part for reader in order for part in plans.get(reader, {}).values())
        return found == study.plan_sha256

    by_code = sorted(planned, key=codes.__getitem__)
    if not is_fixed(by_code) and not is_fixed(_as_written(session, planned)):
        yield (
            "The plan of the readers was changed: its SHA-256 is not the one fixed at the freeze, "
            f"{study.plan_sha256}."
        )


def _json(trial: dict[str, Any]) -> bytes:
    """As `plan_digest` hashes it."""
    if not trial["others"]:
        del trial["others"]
    return orjson.dumps(trial, option=orjson.OPT_SORT_KEYS)


def _digest(sessions: Iterable[bytes]) -> str:
    """As `plan_digest`, of trials as JSON."""
    return sha256(b"[%s]" % b",".join(filter(None, sessions))).hexdigest()


def stored_plans(session: Session) -> dict[str, list[Trial]]:
    """The trials of each reader, by identifier, in the order of the plan."""
    plans: dict[str, list[Trial]] = {}
    for reader, trial in _trials(session):
        kind = {"phase": Phase(trial["phase"]), "role": Role(trial["role"])}
        plans.setdefault(reader, []).append(Trial(**trial | kind))
    return plans


def _trials(session: Session) -> Iterator[tuple[str, dict[str, Any]]]:
    """The reader and the fields of each `Trial`, in the order of readers and plans."""
    connection = session.connection()  # Rows as they are: there are many.
    of_stimulus = dict(connection.execute(select(Stimulus.id, Stimulus.method_id)).all())
    shown: dict[str, list[tuple[int, str]]] = {}
    for pair, slot, stimulus in connection.execute(
        select(
            PresentationSlot.presentation_id, PresentationSlot.slot, PresentationSlot.stimulus_id
        ).execution_options(yield_per=1000)
    ):
        if stimulus in of_stimulus:
            shown.setdefault(pair, []).append((slot, of_stimulus[stimulus]))
    rows = connection.execute(
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
    for pair, position, case, role, repeat_of, reader, number, phase in rows:
        trial = {
            "position": position,
            "session": number,
            "phase": phase,
            "case": case,
            "role": role,
            "repeat_of": places.get(repeat_of or ""),
        }
        trial |= sides([method for _, method in sorted(shown.pop(pair, ()))])
        yield reader, trial


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
