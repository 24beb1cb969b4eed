"""Long jobs of the server, one at a time; closing the page does not stop them."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from study.domain.errors import StudyError

Report = Callable[[float, str], None]
"""Takes the fraction that is done and the current step; raises `JobStopped` to end the job."""
Work = Callable[[Report], str]
"""Runs the job and returns a sentence about its outcome."""

_log = logging.getLogger("study.web.coordinator")


class JobStopped(StudyError):
    """A user stopped the job."""


@dataclass(frozen=True)
class JobState:
    """State of the current job, or of the last one.

    Parameters
    ----------
    name : str
        Such as "build"; empty before the first job.
    actor : str
        Who started it.
    running : bool
    share : float
        0 to 1.
    what : str
        The current step; afterwards the outcome.
    failed : bool
    left : float or None
        Estimated seconds until the end.
    """

    name: str = ""
    actor: str = ""
    running: bool = False
    share: float = 0.0
    what: str = ""
    failed: bool = False
    left: float | None = None


class BackgroundJobs:
    """Runs one job at a time, in a thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state = JobState()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def state(self) -> JobState:
        """State of the current or last job."""
        return self._state

    def start(self, name: str, actor: str, work: Work) -> None:
        """Start a job.

        Raises
        ------
        StudyError
            Another job is running.
        """
        with self._lock:
            if self._state.running:
                raise StudyError(
                    f"The {self._state.name} that {self._state.actor} started is not finished: "
                    "wait for it, or stop it."
                )
            self._stop.clear()
            self._state = JobState(name, actor, running=True, what="starting")
            self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ask the job to end at its next step."""
        self._stop.set()

    def forget(self) -> None:
        """Forget the outcome of the last job."""
        with self._lock:
            if not self._state.running:
                self._state = JobState()

    def wait(self, seconds: float) -> JobState:
        """Wait for the end of the job, at most so many seconds."""
        if self._thread is not None:
            self._thread.join(seconds)
        return self._state

    def _run(self, work: Work) -> None:
        started = time.monotonic()

        def report(share: float, what: str) -> None:
            if self._stop.is_set():
                raise JobStopped("Stopped; what was finished is kept.")
            passed = time.monotonic() - started
            left = passed / share * (1 - share) if share > 0.02 else None
            self._state = replace(self._state, share=share, what=what, left=left)

        try:
            what, failed = work(report), False
        except StudyError as error:
            what, failed = str(error), True
        except Exception:
            event = secrets.token_hex(4)
            _log.exception("event %s", event)
            what = f"Something went wrong on the server; its log says more under {event}."
            failed = True
        self._state = replace(
            self._state, running=False, share=1.0, what=what, failed=failed, left=None
        )
