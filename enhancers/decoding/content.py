"""The bytes of a file: an upload, whose name is gone from the disk, or a file that stays.

Several uploads are moved to a private folder instead, until their object ends: a series has
hundreds of files, more than a process may keep open.
"""

from __future__ import annotations

import contextlib
import copy
import os
import re
import shutil
import sys
import threading
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path

from enhancers.errors import ImageReadError, ImageTooLarge
from enhancers.load import Caps, check_file, in_one, opening_errors
from enhancers.load.pairs import joined_header
from enhancers.private_folders import private_folder
from enhancers.series.discover import below

PIECE = 2**20
"""Bytes that are read at a time."""
MOST_FILES = 3000
"""Files that may be uploaded one by one; an archive may hold more."""

_taken: weakref.WeakValueDictionary[Path, FileContent | _HeldFile] = weakref.WeakValueDictionary()
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
        self._other: FileContent | None = None
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
            if not path.exists():
                if isinstance(known, FileContent):
                    return known
                if known is None or not known.path.exists():
                    raise _gone()
                return cls(known.path, caps)
            try:
                content = cls(path, caps)
            finally:
                remove_upload(path)
            _taken[path] = content
            return content

    @classmethod
    def take_pair(cls, header: Path, values: Path, caps: Caps) -> FileContent:
        """The content of two uploads, a header and its values, as one file (`take`).

        Raises
        ------
        ImageReadError
        """
        first, second = cls.take(header, caps), cls.take(values, caps)
        start = joined_header(b"".join(first.pieces()), bytes(next(second.pieces(), b"")))
        joined = copy.copy(second)
        # Others who upload the same file get the second one as long as it is used.
        joined._start, joined.size, joined._other = start, len(start) + second.size, second
        return joined

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


class _HeldFile:
    """A file of a `TakenFolder`, for others who uploaded the same one."""

    def __init__(self, path: Path) -> None:
        self.path = path


class TakenFolder:
    """Uploaded files under numbers, for this process's user only; removed with this object.

    Parameters
    ----------
    paths : sequence of Path
        Uploads, which are moved.
    caps : Caps
        All files together may have `Caps.max_unpacked` bytes.

    Raises
    ------
    ImageReadError
        An upload is gone, or there are too many, or they are too large.
    """

    def __init__(self, paths: Sequence[Path], caps: Caps) -> None:
        self.path = private_folder("uploaded")
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
        different = list(dict.fromkeys(paths))
        self.copies = len(paths) - len(different)
        self._files: list[_HeldFile] = []
        try:
            _check_all(different, caps)
            for number, path in enumerate(different):
                self._files.append(_hold(path, self.path / str(number)))
        finally:
            for path in different:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
            # Removing hundreds of folders takes seconds on a busy disk, for which nobody waits.
            threading.Thread(target=_remove_folders, args=(different,), daemon=True).start()

    @property
    def source(self) -> Path:
        """What the images are in: the folder, or its only file."""
        return self.path if len(self._files) > 1 else self._files[0].path


class LinkedFolder(TakenFolder):
    """Files that stay where they are, under numbers in a private folder of links.

    Parameters
    ----------
    path : Path
        A file, or a folder whose files are read, those of its folders included.

    Raises
    ------
    ImageReadError
        The folder is empty.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.copies = private_folder("linked"), 0
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
        found = below(path) if path.is_dir() else [path]
        if not found:
            raise ImageReadError("The folder is empty.")
        self._files = [_HeldFile(self.path / str(number)) for number in range(len(found))]
        with opening_errors():
            for one, held in zip(found, self._files, strict=True):
                _link(one.resolve(), held.path)


def _link(path: Path, link: Path) -> None:
    """A link to a file, or a copy where the system allows none."""
    try:
        link.symlink_to(path)
    except OSError:
        shutil.copyfile(path, link)


def check_count(count: int) -> None:
    """Raise ImageTooLarge where so many files are too many for one upload."""
    if count > MOST_FILES:
        raise ImageTooLarge(
            f"{count} files are too many to be uploaded one by one ({MOST_FILES} are possible). "
            "Give their folder as a zip archive."
        )


def _check_all(paths: Sequence[Path], caps: Caps) -> None:
    check_count(len(paths))
    total = 0
    for path in paths:
        with contextlib.suppress(OSError):
            total += path.stat().st_size
    caps.check_unpacked(total)


def _hold(path: Path, target: Path) -> _HeldFile:
    """Move an upload, or take what another visitor took of the same one."""
    with _lock, opening_errors():
        known = _taken.get(path)
        if path.is_file():
            shutil.move(path, target)
        elif isinstance(known, FileContent):
            with target.open("wb") as file:
                file.writelines(known.pieces())
        elif known is not None and known.path.exists():
            shutil.copyfile(known.path, target)
        else:
            raise _gone()
        held = _taken[path] = _HeldFile(target)
        return held


def on_disk(path: Path) -> Path:
    """Where an upload is: at its path, or where that of another visitor was moved to."""
    known = _taken.get(path)
    return known.path if isinstance(known, _HeldFile) and not path.exists() else path


def _gone() -> ImageReadError:
    return ImageReadError(
        "The upload is no longer on the server, where a file is read once and kept for ten minutes "
        "at most; upload it again."
    )


def remove_upload(path: Path) -> None:
    """Remove an uploaded file and the folder that Gradio made for it, if it is empty now."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
    _remove_folders([path])


def _remove_folders(paths: Sequence[Path]) -> None:
    """Remove the folders that Gradio made for uploads, where they are empty now."""
    for folder in (path.parent for path in paths):
        with contextlib.suppress(OSError):
            if re.fullmatch("[0-9a-f]{64}", folder.name):
                folder.rmdir()
