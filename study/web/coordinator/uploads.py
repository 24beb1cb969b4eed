"""Unpacks images that are uploaded as a zip file into a private folder, within limits."""

from __future__ import annotations

import os
import shutil
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from enhancers import zip_limits
from enhancers.private_folders import private_folder
from study.domain.errors import BuildError

TABLE = "manifest.csv"
KEPT_SECONDS = 540.0
"""Seconds for which files stay after the last sign of a page (`Uploads.stay`)."""
_CHUNK = 1 << 20


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
    """A private folder for one upload at a time.

    It is removed when the server ends, and some minutes after the last page was closed.

    Parameters
    ----------
    busy : callable, optional
        Whether a job may need the files; they stay until it has ended.
    kept_seconds : float
        From the last sign of a page to the removal.
    """

    def __init__(
        self, busy: Callable[[], bool] = lambda: False, kept_seconds: float = KEPT_SECONDS
    ) -> None:
        self._busy, self._kept_seconds = busy, kept_seconds
        self._lock = threading.RLock()
        self._last_sign = 0.0
        self._timer: threading.Timer | None = None
        self._root: Path | None = None

    def stay(self) -> None:
        """Note that a page is open."""
        self._last_sign = time.monotonic()

    def _remove_later(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._remove)
        self._timer.daemon = True
        self._timer.start()

    def _remove(self) -> None:
        with self._lock:
            left = self._last_sign + self._kept_seconds - time.monotonic()
            if left > 0 or self._busy():
                self._remove_later(max(left, self._kept_seconds / 10))
            else:
                self.clear()

    def take(self, archive: Path) -> Unpacked:
        """Unpack a zip file in place of the earlier one, then delete the zip file.

        Raises
        ------
        BuildError
            It is not a zip file, has entries outside its folder, or is too large.
        """
        self.clear()
        root = private_folder("images")
        with self._lock:
            self._root = root
            self.stay()
            self._remove_later(self._kept_seconds)
        try:
            with zipfile.ZipFile(archive) as opened:
                count = _unpack(opened, root, archive.stat().st_size)
        except zip_limits.DAMAGED:
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
        with self._lock:
            root, self._root = self._root, None
            if self._timer is not None:
                self._timer.cancel()
        if root is not None:
            shutil.rmtree(root, ignore_errors=True)


def _unpack(archive: zipfile.ZipFile, root: Path, size: int) -> int:
    entries = [one for one in archive.infolist() if zip_limits.is_wanted(one)]
    if len(entries) > zip_limits.MOST_ENTRIES:
        raise BuildError(
            f"The zip file holds {len(entries)} files; {zip_limits.MOST_ENTRIES} are allowed."
        )
    if not entries:
        raise BuildError("The zip file is empty.")
    left = most = zip_limits.most_bytes(size)
    if sum(entry.file_size for entry in entries) > most:
        raise _swollen(most)
    for entry in entries:
        target = _target(root, entry)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with archive.open(entry) as source, os.fdopen(handle, "wb") as file:
            # The size that an entry states may be wrong: count the bytes that come out.
            while chunk := source.read(_CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise _swollen(most)
                file.write(chunk)
    return len(entries)


def _swollen(most: int) -> BuildError:
    return BuildError(
        f"The zip file unpacks to more than {most / 1e6:.4g} MB, which is too much for its size. "
        "Give it in parts, or without what is not an image."
    )


def _target(root: Path, entry: zipfile.ZipInfo) -> Path:
    parts = zip_limits.parts_of(entry)
    if not parts:
        raise BuildError("The zip file has an entry without a name.")
    if zip_limits.is_link(entry) or zip_limits.leads_out(entry):
        raise BuildError(f"The zip file has an entry that leads elsewhere: {entry.filename!r}.")
    return root.joinpath(*parts)


def _inner(root: Path) -> Path:
    """The only folder at the top of a zip file, or the top itself."""
    found = list(root.iterdir())
    has_folders = len(found) == 1 and found[0].is_dir()
    if has_folders and (
        (found[0] / TABLE).is_file() or any(one.is_dir() for one in found[0].iterdir())
    ):
        return found[0]
    return root
