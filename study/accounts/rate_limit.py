"""Wrong secrets are counted: what may be guessing is checked slowly, and never refused.

A secret has 80 random bits and nobody chooses one (see `study.accounts.sign_in`), so that no number
of tries that a server can check finds it. Counting keeps guessing from taking the processor, and a
right secret lets its owner in, whatever others at the same address have tried.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

TRIES = 5
"""Wrong secrets for one code from one address within `WINDOW_SECONDS`, before checks are slow."""
TRIES_OF_ADDRESS = 30
"""Wrong secrets from one address, for whatever codes."""
TRIES_OF_CODE = 50
"""Wrong secrets for one code, from whatever addresses."""
WINDOW_SECONDS = 300.0
_MOST_KEPT = 10_000

Key = tuple[str, str]
"""Address and code; one of them is empty where any counts."""


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
        self._failures: dict[Key, deque[float]] = {}

    def is_slow(self, address: str, code: str) -> bool:
        """Whether the next try of this address for this code is checked slowly."""
        with self._lock:
            return any(self._recent(key) >= limit for key, limit in _limits(address, code).items())

    def wrong(self, address: str, code: str) -> int:
        """Recent wrong secrets of this address for this code, counted up to `TRIES`."""
        with self._lock:
            return self._recent((address, code))

    def failed(self, address: str, code: str) -> None:
        """Count a wrong secret."""
        with self._lock:
            for key, limit in _limits(address, code).items():
                # Put at the end: the front is what was tried longest ago.
                kept = self._failures.pop(key, None) or deque(maxlen=limit)
                kept.append(self._clock())
                self._failures[key] = kept
            while len(self._failures) > _MOST_KEPT:
                del self._failures[next(iter(self._failures))]

    def succeeded(self, address: str, code: str) -> None:
        """Forget the wrong secrets for this code from this address."""
        with self._lock:
            self._failures.pop((address, code), None)

    @property
    def remembered(self) -> int:
        """Number of addresses, codes, and pairs of them that are remembered."""
        return len(self._failures)

    def _recent(self, key: Key) -> int:
        oldest = self._clock() - WINDOW_SECONDS
        kept = self._failures.get(key)
        while kept and kept[0] <= oldest:
            kept.popleft()
        if kept is not None and not kept:
            del self._failures[key]
        return len(kept or ())


def _limits(address: str, code: str) -> dict[Key, int]:
    return {(address, code): TRIES, (address, ""): TRIES_OF_ADDRESS, ("", code): TRIES_OF_CODE}
