"""Nothing that a test does is kept among the files of whoever runs it."""

from __future__ import annotations

import functools
import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
import typer.main
from sqlalchemy import URL, Engine

from study.accounts.cookie_keys import VARIABLE
from study.storage import engine, lasting_disk

# Looking for garbage among all that is imported took a fifth of the time: it stays to the end.
gc.disable()

MEMORY_DISK = Path("/dev/shm")
ENOUGH_BYTES = 4 * 2**30


def _memory_disk_is_usable() -> bool:
    if not (MEMORY_DISK.is_dir() and os.access(MEMORY_DISK, os.W_OK | os.X_OK)):
        return False
    runs_programs = not os.statvfs(MEMORY_DISK).f_flag & os.ST_NOEXEC
    return runs_programs and shutil.disk_usage(MEMORY_DISK).free >= ENOUGH_BYTES


# Every answer of a study waits for the disk; hundreds of tests need not.
if "TMPDIR" not in os.environ and _memory_disk_is_usable():
    os.environ["TMPDIR"] = str(MEMORY_DISK)
    tempfile.tempdir = None


# Studies of tests are in memory, and may be lost.
os.environ.setdefault(lasting_disk.VARIABLE, "1")


def pytest_collection_finish() -> None:
    """Look for garbage from now on, among what tests make."""
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def cookie_key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The key of cookies of this run, also for the servers that tests start."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = str(tmp_path_factory.mktemp("server") / "cookie.key")
    yield
    if before is None:
        del os.environ[VARIABLE]
    else:
        os.environ[VARIABLE] = before


@pytest.fixture(scope="session", autouse=True)
def compiled_statements() -> Iterator[None]:
    """Compile a statement once for all SQLite studies of the run, not once for each."""
    common = sqlalchemy.create_engine("sqlite://")
    common.connect().close()

    def create_engine(url: URL, **options: Any) -> Engine:
        made = sqlalchemy.create_engine(url, **options)
        if url.get_backend_name() == "sqlite":
            made.dialect, made._compiled_cache = common.dialect, common._compiled_cache
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "create_engine", create_engine)
        yield
    common.dispose()


@pytest.fixture(scope="session", autouse=True)
def parsed_commands() -> Iterator[None]:
    """Read the signatures of a command line once, not at every call of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", functools.cache(typer.main.get_command))
        yield
