"""An open study: its database, its folder of images and its append log.

>>> store = Store.open(Path("study-1"))  # doctest: +SKIP
>>> with store.write() as session:  # doctest: +SKIP
...     session.add(Method(study_id=store.study_id))
"""

from __future__ import annotations

import itertools
import tempfile
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from sqlalchemy import URL, Engine, select
from sqlalchemy.orm import Session

from enhancers import __version__
from study.domain.errors import LogConflict, StoreError
from study.domain.protocol import Protocol, Status, from_json
from study.storage import hash_chain
from study.storage.append_log import AppendLog, Head, Line
from study.storage.engine import UNSYNCED, WRITING, check_file, engine_for, sqlite_path, translated
from study.storage.folder import (
    DATABASE,
    STIMULI,
    copy_database,
    is_writable,
    log_path_of,
    make_folder,
    remember_log_path,
    url_of,
)
from study.storage.models import AuditEvent, RatingEvent, Study, now
from study.storage.schema import bring_up_to_date, make_tables, only_study

_STATUSES = tuple(Status)
_CHAINED = tuple(table.name for table in hash_chain.TABLES)
BEGIN_MIRROR = "begin mirror"
"""Action of the audit event of an append log that begins when there are rows already."""


class Store:
    """An open study, from `create` or `open`.

    Parameters
    ----------
    engine : Engine
    folder : Path
    mirror : Path
        Path of the append log.

    Attributes
    ----------
    study_id : str
    folder, stimuli : Path
    mirror : Path
    log_problem : str
        A sentence that says why the append log is behind; empty when it is complete.
    read_only : bool
        Whether the study is on a disk that cannot be written: it is read from a temporary copy of
        its database.
    """

    def __init__(
        self,
        engine: Engine,
        folder: Path,
        mirror: Path,
        *,
        copy: tempfile.TemporaryDirectory[str] | None = None,
    ) -> None:
        self._copy = copy
        self.read_only = copy is not None
        self.folder = folder
        self.stimuli = folder / STIMULI
        self.mirror = mirror
        self.log_problem = ""
        self.engine = engine
        self._writer = engine.execution_options(**{WRITING: True})
        self._unsynced = self._writer.execution_options(**{UNSYNCED: True})
        # Waiting for this lock is fair; SQLite lets waiters sleep for up to 100 ms.
        self._write_lock = threading.RLock()
        self.log = AppendLog(mirror)
        self._conflict = ""
        with translated(), Session(engine) as session:
            self.study_id = only_study(session)

    @classmethod
    def create(
        cls,
        folder: Path,
        *,
        protocol: Protocol,
        code: str,
        seed_sha256: str,
        url: str | None = None,
        mirror: Path | None = None,
    ) -> Store:
        """Create a draft study.

        Parameters
        ----------
        folder : Path
            Created with mode 0700 if necessary.
        protocol : Protocol
        code : str
            Short name of the study.
        seed_sha256 : str
            Of the master seed, as hex.
        url : str, optional
            SQLAlchemy URL; the default is SQLite in the folder.
        mirror : Path, optional
            Path of the append log, best on another disk; the default is in the folder.

        Raises
        ------
        StoreError
            There is a study already, or it cannot be created here.
        """
        where = url_of(folder, url)
        file = sqlite_path(where)
        log = log_path_of(folder, mirror)
        make_folder(folder, file)
        study = Study(
            code=code,
            protocol_json=protocol.to_json(),
            protocol_sha256=protocol.digest,
            seed_sha256=seed_sha256,
            app_version=__version__,
        )
        try:
            if log.exists():
                raise StoreError(f"{log} exists, perhaps of another study: move it away.")
            engine = engine_for(where)
            with translated(), engine.execution_options(**{WRITING: True}).begin() as connection:
                make_tables(connection, study)
        except BaseException:
            if file is not None:  # The next attempt must find no file.
                file.unlink(missing_ok=True)
            raise
        remember_log_path(folder, mirror)
        store = cls(engine, folder, log)
        store.catch_up()
        return store

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        url: str | None = None,
        mirror: Path | None = None,
        read_only: bool | None = None,
    ) -> Store:
        """Open a study, and bring its tables and its append log up to date.

        Parameters
        ----------
        folder : Path
        url : str, optional
            SQLAlchemy URL; the default is SQLite in the folder.
        mirror : Path, optional
            Path of the append log; the default is the one used last.
        read_only : bool, optional
            Whether to leave the folder as it is; by default if it cannot be written.

        Raises
        ------
        StoreError
            There is no study, it is damaged, or of a newer version of the program.
        """
        where = url_of(folder, url)
        file = sqlite_path(where)
        if file is not None:
            check_file(file)
        elif not folder.is_dir():
            raise StoreError(f"There is no folder {folder}: give the folder of the study.")
        if read_only is None:
            read_only = file is not None and not is_writable(folder, file)
        if read_only:
            return cls._opened_copy(folder, where, file, log_path_of(folder, mirror))
        engine = engine_for(where)
        with translated():
            bring_up_to_date(engine)
        known = mirror is not None or log_path_of(folder, None).parent != folder.absolute()
        remember_log_path(folder, mirror)
        store = cls(engine, folder, log_path_of(folder, mirror))
        if known and not store.mirror.exists() and store.mirror.parent.is_dir():
            store._begin_mirror()
        store.catch_up()
        return store

    @classmethod
    def _opened_copy(cls, folder: Path, where: URL, file: Path | None, mirror: Path) -> Store:
        """A study whose folder stays as it is."""
        if file is None:
            raise StoreError(
                "A study in PostgreSQL is opened for reading by its permissions there."
            )
        home = tempfile.TemporaryDirectory(prefix="reading-room-study-")
        with translated():
            copy_database(file, Path(home.name) / DATABASE)
            engine = engine_for(where.set(database=str(Path(home.name) / DATABASE)))
            bring_up_to_date(engine, logged=False)
        return cls(engine, folder, mirror, copy=home)

    def _begin_mirror(self) -> None:
        """Log that an append log begins with rows that were written before it."""
        with self.write() as session:
            last = hash_chain.head(session, AuditEvent)
            ratings = hash_chain.head(session, RatingEvent)
            detail = f"{ratings.seq} ratings and {last.seq} events were there before"
            hash_chain.audit(session, "coordinator", BEGIN_MIRROR, self.mirror.name, detail)

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
        if self._conflict:
            raise LogConflict(self._conflict)
        engine = self._writer if synced else self._unsynced
        with translated(), self._write_lock, Session(engine, expire_on_commit=False) as session:
            session.info[hash_chain.STUDY_ID] = self.study_id
            with session.begin():
                if self.engine.dialect.name == "postgresql":
                    session.execute(
                        select(Study.id).where(Study.id == self.study_id).with_for_update()
                    )
                yield session
        if changed := session.info.get(hash_chain.CHANGED):
            self.catch_up(changed)

    def catch_up(self, tables: Collection[str] = _CHAINED) -> None:
        """Write missing rows to the append log; a failure is kept in `log_problem`."""
        if self.read_only:
            return

        def missing(heads: Mapping[str, Head]) -> list[Line]:
            with self.read() as session:
                found = (
                    hash_chain.lines_after(session, table, heads.get(table.name))
                    for table in hash_chain.TABLES
                    if table.name in tables
                )
                return list(itertools.chain.from_iterable(found))

        try:
            self.log.add(missing)
            self.log_problem = ""
        except LogConflict as error:
            self.log_problem = self._conflict = str(error)
        except OSError as error:
            self.log_problem = (
                f"The mirror {self.mirror} cannot be written ({error.strerror}): "
                "ratings are safe in the database. Repair it; what is missing is added then."
                if self.mirror.parent.is_dir()
                else f"The mirror {self.mirror} cannot be written: there is no folder "
                f"{self.mirror.parent} on this machine. Ratings are safe in the database. Connect "
                "its disk; or, if the study was moved, copy the mirror and give its place once: "
                f"python -m study verify {self.folder} --mirror PATH (without a copy a new mirror "
                "begins there)."
            )

    def protocol(self) -> Protocol:
        """The protocol as it is stored."""
        with self.read() as session:
            return parsed(session.get_one(Study, self.study_id).protocol_json)

    def status(self) -> Status:
        """The status of the study."""
        with self.read() as session:
            return self.status_in(session)

    def status_in(self, session: Session) -> Status:
        """The status of the study in a transaction."""
        return Status(session.get_one(Study, self.study_id).status)

    def set_protocol(self, session: Session, protocol: Protocol, actor: str) -> None:
        """Change the protocol of a draft; the database refuses this after the freeze."""
        study = session.get_one(Study, self.study_id)
        study.protocol_json, study.protocol_sha256 = protocol.to_json(), protocol.digest
        session.flush()
        hash_chain.audit(session, actor, "protocol", target=study.code, detail=protocol.digest)

    def set_status(self, session: Session, status: Status, actor: str) -> None:
        """Advance to the next status, and log it with the last hash of the ratings.

        Raises
        ------
        StoreError
            It is not the next status.
        """
        study = session.get_one(Study, self.study_id)
        old = Status(study.status)
        if _STATUSES.index(status) != _STATUSES.index(old) + 1:
            following = _STATUSES[_STATUSES.index(old) + 1 :]
            then = f"the next status is {following[0]}" if following else "it is the last status"
            raise StoreError(f"The study is {old} and cannot become {status}: {then}.")
        session.flush()  # The plan is written before the study is frozen.
        study.status = status.value
        if status is Status.FROZEN:
            study.frozen_at = now()
        session.flush()
        end = hash_chain.head(session, RatingEvent)
        detail = f"{end.seq} ratings, chain {end.row_hash}"
        hash_chain.audit(session, actor, status.value, target=study.code, detail=detail)


@lru_cache(maxsize=16)
def parsed(text: str) -> Protocol:
    """A protocol from its JSON; cached, because every answer needs it."""
    return from_json(text)
