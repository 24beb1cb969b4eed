"""An open study: its database, its folder of images and its append log.

>>> store = Store.open(Path("study-1"))  # doctest: +SKIP
>>> with store.write() as session:  # doctest: +SKIP
...     session.add(Method(study_id=store.study_id))
"""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path

from sqlalchemy import URL
from sqlalchemy.orm import Session

from enhancers import __version__
from enhancers.private_folders import process_folder
from study.domain.errors import LogConflict, StoreError
from study.domain.protocol import Protocol
from study.domain.protocol_json import from_json
from study.domain.terms import Status
from study.storage import hash_chain, row_log
from study.storage.append_log import AppendLog
from study.storage.engine import WRITING, check_file, engine_for, sqlite_path, translated
from study.storage.folder import (
    DATABASE,
    copy_database,
    is_writable,
    log_path_of,
    make_folder,
    remember_log_path,
    url_of,
)
from study.storage.mirror import BEGIN_MIRROR, COMPLETE_MIRROR
from study.storage.mirror_state import MirrorState, counted, mirror_state
from study.storage.models import SCHEMA_VERSION, RatingEvent, Study, now
from study.storage.protocol_versions import current_json
from study.storage.schema import bring_up_to_date, make_tables, table_version
from study.storage.transactions import StudyTransactions

_STATUSES = tuple(Status)


class Store(StudyTransactions):
    """An open study, from `create` or `open`."""

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
        store = cls(engine, folder, AppendLog(log))
        store.catch_up(begin=True)
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
            Path of the append log from now on, which is begun where there is none; the default is
            the one used last. For reading only, it is not remembered.
        read_only : bool, optional
            Whether to leave everything as it is; by default if the folder cannot be written.

        Raises
        ------
        StoreError
            There is no study, it is damaged, or of a newer version of the program; or another
            append log is given although the present one has rows that the database lacks.
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
            return cls._opened_to_read(folder, where, file, log_path_of(folder, mirror))
        engine, log = engine_for(where), AppendLog(log_path_of(folder, None))
        wanted = log_path_of(folder, mirror)
        with translated():
            version = table_version(engine)
            # Looked at first: after a loss nothing may be written, not even a migration.
            found = mirror_state(engine, log)
            if found.conflict and (mirror is not None or version < SCHEMA_VERSION):
                raise LogConflict(found.sentence(folder, log.path))
            bring_up_to_date(engine)
            if wanted != log.path:
                log = AppendLog(wanted)
                found = mirror_state(engine, log)
        store = cls(engine, folder, log, version=version)
        if found.conflict:
            store._mirror.contradicts(found)
        else:
            store._take_up_log(found, given=mirror is not None)
            remember_log_path(folder, mirror)
        return store

    @classmethod
    def _opened_to_read(cls, folder: Path, where: URL, file: Path | None, mirror: Path) -> Store:
        """A study whose folder and database stay as they are."""
        if file is None:
            engine = engine_for(where)
            with translated():
                version = table_version(engine)
            if version < SCHEMA_VERSION:
                raise StoreError(
                    f"This study has tables of version {version}, and is only to be read: migrate "
                    f"it first, by any command that may write, such as status {folder}."
                )
            return cls(engine, folder, AppendLog(mirror), read_only=True)
        home = tempfile.TemporaryDirectory(prefix="study-", dir=process_folder())
        size = mirror.stat().st_size if mirror.exists() else 0
        with translated():
            copy_database(file, Path(home.name) / DATABASE)
            engine = engine_for(where.set(database=str(Path(home.name) / DATABASE)))
            version = table_version(engine)
            bring_up_to_date(engine, logged=False)
        return cls(
            engine, folder, AppendLog(mirror), read_only=True, copy=home, version=version,
            log_size=size,
        )  # fmt: skip

    def _take_up_log(self, found: MirrorState, *, given: bool) -> None:
        """Add what the append log lacks; the audit log says so if it should have been there."""
        lacking, tables = self._mirror.lacking(found)
        if found.begun and lacking:
            self._log_about_log(COMPLETE_MIRROR, counted(lacking))
        elif not found.begun and given and self.mirror.parent.is_dir():
            self._log_about_log(BEGIN_MIRROR, f"{counted(lacking)} were there before")
        # One that has gone is not begun again in silence, except for a draft.
        begin = not found.begun and (given or self.status() is Status.DRAFT)
        self.catch_up(tables, begin=begin)

    def chain_head(self) -> hash_chain.ChainHead:
        """The present head of all chains, to be kept elsewhere."""
        with self.read() as session:
            return hash_chain.chain_head(session)

    def protocol(self) -> Protocol:
        """The protocol as it is stored, with its amendments."""
        with self.read() as session:
            return self.protocol_in(session)

    def protocol_in(self, session: Session) -> Protocol:
        """The protocol in a transaction."""
        return parsed(current_json(session, self.study_id))

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
            row_log.append_all(session)
        session.flush()
        end = hash_chain.head(session, RatingEvent)
        detail = f"{end.seq} ratings, chain {end.row_hash}"
        hash_chain.audit(session, actor, status.value, target=study.code, detail=detail)


@lru_cache(maxsize=16)
def parsed(text: str) -> Protocol:
    """A protocol from its JSON; cached, because every answer needs it."""
    return from_json(text)
