"""A study as versions 1 and 2 of the tables had it, made from one of this version."""

from __future__ import annotations

from study.storage.store import Store
from tests.support.tampering import is_sqlite, run

_STUDY = {
    "reader": "NEW.study_id",
    "reading_session": "(SELECT study_id FROM reader WHERE id = NEW.reader_id)",
    "presentation": (
        "(SELECT study_id FROM reader WHERE id = (SELECT reader_id FROM reading_session "
        "WHERE id = NEW.session_id))"
    ),
    "presentation_slot": (
        "(SELECT study_id FROM reader WHERE id = (SELECT reader_id FROM reading_session "
        "WHERE id = (SELECT session_id FROM presentation WHERE id = NEW.presentation_id)))"
    ),
}
_PLAN = "it is part of the plan, which is fixed when the study is frozen"
_FROZEN = "COALESCE((SELECT status FROM study WHERE id = {}), 'none') <> 'draft'"
_COLUMNS = " OR ".join(
    f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in ("id", "study_id", "code")
)
_RULES = {
    **{(table, "INSERT"): ((_FROZEN.format(study), _PLAN),) for table, study in _STUDY.items()},
    ("reader", "UPDATE"): (
        (
            f"({_FROZEN.format('OLD.study_id')} OR {_FROZEN.format('NEW.study_id')}) "
            f"AND ({_COLUMNS})",
            _PLAN,
        ),
        ("OLD.simulated AND NOT NEW.simulated", "a simulated reader stays one"),
    ),
}


def to_version_2(store: Store) -> None:
    """Take back what version 3 brought, in the mirror too."""
    run(store, "DROP TABLE row_event")
    if not is_sqlite(store):
        events = ("insert", "update", "delete", "truncate")
        run(store, *(f"DROP FUNCTION keep_row_event_{event}()" for event in events))
    kind = "BLOB" if is_sqlite(store) else "BYTEA"
    run(store, f"CREATE TABLE server_secret (name VARCHAR NOT NULL, value {kind} NOT NULL, "
        "CONSTRAINT pk_server_secret PRIMARY KEY (name))")  # fmt: skip
    _set_version(store, 2)
    lines = store.mirror.read_bytes().splitlines(keepends=True)
    store.mirror.write_bytes(b"".join(line for line in lines if b'"row_event"' not in line[:24]))


def to_version_1(store: Store, *, without: str = "") -> None:
    """Take back what version 2 brought too; the trigger `without` is dropped for good."""
    to_version_2(store)
    statements = [
        statement
        for (table, event), rules in _RULES.items()
        for statement in (
            *_dropped(store, table, event),
            *(_made(store, table, event, rules) if without != _name(table, event) else ()),
        )
    ]
    for table in ("reader_change", "image_event"):
        run(store, f"DROP TABLE {table}")
        if not is_sqlite(store):
            events = ("insert", "update", "delete", "truncate")
            run(store, *(f"DROP FUNCTION keep_{table}_{event}()" for event in events))
    run(store, *statements)
    _set_version(store, 1)


def _set_version(store: Store, version: int) -> None:
    trigger = "DROP TRIGGER keep_schema_version_update"
    if is_sqlite(store):
        with store.read() as session:
            text = session.connection().exec_driver_sql(
                "SELECT sql FROM sqlite_master WHERE name = 'keep_schema_version_update'"
            ).scalar()  # fmt: skip
        run(store, trigger, f"UPDATE schema_version SET version = {version}", str(text))
    else:
        table = "ALTER TABLE schema_version {} TRIGGER keep_schema_version_update"
        run(store, table.format("DISABLE"), f"UPDATE schema_version SET version = {version}",
            table.format("ENABLE"))  # fmt: skip


def _name(table: str, event: str) -> str:
    return f"keep_{table}_{event.lower()}"


def _dropped(store: Store, table: str, event: str) -> tuple[str, ...]:
    name = _name(table, event)
    if is_sqlite(store):
        return (f"DROP TRIGGER {name}",)
    return f"DROP TRIGGER {name} ON {table}", f"DROP FUNCTION {name}()"


def _made(
    store: Store, table: str, event: str, rules: tuple[tuple[str, str], ...]
) -> tuple[str, ...]:
    name = _name(table, event)
    when = f"BEFORE {event} ON {table} FOR EACH ROW"
    messages = [(test, f"{table}: {text}".replace("'", "''")) for test, text in rules]
    if is_sqlite(store):
        tests = " ".join(f"SELECT RAISE(ABORT, '{text}') WHERE {test};" for test, text in messages)
        body = tests.replace("IS DISTINCT FROM", "IS NOT")
        return (f"CREATE TRIGGER {name} {when} BEGIN {body} END",)
    state = "USING ERRCODE = 'integrity_constraint_violation'"
    tests = " ".join(
        f"IF {test} THEN RAISE EXCEPTION '{text}' {state}; END IF;" for test, text in messages
    )
    return (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql "
        f"AS $$ BEGIN {tests} RETURN NEW; END $$",
        f"CREATE TRIGGER {name} {when} EXECUTE FUNCTION {name}()",
    )
