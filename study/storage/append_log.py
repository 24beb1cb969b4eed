"""The append log: every chained row as a line of JSON, in a file that may be on another disk.

A line is written and synced after the commit of its row and before the reader gets a receipt. What
is missing, because the program was killed or the disk was not there, is added the next time.
"""

from __future__ import annotations

import errno
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii
from pathlib import Path
from typing import BinaryIO, NamedTuple

from enhancers.files import append_lines, complete_lines, open_to_append, texts_from_the_end
from study.storage.models import AuditEvent, RatingEvent, RowEvent

CHAINED = frozenset(one.__tablename__ for one in (RatingEvent, AuditEvent, RowEvent))
"""Tables whose rows are lines of the log."""
_START = re.compile(rb'\{"table":"([a-z_]+)","seq":(\d+),"row_hash":"([0-9a-f]{64})",')


@dataclass(frozen=True)
class Head:
    """Number and hash of the last line of a table."""

    seq: int
    row_hash: str


class Line(NamedTuple):
    """One row of a chained table.

    Parameters
    ----------
    table : str
    seq : int
    row_hash : str
        Hex of SHA-256.
    row : bytes
        The other columns as canonical JSON.
    prev_hash : str
        One of them: the hash of the row before.
    """

    table: str
    seq: int
    row_hash: str
    row: bytes
    prev_hash: str

    def encode(self) -> bytes:
        """The line as bytes, with its line feed."""
        own = encode_basestring_ascii(self.row_hash)[1:-1]
        (line,) = lines_of(self.table, [self.seq], [own], [self.row])
        return line


def lines_of(
    table: str, numbers: Iterable[int], hashes: Iterable[str], rows: Iterable[bytes]
) -> list[bytes]:
    """Rows as lines of the log."""
    # Fixed order and no spaces: the start of a line is read without parsing the rest.
    start = f'{{"table":"{table}","seq":'
    return [
        f'{start}{seq},"row_hash":"{own}","row":'.encode() + row + b"}\n"
        for seq, own, row in zip(numbers, hashes, rows, strict=True)
    ]


@dataclass(frozen=True)
class Entry:
    """A line of the file and the row it belongs to; seq is 0 where it cannot be read."""

    table: str
    seq: int
    row_hash: str
    raw: bytes

    @classmethod
    def of(cls, raw: bytes) -> Entry:
        """The entry that a line is."""
        found = _START.match(raw)
        if found is None:
            return cls("", 0, "", raw)
        return cls(found[1].decode(), int(found[2]), found[3].decode(), raw)


class AppendLog:
    """The append log of a study.

    Parameters
    ----------
    path : Path
        Created with mode 0600.

    Attributes
    ----------
    was_cut : bool
        Whether lines that were in the file have gone, while this program ran.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._heads: dict[str, Head] = {}
        self._read_to = 0
        self.was_cut = False

    def add(
        self, missing: Callable[[Mapping[str, Head]], Iterable[Line]], *, begin: bool = False
    ) -> None:
        """Append and sync missing lines.

        Parameters
        ----------
        missing : callable
            Maps the last line of each table to the lines that must follow, in order.
        begin : bool
            Whether a file that is missing or empty is begun.

        Raises
        ------
        FileNotFoundError
            The file is missing or empty.
        OSError
            The file cannot be written.
        """
        if not begin and not self.path.exists():
            raise FileNotFoundError(errno.ENOENT, "it is missing")
        with self._lock, open_to_append(self.path, mode=0o600) as file:
            self._refresh(file)
            if not begin and not self._heads:
                raise FileNotFoundError(errno.ENOENT, "it is empty")
            lines = list(missing(self._heads))
            if not lines:
                return
            append_lines(file, [line.encode() for line in lines])
            self._read_to = file.tell()
            self._heads.update((one.table, Head(one.seq, one.row_hash)) for one in lines)

    def ends(self) -> dict[str, Head]:
        """The last line of each table; none where there is no file."""
        with self._lock, suppress(FileNotFoundError), self.path.open("rb") as file:
            self._refresh(file)
            return dict(self._heads)
        return {}

    def entries(self) -> Iterator[Entry]:
        """The complete lines of the file."""
        return map(Entry.of, complete_lines(self.path))

    def _refresh(self, file: BinaryIO) -> None:
        """Read what other processes appended."""
        if file.seek(0, os.SEEK_END) < self._read_to:
            self._heads, self._read_to, self.was_cut = {}, 0, True
        if not self._read_to:
            self._read_ends(file)
            return
        file.seek(self._read_to)
        for raw in file:
            if not raw.endswith(b"\n"):
                return
            if (one := Entry.of(raw)).seq:
                self._heads[one.table] = Head(one.seq, one.row_hash)
            self._read_to += len(raw)

    def _read_ends(self, file: BinaryIO) -> None:
        """Read from the end until the last line of each table is found."""
        for place, text in texts_from_the_end(file):
            self._read_to = self._read_to or place + len(text)
            for table in CHAINED - self._heads.keys():
                if one := _last(text, table):
                    self._heads[table] = Head(one.seq, one.row_hash)
            if self._heads.keys() >= CHAINED:
                return


def _last(text: bytes, table: str) -> Entry | None:
    """The last line of a table in a text of lines."""
    text, start = b"\n" + text, b'\n{"table":"%s","' % table.encode()
    place = text.rfind(start)
    while place >= 0:
        one = Entry.of(text[place + 1 : text.index(b"\n", place + 1) + 1])
        if one.seq:
            return one
        place = text.rfind(start, 0, place)
    return None
