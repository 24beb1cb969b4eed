"""A study on the disk: made, opened, refused; who may read and write, and its life."""

from __future__ import annotations

import shutil
import sqlite3
import stat
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from study.domain.errors import StoreError
from study.domain.protocol import Protocol
from study.domain.terms import Status
from study.storage import engine
from study.storage.hash_chain import audit
from study.storage.integrity import verify
from study.storage.models import SCHEMA_VERSION, AuditEvent, Consent, Reader, Study
from study.storage.store import Store
from tests.support.tampering import is_sqlite, run, tamper
from tests.support.tiny_study import SEED_SHA256, tiny_study


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_study_is_a_draft_and_opens_again(tmp_path: Path, url: str | None) -> None:
    protocol = Protocol(title="Noise", readers=3)
    made = Store.create(
        tmp_path / "s", protocol=protocol, code="S1", seed_sha256=SEED_SHA256, url=url
    )
    made.close()
    store = Store.open(tmp_path / "s", url=url)
    assert store.study_id == made.study_id
    assert store.protocol() == protocol
    assert store.status() is Status.DRAFT
    assert store.log_problem == ""
    with store.read() as session:
        study = session.get_one(Study, store.study_id)
        assert (study.code, study.seed_sha256) == ("S1", SEED_SHA256)
        assert study.protocol_sha256 == protocol.digest
        assert session.scalars(select(AuditEvent.action)).all() == ["create"]
    store.close()


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    store = tiny_study(tmp_path / "s", pairs=1)
    assert mode(store.folder) == mode(store.stimuli) == 0o700
    files = [path for path in store.folder.iterdir() if path.is_file()]
    assert {"study.sqlite", "study.sqlite-wal", "mirror.jsonl"} <= {path.name for path in files}
    assert {mode(path) for path in files} == {0o600}


def test_a_commit_is_synced_and_foreign_keys_hold(tmp_path: Path) -> None:
    store = tiny_study(tmp_path / "s", pairs=1)
    with store.write() as session:
        found = [session.scalar(text(f"PRAGMA {name}")) for name in (
            "journal_mode", "synchronous", "foreign_keys", "busy_timeout")]  # fmt: skip
    assert found == ["wal", 2, 1, 5000]
    with pytest.raises(StoreError, match="FOREIGN KEY"), store.write() as session:
        session.add(Consent(reader_id="nobody", action="accepted", text_sha256="c"))


def test_a_study_is_not_made_over_another(tmp_path: Path, url: str | None) -> None:
    store = tiny_study(tmp_path / "s", pairs=1, url=url)
    elsewhere = tmp_path / ("s" if url is None else "other")
    with pytest.raises(StoreError, match="already"):
        tiny_study(elsewhere, pairs=1, url=url)
    assert Store.open(tmp_path / "s", url=url).study_id == store.study_id


def test_a_mirror_of_another_study_is_not_written_over(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text("kept\n")
    with pytest.raises(StoreError, match=r"log\.jsonl exists"):
        tiny_study(tmp_path / "s", mirror=log)
    assert log.read_text() == "kept\n"
    tiny_study(tmp_path / "s", pairs=1, mirror=tmp_path / "new.jsonl")


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("")
    with pytest.raises(StoreError, match="No study can be made"):
        tiny_study(tmp_path / "s")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No study database at .*there is none.*init"),
        (b"", "is empty"),
        (b"PNG, or anything else", "is not a SQLite database"),
        (b"SQLite format 3\x00" + bytes(4000), "damaged|failed"),
    ],
)
def test_what_is_no_study_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "study.sqlite").write_bytes(content)
    with pytest.raises(StoreError, match=message):
        Store.open(tmp_path)
    assert (tmp_path / "study.sqlite").exists() == (content is not None)


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "study.sqlite")
    connection.execute("CREATE TABLE recipe (name TEXT)")
    connection.close()
    with pytest.raises(StoreError, match="holds no study"):
        Store.open(tmp_path)


def test_a_file_damaged_inside_is_refused_with_a_sentence(tmp_path: Path) -> None:
    store = tiny_study(tmp_path / "s", pairs=20)
    store.close()
    file = tmp_path / "s" / "study.sqlite"
    data = bytearray(file.read_bytes())
    data[4096 : len(data) // 2] = b"\xff" * (len(data) // 2 - 4096)
    file.write_bytes(data)
    with pytest.raises(StoreError, match="damaged"):
        Store.open(tmp_path / "s")


def test_another_schema_version_is_refused(tmp_path: Path, url: str | None) -> None:
    tiny_study(tmp_path / "s", pairs=1, url=url).close()
    store = Store.open(tmp_path / "s", url=url)
    if is_sqlite(store):
        tamper(store, f"UPDATE schema_version SET version = {SCHEMA_VERSION + 1}")
    else:
        off, on = (
            f"ALTER TABLE schema_version {how} TRIGGER USER" for how in ("DISABLE", "ENABLE")
        )
        run(store, off, f"UPDATE schema_version SET version = {SCHEMA_VERSION + 1}", on)
    store.close()
    with pytest.raises(StoreError, match=f"version {SCHEMA_VERSION + 1}.*Use the program"):
        Store.open(tmp_path / "s", url=url)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("study.sqlite", "cannot be read"),
        ("mysql://host/name", "mysql database cannot hold"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("postgresql+nosuchdriver://host/name", r"psycopg\[binary\]"),
    ],
)
def test_an_address_that_cannot_hold_a_study_is_refused(
    tmp_path: Path, url: str, message: str
) -> None:
    with pytest.raises(StoreError, match=message):
        Store.create(tmp_path / "s", protocol=Protocol(), code="S", seed_sha256="x", url=url)


