"""Whether a folder is on a disk that lasts: not in memory, nor in the own layer of a container."""

from __future__ import annotations

import re
from pathlib import Path

from study.domain.errors import StoreError
from study.storage.engine import sqlite_path
from study.storage.store import Store

VARIABLE = "READINGROOM_DISK_MAY_VANISH"
"""Variable with the value of the option --disk-may-vanish."""
MOUNTS = Path("/proc/self/mountinfo")
_VANISHING = {
    "tmpfs": "in memory, and gone when this machine stops",
    "ramfs": "in memory, and gone when this machine stops",
    "overlay": "in the container, and gone when it is replaced",
    "aufs": "in the container, and gone when it is replaced",
}
_OCTAL = re.compile(r"\\([0-7]{3})")


def require_lasting_disk(store: Store, *, may_vanish: bool = False) -> None:
    """Refuse a study whose database would be lost with the container or the machine.

    A demonstration, and a database that is elsewhere, are not refused.

    Parameters
    ----------
    store : Store
    may_vanish : bool
        Whether somebody has said that the study may be lost.

    Raises
    ------
    StoreError
        The database is on a disk that does not last.
    """
    file = sqlite_path(store.engine.url)
    if file is None or may_vanish or store.protocol().demo:
        return
    if why := vanishes(store.folder):
        raise StoreError(
            f"{store.folder} is {why}: every rating would be lost with it. Keep the study on a "
            "volume or disk that lasts (on Hugging Face: persistent storage, below /data), or its "
            "database in PostgreSQL. For a trial whose answers may be lost: --disk-may-vanish, "
            f"or {VARIABLE}=1."
        )


def vanishes(folder: Path) -> str:
    """Why a folder does not last, as the end of a sentence; empty where nothing is known."""
    return _VANISHING.get(_file_system(folder.resolve()), "")


def _file_system(folder: Path) -> str:
    """The type of the file system of a folder; empty where the system does not tell."""
    if not MOUNTS.exists():
        return ""
    found = {}
    for line in MOUNTS.read_text("utf-8", "surrogateescape").splitlines():
        mount, _, about = line.partition(" - ")
        place = _OCTAL.sub(lambda octal: chr(int(octal[1], 8)), mount.split()[4])
        found[Path(place)] = about.split()[0]
    return next((found[one] for one in (folder, *folder.parents) if one in found), "")
