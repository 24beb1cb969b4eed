"""The worker processes that decode: how many there are, what each may take, and how they end."""

from __future__ import annotations

import atexit
import contextlib
import functools
import logging
import math
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from numpy.typing import NDArray

from enhancers import errors
from enhancers.decoding.content import FileContent
from enhancers.decoding.messages import (
    ConnectionEnded,
    Readable,
    read_arrays,
    read_facts,
    write_facts,
)
from enhancers.errors import ImageReadError, ImageTooLarge, ReadingRoomError, ServerBusy

if TYPE_CHECKING:
    from enhancers.settings import Settings

MOST_WAITING = 32
"""Files that may wait for a worker; one more is refused."""
LONGEST_WAIT = 60.0
"""Seconds that a file waits for a worker."""
MOST_FILES_TIME = 10
"""Times as long as one file may take that a job with many files may."""

Progress = Callable[[int], None]

_log = logging.getLogger(__name__)

_ROOT = Path(__file__).resolve().parents[2]
_MODULE = "enhancers.decoding.worker"
# One thread, and what is freed goes back to the system at once.
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OPENCV_FOR_THREADS_NUM": "1",
    "MALLOC_MMAP_THRESHOLD_": "1048576", "MALLOC_TRIM_THRESHOLD_": "1048576",
    "MALLOC_ARENA_MAX": "1",
}  # fmt: skip
_KINDS = {"ImageReadError", "ImageTooLarge", "ParameterError"}


@dataclass(frozen=True, eq=False)
class Answer:
    """What a worker found: plain values and arrays."""

    facts: Mapping[str, Any]
    arrays: list[NDArray[Any]]


class DecodePool:
    """Worker processes that decode files, started when they are needed.

    Parameters
    ----------
    workers : int
        Files that are decoded at once; others wait for their turn.
    memory : int
        Bytes that a worker may allocate for one file.
    seconds : float
        Time for one file.
    """

    def __init__(self, workers: int, memory: int, seconds: float) -> None:
        self.memory, self.seconds = memory, seconds
        self._free: queue.LifoQueue[_Place] = queue.LifoQueue()
        self._places = [_Place() for _ in range(workers)]
        for place in self._places:
            self._free.put(place)
        self._lock = threading.Lock()
        self._waiting = 0

    @classmethod
    def from_settings(cls, settings: Settings) -> DecodePool:
        """The pool that the user configured."""
        memory = round(settings.decode_memory_mb * 1e6)
        return cls(settings.decode_workers, memory, settings.decode_seconds)

    def ask(
        self, content: FileContent | None, job: str, *, progress: Progress | None = None,
        **asked: Any,
    ) -> Answer:  # fmt: skip
        """Let a worker do a job (`worker.JOBS`) with a file, or with those that it is told of.

        Parameters
        ----------
        content : FileContent or None
        job : str
        progress : callable, optional
            Gets the number of files that are done, of a job with several. Each of them may take the
            time of one, and all together `MOST_FILES_TIME` times as long.
        **asked
            What the job needs, as plain values.

        Raises
        ------
        ImageReadError
            The file is damaged, or crashes its decoder; `ImageTooLarge` where it needs more memory
            or time than is allowed.
        ParameterError
            A slice or window is not possible for this file.
        ServerBusy
            Too many files wait.
        """
        with self._place() as place:
            worker = place.running(self.memory, self.seconds)
            try:
                answer = worker.ask(
                    content, {"job": job, **asked}, self.seconds, self.memory, progress
                )
            except ConnectionEnded:
                worker.await_end()
                place.end()
                raise self._died(worker) from None
            except BaseException:
                place.end()
                raise
        if kind := answer.facts.get("error"):
            raise self._error(kind, answer.facts.get("message"))
        return answer

    def warm_up(self) -> None:
        """Start the first worker and wait until it is ready, so that the first file need not."""
        with contextlib.suppress(ServerBusy, ConnectionEnded), self._place() as place:
            place.running(self.memory, self.seconds).await_start()

    def close(self) -> None:
        """End all workers; the next file gets a new one."""
        for place in self._places:
            place.end()

    @property
    def processes(self) -> list[int]:
        """Process ids of the workers that run."""
        return [place.worker.process.pid for place in self._places if place.worker]

    @contextlib.contextmanager
    def _place(self) -> Iterator[_Place]:
        with self._lock:
            if self._waiting >= MOST_WAITING:
                raise _busy(self._waiting)
            self._waiting += 1
        try:
            place = self._free.get(timeout=LONGEST_WAIT)
        except queue.Empty:
            raise _busy(self._waiting) from None
        finally:
            with self._lock:
                self._waiting -= 1
        try:
            yield place
        finally:
            self._free.put(place)

    def _died(self, worker: _Worker) -> ImageReadError:
        if worker.too_long or worker.ended_by("SIGALRM"):
            return ImageTooLarge(
                f"Reading the file takes more than {self.seconds:g} seconds, the limit "
                "(READINGROOM_DECODE_SECONDS). Export it without compression, or a single slice."
            )
        if worker.ended_by("SIGKILL"):
            return self._too_much()
        return self._damaged()

    @staticmethod
    def _damaged() -> ImageReadError:
        return ImageReadError(
            "The file is damaged: its decoder stopped without an answer. Export it again."
        )

    def _too_much(self) -> ImageTooLarge:
        return ImageTooLarge(
            f"Reading the file needs more memory than {self.memory / 1e6:g} MB, the limit "
            "(READINGROOM_DECODE_MEMORY_MB). Crop the image, or export a single slice."
        )

    def _error(self, kind: str, message: object) -> ReadingRoomError:
        if kind == "MemoryError":
            return self._too_much()
        if kind not in _KINDS:
            _log.error("a file could not be decoded: %s", message)
            return self._damaged()
        found: type[ReadingRoomError] = getattr(errors, kind)
        return found(str(message))


