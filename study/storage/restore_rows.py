"""Rows that are only in an append log go back into the database, as after the loss of its WAL."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Table, insert, select, update
from sqlalchemy.orm import Session

from study.domain.errors import StoreError
from study.storage import hash_chain, triggers
from study.storage.append_log import AppendLog
from study.storage.engine import WRITING, check_file, engine_for, sqlite_path, translated
from study.storage.folder import log_path_of, url_of
from study.storage.mirror_state import counted, mirror_state
from study.storage.models import SCHEMA_VERSION, AuditEvent, RowEvent
from study.storage.row_log import COLUMNS, copies, key_of
from study.storage.schema import (
    MIGRATE,
    bring_up_to_date,
    log_migration,
    only_study,
    table_version,
)
from study.storage.store import Store

Row = dict[str, Any]
ACTION = "restore from mirror"
_WHOLE = "Nothing was restored."


@dataclass(frozen=True)
class RestoredRows:
    """What came back from an append log: numbers of rows by chained table."""

    rows: Mapping[str, int]

    def as_text(self) -> str:
        """The outcome as a sentence."""
        if not self.rows:
            return "The database has everything that is in this mirror: nothing was restored."
        return (
            f"Back from the mirror: {counted(self.rows)}. Accounts and invitations that were made "
            "since the last checkpoint are not in it: make them again."
        )


def restore_rows(folder: Path, mirror: Path, *, url: str | None = None, actor: str) -> RestoredRows:
    """Add to a study's database the rows that only an append log has.

    The database must be an earlier state of what the log has; every row must continue its chain.

    Parameters
    ----------
    folder : Path
        Of the study, which nobody has open.
    mirror : Path
        The append log.
    url : str, optional
        SQLAlchemy URL of the database; the default is SQLite in the folder.
    actor : str
        For the audit log.

    Raises
    ------
    StoreError
        There is no such log, it is not that of this study, or it is damaged.
    """
    where = url_of(folder, url)
    file = sqlite_path(where)
    if file is not None:
        check_file(file)
    log = AppendLog(mirror)
    engine = engine_for(where)
    try:
        with translated():
            version = table_version(engine)
            found = mirror_state(engine, log)
            if not found.begun:
                raise StoreError(f"There is no mirror at {mirror}, or it is empty: give its path.")
            if found.differs:
                raise StoreError(
                    f"By the mirror {mirror}, {found.differs} is another one in the database: it "
                    "is not an earlier state of the same study, or rows were changed. "
                    f"{_WHOLE} Run: python -m study verify {folder} --mirror {mirror}"
                )
            if not found.only_log:
                return RestoredRows({})
            # Not logged before the lost rows are back, which may have a migration among them.
            bring_up_to_date(engine, logged=False)
            with (
                engine.execution_options(**{WRITING: True}).begin() as connection,
                Session(connection, join_transaction_mode="rollback_only") as session,
            ):
                session.info[hash_chain.STUDY_ID] = only_study(session)
                _restore(session, log, found.only_log)
                if version < SCHEMA_VERSION and not _is_migrated(session, version):
                    log_migration(session, version)
                hash_chain.audit(session, actor, ACTION, mirror.name, counted(found.only_log))
                session.commit()
        Store(engine, folder, AppendLog(log_path_of(folder, None))).catch_up()
    finally:
        engine.dispose()
    return RestoredRows(found.only_log)


def _restore(session: Session, log: AppendLog, lost: Mapping[str, int]) -> None:
    chained = {table.name: table for table in hash_chain.TABLES if lost.get(table.name)}
    rows = {name: list(_lost(session, log, table)) for name, table in chained.items()}
    events = rows.pop(RowEvent.__tablename__, [])
    copied = {table: list(_latest(table, events)) for table in COLUMNS}
    changed = {table.name for table, found in copied.items() if found}
    with triggers.all_lifted(session.connection(), {*chained, *changed}):
        for table, found in copied.items():
            _put_back(session, table, found)
        for name, found in {**rows, RowEvent.__tablename__: events}.items():
            if found:
                session.execute(insert(chained[name]), found)


def _is_migrated(session: Session, version: int) -> bool:
    """Whether the audit log has the migration from a version."""
    start = AuditEvent.detail.startswith(f"tables from version {version} ")
    wanted = select(AuditEvent.seq).where(AuditEvent.action == MIGRATE, start)
    return session.scalars(wanted).first() is not None


def _lost(session: Session, log: AppendLog, table: Table) -> Iterator[Row]:
    """The rows of a chained table that follow those in the database, checked against the chain."""
    wanted = select(table.c.seq, table.c.row_hash).order_by(table.c.seq.desc()).limit(1)
    last = session.execute(wanted).first()
    seq, before = (last.seq, last.row_hash) if last else (0, hash_chain.GENESIS)
    for entry in log.entries():
        if entry.table != table.name or entry.seq <= seq:
            continue
        try:
            row = hash_chain.read_back(table, json.loads(entry.raw)["row"])
            row["row_hash"] = entry.row_hash
            whole = row["seq"] == seq + 1 and row["prev_hash"] == before
            whole = whole and set(row) == {one.name for one in table.c}
            whole = whole and hash_chain.row_hash(table, row) == entry.row_hash
        except (KeyError, TypeError, ValueError):
            whole = False
        if not whole:
            raise StoreError(
                f"The mirror {log.path} is damaged: the line of {table.name} row {entry.seq} does "
                f"not continue row {seq}. {_WHOLE} Give another copy of the mirror."
            )
        yield row
        seq, before = entry.seq, entry.row_hash


def _latest(table: Table, events: Sequence[Row]) -> Iterator[Row]:
    """The last copy of each row of a table, in the order in which the rows came."""
    found: dict[Any, Row] = {}
    for event in events:
        of, rows = copies(event["table_name"], event["rows_json"])
        if of is table:
            found |= {key_of(table, row): row for row in rows}
    yield from found.values()


def _put_back(session: Session, table: Table, found: Sequence[Row]) -> None:
    """Write rows as they were: changed where they are there, new where they are not."""
    for row in found:
        same = [column == row[column.name] for column in table.primary_key]
        if session.execute(select(table.c[next(iter(row))]).where(*same)).first() is None:
            session.execute(insert(table), [row])
        else:
            session.execute(update(table).where(*same).values(**row))
