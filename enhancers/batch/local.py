"""Workers on this machine: this process, or one or more processes per device."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, TypeVar

from enhancers import devices
from enhancers.batch.dispatch import WorkerHandle
from enhancers.batch.plan import BatchPlan, BatchTask, ImageSource, is_classical
from enhancers.batch.worker import TaskOutcome, Worker, WorkerInfo
from enhancers.compare import Request

T = TypeVar("T")

THREAD_NAME = "batch worker"
"""Name of the threads that wait for the answer of a worker process."""

_spawn = multiprocessing.get_context("spawn")


class LocalBackend:
    """Backend with workers on this machine.

    Parameters
    ----------
    plan : BatchPlan
    device : str
        "auto" takes every GPU, else the CPU; or a device that `devices.choose` accepts.
    jobs : int or None
        Number of workers; None is one per device. A single worker runs in this process.

    Raises
    ------
    ParameterError, DeviceError
        The device name is invalid, or the device is not on this machine.
    """

    def __init__(self, plan: BatchPlan, device: str = "auto", jobs: int | None = None) -> None:
        self.names = _names(device, is_classical(plan.requests))
        self.jobs = jobs or len(self.names)
        self.asked = plan.requests
        # Retrying in the same process would give the same failure.
        self.retries = 0 if self.jobs == 1 else 2

    @property
    def device_type(self) -> str:
        """The kind of device the networks run on."""
        return devices.device_type(self.names[0])

    def workers(self) -> Sequence[WorkerHandle]:
        """The workers, not yet started."""
        threads = network_threads(self.asked)
        workers = [(self.names[i % len(self.names)], threads) for i in range(self.jobs)]
        if self.jobs == 1:
            return [InProcessWorker(Worker(*workers[0]), self.asked)]
        return [WorkerProcess(device, threads, self.asked) for device, threads in workers]


def network_threads(asked: tuple[Request, ...]) -> int | None:
    """CPU threads for the networks of each worker: as many as this process would use."""
    if is_classical(asked):
        return None
    import torch

    from enhancers.settings import get_settings

    return get_settings().threads or torch.get_num_threads()


def _names(device: str, classical: bool) -> list[str]:
    if classical and device == "auto":
        return ["cpu"]
    if device == "auto":
        return [name for name in devices.devices() if name.startswith("cuda")] or [
            devices.choose(device)
        ]
    chosen = devices.choose(device)
    return ["cpu"] if classical else [chosen]


class InProcessWorker:
    """A worker in this process: `submit` returns when the task is finished."""

    def __init__(self, worker: Worker, asked: tuple[Request, ...]) -> None:
        self.worker = worker
        self.asked = asked

    def start(self) -> Future[WorkerInfo]:
        """Return the worker's facts as a finished future."""
        return _settled(lambda: self.worker.info(self.asked))

    def submit(self, task: BatchTask, image: ImageSource) -> Future[TaskOutcome]:
        """Run the task."""
        return _settled(lambda: self.worker.work(task, image))

    def stop(self) -> None:
        """Do nothing: no process was started."""


def _settled(call: Callable[[], T]) -> Future[T]:
    future: Future[T] = Future()
    try:
        future.set_result(call())
    except Exception as error:
        future.set_exception(error)
    return future


class WorkerProcess:
    """A worker in a process of its own."""

    def __init__(self, device: str, threads: int | None, asked: tuple[Request, ...]) -> None:
        self.worker = Worker(device, threads)
        self.asked = asked
        self.process: SpawnProcess | None = None
        self._pipe: Connection[Any, Any] | None = None

    def start(self) -> Future[WorkerInfo]:
        """Start the process; the future resolves with its first answer."""
        self._pipe, theirs = _spawn.Pipe()
        self.process = _spawn.Process(target=_serve, args=(self.worker, theirs), daemon=True)
        self.process.start()
        # The pipe closes with the child only if this process does not hold the other end too.
        theirs.close()
        return self._ask(("info", (self.asked,)))

    def submit(self, task: BatchTask, image: ImageSource) -> Future[TaskOutcome]:
        """Send the task."""
        return self._ask(("work", (task, image)))

    def stop(self) -> None:
        """Kill the process."""
        if self.process is not None:
            self.process.kill()
            self.process.join()
        self.process = None

    def _ask(self, message: tuple[str, tuple[object, ...]]) -> Future[Any]:
        future: Future[Any] = Future()
        threading.Thread(
            target=_exchange, args=(self._pipe, message, future), name=THREAD_NAME, daemon=True
        ).start()
        return future


def _exchange(pipe: Connection[Any, Any], message: object, future: Future[Any]) -> None:
    """Send a message, wait for the answer and resolve the future; a closed pipe means death."""
    try:
        pipe.send(message)
        answer = pipe.recv()
    except Exception as error:
        future.set_exception(error)
        return
    future.set_result(answer)


def _serve(worker: Worker, pipe: Connection[Any, Any]) -> None:
    """Answer messages until the other end is closed."""
    # Ctrl-C reaches every process of the terminal; the parent decides when workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(EOFError, OSError):
        while True:
            name, arguments = pipe.recv()
            pipe.send(getattr(worker, name)(*arguments))
