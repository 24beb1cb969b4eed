"""The constraints of a study as triggers of SQLite or PostgreSQL, and two views.

The triggers apply to every program that writes to the database. `missing` finds triggers that were
dropped or changed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import groupby

from sqlalchemy import Connection

from study.storage.constraints import APPEND_ONLY, Constraint, constraints

VIEWS = {
    "rating_current": (
        "SELECT e.* FROM rating_event e WHERE e.revision = (SELECT MAX(f.revision) "
        "FROM rating_event f WHERE f.presentation_id = e.presentation_id "
        "AND f.question_id = e.question_id AND f.slot = e.slot)"
    ),
    "rating_blind": (
        "SELECT e.seq, d.code AS reader, r.number AS session, p.position, p.role, "
        "q.code AS question, e.revision, e.value_num IS NULL AS missing, "
        "e.client_visible_ms, e.server_at FROM rating_event e "
        "JOIN presentation p ON p.id = e.presentation_id "
        "JOIN reading_session r ON r.id = p.session_id JOIN reader d ON d.id = r.reader_id "
        "JOIN question q ON q.id = e.question_id"
    ),
}
"""The latest answers, and who answered when: without values, sides, cases or images."""


def install(connection: Connection) -> None:
    """Create the triggers and views in a database that has the tables.

    Parameters
    ----------
    connection : Connection
        In a writing transaction.
    """
    for parts in _statements(connection).values():
        _execute(connection, parts)
    _make_views(connection)


@contextmanager
def renewed(connection: Connection, former: Mapping[str, str]) -> Iterator[None]:
    """Put triggers and views aside while tables change, and make those of this version.

    A trigger that is missing before, or is not as the former version made it, stays away for
    `missing` to find.

    Parameters
    ----------
    connection : Connection
        In a writing transaction.
    former : mapping
        SHA-256 of each trigger of the former version, as hex by its name.
    """
    present = found(connection)
    gone = {name for name, digest in former.items() if digest_of(present.get(name, "")) != digest}
    for name in VIEWS:
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")
    for name in present:
        _execute(connection, _dropped(connection, name))
    yield
    for name, parts in _statements(connection).items():
        if name not in gone:
            _execute(connection, parts)
    _make_views(connection)


def digest_of(body: str) -> str:
    """SHA-256 of what a trigger says, as hex."""
    return hashlib.sha256(body.encode()).hexdigest()


def bodies() -> Iterator[tuple[str, str, str]]:
    """Each trigger of this version: its name, and what it says on SQLite and PostgreSQL."""
    texts = ({name: _body(parts[0]) for name, parts in of()} for of in (_sqlite, _postgresql))
    sqlite, postgresql = texts
    for name in sorted({*sqlite, *postgresql}):
        yield name, sqlite.get(name, ""), postgresql.get(name, "")


@contextmanager
def lifted(connection: Connection, name: str) -> Iterator[None]:
    """Allow what a trigger forbids, in a writing transaction; one that is not there stays away."""
    parts = _statements(connection)[name]
    if found(connection).get(name) != _body(parts[0]):
        yield
        return
    _execute(connection, _dropped(connection, name))
    yield
    _execute(connection, parts)


@contextmanager
def all_lifted(connection: Connection, tables: Collection[str]) -> Iterator[None]:
    """Allow what the triggers of some tables forbid, in a writing transaction."""
    starts = tuple(f"keep_{table}_" for table in tables)
    with ExitStack() as stack:
        for name in _statements(connection):
            if name.startswith(starts):
                stack.enter_context(lifted(connection, name))
        yield


def missing(connection: Connection) -> list[str]:
    """Names of triggers that are missing, disabled or changed."""
    present = found(connection)
    expected = _statements(connection)
    return [name for name, parts in expected.items() if present.get(name) != _body(parts[0])]


def _make_views(connection: Connection) -> None:
    for name, query in VIEWS.items():
        connection.exec_driver_sql(f"CREATE VIEW {name} AS {query}")


def _execute(connection: Connection, statements: Collection[str]) -> None:
    for one in statements:
        # Verbatim: a colon or a percent sign is not a parameter here.
        connection.exec_driver_sql(one.replace("%", "%%") if _is_pg(connection) else one)


def _dropped(connection: Connection, name: str) -> tuple[str]:
    if _is_pg(connection):
        return (f"DROP FUNCTION {name}() CASCADE",)
    return (f"DROP TRIGGER {name}",)


def found(connection: Connection) -> dict[str, str]:
    """The text of each trigger that is there."""
    return dict(_found_postgresql(connection) if _is_pg(connection) else _found_sqlite(connection))


def _is_pg(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"


def _statements(connection: Connection) -> dict[str, tuple[str, ...]]:
    """The statements that create each trigger; the first has its conditions."""
    return dict(_postgresql() if _is_pg(connection) else _sqlite())


def _sqlite() -> Iterator[tuple[str, tuple[str, ...]]]:
    for (table, event), group in _grouped():
        name = f"keep_{table}_{event.lower()}"
        tests = [f"SELECT RAISE(ABORT, {_message(one)}) WHERE {one.when};" for one in group]
        if event == "INSERT" and table in APPEND_ONLY:
            same = f"EXISTS (SELECT 1 FROM {table} x WHERE x.rowid = NEW.rowid)"
            message = _quoted(f"{table}: a row of this number exists already")
            tests.append(f"SELECT RAISE(ABORT, {message}) WHERE {same};")
        # IS DISTINCT FROM came with SQLite 3.39; IS NOT is the same there.
        body = " ".join(tests).replace("IS DISTINCT FROM", "IS NOT")
        yield (
            name,
            (f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW BEGIN {body} END",),
        )


def _postgresql() -> Iterator[tuple[str, tuple[str, ...]]]:
    for (table, event), group in _grouped():
        name = f"keep_{table}_{event.lower()}"
        tests = " ".join(f"IF {one.when} THEN {_raise(_message(one))} END IF;" for one in group)
        row = "OLD" if event == "DELETE" else "NEW"
        body = f"BEGIN {tests} RETURN {row}; END"
        yield name, _function(name, body, f"BEFORE {event} ON {table} FOR EACH ROW")
    for table in APPEND_ONLY:
        name = f"keep_{table}_truncate"
        body = f"BEGIN {_raise(_quoted(f'{table}: it is never emptied'))} END"
        yield name, _function(name, body, f"BEFORE TRUNCATE ON {table} FOR EACH STATEMENT")


def _function(name: str, body: str, when: str) -> tuple[str, str]:
    return (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$",
        f"CREATE TRIGGER {name} {when} EXECUTE FUNCTION {name}()",
    )


def _raise(message: str) -> str:
    return f"RAISE EXCEPTION {message} USING ERRCODE = 'integrity_constraint_violation';"


def _message(rule: Constraint) -> str:
    return _quoted(f"{rule.table}: {rule.message}")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _grouped() -> Iterator[tuple[tuple[str, str], list[Constraint]]]:
    def key(rule: Constraint) -> tuple[str, str]:
        return rule.table, rule.event

    for place, group in groupby(sorted(constraints(), key=key), key=key):
        yield place, list(group)


def _body(statement: str) -> str:
    """The text that is compared: the trigger of SQLite or the function of PostgreSQL."""
    inner = re.search(r"\$\$(.*)\$\$", statement, re.DOTALL)
    return " ".join((inner[1] if inner else statement).split())


def _found_sqlite(connection: Connection) -> Iterator[tuple[str, str]]:
    wanted = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
    for name, statement in connection.exec_driver_sql(wanted):
        yield name, _body(statement)


def _found_postgresql(connection: Connection) -> Iterator[tuple[str, str]]:
    wanted = (
        "SELECT t.tgname, f.prosrc FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid "
        "JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE t.tgenabled = 'O' AND NOT t.tgisinternal AND n.nspname = current_schema()"
    )
    for name, source in connection.exec_driver_sql(wanted):
        yield name, " ".join(source.split())
