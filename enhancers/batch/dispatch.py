"""Handing tasks to workers that may die: retried, replaced, reported."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from enhancers.batch.plan import BatchTask
from enhancers.batch.worker import Answer, Facts, Failure
from enhancers.errors import ReadingRoomError

_log = logging.getLogger(__name__)

RETRIES = 2
"""How often a task that failed, or whose worker died, is tried again."""

STARTS = 3
"""How often in a row a worker may fail to start before its place is given up."""

START_SECONDS = 600.0
"""How long to wait for a worker while none is ready and none runs."""


class Place(Protocol):
    """Where one worker lives. A future that raises means that the worker died."""

    def start(self) -> Future[Facts]:
        """Begin a new worker in this place."""
        ...

    def submit(self, task: BatchTask, path: Path) -> Future[Answer]:
        """Give the worker, which must be free, a task on the file at ``path``."""
        ...

    def stop(self) -> None:
        """End the worker at once, whatever it does."""
        ...


@dataclass(frozen=True)
class Job:
    """A task on a file; ``attempts`` counts those that failed."""

    number: int
    task: BatchTask
    path: Path
    attempts: int = 0


class _Floor:
    """The places of a batch: which are free, which are starting, which work on what."""

    def __init__(
        self, places: Sequence[Place], expected: tuple[tuple[str, str], ...], retries: int
    ) -> None:
        self.expected = expected
        self.retries = retries
        self.free: deque[Place] = deque()
        self.starting: dict[Future[Facts], Place] = {}
        self.running: dict[Future[Answer], tuple[Place, Job]] = {}
        self.failed_starts: dict[int, int] = {}
        self.reason = "the worker could not be started"
        for place in places:
            self.start(place)

    def start(self, place: Place) -> None:
        self.starting[place.start()] = place

    def started(self, future: Future[Facts]) -> None:
        """Let a place begin to work, or start again where its worker did not come up."""
        place = self.starting.pop(future)
        try:
            facts = future.result()
        except Exception as error:
            # Ray and a pipe each have their own errors for it; the answer is the same.
            self.reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            failed = self.failed_starts.get(id(place), 0) + 1
            self.failed_starts[id(place)] = failed
            place.stop()
            if failed < STARTS:
                self.start(place)
            return
        self.failed_starts[id(place)] = 0
        if facts.trouble:
            raise ReadingRoomError(f"A worker cannot begin. {facts.trouble}")
        check_same(self.expected, facts.fingerprint)
        self.free.append(place)

    def answered(self, future: Future[Answer]) -> tuple[Job, Answer | None]:
        """What a worker answered; None where the task is to be tried again."""
        place, job = self.running.pop(future)
        tried = job.attempts + 1
        try:
            answer = future.result()
        except Exception as error:
            # Ray and a pool each have their own errors for it, and the log says which.
            _log.warning("a worker died: %s: %s", type(error).__name__, error)
            place.stop()
            self.start(place)
            answer = Failure(
                f"Its worker died {tried} times; the image may need more memory than there is.",
                again=True,
            )
        else:
            self.free.append(place)
        if isinstance(answer, Failure) and answer.again and tried <= self.retries:
            return replace(job, attempts=tried), None
        return job, answer


def dispatch(
    jobs: Iterable[Job],
    places: Sequence[Place],
    expected: tuple[tuple[str, str], ...],
    *,
    retries: int = RETRIES,
    patience: float = START_SECONDS,
) -> Generator[tuple[Job, Answer], None, None]:
    """Run jobs in the places and yield each with its answer, in the order in which they finish.

    A worker that dies is replaced and its job tried again, elsewhere if another place is free
    sooner; so is a job whose failure may pass. Closing the iterator ends all workers at once.

    Parameters
    ----------
    jobs : iterable of Job
    places : sequence of Place
    expected : tuple of (name, value)
        The `plan.fingerprint` that every worker must have.
    retries : int
    patience : float
        Seconds to wait for a first worker before every job is reported as failed.

    Raises
    ------
    ReadingRoomError
        A worker computes with other versions or networks, or lacks one.
    """
    waiting = deque(jobs)
    floor = _Floor(places, expected, retries)
    try:
        while waiting or floor.running:
            while waiting and floor.free:
                place, job = floor.free.popleft(), waiting.popleft()
                floor.running[place.submit(job.task, job.path)] = (place, job)
            futures: list[Future[Any]] = [*floor.starting, *floor.running]
            done, _ = wait(futures, None if floor.running else patience, FIRST_COMPLETED)
            if not done:
                sentence = f"No worker was ready ({floor.reason}); run the batch again."
                yield from ((job, Failure(sentence)) for job in waiting)
                return
            for started in [future for future in floor.starting if future in done]:
                floor.started(started)
            for finished in [future for future in floor.running if future in done]:
                job, answer = floor.answered(finished)
                if answer is None:
                    waiting.append(job)
                else:
                    yield job, answer
    finally:
        for place in places:
            place.stop()


def check_same(expected: tuple[tuple[str, str], ...], found: tuple[tuple[str, str], ...]) -> None:
    """Raise ReadingRoomError where a worker would compute with something else than this process."""
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
