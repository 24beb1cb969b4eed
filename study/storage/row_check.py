"""The rows of all tables that are not chained themselves, against their last copies.

The freeze copied each table by primary key, and most rows are never changed: the copies in an event
are mostly the next rows. Only what is not so is looked up by its key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

import orjson
from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from study.storage.integrity_report import Findings
from study.storage.models import RowEvent
from study.storage.row_log import COLUMNS, Key, copies, key_of, rows

_Row = dict[str, Any]
_EVENTS = select(RowEvent.seq, RowEvent.table_name, RowEvent.rows_json).order_by(RowEvent.seq)


def row_problems(session: Session, found: Findings) -> Iterator[str]:
    """Sentences about rows that differ from their last copy, lack one, or are missing."""
    tables = {table.name: _Comparison(session, table) for table in COLUMNS}
    for seq, name, text in session.execute(_EVENTS.execution_options(yield_per=100)):
        try:
            if not tables[name].continues(text):
                table, written = copies(name, text)
                tables[name].read(written, [key_of(table, one) for one in written])
        except (KeyError, TypeError, ValueError):
            found.breaks(RowEvent.__tablename__, seq, "cannot be read")
    for comparison in tables.values():
        yield from comparison.problems()


class _Comparison:
    """The rows of a table next to their copies, and digests of what is not in the same place."""

    def __init__(self, session: Session, table: Table) -> None:
        self._session = session
        self._table = table
        self._rows = rows(session, table)
        self._waiting: list[_Row] = []
        self._last: Key | None = None
        self._stored: dict[Key, bytes] = {}
        self._copied: dict[Key, bytes] = {}
        self._added: list[Key] = []

    def continues(self, text: str) -> bool:
        """Whether an event has the text of the next rows, as most have; they are past then."""
        some = self._next(text.count("},{") + 1)
        if (
            some
            and not self._copied
            and _json(some) == text.encode()
            and key_of(self._table, some[0]) != self._last
        ):
            self._last = key_of(self._table, some[-1])
            return True
        self._waiting = some + self._waiting
        return False

    def _next(self, count: int) -> list[_Row]:
        self._waiting += islice(self._rows, max(0, count - len(self._waiting)))
        some, self._waiting = self._waiting[:count], self._waiting[count:]
        return some

    def read(self, written: Sequence[_Row], keys: Sequence[Key]) -> None:
        """Compare the copies in an event with as many rows as it has."""
        some = self._next(len(written))
        if _json(some) == _json(written) and self._last not in keys:
            self._last = keys[-1] if keys else self._last
            for key in keys if self._copied else ():
                self._copied.pop(key, None)
            return
        self._keep(some)
        self._copied |= zip(keys, map(_digest, written), strict=True)

    def _keep(self, some: Iterable[_Row]) -> None:
        for row in some:
            key = key_of(self._table, row)
            if key == self._last:  # In a file whose indexes somebody has broken.
                self._added.append(key)
            else:
                self._stored[key] = _digest(row)
            self._last = key

    def problems(self) -> Iterator[str]:
        """What differs when all events have been read."""
        self._keep(chain(self._waiting, self._rows))
        if again := self._copied.keys() - self._stored.keys():  # Copied once more since.
            for row in rows(self._session, self._table):
                if (key := key_of(self._table, row)) in again:
                    self._stored[key] = _digest(row)
        found = [(key, "was added by another program.") for key in self._added]
        for key, digest in self._stored.items():
            copy = self._copied.pop(key, None)
            if copy is None:
                found.append((key, "was added by another program."))
            elif copy != digest:
                found.append((key, "was changed: it is not as it was written."))
        for key, what in sorted(found):
            yield f"{self._table.name} {_named(key)} {what}"
        for key in self._copied:
            yield f"{self._table.name} {_named(key)} was deleted."


def _json(content: object) -> bytes:
    try:
        return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # A column holds a value that this program never writes.
        return b""


def _digest(row: _Row) -> bytes:
    return hashlib.sha256(_json(row)).digest()


def _named(key: Key) -> str:
    return ", ".join(map(str, key))
