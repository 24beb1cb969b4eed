"""Whoever guesses secrets has to wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from study.domain.errors import SignInError

TRIES = 5
"""Wrong secrets for one code from one address before it has to wait."""
TRIES_OF_ADDRESS = 30
WAIT_SECONDS = 300.0


class RateLimit:
    """Counts failures in memory and makes an address wait after too many.

    Parameters
    ----------
    clock : callable
        Seconds; for tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: dict[tuple[str, ...], list[float]] = {}

    def check(self, address: str, code: str) -> None:
        """Raise SignInError while this address, or it with this code, has to wait."""
        limits = {(address,): TRIES_OF_ADDRESS, (address, code): TRIES}
        with self._lock:
            waits = [self._wait(key, limit) for key, limit in limits.items()]
        if max(waits) > 0:
            minutes = max(1, round(max(waits) / 60))
            raise SignInError(
                f"Too many wrong tries. Wait {minutes} minute{'s' * (minutes > 1)} and try again."
            )

    def failed(self, address: str, code: str) -> None:
        """Note a wrong try."""
        with self._lock:
            for key in ((address,), (address, code)):
                self._failures.setdefault(key, []).append(self._clock())
            if len(self._failures) > 10_000:
                self._forget()

    def succeeded(self, address: str, code: str) -> None:
        """Forget the tries of this address with this code."""
        with self._lock:
            self._failures.pop((address, code), None)

    def _wait(self, key: tuple[str, ...], limit: int) -> float:
        recent = [at for at in self._failures.get(key, ()) if at > self._clock() - WAIT_SECONDS]
        if recent:
            self._failures[key] = recent
        else:
            self._failures.pop(key, None)
        return recent[-limit] + WAIT_SECONDS - self._clock() if len(recent) >= limit else 0.0

    def _forget(self) -> None:
        for key in list(self._failures):
            self._wait(key, 1)
