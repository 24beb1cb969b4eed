"""Worker processes: their limits, their end, and what a file says that ended one."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from enhancers.decoding import DecodePool, FileContent, OpenedFile
from enhancers.decoding import pool as pools
from enhancers.decoding.slice_store import SliceStore
from enhancers.errors import ImageReadError, ImageTooLarge, ServerBusy
from enhancers.load import Caps
from enhancers.settings import Settings
from tests.support import bombs, image_files

GRAY16 = image_files.ramp().astype(np.uint16)

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of POSIX")


@pytest.fixture
def opened(tmp_path: Path):
    def write(data: bytes, pool: DecodePool) -> OpenedFile:
        path = tmp_path / "upload"
        path.write_bytes(data)
        content = FileContent.take(path, Caps())
        return OpenedFile(content, Caps(), pool=pool, store=SliceStore(2**30))

    return write


@pytest.fixture(scope="module")
def strict():
    """One worker, with little memory and time."""
    made = DecodePool(1, 150_000_000, 1.0)
    made.warm_up()
    yield made
    made.close()


@pytest.fixture(scope="module")
def slow() -> bytes:
    """A volume that takes seconds to inflate, from a file that is large enough for it."""
    return bombs.nifti(512, 3000, padding=np.random.default_rng(0).bytes(4_000_000))


def works(opened, pool: DecodePool) -> None:
    assert opened(image_files.png(GRAY16), pool).image().shape == GRAY16.shape


def test_limits_are_those_of_the_settings() -> None:
    settings = Settings(decode_workers=3, decode_memory_mb=200, decode_seconds=7)
    pool = DecodePool.from_settings(settings)
    assert (pool.memory, pool.seconds, pool.processes) == (200_000_000, 7, [])


@posix
def test_too_much_memory_is_said_and_the_worker_goes_on(opened, strict: DecodePool) -> None:
    works(opened, strict)
    before = strict.processes
    large = image_files.nifti(np.arange(5000**2, dtype=np.int32).reshape(5000, 5000, 1))
    with pytest.raises(ImageTooLarge, match=r"more memory than 150 MB.*DECODE_MEMORY_MB"):
        opened(large, strict).image()
    works(opened, strict)
    assert strict.processes == before


def test_too_much_time_ends_the_worker_and_the_next_file_gets_a_new_one(
    opened, strict: DecodePool, slow: bytes
) -> None:
    started = time.monotonic()
    with pytest.raises(ImageTooLarge, match=r"more than 1 seconds.*DECODE_SECONDS"):
        opened(slow, strict).image()
    assert time.monotonic() - started < 3
    assert strict.processes == []


@posix
@pytest.mark.parametrize(
    ("number", "says"), [(signal.SIGKILL, "more memory than"), (signal.SIGSEGV, "damaged")]
)
def test_a_worker_that_dies_is_an_error_of_the_file(
    opened, pool: DecodePool, slow: bytes, number: signal.Signals, says: str
) -> None:
    works(opened, pool)
    (process,) = pool.processes
    threading.Timer(0.3, os.kill, (process, number)).start()
    with pytest.raises(ImageReadError, match=says):
        opened(slow, pool).image()
    works(opened, pool)
    assert pool.processes not in ([], [process])


def test_more_files_than_workers_wait_and_too_many_are_refused(
    opened, pool: DecodePool, monkeypatch
) -> None:
    files = [opened(image_files.png(GRAY16), pool) for _ in range(4)]
    found: list[object] = []
    threads = [
        threading.Thread(target=lambda file=file: found.append(file.image())) for file in files
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(pool.processes) <= 2
    monkeypatch.setattr(pools, "MOST_WAITING", 0)
    with pytest.raises(ServerBusy, match="waiting to be read"):
        works(opened, pool)


def test_errors_are_those_of_the_loader(opened, pool: DecodePool) -> None:
    for bad in ("text", "truncated_png", "constant", "one_pixel", "dicomdir"):
        wrong = image_files.bad_files()[bad]
        with pytest.raises(ImageReadError, match=wrong.says):
            opened(wrong.data, pool).image()


@posix
def test_a_worker_has_neither_torch_nor_gradio_and_ends_with_its_server(
    opened, pool: DecodePool
) -> None:
    works(opened, pool)
    process = pool.processes[0]
    libraries = Path(f"/proc/{process}/maps").read_text(encoding="utf-8")
    assert "numpy" in libraries
    assert "torch" not in libraries
    pool.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
