"""Unpacks images that are uploaded as a zip file into a private folder, within limits."""

from __future__ import annotations

import atexit
import lzma
import os
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from study.domain.errors import BuildError

MAX_FILES = 50_000
MAX_BYTES = 20 * 10**9
TABLE = "manifest.csv"
_CHUNK = 1 << 20
_DAMAGED = (
    zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, OverflowError,
    struct.error, zlib.error, lzma.LZMAError,
)  # fmt: skip
"""What reading a damaged file raises; names in it may be damaged too."""
_IGNORED = ("__MACOSX", ".DS_Store", "Thumbs.db")


@dataclass(frozen=True)
class Unpacked:
    """Contents of a zip file.

    Parameters
    ----------
    folder : Path
        The folder of images, or that of the table.
    table : Path or None
        Its ``manifest.csv``, if it has one.
    files : int
    """

    folder: Path
    table: Path | None
    files: int


class Uploads:
    """A private folder for one upload at a time, removed when the server ends."""

    def __init__(self) -> None:
        self._root: Path | None = None

    def take(self, archive: Path) -> Unpacked:
        """Unpack a zip file in place of the earlier one, then delete the zip file.

        Raises
        ------
        BuildError
            It is not a zip file, has entries outside its folder, or is too large.
        """
        self.clear()
        root = Path(tempfile.mkdtemp(prefix="reading-room-images-"))
        atexit.register(shutil.rmtree, root, ignore_errors=True)
        self._root = root
        try:
            with zipfile.ZipFile(archive) as opened:
                count = _unpack(opened, root)
        except _DAMAGED:
            self.clear()
            raise BuildError(
                "This is not a zip file that can be read: make one without a password."
            ) from None
        except (BuildError, OSError) as error:
            self.clear()
            raise error if isinstance(error, BuildError) else BuildError(
                f"The zip file cannot be unpacked: {error.strerror}."
            ) from None  # fmt: skip
        finally:
            archive.unlink(missing_ok=True)
        folder = _inner(root)
        table = folder / TABLE
        return Unpacked(folder, table if table.is_file() else None, count)

    def clear(self) -> None:
        """Remove the unpacked files."""
        if self._root is not None:
            shutil.rmtree(self._root, ignore_errors=True)
            self._root = None


def _unpack(archive: zipfile.ZipFile, root: Path) -> int:
    entries = [one for one in archive.infolist() if not _is_folder(one) and not _is_ignored(one)]
    if len(entries) > MAX_FILES:
        raise BuildError(f"The zip file holds {len(entries)} files; {MAX_FILES} are allowed.")
    if not entries:
        raise BuildError("The zip file is empty.")
    left = MAX_BYTES
    for entry in entries:
        target = _target(root, entry)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with archive.open(entry) as source, os.fdopen(handle, "wb") as file:
            # The size that an entry states may be wrong: count the bytes that come out.
            while chunk := source.read(_CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise BuildError(f"The zip file unpacks to more than {MAX_BYTES:.0e} bytes.")
                file.write(chunk)
    return len(entries)


def _target(root: Path, entry: zipfile.ZipInfo) -> Path:
    parts = PurePosixPath(entry.filename.replace("\\", "/")).parts
    if not parts:
        raise BuildError("The zip file has an entry without a name.")
    link = stat.S_ISLNK(entry.external_attr >> 16)
    if link or parts[0] == "/" or ".." in parts or ":" in parts[0]:
        raise BuildError(f"The zip file has an entry that leads elsewhere: {entry.filename!r}.")
    return root.joinpath(*parts)


def _is_folder(entry: zipfile.ZipInfo) -> bool:
    # `ZipInfo.is_dir` fails for an empty name in some versions of Python.
    return entry.filename.endswith("/")


def _is_ignored(entry: zipfile.ZipInfo) -> bool:
    parts = PurePosixPath(entry.filename).parts
    return any(part in _IGNORED for part in parts)


def _inner(root: Path) -> Path:
    """The only folder at the top of a zip file, or the top itself."""
    found = list(root.iterdir())
    has_folders = len(found) == 1 and found[0].is_dir()
    if has_folders and (
        (found[0] / TABLE).is_file() or any(one.is_dir() for one in found[0].iterdir())
    ):
        return found[0]
    return root
