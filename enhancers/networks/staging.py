"""Writes below `Settings.models_dir` so that an interruption leaves no incomplete network."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from enhancers.errors import ParameterError
from enhancers.settings import get_settings

WORK = ".work"


@contextmanager
def locked(name: str) -> Iterator[Path]:
    """The folder of unfinished work, while this process holds the lock ``name``.

    Raises
    ------
    ParameterError
        Another process holds the lock, or the folder cannot be written.
    """
    work = get_settings().models_dir / WORK
    try:
        work.mkdir(parents=True, exist_ok=True)
        lock = FileLock(work / f"{name}.lock")
        lock.acquire(timeout=0)
    except Timeout:
        raise ParameterError(
            f"{name} is being fetched, added or removed; wait until that is done."
        ) from None
    except OSError as error:
        raise ParameterError(
            f"{work.parent} cannot be written ({error.strerror}); make it writable, or set "
            "READINGROOM_MODELS_DIR to another folder."
        ) from error
    try:
        yield work
    finally:
        lock.release()


@contextmanager
def staged(key: str) -> Iterator[Path]:
    """An empty folder that becomes the folder of ``key`` when the block ends without an error.

    Raises
    ------
    ParameterError
        There is a network with this key, or another process is making one.
    """
    with locked(key) as work:
        home = work.parent / key
        check_free(key)
        stage = work / key
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir()
        try:
            yield stage
            stage.rename(home)
        finally:
            shutil.rmtree(stage, ignore_errors=True)


def check_free(key: str) -> None:
    """Raise ParameterError where there is a folder of this key."""
    home = get_settings().models_dir / key
    if home.exists() or home.is_symlink():
        raise ParameterError(
            f"There is a network {key} in {home}; remove it first (python -m enhancers networks "
            f"remove {key}), or give another --key."
        )


def discard(key: str) -> None:
    """Delete the folder of ``key``; of a link, the link alone."""
    with locked(key) as work:
        home, removed = work.parent / key, work / f"{key}.removed"
        shutil.rmtree(removed, ignore_errors=True)
        if home.is_symlink():
            home.unlink()
            return
        home.rename(removed)
        shutil.rmtree(removed)
