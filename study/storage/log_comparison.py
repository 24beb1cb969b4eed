"""The chained rows next to the lines of the append log, in one pass over both.

Both have each table in the order of its numbers. So a line is mostly the next row of the table that
the line before it belongs to; only what is not so is kept for a closer look.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from enhancers.files import complete_lines
from study.storage.append_log import Entry

Key = tuple[str, int]
"""Table and number of a row."""
NumberedLines = Iterator[tuple[float, bytes]]
"""Rows by number, as lines."""
_END = (float("inf"), b"")


class LogComparison:
    """What rows and lines are not next to each other.

    Parameters
    ----------
    path : Path
        Of the append log.
    chains : mapping
        The rows of each table.
    copied_at : int, optional
        Size of the log in bytes when the database was copied.

    Attributes
    ----------
    rows, lines : dict
        SHA-256 of the rows that have no line in its place, and of the lines that have no row there;
        it is empty where lines of a row differ: neither is right.
    last : dict
        The highest number that the log has of each table.
    unreadable : list of int
        Numbers of the lines that cannot be read.
    recent : list
        Rows of lines that were added since the database was copied.
    """

    def __init__(
        self, path: Path, chains: Mapping[str, NumberedLines], copied_at: int | None = None
    ) -> None:
        self.rows: dict[Key, bytes] = {}
        self.lines: dict[Key, bytes] = {}
        self.last: dict[str, float] = {}
        self.unreadable: list[int] = []
        self.recent: list[Key] = []
        self._path = path
        self._copied_at = copied_at
        self._count = self._read_to = 0
        self._chains = chains
        self._next = {name: next(chain, _END) for name, chain in chains.items()}
        self.read()

    def read(self) -> None:
        """Read what the log has now, and all rows."""
        table = next(iter(self._chains))
        number, text = self._next[table]
        for raw in complete_lines(self._path, self._read_to):
            self._count += 1
            self._read_to += len(raw)
            if raw != text:
                entry = Entry.of(raw)
                if entry.table not in self._chains:
                    self.unreadable.append(self._count)
                    continue
                table = entry.table
                self._skip(table, entry.seq)
                number, text = self._next[table]
                if raw != text:
                    self._keep(entry)
                    continue
            if number > self.last.get(table, 0):
                self.last[table] = number
            number, text = self._next[table] = next(self._chains[table], _END)
        for table in self._chains:
            self._skip(table, _END[0])

    def _skip(self, table: str, seq: float) -> None:
        """Keep the rows before a number: they are not where the log has them."""
        while self._next[table][0] < seq:
            number, text = self._next[table]
            self.rows[table, int(number)] = hashlib.sha256(text).digest()
            self._next[table] = next(self._chains[table], _END)

    def _keep(self, entry: Entry) -> None:
        self.last[entry.table] = max(self.last.get(entry.table, 0), entry.seq)
        key, digest = (entry.table, entry.seq), hashlib.sha256(entry.raw).digest()
        self.lines[key] = digest if self.lines.get(key, digest) == digest else b""
        if self._copied_at is not None and self._read_to > self._copied_at:
            self.recent.append(key)
