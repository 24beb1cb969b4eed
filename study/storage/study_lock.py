"""One process at a time changes the images of a study."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from enhancers.files import lock_file
from study.domain.errors import StoreError
from study.domain.formatting import minute
from study.storage.base import now

LOCK = "build.lock"


@contextmanager
def images_locked(folder: Path, what: str) -> Iterator[None]:
    """Keep other processes from building, freezing and restoring meanwhile.

    Parameters
    ----------
    folder : Path
        Of the study.
    what : str
        What is done, such as "build", for the message that others get.

    Raises
    ------
    StoreError
        Another process is at it, or the folder cannot be written.
    """
    try:
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreError(f"The folder {folder} cannot be written: {error.strerror}.") from None
    with os.fdopen(handle, "r+", encoding="utf-8") as file:
        try:
            lock_file(file, wait=False)
        except BlockingIOError:
            raise StoreError(
                f"The images of this study are being changed: {file.read().strip()}. Wait for "
                "its end; nothing was done here."
            ) from None
        file.truncate(0)
        file.write(f"{what} since {minute(now())} UTC, process {os.getpid()} on "
                   f"{socket.gethostname()}")  # fmt: skip
        file.flush()
        yield
