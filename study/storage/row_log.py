"""The chain over every row that an analysis reads, apart from ratings and audit events.

Those two tables are chained themselves. Of all others the freeze writes a copy of each row into
`RowEvent`, and every later transaction the rows that it added or changed. So a row that was changed
by another program differs from its last copy, and the append log has what a lost database had.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Select, Table, event, func, inspect, select, tuple_
from sqlalchemy.orm import Session

from study.domain.terms import Status
from study.storage import hash_chain
from study.storage.models import (
    AuditEvent,
    Base,
    InteractionEvent,
    RatingEvent,
    RowEvent,
    SchemaVersion,
    Staff,
    Study,
    Ticket,
)

_CHAINED = (RatingEvent, AuditEvent, RowEvent)
UNPROVEN = tuple(one.__tablename__ for one in (SchemaVersion, Staff, Ticket))
"""Tables that no analysis reads, whose rows are not chained."""
_CREDENTIALS = {"reader": ("secret_hash", "invite_hash", "generation")}
"""Columns that no analysis reads, and that the append log must not hold."""
COLUMNS: Mapping[Table, tuple[str, ...]] = {
    table: tuple(one.name for one in table.c if one.name not in _CREDENTIALS.get(table.name, ()))
    for table in Base.metadata.sorted_tables
    if table.name not in {*UNPROVEN, *(one.__tablename__ for one in _CHAINED)}
}
"""The chained columns of each table, in an order in which rows can be inserted."""
_TABLES = {table.name: table for table in COLUMNS}
_KEYS = {table: tuple(one.name for one in table.primary_key) for table in COLUMNS}
_TOUCHED = "touched rows"
_MOST = 500
"""Rows in one event."""

Key = tuple[Any, ...]
"""The primary key of a row."""
Row = Mapping[str, Any]


class TrackedSession(Session):
    """A session that remembers which rows it adds or changes."""


def touch(session: Session, table: str, keys: Iterable[Key]) -> None:
    """Remember rows that a statement has added or changed past the unit of work."""
    session.info.setdefault(_TOUCHED, {}).update(dict.fromkeys((table, key) for key in keys))


@event.listens_for(TrackedSession, "after_flush")
def _remember(session: Session, _context: object) -> None:
    for one in (*session.new, *session.dirty):
        state = inspect(one)
        table = one.__table__
        if table not in COLUMNS:
            continue
        if one in session.new or any(
            state.attrs[name].history.has_changes() for name in COLUMNS[table]
        ):
            key = tuple(getattr(one, column.name) for column in table.primary_key)
            touch(session, table.name, [key])


def append_touched(session: Session) -> None:
    """Chain the rows that this transaction has added or changed; a draft is not chained."""
    session.flush()
    touched: dict[tuple[str, Key], None] = session.info.pop(_TOUCHED, {})
    if not touched or session.scalars(select(Study.status)).one() == Status.DRAFT:
        return
    for table in COLUMNS:
        keys = [key for name, key in touched if name == table.name]
        for part in _parts(keys):
            columns = tuple_(*table.primary_key.columns)
            found = map(dict, session.execute(_select(table).where(columns.in_(part))).mappings())
            by_key = {key_of(table, row): row for row in found}
            _append(session, table, [by_key[key] for key in part])


def append_all(session: Session) -> None:
    """Chain every row there is, at the freeze or when an older study is migrated."""
    session.flush()
    session.info.pop(_TOUCHED, None)
    for table in COLUMNS:
        for part in _parts(list(rows(session, table))):
            _append(session, table, part)


def rows(session: Session, table: Table) -> Iterator[dict[str, Any]]:
    """The chained columns of a table's rows, by primary key."""
    # Sorted by no index: one that another program has broken may lack rows.
    keys = [func.coalesce(one, None) for one in table.primary_key.columns]
    wanted = _select(table).order_by(*keys)
    found = session.execute(wanted.execution_options(yield_per=1000))
    for part in found.partitions():
        yield from (dict(zip(COLUMNS[table], row, strict=True)) for row in part)


def key_of(table: Table, row: Row) -> Key:
    """The primary key of a row."""
    return tuple([row[name] for name in _KEYS[table]])


def copies(name: str, text: str) -> tuple[Table, list[dict[str, Any]]]:
    """The table and the rows of an event.

    Raises
    ------
    KeyError, ValueError
        They are not what this program writes.
    """
    table = _TABLES[name]
    return table, [hash_chain.read_back(table, one) for one in orjson.loads(text)]


def may_wait(session: Session, first: int, last: int) -> bool:
    """Whether events may be missing from the append log until the next rating.

    That holds for what readers did with the images, while a study is open: it is stored without
    waiting for the disk.
    """
    if session.scalars(select(Study.status)).one() != Status.OPEN:
        return False
    wanted = select(RowEvent.table_name).where(RowEvent.seq.between(first, last))
    return set(session.scalars(wanted)) == {InteractionEvent.__tablename__}


def _select(table: Table) -> Select[Any]:
    return select(*(table.c[name] for name in COLUMNS[table]))


def _append(session: Session, table: Table, found: Sequence[Row]) -> None:
    text = b",".join(hash_chain.canonical(table, row) for row in found).decode()
    hash_chain.append(session, RowEvent, [{"table_name": table.name, "rows_json": f"[{text}]"}])


def _parts(found: list[Any]) -> Iterator[list[Any]]:
    return (found[start : start + _MOST] for start in range(0, len(found), _MOST))
