"""Changes of a study's database by another program, without this one's care."""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from study.storage.engine import WRITING
from study.storage.hash_chain import TABLES, row_hash
from study.storage.models import Base, RatingEvent
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
    """Execute SQL with the rules of the table of ratings and of audit events put aside."""
    if not is_sqlite(store):
        tables = ("rating_event", "audit_event", "study")
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


def new_chain(store: Store) -> None:
    """Compute the chain of ratings again, as somebody would to hide a change."""
    table = next(one for one in TABLES if one.name == RatingEvent.__tablename__)
    with store.read() as session:
        rows = [
            dict(row) for row in session.execute(select(table).order_by(table.c.seq)).mappings()
        ]
    before, statements = "0" * 64, []
    for row in rows:
        row["prev_hash"] = before
        before = row_hash(row)
        statements.append(
            f"UPDATE rating_event SET prev_hash = '{row['prev_hash']}', row_hash = '{before}' "
            f"WHERE seq = {row['seq']}"
        )
    tamper(store, *statements)
