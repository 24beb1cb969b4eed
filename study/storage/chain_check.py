"""The rows of a chain as lines of the append log, each checked on the way.

SQLite writes most lines as Python wrote them. That is proven by the hash of the row, which is that
of its JSON and of the hash before it. A line of which that is not so is made by Python again: of a
changed row, or of values that SQLite writes otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Any

from sqlalchemy import Float, Select, Table, bindparam, literal_column, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from study.storage.append_log import Line
from study.storage.hash_chain import GENESIS, TABLES, later, linked, rows
from study.storage.integrity_report import Findings
from study.storage.log_comparison import NumberedLines

_PART = 1000
"""Rows that are read at a time."""
_HASH, _MIDDLE, _END = 64, len('","row":'), len("}\n")
"""Bytes of a line: its hash, and what is before and after its row."""
_FLOATS = {
    table.name: [one.name for one in table.c if isinstance(one.type, Float)] for table in TABLES
}


def _object(names: Sequence[str], unset: Sequence[str]) -> str:
    """SQL of the columns as JSON like `canonical`, some of which are left out where null."""
    if not unset:
        pairs = ", ".join(f"'{one}', {one}" for one in names)
        return f"json_object({pairs})"
    first, *others = unset
    without = _object([one for one in names if one != first], others)
    return f"CASE WHEN {first} IS NULL THEN {without} ELSE {_object(names, others)} END"


def _line(table: Table) -> str:
    """SQL of a row as `Line.encode` writes it."""
    names = sorted(set(table.c.keys()) - {"row_hash"})
    return (
        f"""CAST('{{"table":"{table.name}","seq":' || seq || ',"row_hash":"' || row_hash """
        f"""|| '","row":' || {_object(names, sorted(later(table)))} || '}}\n' AS BLOB)"""
    )


def _inexact(name: str) -> str:
    """SQL of a number that SQLite may have rounded: it writes 15 digits; null for all others."""
    return f"CASE WHEN {name} <> CAST({name} AS INTEGER) OR abs({name}) >= 1e15 THEN {name} END"


def _wanted(table: Table, *columns: str) -> Select[Any]:
    wanted = select(table.c.seq, *map(literal_column, columns))
    wanted = wanted.where(table.c.seq >= bindparam("first")).order_by(table.c.seq)
    return wanted.execution_options(yield_per=_PART)


_LINES = {
    table.name: _wanted(table, _line(table), *map(_inexact, _FLOATS[table.name]))
    for table in TABLES
}
_NUMBERS = {table.name: _wanted(table, "NULL") for table in TABLES}


def chain_lines(session: Session, table: Table, found: Findings) -> NumberedLines:
    """The rows of a chain as lines of the append log; what is wrong with them is noted."""
    begin = f'{{"table":"{table.name}","seq":%d,"row_hash":"'.encode()
    texts = [f'"{name}":%r,'.encode() for name in _FLOATS[table.name]]
    exact = [None] * len(texts)
    before, expected = GENESIS.encode(), 1
    found.last[table.name] = 0
    for part in _parts(session, table):
        again: dict[int, Line] = {}
        for seq, line, *inexact in part:
            start = begin % expected
            if line and line.startswith(start):
                own = line[len(start) : len(start) + _HASH]
                row = line[len(start) + _HASH + _MIDDLE : -_END]
                digest = sha256(before + b"\n")
                digest.update(row)
                if (
                    digest.hexdigest().encode() == own
                    and b'"prev_hash":"%s"' % before in row
                    and (
                        inexact == exact
                        or all(
                            one is None or text % one in row
                            for text, one in zip(texts, inexact, strict=True)
                        )
                    )
                ):
                    before, expected = own, seq + 1
                    yield seq, line
                    continue
            if not again:
                again = {one.seq: one for one in rows(session, table, seq, part[-1].seq)}
            stored = again[seq]
            if seq != expected:
                found.breaks(table.name, expected, "is missing")
            elif stored.prev_hash != before.decode():
                found.breaks(table.name, seq, "does not continue the row before it")
            if linked(stored.prev_hash, stored.row) != stored.row_hash:
                found.breaks(table.name, seq, "was changed: its hash is another one")
            before, expected = stored.row_hash.encode(), seq + 1
            yield seq, stored.encode()
        found.checked += len(part)
        found.last[table.name] = part[-1].seq


def _parts(session: Session, table: Table) -> Iterator[Sequence[Any]]:
    """Number, line and floats of the rows; no line where the database does not write it."""
    last = 0
    if session.connection().dialect.name == "sqlite":
        with suppress(OperationalError):  # A BLOB, or a SQLite without JSON.
            for part in session.execute(_LINES[table.name], {"first": last + 1}).partitions():
                yield part
                last = part[-1].seq
    yield from session.execute(_NUMBERS[table.name], {"first": last + 1}).partitions()
