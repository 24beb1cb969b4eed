"""The places of a Ray cluster: one actor a device, which gets files as bytes and sends bytes back.

The nodes need this project at the same path with the same packages, and no common disk: this
process alone reads the images and writes the results.

Source: Ray's actors and their failures, https://docs.ray.io/en/latest/ray-core/fault-tolerance.html
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

from enhancers.batch.dispatch import RETRIES, Place
from enhancers.batch.local import network_threads
from enhancers.batch.plan import BatchPlan, BatchTask, is_classical
from enhancers.batch.worker import Answer, Facts, Failure, Worker
from enhancers.compare import Request
from enhancers.errors import ParameterError, ReadingRoomError
from enhancers.settings import PREFIX, get_settings

THIS_MACHINE = "local"
"""The address that starts a cluster of this machine alone, which ends with the batch."""

ANSWER_SECONDS = 10.0
"""How long the head of a cluster may take to answer."""


class Cluster:
    """The actors of a Ray cluster; `connected` makes one.

    Parameters
    ----------
    ray : module
    plan : BatchPlan
    device : str
        "auto", "cpu" or "cuda"; which GPU an actor gets is Ray's choice.
    jobs : int or None
        Actors; None is one a GPU, or one a machine where the CPU is used.
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

    def places(self) -> Sequence[Place]:
        """The places, not yet started."""
        threads = network_threads(self.asked)
        files = _Files(self._ray)
        return [
            Actor(self._ray, options, self.device_type, threads, self.asked, files)
            for options in self._options()
        ]

    def _options(self) -> list[dict[str, Any]]:
        """What each actor asks of the cluster."""
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
) -> Iterator[Cluster]:
    """A cluster for the length of a batch.

    Parameters
    ----------
    plan : BatchPlan
    address : str
        "local" starts one on this machine; "auto" and "host:port" find one that runs.
    device : str
    jobs : int or None

    Raises
    ------
    ReadingRoomError
        Ray is not installed, or no cluster answers.
    ParameterError
        The cluster has no such device.
    """
    # Ray would report its use to its makers; nothing leaves the machine unasked.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise ReadingRoomError(
            "Ray is not installed; run: pip install -r requirements-cluster.txt"
        ) from None
    here: dict[str, Any] = {}
    if address == THIS_MACHINE:
        # An actor per job has to fit, also on fewer cores.
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
        yield Cluster(ray, plan, device, jobs)
    finally:
        ray.shutdown()


def _check_answers(address: str) -> None:
    """Raise where nothing listens at host:port; Ray itself would try for many minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS).close()
    except (OSError, OverflowError):
        raise ReadingRoomError(
            f"Nothing answers at {address}; start the cluster there: ray start --head --port {port}"
        ) from None


class Actor:
    """A worker on some node of the cluster."""

    def __init__(
        self,
        ray: Any,
        options: Mapping[str, Any],
        device: str,
        threads: int | None,
        asked: tuple[Request, ...],
        files: _Files,
    ) -> None:
        self.facts: Future[Facts] | None = None
        self._ray = ray
        self._options = options
        self._device = device
        self._threads = threads
        self._asked = asked
        self._files = files
        self._actor: Any = None

    def start(self) -> Future[Facts]:
        """Ask the cluster for an actor; it may have to wait for its device."""
        variables = {k: v for k, v in os.environ.items() if k.startswith(PREFIX)}
        remote = self._ray.remote(_RemoteWorker).options(**self._options)
        self._actor = remote.remote(self._device, self._threads, variables)
        self.facts = self._actor.facts.remote(self._asked).future()
        return self.facts

    def submit(self, task: BatchTask, path: Path) -> Future[Answer]:
        """Send the task and its file."""
        try:
            content = self._files.get(task, path)
        except OSError as error:
            gone: Future[Answer] = Future()
            gone.set_result(Failure(f"The file cannot be read: {error.strerror or 'an error'}."))
            return gone
        answer: Future[Answer] = self._actor.work.remote(task, content).future()
        return answer

    def stop(self) -> None:
        """Kill the actor."""
        if self._actor is not None:
            with contextlib.suppress(Exception):
                self._ray.kill(self._actor)
        self._actor = None


class _Files:
    """The file that was sent last: its next methods and slices do not send it again."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._last: tuple[str, Any] = ("", None)

    def get(self, task: BatchTask, path: Path) -> Any:
        if self._last[0] != task.digest:
            self._last = (task.digest, self._ray.put(path.read_bytes()))
        return self._last[1]


class _RemoteWorker(Worker):
    """A worker with the settings of the process that sends the tasks."""

    def __init__(self, device: str, threads: int | None, variables: Mapping[str, str]) -> None:
        for name in [name for name in os.environ if name.startswith(PREFIX)]:
            del os.environ[name]
        os.environ.update(variables)
        get_settings.cache_clear()
        super().__init__(device, threads)
