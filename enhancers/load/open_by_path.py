"""Bytes that another process reads as a file."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from enhancers.private_folders import process_folder


@contextmanager
def unnamed_file(data: bytes) -> Iterator[tuple[str, tuple[int, ...]]]:
    """A path by which another process reads the data, and the file descriptors it needs for that.

    On Linux the file is in memory, so that a process that is killed leaves nothing behind.
    """
    if sys.platform == "linux":
        handle = os.memfd_create("frame")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            yield f"/proc/self/fd/{handle}", (handle,)
    else:
        with named_file(data) as path:
            yield path, ()


@contextmanager
def named_file(data: bytes) -> Iterator[str]:
    """The path of a file in the private folder of this process, for readers that resolve links."""
    with tempfile.TemporaryDirectory(dir=process_folder()) as folder:
        path = Path(folder) / "file"
        path.write_bytes(data)
        yield str(path)
