"""Studies of earlier versions open, verify and go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, select

from study.domain.errors import StoreError
from study.storage import triggers
from study.storage.integrity import verify
from study.storage.migrations import MIGRATIONS
from study.storage.models import SCHEMA_VERSION, AuditEvent, SchemaVersion
from study.storage.store import Store
from tests.support.constrained_study import ruled_study
from tests.support.earlier_schema import to_version_1, to_version_2
from tests.support.tampering import is_sqlite, run, tamper


def tables(store: Store) -> dict[str, Any]:
    """Columns, constraints and indexes of every table."""
    found = inspect(store.engine)

    def of(name: str) -> list[str]:
        parts: list[Any] = [*found.get_columns(name), *found.get_foreign_keys(name)]
        parts += [found.get_pk_constraint(name), *found.get_indexes(name)]
        return sorted(str({key: str(one[key]) for key in sorted(one)}) for one in parts)

    return {name: of(name) for name in found.get_table_names()}


def test_a_study_of_version_1_is_migrated_and_intact(tmp_path: Path, url: str | None) -> None:
    store = ruled_study(tmp_path / "s", url)
    wanted = tables(store)
    to_version_1(store)
    assert set(wanted) - set(tables(store)) == {"reader_change", "image_event", "row_event"}
    store.close()
    store = Store.open(tmp_path / "s", url=url)
    with store.read() as session:
        assert session.scalars(select(SchemaVersion.version)).all() == [SCHEMA_VERSION]
        last = session.scalars(select(AuditEvent).order_by(AuditEvent.seq.desc())).first()
        assert triggers.missing(session.connection()) == []
    assert last is not None
    assert (last.action, last.detail[:26]) == ("migrate", "tables from version 1 to 3")
    assert tables(store) == wanted
    verdict = verify(store)
    assert verdict.ok, verdict.as_text()
    store.close()
    again = Store.open(tmp_path / "s", url=url)
    assert verify(again).checked == verdict.checked
    again.close()


def test_a_study_of_version_2_is_chained_when_it_is_opened(tmp_path: Path, url: str | None) -> None:
    store = ruled_study(tmp_path / "s", url)
    wanted = tables(store)
    to_version_2(store)
    assert "server_secret" in tables(store)
    store.close()
    store = Store.open(tmp_path / "s", url=url)
    assert tables(store) == wanted
    verdict = verify(store)
    assert verdict.ok, verdict.as_text()
    assert "chained since the migration on 20" in verdict.as_text()
    assert b"begin mirror" not in store.mirror.read_bytes()
    tamper(store, "UPDATE comment SET text = 'dark'")
    assert "comment " in verify(store).problems[0]
    store.close()


def test_a_rule_that_was_dropped_before_is_still_found(tmp_path: Path, url: str | None) -> None:
    store = ruled_study(tmp_path / "s", url)
    to_version_1(store, without="keep_reader_update")
    store.close()
    store = Store.open(tmp_path / "s", url=url)
    assert "dropped or changed: keep_reader_update." in verify(store).as_text()
    store.close()


def test_a_newer_study_is_refused_and_left(tmp_path: Path) -> None:
    store = ruled_study(tmp_path / "s", None)
    assert is_sqlite(store)
    run(store, "DROP TRIGGER keep_schema_version_update", "UPDATE schema_version SET version = 99")
    store.close()
    with pytest.raises(StoreError, match="tables of version 99"):
        Store.open(tmp_path / "s")


def test_versions_follow_each_other() -> None:
    assert [one.version for one in MIGRATIONS] == list(range(2, SCHEMA_VERSION + 1))
