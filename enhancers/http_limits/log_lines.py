"""Log lines of one kind are limited, so that nobody can fill the disk with them."""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

LINES = 5
"""Lines of one kind within `SECONDS` that are written."""
SECONDS = 60.0
_MOST_KINDS = 1000
_PRINTING = ("gradio.routes", "gradio.queueing")
_log = logging.getLogger("gradio")

Kind = tuple[object, ...]


class LineLimit(logging.Filter):
    """Passes a few records of a kind; the next one after a pause says how many were left out.

    Records are of one kind when the same line of code logs them and, for errors, the exception is
    of the same class and from the same place.

    Parameters
    ----------
    lines : int
        Records of a kind within `seconds`.
    seconds : float
    clock : callable
        Gives seconds; tests replace it.
    """

    def __init__(
        self,
        lines: int = LINES,
        seconds: float = SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._lines = lines
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._kinds: dict[Kind, list[float]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is written."""
        with self._lock:
            now, kind = self._clock(), _kind(record)
            begun, count = self._kinds.get(kind, (now, 0))
            if now - begun >= self._seconds:
                left_out = int(count) - self._lines
                if left_out > 0:
                    record.msg = f"{record.getMessage()} ({left_out} more like it were left out)"
                    record.args = None
                begun, count = now, 0
            if kind not in self._kinds and len(self._kinds) >= _MOST_KINDS:
                self._kinds.clear()
            self._kinds[kind] = [begun, count + 1]
            return count < self._lines


class _LoggedTracebacks:
    """The module `traceback`, but that `print_exc` logs."""

    def __getattr__(self, name: str) -> Any:
        return getattr(traceback, name)

    @staticmethod
    def print_exc() -> None:
        _log.error("A page's event failed.", exc_info=True)


def limit_log_lines() -> None:
    """Limit what every handler of this process writes; call it when logging is configured.

    Errors in the events of Gradio's pages, which it prints, are logged from now on.
    """
    for name in _PRINTING:
        if name in sys.modules:
            setattr(sys.modules[name], "traceback", _LoggedTracebacks())  # noqa: B010
    for handler in _handlers():
        if not any(isinstance(one, LineLimit) for one in handler.filters):
            handler.addFilter(LineLimit())


def _handlers() -> Iterator[logging.Handler]:
    if logging.lastResort is not None:
        yield logging.lastResort
    yield from logging.getLogger().handlers
    for name in list(logging.root.manager.loggerDict):
        yield from logging.getLogger(name).handlers


def _kind(record: logging.LogRecord) -> Kind:
    kind: Kind = (record.name, record.levelno, record.pathname, record.lineno)
    if record.exc_info and record.exc_info[0]:
        return (*kind, record.exc_info[0], *_place(record.exc_info[2]))
    return kind


def _place(trace: TracebackType | None) -> Kind:
    """File and line where an exception was raised."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return () if trace is None else (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
