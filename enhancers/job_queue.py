"""Who may use a device when: one line for each, in which every run that waits knows its place.

A run of one method is one place, so people who run several methods each take turns. Each GPU has
a lane with one place, and so have the networks on the CPU; classical filters share a lane with a
place for each processor core, so they never wait behind a network.
"""

from __future__ import annotations

import functools
import heapq
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType

from enhancers.method import Method

CLASSICAL = "filters"
"""Name of the lane of the classical methods."""


@dataclass(frozen=True)
class QueueStatus:
    """What a run that waits is told.

    Parameters
    ----------
    ahead : int
        Runs that must end before this one begins.
    seconds : float or None
        About how long that takes; None where one of them has given no estimate.
    where : str
        What is waited for, in words.
    """

    ahead: int
    seconds: float | None
    where: str = "the device"

    @property
    def text(self) -> str:
        """Such as "waiting: 2 ahead, about 35 s"."""
        return f"waiting: {self.short}"

    @property
    def short(self) -> str:
        """Such as "2 ahead, about 35 s"."""
        if self.seconds is None:
            return f"{self.ahead} ahead"
        return f"{self.ahead} ahead, {about(self.seconds)}"


def seconds_text(seconds: float) -> str:
    """A duration to the precision an estimate deserves."""
    if seconds < 0.95:
        return "under 1 s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def about(seconds: float) -> str:
    """An estimate in words: "about 35 s", "under 1 s"."""
    text = seconds_text(seconds)
    return text if text.startswith("under") else f"about {text}"


class DeviceQueue:
    """First come, first served, with a number of places.

    Parameters
    ----------
    places : int
        Runs that may go on at the same time.
    where : str
        What is waited for, in words.
    clock : callable
        Seconds that only grow.
    """

    def __init__(
        self,
        places: int = 1,
        where: str = "the device",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if places < 1:
            raise ValueError(f"a lane needs a place, not {places}")
        self.places = places
        self.where = where
        self._clock = clock
        self._lock = threading.Lock()
        self._running: list[QueueSlot] = []
        self._waiting: deque[QueueSlot] = deque()

    def join(self, planned: float | None = None) -> QueueSlot:
        """Take a place, or stand in line; use it as a context, which ends with leaving.

        Parameters
        ----------
        planned : float, optional
            Seconds the run will take, for those who come after.
        """
        ticket = QueueSlot(self, planned)
        with self._lock:
            self._waiting.append(ticket)
            self._fill()
        return ticket

    def join_if_free(self) -> QueueSlot | None:
        """Take a place if nobody has to wait for it, else None."""
        with self._lock:
            if not self._free():
                return None
            ticket = QueueSlot(self, None)
            self._waiting.append(ticket)
            self._fill()
        return ticket

    def newcomer(self) -> QueueStatus | None:
        """What a run that came now would be told; None where it could begin."""
        with self._lock:
            if self._free():
                return None
            return self._wait(list(self._waiting))

    def _free(self) -> bool:
        return len(self._running) < self.places and not self._waiting

    def _fill(self) -> None:
        while self._waiting and len(self._running) < self.places:
            ticket = self._waiting.popleft()
            ticket._begin(self._clock())
            self._running.append(ticket)

    def _wait(self, before: Sequence[QueueSlot]) -> QueueStatus:
        """Play the line forward: each that waits takes the place that is free first."""
        now = self._clock()
        ends = [ticket._left(now) for ticket in self._running]
        heapq.heapify(ends)
        for ticket in before:
            planned = math.inf if ticket._planned is None else ticket._planned
            heapq.heapreplace(ends, ends[0] + planned)
        seconds = None if math.isinf(ends[0]) else ends[0]
        return QueueStatus(len(before) + 1, seconds, self.where)


class QueueSlot:
    """One run's place in a `DeviceQueue`: in line first, then at work, then gone."""

    def __init__(self, lane: DeviceQueue, planned: float | None) -> None:
        self._lane = lane
        self._planned = planned
        self._end: float | None = None
        self._turn = threading.Event()

    def __enter__(self) -> QueueSlot:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.leave()

    def wait(self, timeout: float) -> bool:
        """Whether the run may begin, within ``timeout`` seconds."""
        return self._turn.wait(timeout)

    @property
    def ahead(self) -> QueueStatus | None:
        """How long this run still waits; None once it may begin or has left."""
        with self._lane._lock:
            if self not in self._lane._waiting:
                return None
            before = list(self._lane._waiting)
            return self._lane._wait(before[: before.index(self)])

    def report(self, seconds_left: float | None) -> None:
        """Say how long the run still takes, as it knows by now."""
        if seconds_left is not None:
            with self._lane._lock:
                self._end = self._lane._clock() + max(seconds_left, 0.0)

    def leave(self) -> None:
        """Give the place, at work or in line, to the next; leaving twice does nothing."""
        lane = self._lane
        with lane._lock:
            if self in lane._running:
                lane._running.remove(self)
            elif self in lane._waiting:
                lane._waiting.remove(self)
            lane._fill()

    def _begin(self, now: float) -> None:
        if self._planned is not None:
            self._end = now + self._planned
        self._turn.set()

    def _left(self, now: float) -> float:
        return math.inf if self._end is None else max(self._end - now, 0.0)


_queues: dict[str, DeviceQueue] = {}
_guard = threading.Lock()


def device_queue(name: str) -> DeviceQueue:
    """The lane of a device ("cpu", "cuda:1", "mps") or of the `CLASSICAL`."""
    name = "cuda:0" if name == "cuda" else name
    with _guard:
        if name not in _queues:
            _queues[name] = DeviceQueue(_cores() if name == CLASSICAL else 1, _in_words(name))
        return _queues[name]


def queue_of(method: Method, device: str) -> DeviceQueue:
    """The lane in which a method runs on a device."""
    return device_queue(CLASSICAL if method.family == "classical" else device)


def shortest_queue(devices: Sequence[str]) -> str:
    """The device on which a run that comes now begins first; the first of equals."""
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
    """Processor cores of this process, at least 2, so that one slow filter holds up nobody."""
    affinity = getattr(os, "sched_getaffinity", None)
    return max(2, len(affinity(0)) if affinity else os.cpu_count() or 1)
