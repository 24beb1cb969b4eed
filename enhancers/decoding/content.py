"""The bytes of a file: an upload, whose name is gone from the disk, or a file that stays."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from weakref import WeakValueDictionary

from enhancers.errors import ImageReadError
from enhancers.load import Caps, check_file, in_one, opening_errors

PIECE = 2**20
"""Bytes that are read at a time."""

_taken: WeakValueDictionary[Path, FileContent] = WeakValueDictionary()
_lock = threading.Lock()


class FileContent:
    """The bytes of a file, readable by several threads.

    The file stays open, so that it can be read after its name was removed, and ends with this
    object. Where the system removes no open files (Windows), the bytes are held in memory.

    Parameters
    ----------
    path : Path
    caps : Caps
        Largest file that is read.
    start : bytes
        What is put before the bytes of the file.

    Raises
    ------
    ImageReadError
        It is not a regular file, may not be read, or is too large.
    """

    def __init__(self, path: Path, caps: Caps, start: bytes = b"") -> None:
        with opening_errors():
            check_file(path, caps)
            file = path.open("rb")
        self._stored = os.fstat(file.fileno()).st_size
        self.size = len(start) + self._stored
        self._start = start
        self._file = file
        self._data = b""
        if sys.platform == "win32":
            with file:
                self._data = file.read()

    @classmethod
    def local(cls, path: Path, caps: Caps) -> FileContent:
        """The content of a file that stays where it is, with that of the file it belongs to.

        Raises
        ------
        ImageReadError
            As the class.
        """
        start, values = in_one(path, caps)
        return cls(values, caps, start)

    @classmethod
    def take(cls, path: Path, caps: Caps) -> FileContent:
        """The content of an upload, whose name and date are removed from the disk.

        Gradio names the folder of an upload by its content: the same file of two visitors has one
        path, and whoever comes second gets what the first one took.

        Raises
        ------
        ImageReadError
            As the class, or the upload is gone.
        """
        with _lock:
            known = _taken.get(path)
            if known is not None and not path.exists():
                return known
            if not path.exists():
                raise ImageReadError(
                    "The upload is no longer on the server, where a file is read once and kept for "
                    "ten minutes at most; upload it again."
                )
            try:
                content = cls(path, caps)
            finally:
                remove_upload(path)
            _taken[path] = content
            return content

    def pieces(self) -> Iterator[bytes | memoryview]:
        """The bytes in their order, in pieces."""
        if self._start:
            yield self._start
        if sys.platform == "win32":
            view = memoryview(self._data)
            yield from (view[start : start + PIECE] for start in range(0, self._stored, PIECE))
            return
        place = 0
        while place < self._stored and (piece := os.pread(self._file.fileno(), PIECE, place)):
            yield piece
            place += len(piece)


def remove_upload(path: Path) -> None:
    """Remove an uploaded file and the folder that Gradio made for it, if it is empty now."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        if re.fullmatch("[0-9a-f]{64}", path.parent.name):
            path.parent.rmdir()
