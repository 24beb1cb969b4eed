"""The chained rows next to the lines of the append log, in one pass over both.

Both have each table in the order of its numbers. So the lines of a table are mostly its next rows;
only what is not so is kept for a closer look.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from enhancers.files import blocks_of_lines
from study.storage.append_log import Entry
from study.storage.chain_check import Part

Key = tuple[str, int]
"""Table and number of a row."""


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
        self, path: Path, chains: Mapping[str, Iterator[Part]], copied_at: int | None = None
    ) -> None:
        self.rows: dict[Key, bytes] = {}
        self.lines: dict[Key, bytes] = {}
        self.last: dict[str, int] = {}
        self.unreadable: list[int] = []
        self.recent: list[Key] = []
        self._path = path
        self._copied_at = copied_at
        self._count = self._read_to = 0
        self._following = {name: _Rows(chain) for name, chain in chains.items()}
        self._starts = {name: f'{{"table":"{name}",'.encode() for name in chains}
        self.read()

    def read(self) -> None:
        """Read what the log has now, and all rows."""
        for block in blocks_of_lines(self._path, self._read_to):
            if self._are_next(block):
                self._count += len(block)
                self._read_to += sum(map(len, block))
                continue
            for raw in block:
                self._count += 1
                self._read_to += len(raw)
                self._compare(Entry.of(raw))
        for table in self._following:
            self._skip(table, math.inf)

    def _are_next(self, block: Sequence[bytes]) -> bool:
        """Whether the lines are the next rows of their tables; then these are past."""
        lines = {
            table: [raw for raw in block if raw.startswith(start)]
            for table, start in self._starts.items()
        }
        if sum(map(len, lines.values())) < len(block) or any(
            self._following[table].ahead(len(some)) != some for table, some in lines.items()
        ):
            return False
        for table, some in lines.items():
            if some:
                self._is_in_log(table, self._following[table].take(len(some)))
        return True

    def _compare(self, entry: Entry) -> None:
        """Compare a line with the row of its number."""
        if entry.table not in self._following:
            self.unreadable.append(self._count)
            return
        self._skip(entry.table, entry.seq)
        following = self._following[entry.table]
        if following.ahead() == [entry.raw]:
            following.take()
        else:
            key, digest = (entry.table, entry.seq), hashlib.sha256(entry.raw).digest()
            self.lines[key] = digest if self.lines.get(key, digest) == digest else b""
            if self._copied_at is not None and self._read_to > self._copied_at:
                self.recent.append(key)
        self._is_in_log(entry.table, entry.seq)

    def _skip(self, table: str, seq: float) -> None:
        """Keep the rows before a number: they are not where the log has them."""
        following = self._following[table]
        while following.number < seq:
            (text,) = following.ahead()
            self.rows[table, following.take()] = hashlib.sha256(text).digest()

    def _is_in_log(self, table: str, seq: int) -> None:
        self.last[table] = max(self.last.get(table, 0), seq)


class _Rows:
    """The rows of a chain that follow, as lines."""

    def __init__(self, chain: Iterator[Part]) -> None:
        self._chain = chain
        self._numbers: list[int] = []
        self._lines: list[bytes] = []

    @property
    def number(self) -> float:
        """The number of the next row; infinite at the end."""
        return self._numbers[0] if self.ahead() else math.inf

    def ahead(self, count: int = 1) -> list[bytes]:
        """The next lines, fewer at the end."""
        while len(self._lines) < count and (part := next(self._chain, None)):
            self._numbers += part.numbers
            self._lines += part.lines
        return self._lines[:count]

    def take(self, count: int = 1) -> int:
        """Go past lines that `ahead` has shown; the number of the last one."""
        number = self._numbers[count - 1]
        del self._numbers[:count], self._lines[:count]
        return number
