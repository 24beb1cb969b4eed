"""A backup is consistent while readers rate, opens like the study, and overwrites nothing."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from study.domain.errors import StoreError
from study.reading.ratings import record
from study.storage.backup import backup
from study.storage.integrity import verify
from study.storage.store import Store
from tests.support.tampering import is_sqlite, tamper
from tests.support.tiny_study import reader_ids, tiny_answers, tiny_study, tokens


def rate(store: Store, reader: int, pairs: int) -> None:
    answers = tiny_answers(store.protocol())
    with store.read() as session:
        reader_id = reader_ids(session)[reader]
        every = tokens(session, reader_id)
    for token in every[:pairs]:
        record(store, reader_id=reader_id, token=token, answers=answers, idempotency_key=token)


def test_a_backup_opens_like_the_study(tmp_path: Path) -> None:
    store = tiny_study(tmp_path / "s", pairs=3, mirror=tmp_path / "elsewhere.jsonl")
    rate(store, 0, 2)
    (store.stimuli / "a.raw").write_bytes(b"pixels")
    made = backup(store, tmp_path / "copy", stimuli=True)
    assert (made.path, made.ratings, made.images) == (tmp_path / "copy", 10, 1)
    assert {stat.S_IMODE(path.stat().st_mode) for path in made.path.glob("*.*")} == {0o600}
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o700
    copy = Store.open(made.path)
    assert copy.study_id == store.study_id
    assert (copy.stimuli / "a.raw").read_bytes() == b"pixels"
    assert copy.mirror.parent == made.path
    assert sorted(copy.mirror.read_bytes().splitlines()) == sorted(
        store.mirror.read_bytes().splitlines()
    )
    # The copy goes on where the study was, and the study is not touched by it.
    before = verify(store).checked
    assert verify(copy).head == verify(store).head
    rate(copy, 1, 1)
    assert (verify(copy).checked - 6, verify(store).checked) == (before, before)
    assert verify(copy).ok


def test_images_are_left_out_by_default(tmp_path: Path) -> None:
    store = tiny_study(tmp_path / "s", pairs=1)
    (store.stimuli / "a.raw").write_bytes(b"pixels")
    made = backup(store, tmp_path / "copy")
    assert made.images == 0
    assert list((made.path / "stimuli").iterdir()) == []


def test_a_backup_is_consistent_while_readers_rate(tmp_path: Path) -> None:
    store = tiny_study(tmp_path / "s", pairs=60)
    threads = [threading.Thread(target=rate, args=(store, reader, 60)) for reader in range(2)]
    for thread in threads:
        thread.start()
    made = [backup(store, tmp_path / f"copy{number}") for number in range(3)]
    busy = any(thread.is_alive() for thread in threads)
    for thread in threads:
        thread.join()
    assert busy
    # Whole pairs only, more of them later; each copy was verified when it was made.
    assert [one.ratings % 5 for one in made] == [0, 0, 0]
    assert made[0].ratings <= made[1].ratings <= made[2].ratings < 600
    assert verify(store).head.startswith("600-3-")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    store = tiny_study(tmp_path / "s", pairs=1)
    (tmp_path / "copy").mkdir()
    with pytest.raises(StoreError, match="overwrites nothing"):
        backup(store, tmp_path / "copy")
    with pytest.raises(StoreError, match="with which it would be lost"):
        backup(store, tmp_path / "s" / "backups" / "one")


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    store = tiny_study(tmp_path / "s", pairs=1)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        backup(store, tmp_path / "file" / "copy")


def test_a_study_that_is_not_whole_gives_no_backup(tmp_path: Path) -> None:
    store = tiny_study(tmp_path / "s", pairs=2)
    rate(store, 0, 1)
    tamper(store, "UPDATE rating_event SET value_num = 5 WHERE seq = 2")
    with pytest.raises(StoreError, match="rating_event row 2"):
        backup(store, tmp_path / "copy")
    assert {path.name for path in tmp_path.iterdir()} == {"s"}


def test_postgresql_has_its_own_tools(tmp_path: Path, url: str | None) -> None:
    store = tiny_study(tmp_path / "s", pairs=1, url=url)
    if is_sqlite(store):
        assert backup(store, tmp_path / "copy").ratings == 0
    else:
        with pytest.raises(StoreError, match="pg_dump"):
            backup(store, tmp_path / "copy")
    store.close()
