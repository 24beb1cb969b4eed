"""Temporary files: in a folder of the process, which is removed with it or, later, by another one.

They may show patients, so that nothing of them may stay: a folder is removed when its process ends,
what processes left that were killed is removed when another one starts, and uploads are removed by
their age while a server runs.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import secrets
import shutil
import signal
import stat
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import IO

from enhancers.files import lock_file

PREFIX = "reading-room-"
LOCK = "lock"
"""File in the folder of a process that is locked as long as the process lives."""

KEPT_SECONDS = 600
"""Seconds after which a file of an upload folder is gone (see `remove_regularly`)."""
ROUND_SECONDS = 30
"""Seconds between two rounds of `remove_regularly`."""

# A folder without lock: of an earlier version, or of a system that has no locks.
_UNLOCKED_SECONDS = 24 * 3600
_NEW = ".reading-room-new-"

# Reentrant, for the handler of SIGTERM.
_mutex = threading.RLock()
_folders: dict[int, tuple[Path, IO[bytes]]] = {}


def process_folder() -> Path:
    """The folder of this process for temporary files, for its user only; removed when it ends.

    At the first call, folders that other processes left are removed.
    """
    with _mutex:
        own = _folders.get(os.getpid())
        if own is None or not own[0].is_dir():
            base = Path(tempfile.gettempdir())
            own = _folders[os.getpid()] = _made(base)
            atexit.register(shutil.rmtree, own[0], ignore_errors=True)
            remove_dead_folders(base)
        return own[0]


def private_folder(purpose: str) -> Path:
    """A new folder below `process_folder`.

    Parameters
    ----------
    purpose : str
        Begins its name.
    """
    return Path(tempfile.mkdtemp(prefix=f"{purpose}-", dir=process_folder()))


def remove_process_folder() -> None:
    """Remove the folder of this process now: ending may wait for what is still under way."""
    with _mutex:
        if os.getpid() in _folders:
            shutil.rmtree(_folders[os.getpid()][0], ignore_errors=True)


def removed_at_sigterm() -> None:
    """Let SIGTERM end the process like Ctrl+C, after its folder was removed; main thread only."""

    def ended(number: int, frame: FrameType | None) -> None:
        remove_process_folder()
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGTERM, ended)


def remove_dead_folders(base: Path) -> None:
    """Remove the folders of processes of this user that have ended without doing so."""
    locks_work = _locks_work()
    for folder in [*base.glob(f"{PREFIX}*"), *base.glob(f"{_NEW}*")]:
        with contextlib.suppress(OSError):
            facts = folder.lstat()
            own = not hasattr(os, "getuid") or facts.st_uid == os.getuid()
            if not (own and stat.S_ISDIR(facts.st_mode)):
                continue
            lock = folder / LOCK
            if locks_work and folder.name.startswith(PREFIX) and lock.is_file():
                with lock.open("rb") as file:
                    # BlockingIOError, an OSError, where the process lives.
                    lock_file(file, wait=False)
                    shutil.rmtree(folder, ignore_errors=True)
            elif time.time() - facts.st_mtime > _UNLOCKED_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def remove_regularly(folder: Path) -> None:
    """Remove what lies longer in a folder than `KEPT_SECONDS`, as long as the process lives.

    Files that lie there at the call are not of visitors and stay.

    Parameters
    ----------
    folder : Path
        Of uploads, and of files that are made for download.
    """
    kept = frozenset(path for path in folder.rglob("*") if path.is_file())

    def rounds() -> None:
        while True:
            time.sleep(ROUND_SECONDS)
            remove_old(folder, KEPT_SECONDS - 2 * ROUND_SECONDS, kept)

    threading.Thread(target=rounds, name="old uploads", daemon=True).start()


def remove_old(folder: Path, seconds: float, kept: Iterable[Path] = ()) -> None:
    """Remove the files below a folder that have not changed for so long, and empty folders."""
    before = time.time() - seconds
    for where, folders, names in os.walk(folder, topdown=False):
        for name in names:
            path = Path(where) / name
            with contextlib.suppress(OSError):
                if path not in kept and path.lstat().st_ctime < before:
                    path.unlink()
        for name in folders:
            path = Path(where) / name
            with contextlib.suppress(OSError):
                # Fails where the folder is not empty. A new one may be about to get its file.
                if path.lstat().st_ctime < before:
                    path.rmdir()


def _made(base: Path) -> tuple[Path, IO[bytes]]:
    """A folder that has its name only when it is locked: others remove what is not."""
    new = Path(tempfile.mkdtemp(prefix=_NEW, dir=base))
    lock = (new / LOCK).open("wb")
    lock_file(lock, wait=False)
    folder = base / f"{PREFIX}{secrets.token_hex(8)}"
    if os.name == "posix":
        new.rename(folder)
        return folder, lock
    # An open file keeps its folder from being renamed.
    return new, lock


def _locks_work() -> bool:
    """Whether a second lock of a locked file is refused, which not all systems and disks do."""
    folder, _ = _folders[os.getpid()]
    with (folder / LOCK).open("rb") as second:
        try:
            lock_file(second, wait=False)
        except BlockingIOError:
            return True
    return False
