"""A small file that unpacks to a gigabyte gets an answer, soon and in little memory."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path

import pytest

from enhancers.decoding import FileContent, OpenedFile
from enhancers.decoding.slice_store import SliceStore
from enhancers.errors import ImageReadError
from enhancers.load import Caps
from tests.support.bombs import BOMBS

MEMORY = 500 * 2**20
SECONDS = 5

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="measures by /proc")


def figure(process: int, name: str) -> int:
    text = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return 1024 * int(text.partition(f"{name}:")[2].split()[0])


def forget_peak(process: int) -> None:
    Path(f"/proc/{process}/clear_refs").write_text("5", encoding="ascii")


@pytest.mark.parametrize("container", BOMBS)
def test_a_bomb_gets_an_answer(tmp_path: Path, pool, container: str) -> None:
    path = tmp_path / "upload"
    path.write_bytes(BOMBS[container]())
    assert path.stat().st_size < 4_000_000
    pool.warm_up()
    forget_peak(os.getpid())
    before = figure(os.getpid(), "VmRSS")
    workers = pool.processes
    for worker in workers:
        forget_peak(worker)
    opened = OpenedFile(FileContent(path, Caps()), Caps(), pool=pool, store=SliceStore(2**30))
    started = time.monotonic()
    with contextlib.suppress(ImageReadError):
        opened.image()
    assert time.monotonic() - started < SECONDS
    assert pool.processes == workers, "the worker was ended"
    taken = figure(os.getpid(), "VmHWM") - before + sum(figure(one, "VmHWM") for one in workers)
    assert taken < MEMORY
