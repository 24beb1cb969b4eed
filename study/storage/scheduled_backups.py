"""Backups that a server makes by itself, every few hours, of which the latest are kept."""

from __future__ import annotations

import re
import shutil
import sqlite3
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import select

from study.domain.errors import StoreError
from study.storage.backup import backup
from study.storage.folder import DATABASE
from study.storage.models import Study
from study.storage.store import Store

_NAME = re.compile(r".+-\d{8}T\d{6}Z")


class ScheduledBackups:
    """Makes backups in a thread of its own, the first at once.

    Parameters
    ----------
    store : Store
    folder : Path
        Where the backups are, best on another disk; made if necessary.
    hours : float
        From one backup to the next.
    keep : int
        Older ones are removed.

    Raises
    ------
    StoreError
        The folder cannot be made, lies in that of the study, or the database is PostgreSQL.
    """

    def __init__(self, store: Store, folder: Path, hours: float, keep: int) -> None:
        if store.folder.resolve() in (folder.resolve(), *folder.resolve().parents):
            raise StoreError(f"{folder} lies in the study: give a folder elsewhere for backups.")
        self._store, self._folder, self._keep = store, folder, keep
        self._seconds = hours * 3600
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="backups", daemon=True)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"No backups can be made in {folder}: {error.strerror}.") from None
        self.make()

    def start(self) -> None:
        """Go on until `stop`."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a backup that is being made is waited for."""
        self._stop.set()
        self._thread.join()

    def make(self) -> Path:
        """Make a backup now, and remove the oldest ones beyond those that are kept."""
        with self._store.read() as session:
            code = session.scalars(select(Study.code)).one()
        name = f"{code}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        before = self.made()
        images = before[-1] if before else None
        made = backup(self._store, self._folder / name, stimuli=True, images_of=images).path
        for old in self.made()[: -self._keep]:
            shutil.rmtree(old)
        return made

    def made(self) -> list[Path]:
        """The backups of this study that are there, oldest first.

        Other studies may have theirs in the same folder, also under the same code.
        """
        found = (
            one
            for one in self._folder.iterdir()
            if _NAME.fullmatch(one.name) and _study_in(one) == self._store.study_id
        )
        return sorted(found, key=lambda one: one.name.rpartition("-")[2])

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            try:
                self.make()
                self._store.backup_problem = ""
            except (StoreError, OSError) as error:
                text = f"The last backup in {self._folder} failed: {error}"
                self._store.backup_problem = text
                print(text, file=sys.stderr, flush=True)  # noqa: T201


def _study_in(folder: Path) -> str:
    """The identifier of the study in a backup; empty where it cannot be read."""
    address = f"file:{quote(str((folder / DATABASE).absolute()))}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True)) as connection:
            [[found]] = connection.execute("SELECT id FROM study").fetchall()
    except (sqlite3.Error, ValueError):
        return ""
    return str(found)
