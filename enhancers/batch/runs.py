"""Running a batch: existing results are kept, missing ones computed, all summarised."""

from __future__ import annotations

import errno
from collections.abc import Generator, Iterable, Sequence
from typing import Protocol

from enhancers.batch.dispatch import Job, WorkerHandle, dispatch
from enhancers.batch.plan import BatchPlan, BatchTask, fingerprint, request_digest
from enhancers.batch.sources import Source
from enhancers.batch.store import Entry, ResultStore
from enhancers.batch.summary_table import Status, SummaryRow, as_csv
from enhancers.batch.worker import TaskFailure, TaskOutcome

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
"""Errors after which no further result could be written."""


class Backend(Protocol):
    """Provider of workers: this machine or a cluster."""

    retries: int

    @property
    def device_type(self) -> str:
        """The kind of device the networks run on: "cpu", "cuda" or "mps"."""
        ...

    def workers(self) -> Sequence[WorkerHandle]:
        """The workers, not yet started."""
        ...


def run(
    plan: BatchPlan, sources: Iterable[Source], backend: Backend
) -> Generator[SummaryRow, None, None]:
    """Run a batch and yield a row for every result and for every file without one.

    Existing results come first. ``summary.csv`` is written however the batch ends.

    Parameters
    ----------
    plan : BatchPlan
    sources : iterable of Source
        From `sources.listed`.
    backend : Backend

    Raises
    ------
    NetworkMissing
        A network is not on this machine.
    ReadingRoomError
        A node of the cluster has other versions.
    OSError
        The disk is full or cannot be written to.
    """
    expected = fingerprint(plan.requests)
    batch = _Batch(plan, tuple(sources), backend)
    batch.store.out.mkdir(parents=True, exist_ok=True)
    batch.store.clear_leftovers()
    try:
        yield from batch.known()
        if batch.jobs:
            yield from batch.fresh(dispatch(
                batch.jobs, backend.workers(), expected, retries=backend.retries
            ))  # fmt: skip
    finally:
        batch.store.summarise(as_csv(batch.rows()))


class _Batch:
    """The state of a run: the tasks in order, and the rows so far."""

    def __init__(self, plan: BatchPlan, sources: tuple[Source, ...], backend: Backend) -> None:
        self.store = ResultStore(plan.out)
        self.sources = sources
        self.tasks = [(source, task) for source in sources for task in source.tasks]
        self.digests = [request_digest(task, backend.device_type) for _, task in self.tasks]
        self.found: dict[int, SummaryRow] = {}
        self.jobs: list[Job] = []

    def known(self) -> Generator[SummaryRow, None, None]:
        """Rows of files without a task and of existing results; the rest become jobs."""
        yield from (_unused(source) for source in self.sources if not source.tasks)
        for number, (source, task) in enumerate(self.tasks):
            entry = self.store.find(source.name, task, self.digests[number])
            if entry is None:
                self.jobs.append(Job(number, task, source.image))
            else:
                self.found[number] = self._row(source, task, Status.KEPT, entry)
                yield self.found[number]

    def fresh(
        self, answers: Generator[tuple[Job, TaskOutcome], None, None]
    ) -> Generator[SummaryRow, None, None]:
        """Write the results of the workers."""
        try:
            for job, answer in answers:
                source, task = self.tasks[job.number]
                self.found[job.number] = self._written(source, task, job.number, answer)
                yield self.found[job.number]
        finally:
            answers.close()

    def rows(self) -> list[SummaryRow]:
        """All rows in the order of the files, including tasks that were not run."""
        rows = {source.name: [_unused(source)] for source in self.sources if not source.tasks}
        for number, (source, task) in enumerate(self.tasks):
            not_run = _row(source, task, Status.NOT_RUN)
            rows.setdefault(source.name, []).append(self.found.get(number, not_run))
        return [row for source in self.sources for row in rows[source.name]]

    def _written(
        self, source: Source, task: BatchTask, number: int, outcome: TaskOutcome
    ) -> SummaryRow:
        if isinstance(outcome, TaskFailure):
            return _row(source, task, Status.FAILED, outcome.message)
        try:
            entry = self.store.put(source.name, task, self.digests[number], outcome)
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno in _DISK:
                raise
            reason = getattr(error, "strerror", None) or "its name is not possible"
            return _row(source, task, Status.FAILED, f"The result cannot be written: {reason}.")
        return self._row(source, task, Status.DONE, entry)

    def _row(self, source: Source, task: BatchTask, status: Status, entry: Entry) -> SummaryRow:
        return SummaryRow(
            file=source.name,
            slice=task.slice_index,
            method=task.method,
            status=status,
            seconds=entry.record.seconds,
            calls=entry.record.calls,
            device=entry.record.device,
            result=self.store.image(source.name, task).as_posix(),
            sha256=entry.sha256,
            message=entry.message,
        )


def _row(source: Source, task: BatchTask, status: Status, message: str = "") -> SummaryRow:
    return SummaryRow(source.name, task.slice_index, task.method, status, message=message)


def _unused(source: Source) -> SummaryRow:
    status = Status.FAILED if source.bad else Status.SKIPPED
    return SummaryRow(source.name, None, "", status, message=source.reason)
