"""Queues for the devices, first come, first served, with position and expected wait of each run.

Each run of a method takes one slot, so that users who run several methods take turns. There is one
queue with a single slot for each GPU and for the networks on the CPU. Classical methods share a
queue with one slot per processor core, so that they never wait behind a network.
"""

from __future__ import annotations

import functools
import heapq
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from enhancers.method import Method

CLASSICAL = "filters"
"""Name of the queue of the classical methods."""


@dataclass(frozen=True)
class QueueStatus:
    """Position and expected wait of a queued run.

    Parameters
    ----------
    ahead : int
        Number of runs that must end before this one starts.
    seconds : float or None
        Expected wait; None if one of these runs has no estimate.
    where : str
        Description of the device.
    """

    ahead: int
    seconds: float | None
    where: str = "the device"

    @property
    def text(self) -> str:
        """Text such as "waiting: 2 ahead, about 35 s"."""
        return f"waiting: {self.short}"

    @property
    def short(self) -> str:
        """Text such as "2 ahead, about 35 s"."""
        if self.seconds is None:
            return f"{self.ahead} ahead"
        return f"{self.ahead} ahead, {about(self.seconds)}"


def seconds_text(seconds: float) -> str:
    """A duration, rounded as suits an estimate."""
    if seconds < 0.95:
        return "under 1 s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def about(seconds: float) -> str:
    """An estimate as text: "about 35 s", "under 1 s"."""
    text = seconds_text(seconds)
    return text if text.startswith("under") else f"about {text}"


class DeviceQueue:
    """A first-come, first-served queue with a number of slots.

    Parameters
    ----------
    slots : int
        Number of concurrent runs.
    where : str
        Description of the device.
    clock : callable
        Monotonic time in seconds.
    """

    def __init__(
        self,
        slots: int = 1,
        where: str = "the device",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if slots < 1:
            raise ValueError(f"a queue needs at least one slot, got {slots}")
        self.slots = slots
        self.where = where
        self._clock = clock
        self._lock = threading.Lock()
        self._running: list[QueueSlot] = []
        self._waiting: deque[QueueSlot] = deque()

    def join(self, planned: float | None = None) -> QueueSlot:
        """Take a slot or wait for one; leaving the slot's context releases it.

        Parameters
        ----------
        planned : float, optional
            Expected seconds of the run, for the estimates of later ones.
        """
        slot = QueueSlot(self, planned)
        with self._lock:
            self._waiting.append(slot)
            self._fill()
        return slot

    def join_if_free(self) -> QueueSlot | None:
        """Take a slot if one is free, else return None."""
        with self._lock:
            if not self._free():
                return None
            slot = QueueSlot(self, None)
            self._waiting.append(slot)
            self._fill()
        return slot

    def newcomer(self) -> QueueStatus | None:
        """The status of a run that joined now; None if it could start."""
        with self._lock:
            if self._free():
                return None
            return self._wait(list(self._waiting))

    def _free(self) -> bool:
        return len(self._running) < self.slots and not self._waiting

    def _fill(self) -> None:
        while self._waiting and len(self._running) < self.slots:
            slot = self._waiting.popleft()
            slot._begin(self._clock())
            self._running.append(slot)

    def _wait(self, before: Sequence[QueueSlot]) -> QueueStatus:
        """Simulate the queue: each waiting run takes the slot that becomes free first."""
        now = self._clock()
        ends = [slot._left(now) for slot in self._running]
        heapq.heapify(ends)
        for slot in before:
            planned = math.inf if slot._planned is None else slot._planned
            heapq.heapreplace(ends, ends[0] + planned)
        seconds = None if math.isinf(ends[0]) else ends[0]
        return QueueStatus(len(before) + 1, seconds, self.where)


class QueueSlot:
    """A run in a `DeviceQueue`: waiting, then running, then finished."""

    def __init__(self, queue: DeviceQueue, planned: float | None) -> None:
        self._queue = queue
        self._planned = planned
        self._end: float | None = None
        self._turn = threading.Event()

    def __enter__(self) -> QueueSlot:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def wait(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds; returns whether the run may start."""
        return self._turn.wait(timeout)

    @property
    def ahead(self) -> QueueStatus | None:
        """Position and expected wait; None once the run may start or has left."""
        with self._queue._lock:
            if self not in self._queue._waiting:
                return None
            before = list(self._queue._waiting)
            return self._queue._wait(before[: before.index(self)])

    def report(self, seconds_left: float | None) -> None:
        """Update the expected remaining time of the run."""
        if seconds_left is not None:
            with self._queue._lock:
                self._end = self._queue._clock() + max(seconds_left, 0.0)

    def leave(self) -> None:
        """Release the slot, or leave the queue; a second call does nothing."""
        queue = self._queue
        with queue._lock:
            if self in queue._running:
                queue._running.remove(self)
            elif self in queue._waiting:
                queue._waiting.remove(self)
            queue._fill()

    def _begin(self, now: float) -> None:
        if self._planned is not None:
            self._end = now + self._planned
        self._turn.set()

    def _left(self, now: float) -> float:
        return math.inf if self._end is None else max(self._end - now, 0.0)


QUEUES: dict[str, DeviceQueue] = {}
_guard = threading.Lock()


def device_queue(name: str) -> DeviceQueue:
    """The queue of a device ("cpu", "cuda:1", "mps") or of the `CLASSICAL` methods."""
    name = "cuda:0" if name == "cuda" else name
    with _guard:
        if name not in QUEUES:
            QUEUES[name] = DeviceQueue(_cores() if name == CLASSICAL else 1, _in_words(name))
        return QUEUES[name]


@contextmanager
def processor_core() -> Iterator[None]:
    """Wait for a processor core in the queue of the classical methods, and hold it."""
    with device_queue(CLASSICAL).join() as slot:
        slot.wait(threading.TIMEOUT_MAX)
        yield


def queue_of(method: Method, device: str) -> DeviceQueue:
    """The queue of a method that is to run on a device."""
    return device_queue(CLASSICAL if method.family == "classical" else device)


def shortest_queue(devices: Sequence[str]) -> str:
    """The device on which a new run would start first; the first one on a tie."""
    if len(devices) == 1:
        return devices[0]

    def burden(device: str) -> tuple[float, int]:
        wait = device_queue(device).newcomer()
        if wait is None:
            return 0.0, 0
        return math.inf if wait.seconds is None else wait.seconds, wait.ahead

    return min(devices, key=burden)


def _in_words(name: str) -> str:
    kind, _, index = name.partition(":")
    words = {"cuda": f"GPU {index}", "mps": "the GPU", CLASSICAL: "a processor core"}
    return words.get(kind, "the CPU")


@functools.cache
def _cores() -> int:
    """Processor cores of this process, at least 2, so that one slow method blocks no other."""
    affinity = getattr(os, "sched_getaffinity", None)
    return max(2, len(affinity(0)) if affinity else os.cpu_count() or 1)
