"""Estimates of one tab: one at a time for each image, and none that nobody waits for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class EstimateTurns:
    """The turns of the estimates of a tab.

    While a field is dragged many estimates are asked for; those that are out of date give way, so
    that they hold no thread.

    Parameters
    ----------
    lock : RLock
        Of the session.
    """

    def __init__(self, lock: threading.RLock) -> None:
        self._changed = threading.Condition(lock)
        self._busy: set[int] = set()

    @contextmanager
    def turn(self, image: int, current: Callable[[], bool]) -> Iterator[bool]:
        """Wait for the other estimate of the same image; whether this one is still current.

        Parameters
        ----------
        image : int
            Number of the image.
        current : callable
            Whether the estimate is still wanted.
        """
        with self._changed:
            # Those that wait are out of date now.
            self._changed.notify_all()
            self._changed.wait_for(lambda: not current() or image not in self._busy)
            mine = current()
            if mine:
                self._busy.add(image)
        try:
            yield mine
        finally:
            if mine:
                with self._changed:
                    self._busy.discard(image)
                    self._changed.notify_all()
