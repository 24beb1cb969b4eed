"""The folder of a study, and the paths of its database and append log."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import URL

from study.domain.errors import StoreError
from study.storage.engine import parse_url

DATABASE = "study.sqlite"
STIMULI = "stimuli"
MIRROR = "mirror.jsonl"
_MIRROR_PATH = "mirror.path"
"""Text file with the path of the append log, so that every command uses the same one."""


def make_folder(folder: Path, database: Path | None) -> None:
    """Make the folder of a study and an empty database file, for the owner only.

    Raises
    ------
    StoreError
        There is a database already, or the folder cannot be written.
    """
    if database is not None and database.exists():
        raise StoreError(
            f"There is a study in {folder} already: choose another folder, or go on with it."
        )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        (folder / STIMULI).mkdir(mode=0o700, exist_ok=True)
        if database is not None:
            os.close(os.open(database, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise StoreError(f"No study can be made in {folder}: {error.strerror}.") from None


def url_of(folder: Path, url: str | None) -> URL:
    """The given URL of the database, or that of SQLite in the folder."""
    if url:
        return parse_url(url)
    return URL.create("sqlite", database=str(folder.absolute() / DATABASE))


def log_path_of(folder: Path, mirror: Path | None) -> Path:
    """The path of the append log: the given one, the one used last, or the default."""
    if mirror is not None:
        return mirror.absolute()
    note = folder / _MIRROR_PATH
    return Path(note.read_text("utf-8").strip()) if note.exists() else folder.absolute() / MIRROR


def remember_log_path(folder: Path, mirror: Path | None) -> None:
    """Store a given path of the append log, for later commands."""
    if mirror is not None:
        (folder / _MIRROR_PATH).write_text(f"{mirror.absolute()}\n", "utf-8")
