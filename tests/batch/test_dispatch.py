"""Workers that fail, die or never start."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import Future
from pathlib import Path

import pytest

from enhancers.batch import BatchPlan, LocalBackend, Status, listed, requests, run
from enhancers.batch.dispatch import Job, dispatch
from enhancers.batch.local import THREAD_NAME, WorkerProcess
from enhancers.batch.plan import BatchTask
from enhancers.batch.worker import TaskFailure, TaskOutcome, WorkerInfo
from enhancers.errors import ReadingRoomError
from tests.support.batch_folders import fill, results

TASK = BatchTask("0" * 64, None, "clahe", (), 0, None, "png")
SAME = (("numpy", "2.0"),)


class Played:
    """A worker that follows a script: it dies, fails, or answers with the job's name."""

    def __init__(self, *script: str, starts: tuple[object, ...] = ()) -> None:
        self.script = list(script)
        self.starts = list(starts)
        self.started = 0
        self.stopped = 0

    def start(self) -> Future[WorkerInfo]:
        self.started += 1
        future: Future[WorkerInfo] = Future()
        said = self.starts.pop(0) if self.starts else SAME
        if isinstance(said, Exception):
            future.set_exception(said)
        elif said == "never":
            return future
        else:
            future.set_result(
                WorkerInfo(1, said) if isinstance(said, tuple) else WorkerInfo(1, (), said)
            )
        return future

    def submit(self, task: BatchTask, path: Path) -> Future[TaskOutcome]:
        future: Future[TaskOutcome] = Future()
        said = self.script.pop(0) if self.script else "good"
        if said == "die":
            future.set_exception(EOFError())
        else:
            future.set_result(TaskFailure(f"{said} {path.name}", retry=said == "again"))
        return future

    def stop(self) -> None:
        self.stopped += 1


def play(*workers: Played, jobs: int = 3, **options: float) -> list[str]:
    asked = [Job(number, TASK, Path(str(number))) for number in range(jobs)]
    answers = list(dispatch(asked, workers, SAME, **options))
    assert jobs > 0
    assert sorted(job.number for job, _ in answers) == list(range(jobs))
    return sorted(answer.message for _, answer in answers)


def test_a_dead_worker_is_replaced_and_its_job_done() -> None:
    worker = Played("good", "die")
    assert play(worker) == ["good 0", "good 1", "good 2"]
    assert worker.started == 2
    assert worker.stopped == 2


def test_a_job_that_kills_is_reported_after_three_workers() -> None:
    worker = Played("die", "die", "die")
    found = play(worker, jobs=1)
    assert found == ["Its worker died 3 times; the image may need more memory than there is."]
    assert worker.started == 4


def test_a_failure_that_may_pass_is_tried_twice_more() -> None:
    assert play(Played("again", "again", "good"), jobs=1) == ["good 0"]
    assert play(Played("again", "again", "again"), jobs=1) == ["again 0"]
    assert play(Played("final", "good"), jobs=1) == ["final 0"]
    assert play(Played("again", "good"), jobs=1, retries=0) == ["again 0"]


def test_one_worker_that_never_starts_does_not_hold_up_the_other() -> None:
    assert len(play(Played(starts=("never",)), Played())) == 3


def test_without_a_worker_every_job_is_reported() -> None:
    found = play(Played(starts=("never",)), patience=0.05)
    assert all("No worker was ready" in sentence for sentence in found)
    worker = Played(starts=(EOFError(), EOFError(), ImportError("no module enhancers")))
    assert all("no module enhancers" in sentence for sentence in play(worker))
    assert worker.started == 3


def test_a_worker_with_other_versions_ends_the_batch() -> None:
    with pytest.raises(ReadingRoomError, match=r"numpy is 1\.26, here it is 2\.0"):
        play(Played(starts=((("numpy", "1.26"),),)))
    with pytest.raises(ReadingRoomError, match="numpy is missing"):
        play(Played(starts=((),)))
    with pytest.raises(ReadingRoomError, match="adm256 is not here"):
        play(Played(starts=("The network adm256 is not here.",)))


def test_closing_ends_every_worker() -> None:
    workers = [Played(), Played()]
    jobs = [Job(number, TASK, Path(str(number))) for number in range(9)]
    answers = dispatch(jobs, workers, SAME)
    next(answers)
    answers.close()
    assert [worker.stopped for worker in workers] == [1, 1]


class Watched(LocalBackend):
    """A backend whose workers can be looked at."""

    def workers(self) -> list[WorkerProcess]:
        self.made = list(super().workers())
        return self.made


def test_a_killed_process_is_replaced_and_a_closed_batch_leaves_none(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in")
    asked = BatchPlan(
        folder, tmp_path / "out", requests(["srad"], {"srad.steps": "500"}), slices="all"
    )
    backend = Watched(asked, "cpu", jobs=2)
    rows = run(asked, listed(asked), backend)
    found = [next(rows), next(rows)]
    victim = backend.made[0].process
    os.kill(victim.pid, signal.SIGKILL)
    found += rows
    assert [row.status for row in found].count(Status.DONE) == 5
    assert backend.made[0].process is None
    victim.join(5)
    assert len(results(asked.out)) == 5
    assert not [t for t in threading.enumerate() if t.name == THREAD_NAME and t.is_alive()]
