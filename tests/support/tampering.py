"""Changes of a study's database by another program, without this one's care."""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy import Table, select, text
from sqlalchemy.exc import DBAPIError

from study.storage.engine import WRITING
from study.storage.hash_chain import GENESIS, TABLES, row_hash, rows
from study.storage.models import Base
from study.storage.store import Store


def is_sqlite(store: Store) -> bool:
    return store.engine.dialect.name == "sqlite"


def run(store: Store, *statements: str, keep: bool = True, **values: Any) -> None:
    """Execute SQL; with `keep` false everything is taken back."""
    if is_sqlite(store):
        # Foreign keys are off here, as in any program that does not ask for them.
        connection = sqlite3.connect(str(store.engine.url.database))
        try:
            for statement in statements:
                connection.execute(statement, values)
            (connection.commit if keep else connection.rollback)()
        finally:
            connection.close()
        return
    with store.engine.execution_options(**{WRITING: True}).connect() as connection:
        for statement in statements:
            connection.execute(text(statement), values)
        (connection.commit if keep else connection.rollback)()


def refusal(store: Store, *statements: str, **values: Any) -> str:
    """The message with which the database refuses statements, or nothing."""
    try:
        run(store, *statements, keep=False, **values)
    except (sqlite3.Error, DBAPIError) as error:
        return str(error.orig if isinstance(error, DBAPIError) else error).splitlines()[0]
    return ""


def insert_sql(table: str, row: dict[str, Any], how: str = "INSERT") -> str:
    names = ", ".join(row)
    return f"{how} INTO {table} ({names}) VALUES ({', '.join(f':{name}' for name in row)})"


def copy_sql(table: str, **changed: str) -> str:
    """INSERT a copy of a row, some columns changed to SQL expressions."""
    columns = [column.name for column in Base.metadata.tables[table].columns]
    values = ", ".join(changed.get(name, name) for name in columns)
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table} LIMIT 1"


def tamper(store: Store, *statements: str, **values: Any) -> None:
    """Execute SQL with the rules of the database put aside."""
    if not is_sqlite(store):
        tables = Base.metadata.tables
        off = [f"ALTER TABLE {name} DISABLE TRIGGER USER" for name in tables]
        on = [f"ALTER TABLE {name} ENABLE TRIGGER USER" for name in tables]
        run(store, *off, *statements, *on, **values)
        return
    connection = sqlite3.connect(str(store.engine.url.database))
    triggers = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
    ).fetchall()
    connection.close()
    drops = [f"DROP TRIGGER {name}" for name, _ in triggers]
    run(store, *drops, *statements, *(sql for _, sql in triggers), **values)


def new_chain(store: Store, *tables: Table) -> None:
    """Compute the chain of ratings or of other tables again, as somebody would to hide a change."""
    statements = []
    for table in tables or TABLES[:1]:
        before = GENESIS
        for row in stored(store, table):
            row["prev_hash"] = before
            before = row_hash(table, row)
            statements.append(
                f"UPDATE {table.name} SET prev_hash = '{row['prev_hash']}', "
                f"row_hash = '{before}' WHERE seq = {row['seq']}"
            )
    tamper(store, *statements)


def new_mirror(store: Store) -> None:
    """Write the mirror anew from the database."""
    with store.read() as session:
        lines = [one.encode() for table in TABLES for one in rows(session, table)]
    store.mirror.write_bytes(b"".join(lines))


def stored(store: Store, table: Table) -> list[dict[str, Any]]:
    """The rows of a chained table."""
    with store.read() as session:
        found = session.execute(select(table).order_by(table.c.seq)).mappings()
        return [dict(row) for row in found]
