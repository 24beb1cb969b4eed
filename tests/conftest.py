"""Nothing that a test does is kept among the files of whoever runs it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from study.accounts.cookie_keys import VARIABLE
from study.storage import lasting_disk

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
