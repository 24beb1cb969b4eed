"""Dispatch of tasks to workers; dead workers are replaced and failed tasks retried."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from typing import Any, Protocol

from enhancers.batch.plan import BatchTask, ImageSource
from enhancers.batch.worker import TaskFailure, TaskOutcome, WorkerInfo
from enhancers.errors import ReadingRoomError

_log = logging.getLogger(__name__)

RETRIES = 2
"""How often a task is retried after a failure or the death of its worker."""

STARTS = 3
"""Consecutive failed starts after which a worker is given up."""

START_SECONDS = 600.0
"""Timeout while no worker is ready and none runs."""


class WorkerHandle(Protocol):
    """Control of one worker. A future that raises means that the worker died."""

    def start(self) -> Future[WorkerInfo]:
        """Start the worker, or a new one after it died."""
        ...

    def submit(self, task: BatchTask, image: ImageSource) -> Future[TaskOutcome]:
        """Send a task on a file or series to the worker, which must be free."""
        ...

    def stop(self) -> None:
        """Kill the worker, whatever it is doing."""
        ...


@dataclass(frozen=True)
class Job:
    """A task on a file or series; ``attempts`` counts the failed ones."""

    number: int
    task: BatchTask
    image: ImageSource
    attempts: int = 0


class _WorkerPool:
    """The workers of a batch by state: free, starting, running a job."""

    def __init__(
        self, workers: Sequence[WorkerHandle], expected: tuple[tuple[str, str], ...], retries: int
    ) -> None:
        self.expected = expected
        self.retries = retries
        self.free: deque[WorkerHandle] = deque()
        self.starting: dict[Future[WorkerInfo], WorkerHandle] = {}
        self.running: dict[Future[TaskOutcome], tuple[WorkerHandle, Job]] = {}
        self.failed_starts: dict[int, int] = {}
        self.reason = "the worker could not be started"
        for worker in workers:
            self.start(worker)

    def start(self, worker: WorkerHandle) -> None:
        self.starting[worker.start()] = worker

    def finish_start(self, future: Future[WorkerInfo]) -> None:
        """Add a started worker to the free ones, or restart one that failed to start."""
        worker = self.starting.pop(future)
        try:
            info = future.result()
        except Exception as error:
            # Ray and a pipe raise different errors; the reaction is the same.
            self.reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            failed = self.failed_starts.get(id(worker), 0) + 1
            self.failed_starts[id(worker)] = failed
            worker.stop()
            if failed < STARTS:
                self.start(worker)
            return
        self.failed_starts[id(worker)] = 0
        if info.problem:
            raise ReadingRoomError(f"A worker cannot begin. {info.problem}")
        check_same(self.expected, info.fingerprint)
        self.free.append(worker)

    def finish(self, future: Future[TaskOutcome]) -> tuple[Job, TaskOutcome | None]:
        """The job and its outcome; None where the job has to be retried."""
        worker, job = self.running.pop(future)
        tried = job.attempts + 1
        try:
            outcome = future.result()
        except Exception as error:
            # Ray and a pipe raise different errors; the log names them.
            _log.warning("a worker died: %s: %s", type(error).__name__, error)
            worker.stop()
            self.start(worker)
            outcome = TaskFailure(
                f"Its worker died {tried} times; the image may need more memory than there is.",
                retry=True,
            )
        else:
            self.free.append(worker)
        if isinstance(outcome, TaskFailure) and outcome.retry and tried <= self.retries:
            return replace(job, attempts=tried), None
        return job, outcome


def dispatch(
    jobs: Iterable[Job],
    workers: Sequence[WorkerHandle],
    expected: tuple[tuple[str, str], ...],
    *,
    retries: int = RETRIES,
    patience: float = START_SECONDS,
) -> Generator[tuple[Job, TaskOutcome], None, None]:
    """Run jobs on the workers and yield each with its outcome, in the order of completion.

    A worker that dies is replaced. Its job, and any job whose failure may be temporary, is retried
    on whichever worker is free first. Closing the iterator kills all workers.

    Parameters
    ----------
    jobs : iterable of Job
    workers : sequence of WorkerHandle
    expected : tuple of (name, value)
        Result of `plan.fingerprint`; every worker must have the same.
    retries : int
    patience : float
        Timeout in seconds for the first worker; after it every job is reported as failed.

    Raises
    ------
    ReadingRoomError
        A worker has other versions or networks than this process, or lacks one.
    """
    waiting = deque(jobs)
    pool = _WorkerPool(workers, expected, retries)
    try:
        while waiting or pool.running:
            while waiting and pool.free:
                worker, job = pool.free.popleft(), waiting.popleft()
                pool.running[worker.submit(job.task, job.image)] = (worker, job)
            futures: list[Future[Any]] = [*pool.starting, *pool.running]
            done, _ = wait(futures, None if pool.running else patience, FIRST_COMPLETED)
            if not done:
                sentence = f"No worker was ready ({pool.reason}); run the batch again."
                yield from ((job, TaskFailure(sentence)) for job in waiting)
                return
            for started in [future for future in pool.starting if future in done]:
                pool.finish_start(started)
            for finished in [future for future in pool.running if future in done]:
                job, outcome = pool.finish(finished)
                if outcome is None:
                    waiting.append(job)
                else:
                    yield job, outcome
    finally:
        for worker in workers:
            worker.stop()


def check_same(expected: tuple[tuple[str, str], ...], found: tuple[tuple[str, str], ...]) -> None:
    """Raise ReadingRoomError where a worker has another fingerprint than this process."""
    here, there = dict(expected), dict(found)
    for name in sorted({*here, *there}):
        if here.get(name) != there.get(name):
            raise ReadingRoomError(
                f"A worker's {name} is {_short(there.get(name))}, here it is "
                f"{_short(here.get(name))}: its results would differ. Install the same on every "
                "node."
            )


def _short(value: str | None) -> str:
    return "missing" if value is None else value[:40]
