"""Files that survive interruptions: replaced in one step, or extended by whole lines."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

if sys.platform != "win32":
    import fcntl

LEFTOVER_SECONDS = 3600
"""Temporary files older than this were left by a process that died."""


def given_path(text: str | Path) -> Path:
    """A path that a user gave, with ``~`` for a home; that of no user stays as it is, not found."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


_REASONS = {
    errno.ENOENT: "there is no such file or folder; check the path",
    errno.ENOTDIR: "a part of the path is a file and not a folder; give another path",
    errno.EEXIST: "there is a file or folder of this name already; give another name",
    errno.EISDIR: "this is a folder; give the name of a file",
    errno.EACCES: "it may not be read or written; check its permissions, or give another path",
    errno.EPERM: "it may not be changed; check its permissions, or give another path",
    errno.EROFS: "the disk is read-only; give a path on another one",
    errno.ENOSPC: "the disk is full; make room, or give a path on another one",
    errno.EDQUOT: "the quota of the disk is used up; make room, or give a path on another one",
    errno.ENAMETOOLONG: "the name is too long for this system; give a shorter one",
}


def system_error(error: OSError) -> str:
    """What an error of the system is about, and what to do, in a sentence."""
    if error.errno is None:
        return str(error)
    reason = _REASONS.get(error.errno, f"{error.strerror}; try again, or give another path")
    named = error.filename2 or error.filename
    return f"{named}: {reason}." if named is not None else f"{reason[0].upper()}{reason[1:]}."


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path in the same folder that replaces ``path`` when the block ends.

    After an error the temporary file is removed and ``path`` is as it was.
    """
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def atomic_file(path: Path, *, mode: int = 0o666, sync: bool = False) -> Iterator[BinaryIO]:
    """A new binary file that replaces ``path`` when the block ends without an error.

    Parameters
    ----------
    path : Path
    mode : int
        Permissions of the file, less the process's umask.
    sync : bool
        Whether the file and its name are on the disk when the block has ended.
    """
    with (
        atomic_path(path) as part,
        os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file,
    ):
        yield file
        if sync:
            file.flush()
            os.fsync(file.fileno())
    if sync:
        sync_folder(path.parent)


def write_atomic(path: Path, data: bytes, *, mode: int = 0o666, sync: bool = False) -> None:
    """Write a file so that readers see all of it or what was there before (`atomic_file`)."""
    with atomic_file(path, mode=mode, sync=sync) as file:
        file.write(data)


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files of `atomic_path`, here and below, that a dead process left."""
    for path in folder.rglob(".*.part"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > LEFTOVER_SECONDS:
                path.unlink()


def sync_file(path: Path) -> None:
    """Force what was written to a file onto the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a crash of the machine, where the system can."""
    if os.name == "posix":
        with contextlib.suppress(OSError):
            sync_file(folder)


_BLOCK = 1 << 20
"""Bytes of lines that are read at a time."""


def complete_lines(path: Path, start: int = 0) -> Iterator[bytes]:
    """The lines of a file from a place on, each with its line feed; no file has no lines.

    A last line without a line feed was cut short by a crash and is left out.
    """
    for block in blocks_of_lines(path, start):
        yield from block


def blocks_of_lines(path: Path, start: int = 0) -> Iterator[list[bytes]]:
    """The same, many at a time."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        file.seek(start)
        while block := file.readlines(_BLOCK):
            if not block[-1].endswith(b"\n"):
                yield block[:-1]
                return  # Its end may have been written since: it would look like a line.
            yield block


def texts_from_the_end(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The complete lines of a file, many at a time as a text with its place, the last ones first.

    What follows the last line feed was cut short, or is being written, and is left out.
    """
    start, later, torn = file.seek(0, os.SEEK_END), b"", True
    while start:
        end, start = start, max(0, start - _BLOCK)
        file.seek(start)
        text = file.read(end - start) + later
        if torn:
            text = text[: text.rfind(b"\n") + 1]
            if not text:
                continue
            torn = False
        begin = text.find(b"\n") + 1 if start else 0
        later = text[:begin]
        yield start + begin, text[begin:]


def lock_file(file: IO[Any], *, wait: bool = True) -> None:
    """Lock a file until it is closed; nothing where the system or the disk has no file locks.

    Raises
    ------
    BlockingIOError
        Another process has locked it, and ``wait`` is False.
    """
    if sys.platform != "win32":
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError as error:
            if error.errno not in (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP):
                raise


@contextmanager
def open_to_append(path: Path, *, mode: int = 0o666) -> Iterator[BinaryIO]:
    """A file of lines, open for reading and `append_lines`; made if it is missing.

    A last line that a crash cut short is removed first. Other processes wait for their turn; where
    the system has no file locks, one process at a time may write.
    """
    new = not path.exists()
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, mode), "r+b") as file:
        if new:
            sync_folder(path.parent)
        lock_file(file)
        _cut_torn_line(file)
        yield file


def append_lines(file: BinaryIO, lines: Iterable[bytes]) -> None:
    """Write lines at the end of a file of `open_to_append`, and sync them."""
    file.seek(0, os.SEEK_END)
    file.write(b"".join(lines))
    file.flush()
    os.fsync(file.fileno())


def _cut_torn_line(file: BinaryIO) -> None:
    if size := file.seek(0, os.SEEK_END):
        file.seek(size - 1)
        if file.read(1) != b"\n":
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
    file.seek(0)
