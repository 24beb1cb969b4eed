"""Commands whose output is read in part, as by ``head -1``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

CLOSED = 1
"""Exit status where the reader went away: Typer's, too."""


def until_closed(main: Callable[[], int]) -> int:
    """Run a command; where the reader of its output goes away, end with status `CLOSED`."""
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes at exit, which would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED
    return status
