"""Studies of earlier versions open, verify and go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic import op
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Integer, MetaData, String, Table, inspect, select

from study.domain.errors import StoreError
from study.reading.ratings import record
from study.storage import hash_chain, triggers
from study.storage.base import SINCE
from study.storage.engine import MIGRATING, WRITING
from study.storage.integrity import verify
from study.storage.migrations import revision
from study.storage.migrations.recorded import changes, recorded
from study.storage.models import SCHEMA_VERSION, AuditEvent, Base, SchemaVersion
from study.storage.store import Store
from tests.support.constrained_study import PROTOCOL, ruled_study
from tests.support.earlier_study import VERSIONS, earlier_study
from tests.support.record_triggers import present
from tests.support.tampering import is_sqlite, refusal, run, tamper
from tests.support.tiny_study import reader_ids, tiny_answers, tokens


def tables(store: Store, *, restored: bool = False) -> dict[str, Any]:
    """Columns, constraints and indexes of every table.

    PostgreSQL words conditions in another way once they come from a dump (`restored`).
    """
    found = inspect(store.engine)

    def of(name: str) -> list[str]:
        parts: list[Any] = [*found.get_columns(name), *found.get_foreign_keys(name)]
        parts += [found.get_pk_constraint(name), *found.get_indexes(name)]
        parts += [*found.get_unique_constraints(name), *found.get_check_constraints(name)]
        if restored and not is_sqlite(store):
            parts = [{**one, "sqltext": ""} for one in parts]
        return sorted(str({key: str(one[key]) for key in sorted(one)}) for one in parts)

    return {name: of(name) for name in found.get_table_names() if name != "alembic_version"}


@pytest.mark.parametrize("version", VERSIONS)
def test_an_open_study_of_an_earlier_version_goes_on(
    tmp_path: Path, url: str | None, version: int
) -> None:
    former = earlier_study(tmp_path / "s", version, url)
    with former.read() as session:
        head = hash_chain.head(session, hash_chain.RatingEvent)
    former.close()
    assert head.seq > 0
    store = Store.open(tmp_path / "s", url=url)
    with store.read() as session:
        assert session.scalars(select(SchemaVersion.version)).all() == [SCHEMA_VERSION]
        last = session.scalars(select(AuditEvent).order_by(AuditEvent.seq.desc())).first()
        assert triggers.missing(session.connection()) == []
        assert hash_chain.head(session, hash_chain.RatingEvent) == head
        reader = reader_ids(session)[0]
        token = tokens(session, reader)[1]
    assert last is not None
    if version < SCHEMA_VERSION:
        told = f"tables from version {version} to {SCHEMA_VERSION}"
        assert (last.action, last.detail[: len(told)]) == ("migrate", told)
    verdict = verify(store)
    assert verdict.ok, verdict.as_text()
    assert ("chained since the migration on 20" in verdict.as_text()) == (version < 3)
    assert b"begin mirror" not in store.mirror.read_bytes()
    record(store, reader_id=reader, token=token, answers=tiny_answers(PROTOCOL),
           idempotency_key="after the migration")  # fmt: skip
    assert "rows are never changed" in refusal(store, "DELETE FROM rating_event")
    store.close()
    again = Store.open(tmp_path / "s", url=url)
    assert verify(again).ok, verify(again).as_text()
    tamper(again, "UPDATE comment SET text = 'dark'")
    assert "comment " in verify(again).problems[0]
    again.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_its_tables_become_those_of_a_new_study(
    tmp_path: Path, url: str | None, version: int
) -> None:
    earlier_study(tmp_path / "s", version, url).close()
    store = Store.open(tmp_path / "s", url=url)
    migrated = tables(store, restored=True)
    with store.engine.execution_options(**{WRITING: True, MIGRATING: True}).begin() as connection:
        context = MigrationContext.configure(connection)
        expected = None if version == SCHEMA_VERSION else revision(SCHEMA_VERSION)
        assert context.get_current_revision() == expected
        for name in triggers.VIEWS:
            connection.exec_driver_sql(f"DROP VIEW {name}")
        Base.metadata.drop_all(connection)
        Base.metadata.create_all(connection)
    assert migrated == tables(store, restored=True)
    store.close()


def test_a_rule_that_was_dropped_before_is_still_found(tmp_path: Path) -> None:
    for name in ("keep_reader_update", "keep_rating_event_delete"):
        earlier_study(tmp_path / name, 1, without=name).close()
        store = Store.open(tmp_path / name)
        assert f"dropped or changed: {name}." in verify(store).as_text()
        store.close()


def test_a_newer_study_is_refused_and_left(tmp_path: Path) -> None:
    store = ruled_study(tmp_path / "s", None)
    assert is_sqlite(store)
    run(store, "DROP TRIGGER keep_schema_version_update", "UPDATE schema_version SET version = 99")
    store.close()
    with pytest.raises(StoreError, match="tables of version 99"):
        Store.open(tmp_path / "s")


def test_versions_follow_each_other() -> None:
    config = Config()
    config.set_main_option("script_location", "study.storage:migrations")
    found = [one.revision for one in ScriptDirectory.from_config(config).walk_revisions()]
    assert found[::-1] == [revision(number) for number in range(1, SCHEMA_VERSION + 1)]


def test_the_rules_of_every_version_are_recorded() -> None:
    # After a change of a constraint: python -m tests.support.record_triggers
    assert changes() == present()
    for version in VERSIONS:
        assert len(recorded(version, "sqlite")) > 40


@pytest.mark.parametrize("version", VERSIONS)
def test_a_released_version_keeps_its_rules(tmp_path: Path, url: str | None, version: int) -> None:
    """Constraints change with a new version only: studies of this one are out there."""
    store = earlier_study(tmp_path / "s", version, url)
    with store.read() as session:
        connection = session.connection()
        found = {
            name: triggers.digest_of(text) for name, text in triggers.found(connection).items()
        }
        assert found == recorded(version, connection.dialect.name)
    store.close()


def test_a_check_is_replaced_and_nothing_else(tmp_path: Path, url: str | None) -> None:
    store = ruled_study(tmp_path / "s", url)
    before = tables(store)
    former = recorded(SCHEMA_VERSION, store.engine.dialect.name)
    with (
        store.engine.execution_options(**{WRITING: True, MIGRATING: True}).begin() as connection,
        triggers.renewed(connection, former),
        Operations.context(MigrationContext.configure(connection)),
        op.batch_alter_table("rating_event") as batch,
    ):
        batch.drop_constraint(op.f("ck_rating_event_slot"), type_="check")
        batch.create_check_constraint(op.f("ck_rating_event_slot"), "slot IN (0, 1, 2, 3)")
    after = tables(store)
    assert {name for name in before if before[name] != after[name]} == {"rating_event"}
    (old,) = set(before["rating_event"]) - set(after["rating_event"])
    (new,) = set(after["rating_event"]) - set(before["rating_event"])
    assert "ck_rating_event_slot" in old
    assert "ck_rating_event_slot" in new
    assert verify(store).ok, verify(store).as_text()
    store.close()


def test_a_column_of_a_later_version_leaves_older_hashes() -> None:
    columns = (Column("seq", Integer), Column("prev_hash", String), Column("row_hash", String))
    first = Table("t", MetaData(), *columns)
    later = Table("t", MetaData(), *(one._copy() for one in columns),
                  Column("note", String, info={SINCE: 4}))  # fmt: skip
    row = {"seq": 1, "prev_hash": "0" * 64, "row_hash": ""}
    old = hash_chain.row_hash(first, row)
    assert hash_chain.row_hash(later, row | {"note": None}) == old
    assert hash_chain.row_hash(later, row | {"note": "x"}) != old
    assert hash_chain.read_back(later, row) == row | {"note": None}
