"""Hash chains over ratings and audit events, so that a change afterwards shows.

The hash of a row is the SHA-256 of the hash before it and of its own columns as canonical JSON.
Who can write the database can also compute a new chain: the mirror, or a backup, tells then.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping, Table, insert, select
from sqlalchemy.orm import Session

from study.mirror import Head, Line
from study.models import AuditEvent, RatingEvent, new_id, now

GENESIS = "0" * 64
"""Stands for the hash before the first row."""
CHANGED = "chained"
"""Key in `Session.info`: rows were appended that the mirror needs."""
STUDY_ID = "study_id"
"""Key in `Session.info`: the study."""
_MODELS: tuple[type[RatingEvent | AuditEvent], ...] = (RatingEvent, AuditEvent)


def tables() -> tuple[Table, ...]:
    """The chained tables."""
    return tuple(_table(model) for model in _MODELS)


def _table(model: type[RatingEvent | AuditEvent]) -> Table:
    table = model.__table__
    assert isinstance(table, Table)
    return table


def canonical(row: Mapping[str, Any]) -> str:
    """The columns of a row but its hash: the same row gives the same text on every database."""
    columns = {name: value for name, value in row.items() if name != "row_hash"}
    return json.dumps(columns, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def row_hash(row: Mapping[str, Any]) -> str:
    """SHA-256 of a row and the one before, as hex."""
    text = f"{row['prev_hash']}\n{canonical(row)}"
    return hashlib.sha256(text.encode()).hexdigest()


def append(
    session: Session,
    model: type[RatingEvent | AuditEvent],
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Add rows at the end of a chain.

    Parameters
    ----------
    session : Session
        Of `Store.write`, which lets one transaction at a time write.
    model : RatingEvent or AuditEvent
    rows : sequence of mapping
        Columns; those that make the chain, the identifier and the time are filled in.
    """
    table = _table(model)
    session.flush()
    last = session.execute(
        select(table.c.seq, table.c.row_hash).order_by(table.c.seq.desc()).limit(1)
    ).first()
    seq, before = (last.seq, last.row_hash) if last else (0, GENESIS)
    time, complete = now(), []
    for seq_now, row in enumerate(rows, start=seq + 1):
        full = dict.fromkeys(table.c.keys())
        full |= {"id": new_id(), "server_at": time, "seq": seq_now, "prev_hash": before, **row}
        before = full["row_hash"] = row_hash(full)
        complete.append(full)
    session.execute(insert(table), complete)
    session.info[CHANGED] = True


def audit(session: Session, actor: str, action: str, target: str = "", detail: str = "") -> None:
    """Log who did what.

    Parameters
    ----------
    session : Session
        Of `Store.write`.
    actor : str
        A reader's code, or the name a coordinator goes by.
    action : str
        A short verb, such as "freeze".
    target, detail : str
        What it was done to, and more.
    """
    event = {
        "study_id": session.info[STUDY_ID],
        "actor": actor,
        "action": action,
        "target": target,
        "detail": detail,
    }
    append(session, AuditEvent, [event])


def head(session: Session, model: type[RatingEvent | AuditEvent]) -> Head:
    """The end of a chain; 0 and `GENESIS` where it is empty."""
    last = session.execute(
        select(model.seq, model.row_hash).order_by(model.seq.desc()).limit(1)
    ).first()
    return Head(last.seq, last.row_hash) if last else Head(0, GENESIS)


def rows(session: Session, table: Table, after: int = 0) -> Iterator[RowMapping]:
    """The rows of a chained table in order, after the one with this number."""
    wanted = select(table).where(table.c.seq > after).order_by(table.c.seq)
    yield from session.execute(wanted.execution_options(yield_per=1000)).mappings()


def line(table: Table, row: RowMapping) -> Line:
    """A row as a line of the mirror."""
    return Line(table.name, row["seq"], row["row_hash"], canonical(dict(row)))


def lines_after(session: Session, heads: Mapping[str, Head]) -> Iterator[Line]:
    """What a mirror that ends at these lines has not got yet."""
    for table in tables():
        last = heads.get(table.name)
        for row in rows(session, table, last.seq if last else 0):
            yield line(table, row)
