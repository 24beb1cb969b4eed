"""Hash chains over ratings and audit events, which reveal later changes.

The hash of a row is the SHA-256 of the previous hash and of its own columns as canonical JSON.
Whoever can write the database can also compute a new chain: the append log or a backup shows that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping, Table, bindparam, insert, select
from sqlalchemy.orm import Session

from study.domain.errors import LogConflict
from study.storage.append_log import Head, Line
from study.storage.models import AuditEvent, Base, RatingEvent, new_id, now

GENESIS = "0" * 64
"""Hash before the first row."""
CHANGED = "chained"
"""Key in `Session.info`: the tables with rows that the append log needs."""
STUDY_ID = "study_id"
"""Key in `Session.info`: the identifier of the study."""
TABLES = tuple(Base.metadata.tables[one.__tablename__] for one in (RatingEvent, AuditEvent))
"""The chained tables."""
_LAST = {
    table.name: select(table.c.seq, table.c.row_hash).order_by(table.c.seq.desc()).limit(1)
    for table in TABLES
}
_FROM = {
    table.name: select(table).where(table.c.seq >= bindparam("first")).order_by(table.c.seq)
    for table in TABLES
}


def canonical(row: Mapping[str, Any]) -> str:
    """The columns of a row except its hash, as JSON that is the same on every database."""
    columns = {name: value for name, value in row.items() if name != "row_hash"}
    return json.dumps(columns, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def row_hash(row: Mapping[str, Any]) -> str:
    """SHA-256 of the previous hash and a row, as hex."""
    text = f"{row['prev_hash']}\n{canonical(row)}"
    return hashlib.sha256(text.encode()).hexdigest()


def append(
    session: Session,
    model: type[RatingEvent | AuditEvent],
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Append rows to a chain.

    Parameters
    ----------
    session : Session
        Of `Store.write`, which serialises transactions.
    model : RatingEvent or AuditEvent
    rows : sequence of mapping
        Columns; the chain, the identifier and the time are filled in.
    """
    table = Base.metadata.tables[model.__tablename__]
    session.flush()
    last = head(session, model)
    time, before, complete = now(), last.row_hash, []
    for seq, row in enumerate(rows, start=last.seq + 1):
        full = dict.fromkeys(table.c.keys())
        full |= {"id": new_id(), "server_at": time, "seq": seq, "prev_hash": before, **row}
        before = full["row_hash"] = row_hash(full)
        complete.append(full)
    session.execute(insert(table), complete)
    session.info.setdefault(CHANGED, set()).add(table.name)


def audit(session: Session, actor: str, action: str, target: str = "", detail: str = "") -> None:
    """Write an event to the audit log.

    Parameters
    ----------
    session : Session
        Of `Store.write`.
    actor : str
        The code of a reader or the name of a coordinator.
    action : str
        A short verb, such as "freeze".
    target, detail : str
        The object of the action, and details.
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
    """The last row of a chain; 0 and `GENESIS` where it is empty."""
    last = session.execute(_LAST[model.__tablename__]).first()
    return Head(last.seq, last.row_hash) if last else Head(0, GENESIS)


def rows(session: Session, table: Table, first: int = 1) -> Iterator[RowMapping]:
    """The rows of a chained table in order, starting with number ``first``."""
    wanted = _FROM[table.name].execution_options(yield_per=1000)
    yield from session.execute(wanted, {"first": first}).mappings()


def line(table: Table, row: RowMapping) -> Line:
    """A row as a line of the append log."""
    return Line(table.name, row["seq"], row["row_hash"], canonical(dict(row)))


def lines_after(session: Session, table: Table, last: Head | None) -> Iterator[Line]:
    """The lines that an append log lacks whose last line of the table is ``last``.

    Raises
    ------
    LogConflict
        That line does not match a row of the table.
    """
    found = rows(session, table, last.seq if last else 1)
    if last is not None:
        same = next(found, None)
        if same is None or same["row_hash"] != last.row_hash:
            state = "is missing from" if same is None else "differs in"
            raise LogConflict(
                f"Row {last.seq} of {table.name} {state} the database, by the mirror: rows were "
                "changed or deleted, or an older state was put back. Run: python -m study verify. "
                "If the database is right, go on with a new mirror: --mirror PATH."
            )
    yield from (line(table, row) for row in found)