class _Place:
    """A place for a worker."""

    def __init__(self) -> None:
        self.worker: _Worker | None = None

    def running(self, memory: int, seconds: float) -> _Worker:
        """The worker, a new one where there is none or it has ended."""
        if self.worker is None or self.worker.process.poll() is not None:
            self.end()
            self.worker = _Worker(memory, seconds)
        return self.worker

    def end(self) -> None:
        worker, self.worker = self.worker, None
        if worker is not None:
            worker.kill()


class _Worker:
    """A worker process and the pipes to it."""

    def __init__(self, memory: int, seconds: float) -> None:
        path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
        self.too_long = self.started = False
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", _MODULE, str(memory), str(math.ceil(seconds))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={**os.environ, **_ENVIRONMENT, "PYTHONPATH": path},
            # Ctrl+C is for the server, and decoders of its own end together with the worker.
            start_new_session=True,
        )

    def ask(
        self,
        content: FileContent | None,
        asked: Mapping[str, Any],
        seconds: float,
        most: int,
        progress: Progress | None,
    ) -> Answer:
        self.await_start()
        end = time.monotonic() + MOST_FILES_TIME * seconds
        timer = self._stopped_in(seconds)
        try:
            write = self._write
            write_facts(write, {**asked, "size": content.size if content else 0})
            for piece in content.pieces() if content else ():
                write(piece)
            # Without buffer, this is a raw file.
            answers = cast(Readable, self.process.stdout)
            facts = read_facts(answers)
            while "done" in facts:
                timer.cancel()
                timer = self._stopped_in(min(seconds, max(end - time.monotonic(), 0.0)))
                if progress:
                    progress(int(facts["done"]))
                facts = read_facts(answers)
            return Answer(facts, read_arrays(answers, facts, 2 * most))
        except BrokenPipeError:
            raise ConnectionEnded from None
        finally:
            timer.cancel()

    def await_start(self) -> None:
        """Wait until the worker has imported its libraries, for long on a busy machine."""
        if self.started:
            return
        timer = self._stopped_in(LONGEST_WAIT)
        try:
            read_facts(cast(Readable, self.process.stdout))
            self.started = True
        finally:
            timer.cancel()

    def _write(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        assert self.process.stdin is not None
        while view:
            view = view[self.process.stdin.write(view) :]

    def _stopped_in(self, seconds: float) -> threading.Timer:
        timer = threading.Timer(seconds, self._stop)
        timer.daemon = True
        timer.start()
        return timer

    def _stop(self) -> None:
        self.too_long = True
        self.kill()

    def kill(self) -> None:
        """End the process and those that it started."""
        if self.process.returncode is None:
            with contextlib.suppress(OSError):
                if sys.platform == "win32":
                    self.process.kill()
                else:
                    os.killpg(self.process.pid, signal.SIGKILL)
        if not self.too_long:
            for pipe in (self.process.stdin, self.process.stdout):
                if pipe is not None:
                    pipe.close()
        self.process.wait()

    def await_end(self) -> None:
        """Wait for a process that has closed its pipe: how it ended says what was wrong."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1.0)

    def ended_by(self, name: str) -> bool:
        """Whether the process ended by a signal of this name."""
        number = getattr(signal, name, None)
        return number is not None and self.process.wait() == -number


def _busy(waiting: int) -> ServerBusy:
    return ServerBusy(f"{waiting} files are waiting to be read; try again in a moment.")


@functools.cache
def decode_pool() -> DecodePool:
    """The workers of this process, by the settings; they end with it."""
    # Workers import this module, and nothing of the settings.
    from enhancers.settings import get_settings

    pool = DecodePool.from_settings(get_settings())
    atexit.register(pool.close)
    return pool
