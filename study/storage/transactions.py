"""Transactions of a study: reading ones, and writing ones that the append log follows."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from study.domain.errors import LogConflict, StoreError
from study.storage import hash_chain, row_log
from study.storage.append_log import CHAINED, AppendLog
from study.storage.engine import UNSYNCED, WRITING, translated
from study.storage.folder import STIMULI
from study.storage.mirror import COMPLETE_MIRROR, ROWS, Mirror
from study.storage.models import SCHEMA_VERSION, RowEvent, Study
from study.storage.schema import only_study


class StudyTransactions:
    """The database of a study and its append log.

    Parameters
    ----------
    engine : Engine
    folder : Path
    log : AppendLog

    Attributes
    ----------
    study_id : str
    folder, stimuli : Path
    mirror : Path
        Of the append log.
    read_only : bool
        Whether nothing may be written. The database is then a temporary copy, or PostgreSQL.
    version : int
        Of the tables as they were found.
    log_size : int or None
        For a copy of the database: bytes of the append log before it was copied.
    backup_problem : str
        Why the last backup of this server failed, as a sentence; empty where none has.
    """

    def __init__(
        self,
        engine: Engine,
        folder: Path,
        log: AppendLog,
        *,
        read_only: bool = False,
        copy: tempfile.TemporaryDirectory[str] | None = None,
        version: int = SCHEMA_VERSION,
        log_size: int | None = None,
    ) -> None:
        self._copy = copy
        self.read_only = read_only
        self.version = version
        self.log_size = log_size
        self.backup_problem = ""
        self.folder = folder
        self.stimuli = folder / STIMULI
        self.mirror = log.path
        self.engine = engine
        self._writer = engine.execution_options(**{WRITING: True})
        self._unsynced = self._writer.execution_options(**{UNSYNCED: True})
        # Waiting for this lock is fair; SQLite lets waiters sleep for up to 100 ms.
        self._write_lock = threading.RLock()
        self._mirror = Mirror(engine, folder, log)
        with translated(), Session(engine) as session:
            self.study_id = only_study(session)

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()
        if self._copy is not None:
            self._copy.cleanup()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A read-only transaction, which sees one consistent state.

        Raises
        ------
        StoreError
            The database fails, or the transaction writes.
        """
        with translated(), Session(self.engine, expire_on_commit=False) as session:
            session.info[hash_chain.STUDY_ID] = self.study_id
            yield session

    @contextmanager
    def write(self, *, synced: bool = True) -> Iterator[Session]:
        """A writing transaction, one at a time; committed and synced at the end.

        Parameters
        ----------
        synced : bool
            False for rows that a power failure may lose, such as tickets.

        Raises
        ------
        StoreError
            The database refuses, is busy or fails, or the append log contradicts it.
        """
        if self.read_only:
            raise StoreError(
                f"The study in {self.folder} is on a disk that cannot be written: it can be "
                "verified, exported and reported, and not be changed."
            )
        self.require_no_conflict()
        with self._written(synced=synced) as session:
            yield session
        changed: set[str] = session.info.get(hash_chain.CHANGED, set())
        if not synced:
            # Not before they are on the disk: the append log must not be ahead of the database.
            self._mirror.waiting |= changed
        elif changed:
            self.catch_up(changed, rows_until=session.info.get(ROWS))

    @contextmanager
    def _written(self, *, synced: bool = True) -> Iterator[Session]:
        """A writing transaction, of which the append log gets nothing yet."""
        engine = self._writer if synced else self._unsynced
        with (
            translated(),
            self._write_lock,
            row_log.TrackedSession(engine, expire_on_commit=False) as session,
        ):
            session.info[hash_chain.STUDY_ID] = self.study_id
            with session.begin():
                if self.engine.dialect.name == "postgresql":
                    session.execute(
                        select(Study.id).where(Study.id == self.study_id).with_for_update()
                    )
                yield session
                row_log.append_touched(session)
                changed = session.info.get(hash_chain.CHANGED)
                if synced and changed:
                    changed |= self._mirror.waiting
                    if ROWS in changed:
                        session.info[ROWS] = hash_chain.head(session, RowEvent).seq

    @property
    def log(self) -> AppendLog:
        """The append log."""
        return self._mirror.log

    @property
    def log_problem(self) -> str:
        """What is wrong with the append log, as a sentence; empty when it is complete."""
        return self._mirror.problem

    def require_no_conflict(self) -> None:
        """Raise `LogConflict` where the append log contradicts the database."""
        if self._mirror.conflict:
            raise LogConflict(self._mirror.conflict)

    def catch_up(
        self,
        tables: Collection[str] = CHAINED,
        *,
        begin: bool = False,
        rows_until: int | None = None,
    ) -> None:
        """Write missing rows to the append log; a failure is kept in `log_problem`.

        Parameters
        ----------
        tables : collection of str
            Chained tables that have new rows.
        begin : bool
            Whether an append log is begun where there is none.
        rows_until : int, optional
            Number of the last row event that is on the disk for sure.
        """
        if not self.read_only and self._mirror.add(tables, begin=begin, rows_until=rows_until):
            self._log_about_log(COMPLETE_MIRROR, "lines that were cut off")
            self._mirror.add(CHAINED)

    def _log_about_log(self, action: str, detail: str) -> None:
        with self._written() as session:
            hash_chain.audit(session, "coordinator", action, self.mirror.name, detail)
