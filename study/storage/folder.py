"""The folder of a study, and the paths of its database and append log."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

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
    if not note.exists():
        return folder.absolute() / MIRROR
    # A relative path is one within the folder, which may have been moved.
    found = folder.absolute() / note.read_text("utf-8").strip()
    beside = folder.absolute() / found.name
    return beside if not found.parent.is_dir() and beside.exists() else found


def remember_log_path(folder: Path, mirror: Path | None) -> None:
    """Store a given path of the append log, for later commands."""
    if mirror is None:
        return
    path, home = mirror.absolute(), folder.absolute()
    if path.is_relative_to(home):
        path = path.relative_to(home)
    (folder / _MIRROR_PATH).write_text(f"{path}\n", "utf-8")


def is_writable(folder: Path, database: Path | None) -> bool:
    """Whether a study can be changed: its folder, and the file of a SQLite database."""
    places = [folder] if database is None else [folder, database]
    return all(os.access(place, os.W_OK) for place in places)


def copy_database(source: Path, target: Path) -> None:
    """Copy a SQLite database with what is in its write-ahead log; it may be in use."""
    if source.with_name(f"{source.name}-shm").exists():
        address = f"file:{quote(str(source.absolute()))}?mode=ro"
        with (
            suppress(sqlite3.Error),
            closing(sqlite3.connect(address, uri=True, timeout=5)) as shown,
            closing(sqlite3.connect(target)) as copy,
        ):
            shown.backup(copy)
            return
    # Nobody has it open. Opening it, even for reading only, would make files next to it.
    shutil.copyfile(source, target)
    log = source.with_name(f"{source.name}-wal")
    if log.exists():
        shutil.copyfile(log, target.with_name(f"{target.name}-wal"))
