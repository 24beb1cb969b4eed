"""Long work of the server, one piece at a time; it goes on when the page is closed."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from study.domain.errors import StudyError

Report = Callable[[float, str], None]
"""Told the share that is done and what is being done; raises `JobStopped` when it is to end."""
Work = Callable[[Report], str]
"""Gives the sentence that says what came out."""

_log = logging.getLogger("study.web.coordinator")


class JobStopped(StudyError):
    """Somebody stopped the work."""


@dataclass(frozen=True)
class JobState:
    """What is being done, or was done last.

    Parameters
    ----------
    name : str
        Such as "build"; empty before the first.
    actor : str
        Who began it.
    running : bool
    share : float
        0 to 1.
    what : str
        What is being done now; afterwards what came out.
    failed : bool
    left : float or None
        Seconds that are likely left.
    """

    name: str = ""
    actor: str = ""
    running: bool = False
    share: float = 0.0
    what: str = ""
    failed: bool = False
    left: float | None = None


class BackgroundJobs:
    """One piece of work at a time, in a thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state = JobState()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def state(self) -> JobState:
        """How far it is."""
        return self._state

    def start(self, name: str, actor: str, work: Work) -> None:
        """Begin.

        Raises
        ------
        StudyError
            Something is being done already.
        """
        with self._lock:
            if self._state.running:
                raise StudyError(
                    f"The {self._state.name} that {self._state.actor} began is not finished: wait "
                    "for it, or stop it."
                )
            self._stop.clear()
            self._state = JobState(name, actor, running=True, what="starting")
            self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ask it to end soon."""
        self._stop.set()

    def forget(self) -> None:
        """Drop what came out last."""
        with self._lock:
            if not self._state.running:
                self._state = JobState()

    def wait(self, seconds: float) -> JobState:
        """Wait for the end, at most so long."""
        if self._thread is not None:
            self._thread.join(seconds)
        return self._state

    def _run(self, work: Work) -> None:
        begun = time.monotonic()

        def report(share: float, what: str) -> None:
            if self._stop.is_set():
                raise JobStopped("Stopped; what was finished is kept.")
            passed = time.monotonic() - begun
            left = passed / share * (1 - share) if share > 0.02 else None
            self._state = replace(self._state, share=share, what=what, left=left)

        try:
            what, failed = work(report), False
        except StudyError as error:
            what, failed = str(error), True
        except Exception:
            event = secrets.token_hex(4)
            _log.exception("event %s", event)
            what = f"Something went wrong on the server; its log tells more under {event}."
            failed = True
        self._state = replace(
            self._state, running=False, share=1.0, what=what, failed=failed, left=None
        )
