"""Changes of a tab's image that are under way, and the run that was requested meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

LONGEST_WAIT = 120.0
"""Seconds that a requested run waits for the image that was chosen before it."""


class ImageChanges:
    """The order of image changes and of Run in one tab.

    Reading an image takes time, and another one may be chosen meanwhile. Changes are numbered as
    they begin. A run that was requested belongs to the image chosen last before: it waits for that
    one, and an image that is chosen later cancels it.

    Parameters
    ----------
    lock : RLock
        Of the session.
    """

    def __init__(self, lock: threading.RLock) -> None:
        self._ended = threading.Condition(lock)
        self._begun = 0
        self._latest_file = 0
        self._under_way: set[int] = set()
        self._requested: int | None = None

    @contextmanager
    def change(self, *, file: bool = False) -> Iterator[int]:
        """Number a change and note when it ends.

        Parameters
        ----------
        file : bool
            Whether another file is opened, rather than a slice or window of the same.
        """
        with self._ended:
            self._begun += 1
            number = self._begun
            self._under_way.add(number)
            if file:
                self._latest_file = number
        try:
            yield number
        finally:
            with self._ended:
                self._under_way.discard(number)
                self._ended.notify_all()

    def is_latest_file(self, number: int) -> bool:
        """Whether no other file was chosen after this one."""
        return self._latest_file == number

    @property
    def file_chosen(self) -> bool:
        """Whether a file was ever chosen."""
        return self._latest_file > 0

    def request_run(self) -> None:
        """Note that Run was pressed."""
        with self._ended:
            self._requested = self._begun

    def cancel_run(self, change: int | None = None) -> None:
        """Forget a requested run; with a change's number, only one requested before it began."""
        with self._ended:
            if change is None or self._requested is None or self._requested < change:
                self._requested = None
                self._ended.notify_all()

    def take_run(self) -> bool:
        """Wait for the image of the requested run; return whether it still may start."""

        def ready() -> bool:
            wanted = self._requested
            return wanted is None or all(number > wanted for number in self._under_way)

        with self._ended:
            requested = self._ended.wait_for(ready, LONGEST_WAIT) and self._requested is not None
            self._requested = None
            return requested
