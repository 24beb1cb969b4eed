"""The append log: every chained row as a line of JSON, in a file that may be on another disk.

A line is written and synced after the commit of its row and before the reader gets a receipt. What
is missing, because the program was killed or the disk was not there, is added the next time.
"""

from __future__ import annotations

import errno
import json
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from enhancers.files import append_lines, complete_lines, open_to_append

_START = re.compile(rb'\{"table":"([a-z_]+)","seq":(\d+),"row_hash":"([0-9a-f]{64})",')


@dataclass(frozen=True)
class Head:
    """Number and hash of the last line of a table."""

    seq: int
    row_hash: str


@dataclass(frozen=True)
class Line:
    """One row of a chained table.

    Parameters
    ----------
    table : str
    seq : int
    row_hash : str
        Hex of SHA-256.
    row : str
        The other columns as canonical JSON.
    """

    table: str
    seq: int
    row_hash: str
    row: str

    def encode(self) -> bytes:
        """The line as bytes, with its line feed."""
        # Fixed order and no spaces: the start of a line is read without parsing the rest.
        start = f'{{"table":"{self.table}","seq":{self.seq},"row_hash":{json.dumps(self.row_hash)}'
        return f'{start},"row":{self.row}}}\n'.encode()


@dataclass(frozen=True)
class Entry:
    """A line of the file and the row it belongs to; seq is 0 where it cannot be read."""

    table: str
    seq: int
    row_hash: str
    raw: bytes


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

    def entries(self) -> Iterator[Entry]:
        """The complete lines of the file."""
        for raw in complete_lines(self.path):
            found = _START.match(raw)
            if found:
                yield Entry(found[1].decode(), int(found[2]), found[3].decode(), raw)
            else:
                yield Entry("", 0, "", raw)

    def _refresh(self, file: BinaryIO) -> None:
        """Read what other processes appended."""
        if file.seek(0, os.SEEK_END) < self._read_to:
            self._heads, self._read_to, self.was_cut = {}, 0, True
        file.seek(self._read_to)
        for raw in file:
            if found := _START.match(raw):
                self._heads[found[1].decode()] = Head(int(found[2]), found[3].decode())
            self._read_to += len(raw)
