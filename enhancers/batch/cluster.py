"""Workers on a Ray cluster: one actor per device, which receives files and returns results.

The nodes need this project at the same path with the same packages, but no shared disk: only this
process reads the images and writes the results.

Source: Ray, fault tolerance of actors, https://docs.ray.io/en/latest/ray-core/fault-tolerance.html
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from enhancers.batch.dispatch import RETRIES, WorkerHandle
from enhancers.batch.local import network_threads
from enhancers.batch.plan import BatchPlan, BatchTask, ImageSource, is_classical
from enhancers.batch.worker import TaskFailure, TaskOutcome, Worker, WorkerInfo
from enhancers.compare import Request
from enhancers.errors import ParameterError, ReadingRoomError
from enhancers.load import read_bytes
from enhancers.series import Series
from enhancers.settings import PREFIX, get_settings

THIS_MACHINE = "local"
"""The address that starts a cluster on this machine, which ends with the batch."""

ANSWER_SECONDS = 10.0
"""Timeout for a connection to the head node."""


class RayBackend:
    """Backend with actors of a Ray cluster; created by `connected`.

    Parameters
    ----------
    ray : module
    plan : BatchPlan
    device : str
        "auto", "cpu" or "cuda"; Ray assigns the GPUs.
    jobs : int or None
        Number of actors; None is one per GPU, or one per machine where the CPU is used.
    """

    retries = RETRIES

    def __init__(
        self, ray: Any, plan: BatchPlan, device: str = "auto", jobs: int | None = None
    ) -> None:
        self._ray = ray
        self.asked = plan.requests
        self.jobs = jobs
        gpus = int(ray.cluster_resources().get("GPU", 0))
        if device not in ("auto", "cpu", "cuda"):
            raise ParameterError(
                f"--device {device} is not possible with --ray, which chooses the GPUs itself; "
                "give auto, cpu or cuda."
            )
        if device == "cuda" and not gpus:
            raise ParameterError("The Ray cluster has no GPU; give --device cpu or auto.")
        on_gpu = gpus > 0 and device != "cpu" and not is_classical(plan.requests)
        self.device_type = "cuda" if on_gpu else "cpu"
        self._gpus = gpus

    def workers(self) -> Sequence[WorkerHandle]:
        """The workers, not yet started."""
        threads = network_threads(self.asked)
        files = _FileSender(self._ray)
        return [
            RayWorker(self._ray, options, self.device_type, threads, self.asked, files)
            for options in self.actor_options()
        ]

    def actor_options(self) -> list[dict[str, Any]]:
        """The resources that each actor requests."""
        if self.device_type == "cuda":
            count = min(self.jobs or self._gpus, self._gpus)
            return [{"num_gpus": 1, "num_cpus": 1} for _ in range(count)]
        if self.jobs is not None:
            return [{"num_cpus": 1, "scheduling_strategy": "SPREAD"} for _ in range(self.jobs)]
        machines = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        return [{"num_cpus": cpus} for cpus in (node.get("CPU", 0) for node in machines) if cpus]


@contextlib.contextmanager
def connected(
    plan: BatchPlan, address: str = THIS_MACHINE, device: str = "auto", jobs: int | None = None
) -> Iterator[RayBackend]:
    """Connect to a Ray cluster, or start one, for the duration of a batch.

    Parameters
    ----------
    plan : BatchPlan
    address : str
        "local" starts a cluster on this machine; "auto" and "host:port" use a running one.
    device : str
    jobs : int or None

    Raises
    ------
    ReadingRoomError
        Ray is not installed, or no cluster answers.
    ParameterError
        The cluster does not have this device.
    """
    # Switch off Ray's usage statistics: nothing leaves the machine without being asked for.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise ReadingRoomError(
            "Ray is not installed; run: pip install -r requirements-cluster.txt"
        ) from None
    here: dict[str, Any] = {}
    if address == THIS_MACHINE:
        # One actor per job has to fit, even on fewer cores.
        here = {"include_dashboard": False, "num_cpus": jobs} if jobs else {
            "include_dashboard": False
        }  # fmt: skip
    _check_answers(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **here)
    except (ConnectionError, RuntimeError, ValueError, ImportError, TimeoutError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ReadingRoomError(f"No Ray cluster could be used at {address}: {reason}") from None
    try:
        yield RayBackend(ray, plan, device, jobs)
    finally:
        ray.shutdown()


def _check_answers(address: str) -> None:
    """Raise where nothing listens at host:port; Ray itself would retry for many minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS).close()
    except (OSError, OverflowError):
        raise ReadingRoomError(
            f"Nothing answers at {address}; start the cluster there: ray start --head --port {port}"
        ) from None


class RayWorker:
    """A worker on a node of the cluster."""

    def __init__(
        self,
        ray: Any,
        options: Mapping[str, Any],
        device: str,
        threads: int | None,
        asked: tuple[Request, ...],
        files: _FileSender,
    ) -> None:
        self.info: Future[WorkerInfo] | None = None
        self._ray = ray
        self.options = options
        self._device = device
        self._threads = threads
        self._asked = asked
        self._files = files
        self._actor: Any = None

    def start(self) -> Future[WorkerInfo]:
        """Request an actor, which may have to wait for its device."""
        variables = {k: v for k, v in os.environ.items() if k.startswith(PREFIX)}
        remote = self._ray.remote(_RemoteWorker).options(**self.options)
        self._actor = remote.remote(self._device, self._threads, variables)
        self.info = self._actor.info.remote(self._asked).future()
        return self.info

    def submit(self, task: BatchTask, image: ImageSource) -> Future[TaskOutcome]:
        """Send the task and its file, or the files of its series."""
        try:
            content = self._files.get(task, image)
        except OSError as error:
            gone: Future[TaskOutcome] = Future()
            gone.set_result(
                TaskFailure(f"The file cannot be read: {error.strerror or 'an error'}.")
            )
            return gone
        answer: Future[TaskOutcome] = self._actor.work.remote(task, content).future()
        return answer

    def stop(self) -> None:
        """Kill the actor."""
        if self._actor is not None:
            with contextlib.suppress(Exception):
                self._ray.kill(self._actor)
        self._actor = None


class _FileSender:
    """Cache of what was sent last, so that further methods and slices do not send it again."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._last: tuple[str | Series, Any] = ("", None)

    def get(self, task: BatchTask, image: ImageSource) -> Any:
        known = task.digest if isinstance(image, Path) else image
        if self._last[0] != known:
            caps = task.caps
            sent = read_bytes(image, caps) if isinstance(image, Path) else image.held(caps)
            self._last = (known, self._ray.put(sent))
        return self._last[1]


class _RemoteWorker(Worker):
    """A worker with the settings of the process that sends the tasks."""

    def __init__(self, device: str, threads: int | None, variables: Mapping[str, str]) -> None:
        for name in [name for name in os.environ if name.startswith(PREFIX)]:
            del os.environ[name]
        os.environ.update(variables)
        get_settings.cache_clear()
        super().__init__(device, threads)
