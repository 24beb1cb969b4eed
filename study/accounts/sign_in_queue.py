"""Sign-ins wait their turn for threads of their own, so that nobody else waits for them.

Checking a secret takes milliseconds of a processor. What may be guessing waits until nobody else
does, and takes a small share of one processor altogether. The queue has an end: whoever finds no
place is told to come back.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from study.domain.errors import SignInBusy

THREADS = 2
MOST_WAITING, MOST_OF_ADDRESS = 512, 128
SLOW_SECONDS = 0.05
"""From the end of one slow check to the next: at most 20 a second, by all addresses together."""
RETRY_MINUTES = 1

Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class _Waiting(Generic[Result]):
    """A sign-in; those with a lower rank come first."""

    job: Callable[[], Result]
    result: Future[Result]
    address: str
    rank: tuple[bool, int]

    @property
    def slow(self) -> bool:
        return self.rank[0]


class SignInQueue:
    """Threads that check secrets, and who waits for them.

    Parameters
    ----------
    threads : int
    most, most_of_address : int
        Sign-ins that may wait, altogether and from one address.
    slow_seconds : float
        See `SLOW_SECONDS`.
    """

    def __init__(
        self,
        threads: int = THREADS,
        *,
        most: int = MOST_WAITING,
        most_of_address: int = MOST_OF_ADDRESS,
        slow_seconds: float = SLOW_SECONDS,
    ) -> None:
        self._threads = threads
        self._most = most
        self._most_of_address = most_of_address
        self._slow_seconds = slow_seconds
        self._changed = threading.Condition()
        self._waiting: list[_Waiting[Any]] = []
        self._next_slow = 0.0
        self._started = 0

    def submit(
        self, job: Callable[[], Result], *, address: str, slow: bool = False, wrong: int = 0
    ) -> Future[Result]:
        """Let a job wait its turn.

        Parameters
        ----------
        job : callable
        address : str
            Where the request comes from.
        slow : bool
            Whether it may be guessing.
        wrong : int
            Wrong tries before it: fewer come first.

        Raises
        ------
        SignInBusy
            Too many wait already that have no worse a rank.
        """
        made = _Waiting(job, Future[Result](), address, (slow, wrong))
        with self._changed:
            self._make_room(made)
            self._waiting.append(made)
            if self._started < self._threads:
                self._started += 1
                threading.Thread(target=self._work, name="sign-in", daemon=True).start()
            self._changed.notify()
        return made.result

    def _make_room(self, made: _Waiting[Any]) -> None:
        of_address = Counter(one.address for one in self._waiting)
        if of_address[made.address] >= self._most_of_address:
            rivals = [one for one in self._waiting if one.address == made.address]
        elif len(self._waiting) >= self._most:
            rivals = self._waiting
        else:
            return
        worst = max(rivals, key=lambda one: one.rank)
        if worst.rank <= made.rank:
            raise SignInBusy(RETRY_MINUTES)
        self._waiting.remove(worst)
        if worst.result.set_running_or_notify_cancel():
            worst.result.set_exception(SignInBusy(RETRY_MINUTES))

    def _work(self) -> None:
        while True:
            with self._changed:
                while (one := self._take()) is None:
                    self._changed.wait(self._pause())
            if one.result.set_running_or_notify_cancel():
                try:
                    one.result.set_result(one.job())
                except BaseException as error:
                    one.result.set_exception(error)
            if one.slow:
                with self._changed:
                    self._next_slow = time.monotonic() + self._slow_seconds
                    self._changed.notify()

    def _take(self) -> _Waiting[Any] | None:
        """The next one whose turn has come."""
        first = min(self._waiting, key=lambda one: one.rank, default=None)
        if first is None or (first.slow and time.monotonic() < self._next_slow):
            return None
        self._waiting.remove(first)
        if first.slow:
            # Until it has ended, no other slow one.
            self._next_slow = float("inf")
        return first

    def _pause(self) -> float | None:
        """Seconds until a slow one may be taken; None to wait until something changes."""
        if not self._waiting or self._next_slow == float("inf"):
            return None
        return max(self._next_slow - time.monotonic(), 0.0)


@cache
def sign_in_queue() -> SignInQueue:
    """The queue of this process, for readers and staff."""
    return SignInQueue()
