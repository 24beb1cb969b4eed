"""Commands whose output is read in part, as by ``head -1``."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable

CLOSED = 1
"""Exit status where the reader went away: Typer's, too."""


def until_closed(main: Callable[[], int]) -> int:
    """Run a command; where the reader of its output goes away, end with status `CLOSED`.

    So does a full disk, with a sentence. Without any output (``>&-``) the command runs as ever.
    """
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:
        _write_no_more()
        return CLOSED
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        sys.stderr.write("error: The output cannot be written: the disk is full.\n")
        _write_no_more()
        return CLOSED
    return status


def _write_no_more() -> None:
    # Python flushes at exit, which would fail again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
