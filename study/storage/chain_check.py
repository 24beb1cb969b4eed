"""The rows of a chain as lines of the append log, each checked on the way.

SQLite writes the JSON of most rows as Python wrote it. That is proven by the hash of the row, which
is that of its JSON and of the hash before it. Where one of some rows is not proven, Python writes
them again: it was changed, or has values that SQLite writes otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy import Float, Select, Table, bindparam, literal_column, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from study.storage.append_log import Head, lines_of
from study.storage.hash_chain import GENESIS, TABLES, later, linked, rows
from study.storage.integrity_report import Findings

_PART = 1000
"""Rows that are read at a time."""
_BEFORE = len(f"{GENESIS}\n")
"""Bytes before a row in what is hashed."""
_FLOATS = {
    table.name: [one.name for one in table.c if isinstance(one.type, Float)] for table in TABLES
}


class Part(NamedTuple):
    """Some rows of a chain: their numbers, and lines of the append log."""

    numbers: Sequence[int]
    lines: Sequence[bytes]


def _object(names: Sequence[str], unset: Sequence[str]) -> str:
    """SQL of the columns as JSON like `canonical`, some of which are left out where null."""
    if not unset:
        pairs = ", ".join(f"'{one}', {one}" for one in names)
        return f"json_object({pairs})"
    first, *others = unset
    without = _object([one for one in names if one != first], others)
    return f"CASE WHEN {first} IS NULL THEN {without} ELSE {_object(names, others)} END"


def _hashed(table: Table) -> str:
    """SQL of what `linked` hashes: the hash before a row, and the row as `canonical` writes it."""
    names = sorted(set(table.c.keys()) - {"row_hash"})
    return f"CAST(prev_hash || char(10) || {_object(names, sorted(later(table)))} AS BLOB)"


def _inexact(name: str) -> str:
    """SQL of a number that SQLite may have rounded: it writes 15 digits; null for all others."""
    return f"CASE WHEN {name} <> CAST({name} AS INTEGER) OR abs({name}) >= 1e15 THEN {name} END"


def _wanted(table: Table, *columns: str) -> Select[Any]:
    wanted = select(table.c.seq, *map(literal_column, columns))
    wanted = wanted.where(table.c.seq >= bindparam("first")).order_by(table.c.seq)
    return wanted.execution_options(yield_per=_PART)


_ROWS = {
    table.name: _wanted(
        table, "prev_hash", "row_hash", _hashed(table), *map(_inexact, _FLOATS[table.name])
    )
    for table in TABLES
}
_NUMBERS = {table.name: _wanted(table, *["NULL"] * 3) for table in TABLES}


def chain_lines(session: Session, table: Table, found: Findings) -> Iterator[Part]:
    """The rows of a chain as lines of the append log; what is wrong with them is noted."""
    last = Head(0, GENESIS)
    found.last[table.name] = 0
    for some in _parts(session, table):
        part = _proven(table, some, last)
        if part is not None:
            last = Head(some[-1].seq, some[-1].row_hash)
        else:
            again = list(rows(session, table, some[0].seq, some[-1].seq))
            for one in again:
                if one.seq != last.seq + 1:
                    found.breaks(table.name, last.seq + 1, "is missing")
                elif one.prev_hash != last.row_hash:
                    found.breaks(table.name, one.seq, "does not continue the row before it")
                if linked(one.prev_hash, one.row) != one.row_hash:
                    found.breaks(table.name, one.seq, "was changed: its hash is another one")
                last = Head(one.seq, one.row_hash)
            part = Part([one.seq for one in again], [one.encode() for one in again])
        found.checked += len(some)
        found.last[table.name] = last.seq
        yield part


def _proven(table: Table, some: Sequence[Any], last: Head) -> Part | None:
    """The lines of rows, if they follow the last one and all are as they were written."""
    numbers, before, hashes, texts, *inexact = zip(*some, strict=True)
    if (
        numbers != tuple(range(last.seq + 1, last.seq + 1 + len(numbers)))
        or before != (last.row_hash, *hashes[:-1])
        or hashes != tuple([sha256(text).hexdigest() for text in texts])
    ):
        return None
    for name, values in zip(_FLOATS[table.name], inexact, strict=True):
        start = f'"{name}":'.encode()
        if not all(
            value is None or b"%s%r," % (start, value) in text
            for value, text in zip(values, texts, strict=True)
        ):
            return None
    return Part(numbers, lines_of(table.name, numbers, hashes, (text[_BEFORE:] for text in texts)))


def _parts(session: Session, table: Table) -> Iterator[Sequence[Any]]:
    """Number, hashes, hashed text and floats of rows; only numbers where it must be Python."""
    last = 0
    if session.connection().dialect.name == "sqlite":
        with suppress(OperationalError):  # A BLOB, or a SQLite without JSON.
            for part in session.execute(_ROWS[table.name], {"first": last + 1}).partitions():
                yield part
                last = part[-1].seq
    yield from session.execute(_NUMBERS[table.name], {"first": last + 1}).partitions()