def test_a_missing_driver_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    address = "postgresql+psycopg://host/name"
    with pytest.raises(StoreError, match=r"pip install 'psycopg\[binary\]'"):
        Store.create(tmp_path / "s", protocol=Protocol(), code="S", seed_sha256="x", url=address)


def test_a_view_cannot_write(tmp_path: Path, url: str | None) -> None:
    store = tiny_study(tmp_path / "s", pairs=1, url=url)
    with pytest.raises(StoreError, match=r"read-?only"), store.read() as session:
        session.execute(text("UPDATE reader SET generation = 7"))
    with store.write() as session:
        assert session.scalars(select(Reader.generation)).first() == 0
    store.close()


def test_a_view_does_not_change_while_others_write(tmp_path: Path, url: str | None) -> None:
    store = tiny_study(tmp_path / "s", pairs=1, url=url)
    count = select(func.count()).select_from(AuditEvent)
    with store.read() as session:
        before = session.scalar(count)
        with store.write() as writing:
            audit(writing, "me", "test")
        assert session.scalar(count) == before
    with store.read() as session:
        assert session.scalar(count) == (before or 0) + 1
    store.close()


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path, url: str | None) -> None:
    store = tiny_study(tmp_path / "s", pairs=1, url=url)
    lines = store.mirror.read_bytes()

    def fail() -> None:
        with store.write() as session:
            audit(session, "me", "lost")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with store.read() as session:
        assert "lost" not in session.scalars(select(AuditEvent.action)).all()
    assert store.mirror.read_bytes() == lines
    store.close()


def test_writers_take_turns(tmp_path: Path, url: str | None) -> None:
    tiny_study(tmp_path / "s", pairs=1, url=url).close()
    # Two stores are as two processes: what they share is the database alone.
    stores = [Store.open(tmp_path / "s", url=url) for _ in range(2)]

    def count_up(store: Store) -> None:
        for _ in range(10):
            with store.write() as session:
                reader = session.scalars(select(Reader).where(Reader.code == "R01")).one()
                reader.generation += 1

    threads = [threading.Thread(target=count_up, args=(stores[n % 2],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with stores[0].read() as session:
        wanted = select(Reader.generation).where(Reader.code == "R01")
        assert session.scalars(wanted).one() == 40
    for store in stores:
        store.close()


def test_a_lock_held_by_another_program_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_PRAGMAS", (*engine._PRAGMAS[:3], "busy_timeout=10"))
    store = tiny_study(tmp_path / "s", pairs=1)
    other = sqlite3.connect(tmp_path / "s" / "study.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="busy"), store.write() as session:
        audit(session, "me", "test")
    assert store.status() is Status.OPEN
    other.close()
    with store.write() as session:
        audit(session, "me", "test")
    assert verify(store).ok


def test_a_study_lives_step_by_step(tmp_path: Path, url: str | None) -> None:
    store = tiny_study(tmp_path / "s", pairs=1, status=Status.DRAFT, url=url)
    life = tuple(Status)
    for old, following in zip(life, (*life[1:], None), strict=True):
        assert store.status() is old
        for status in life:
            if status is not following:
                with pytest.raises(StoreError, match=f"is {old} and cannot"), store.write() as s:
                    store.set_status(s, status, "me")
        if following:
            with store.write() as session:
                store.set_status(session, following, "me")
    with store.read() as session:
        study = session.get_one(Study, store.study_id)
        assert study.frozen_at is not None
        events = session.scalars(select(AuditEvent).order_by(AuditEvent.seq)).all()
        assert [event.action for event in events[-4:]] == [status.value for status in life[1:]]
        assert "0 ratings, chain 000" in events[-1].detail
    store.close()


def test_the_protocol_of_a_draft_may_change_and_no_other(tmp_path: Path, url: str | None) -> None:
    store = tiny_study(tmp_path / "s", pairs=1, status=Status.DRAFT, url=url)
    other = Protocol(title="Other", readers=4)
    with store.write() as session:
        store.set_protocol(session, other, "me")
    assert store.protocol() == other
    with store.write() as session:
        store.set_status(session, Status.FROZEN, "me")
    with pytest.raises(StoreError, match="fixed when the study is frozen"):  # noqa: SIM117
        with store.write() as session:
            store.set_protocol(session, Protocol(title="Late"), "me")
    assert store.protocol() == other
    store.close()


def test_the_mirror_is_kept_where_it_was_put(tmp_path: Path) -> None:
    log = tmp_path / "disk2" / "log.jsonl"
    log.parent.mkdir()
    tiny_study(tmp_path / "s", pairs=1, mirror=log).close()
    assert Store.open(tmp_path / "s").mirror == log
    moved = tmp_path / "log3.jsonl"
    assert Store.open(tmp_path / "s", mirror=moved).mirror == moved
    assert set(moved.read_bytes().splitlines()) > set(log.read_bytes().splitlines())
    shutil.move(tmp_path / "s", tmp_path / "t")
    assert Store.open(tmp_path / "t").mirror == moved


def test_only_what_may_be_lost_is_not_synced(tmp_path: Path) -> None:
    """On one connection, so that a ticket leaves the next rating as safe as before."""
    store = tiny_study(tmp_path / "study")
    for synced, expected in ((True, 2), (False, 1), (True, 2)):
        with store.write(synced=synced) as session:
            assert session.connection().exec_driver_sql("PRAGMA synchronous").scalar() == expected
