"""Rate limit of sign-in: an address has to wait after too many wrong secrets."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from study.domain.errors import SignInError

TRIES = 5
"""Wrong secrets for one code from one address within `WAIT_SECONDS`."""
TRIES_OF_ADDRESS = 30
"""Wrong secrets from one address, for whatever codes."""
WAIT_SECONDS = 300.0


class RateLimit:
    """Counts wrong secrets in memory.

    Parameters
    ----------
    clock : callable
        Gives seconds; tests replace it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: dict[tuple[str, ...], list[float]] = {}

    def check(self, address: str, code: str) -> None:
        """Raise SignInError while this address has to wait, for this code or for all."""
        limits = {(address,): TRIES_OF_ADDRESS, (address, code): TRIES}
        with self._lock:
            waits = [self._wait(key, limit) for key, limit in limits.items()]
        if max(waits) > 0:
            minutes = max(1, round(max(waits) / 60))
            raise SignInError(
                f"Too many wrong tries. Wait {minutes} minute{'s' * (minutes > 1)} and try again.",
                "login.wait",
                minutes,
            )

    def failed(self, address: str, code: str) -> None:
        """Count a wrong secret."""
        with self._lock:
            for key in ((address,), (address, code)):
                self._failures.setdefault(key, []).append(self._clock())
            if len(self._failures) > 10_000:
                self._forget_old()

    def succeeded(self, address: str, code: str) -> None:
        """Forget the wrong secrets for this code from this address."""
        with self._lock:
            self._failures.pop((address, code), None)

    @property
    def remembered(self) -> int:
        """Number of addresses, and of addresses with a code, that are remembered."""
        return len(self._failures)

    def _wait(self, key: tuple[str, ...], limit: int) -> float:
        recent = [at for at in self._failures.get(key, ()) if at > self._clock() - WAIT_SECONDS]
        if recent:
            self._failures[key] = recent
        else:
            self._failures.pop(key, None)
        return recent[-limit] + WAIT_SECONDS - self._clock() if len(recent) >= limit else 0.0

    def _forget_old(self) -> None:
        for key in list(self._failures):
            self._wait(key, 1)
