"""Connections to the database of a study: SQLite in its folder, or PostgreSQL.

SQLite runs with a write-ahead log that is synced at every commit: committed rows survive a crash of
the program or of the machine.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError

from study.domain.errors import DiskFull, StoreError

_PRAGMAS = ("foreign_keys=ON", "journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000")
_MAGIC = b"SQLite format 3\x00"
_DIALECTS = ("sqlite", "postgresql")
WRITING = "study_writing"
"""Execution option of an engine whose transactions may write."""
MIGRATING = "study_migrating"
"""Option for use with `WRITING`: SQLite changes tables, and leaves foreign keys to a check."""
UNSYNCED = "study_unsynced"
"""Option for use with `WRITING`: a power failure may lose the last commits, but tear none."""


def parse_url(url: str) -> URL:
    """Parse the URL of a database.

    Raises
    ------
    StoreError
        It is not a URL, of another kind of database, or of one in memory.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreError(
            "The database address cannot be read: give one such as sqlite:////data/study.sqlite "
            "or postgresql+psycopg://user:password@host/name."
        ) from None
    if parsed.get_backend_name() not in _DIALECTS:
        raise StoreError(
            f"A {parsed.get_backend_name()} database cannot hold a study: use SQLite or PostgreSQL."
        )
    if sqlite_path(parsed) == Path():
        raise StoreError("A study needs a file: a SQLite database in memory ends with the program.")
    return parsed


def sqlite_path(url: URL) -> Path | None:
    """The file of a SQLite database (`Path()` for one in memory); None for other databases."""
    if url.get_backend_name() != "sqlite":
        return None
    name = url.database or ""
    return Path() if name in {"", ":memory:"} or name.startswith("file:") else Path(name)


def engine_for(url: URL) -> Engine:
    """An engine whose transactions are read-only without the execution option `WRITING`.

    Raises
    ------
    StoreError
        The driver is not installed.
    """
    sqlite = url.get_backend_name() == "sqlite"
    try:
        engine = create_engine(url, pool_size=20, max_overflow=30, pool_pre_ping=not sqlite)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise StoreError(
            f"The driver for {url.drivername} is missing ({error}): "
            "pip install 'psycopg[binary]', and use postgresql+psycopg:// in the address."
        ) from None
    if sqlite:
        event.listen(engine, "connect", _connect_sqlite)
    event.listen(engine, "begin", _begin_sqlite if sqlite else _begin_postgresql)
    return engine


def _connect_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # The driver would begin late, and never for a SELECT; `_begin_sqlite` begins transactions.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    writing = bool(options.get(WRITING))
    driver: Any = connection.connection.dbapi_connection
    if writing:
        driver.execute(f"PRAGMA foreign_keys={'OFF' if options.get(MIGRATING) else 'ON'}")
        driver.execute(f"PRAGMA synchronous={'NORMAL' if options.get(UNSYNCED) else 'FULL'}")
    driver.execute(f"PRAGMA query_only={'OFF' if writing else 'ON'}")
    # A writing transaction takes the lock first, so that none fails half-way.
    driver.execute("BEGIN IMMEDIATE" if writing else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get(WRITING):
        # As for SQLite: synced at commit whatever the server's default, 5 s for a lock.
        synced = "off" if options.get(UNSYNCED) else "on"
        connection.exec_driver_sql(
            f"SELECT set_config('synchronous_commit', '{synced}', true), "
            "set_config('lock_timeout', '5s', true)"
        )
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


@contextmanager
def large_cache(connection: Connection) -> Iterator[None]:
    """Keep more of a SQLite file in memory: looking for rows all over it takes a fifth of the time.

    Only for a while, because each connection has a cache of its own.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    before = connection.exec_driver_sql("PRAGMA cache_size").scalar()
    connection.exec_driver_sql("PRAGMA cache_size=-65536")
    try:
        yield
    finally:
        connection.exec_driver_sql(f"PRAGMA cache_size={before}")
        connection.exec_driver_sql("PRAGMA shrink_memory")


def check_file(path: Path) -> None:
    """Raise an error if a file is not a SQLite database.

    Raises
    ------
    StoreError
        The file is missing, empty, unreadable or of another kind.
    """
    try:
        with path.open("rb") as file:
            head = file.read(len(_MAGIC))
    except OSError as error:
        reason = "there is none" if isinstance(error, FileNotFoundError) else error.strerror
        raise StoreError(
            f"No study database at {path}: {reason}. Give the folder of a study, "
            "or make one: python -m study init DIR --key PATH."
        ) from None
    if not head:
        raise StoreError(f"{path} is empty: it is no study database. Restore it from a backup.")
    if head != _MAGIC:
        raise StoreError(f"{path} is not a SQLite database. Restore the study from a backup.")


@contextmanager
def translated() -> Iterator[None]:
    """Turn database errors into `StoreError`.

    Raises
    ------
    DiskFull
        The disk of the database is full.
    StoreError
        The database reported another error.
    """
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        kind = DiskFull if _is_full(error) else StoreError
        raise kind(_sentence(error)) from error


def _is_full(error: DBAPIError | sqlite3.Error) -> bool:
    """Whether the disk is full: for SQLite by its code, for PostgreSQL by its SQLSTATE."""
    origin: Any = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(origin, "sqlite_errorcode", None)
    return code == sqlite3.SQLITE_FULL or getattr(origin, "sqlstate", None) == "53100"


def _sentence(error: DBAPIError | sqlite3.Error) -> str:
    origin: Any = error.orig if isinstance(error, DBAPIError) else error
    text = (str(origin).strip().splitlines() or [type(origin).__name__])[0].rstrip(".")
    if isinstance(error, (IntegrityError, sqlite3.IntegrityError)):
        return f"The study refuses this: {text}."
    if _is_full(error):
        return (
            f"The disk of the study is full ({text}): nothing was stored. Free some space, and try "
            "again."
        )
    if "locked" in text or "lock timeout" in text:
        return "The study is busy: another program has been writing for 5 seconds. Try again."
    if "not a database" in text or "malformed" in text:
        return f"The study database is damaged ({text}). Restore it from a backup."
    return f"The study database failed: {text}."
