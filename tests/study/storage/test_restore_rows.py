"""What only the mirror has comes back, and until then nobody reads in the study."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from study.analysis.collect import collect
from study.cli import main
from study.domain.errors import LogConflict, StoreError
from study.planning.lifecycle import close_study
from study.reading import consent
from study.reading.consent import consent_digest
from study.server.alongside import StudyAlongside
from study.server.standalone import build_app
from study.storage.backup import backup
from study.storage.integrity import verify
from study.storage.models import AuditEvent, RatingEvent, Reader
from study.storage.restore_rows import restore_rows
from study.storage.store import Store
from tests.study.storage.test_hash_chain import rate
from tests.support.earlier_study import earlier_study
from tests.support.tampering import tamper
from tests.support.tiny_study import tiny_study


@pytest.fixture
def lost(tmp_path: Path) -> Iterator[tuple[Path, Store]]:
    """A folder without the write-ahead log of its database, and the study as it was."""
    tiny_study(tmp_path / "s", readers=2, pairs=4, consent=False).close()
    store = Store.open(tmp_path / "s")
    with store.write() as session:
        one = session.scalars(select(Reader).order_by(Reader.code)).first()
        assert one is not None
        consent.accept(session, one.id, consent_digest(store.protocol()))
        one.specialty, one.experience_years = "Radiology", 12
    rate(store, 3)
    folder = tmp_path / "after"
    shutil.copytree(store.folder, folder)
    assert (folder / "study.sqlite-wal").stat().st_size > 0
    for end in ("wal", "shm"):
        (folder / f"study.sqlite-{end}").unlink()
    yield folder, store
    store.close()


def test_a_study_behind_its_mirror_is_not_served(lost: tuple[Path, Store]) -> None:
    folder, _ = lost
    store = Store.open(folder)
    says = (
        f"The database of {folder} is behind its mirror: 15 ratings and 3 other records are in "
        f"{folder / 'mirror.jsonl'} only. Bring them back: "
        f"python -m study restore {folder} --from {folder / 'mirror.jsonl'}"
    )
    assert store.log_problem == says
    with pytest.raises(LogConflict, match="15 ratings"):
        build_app(store)
    with pytest.raises(LogConflict, match="15 ratings"):
        StudyAlongside.open(folder, None, None)
    assert says in verify(store).problems
    store.close()


def test_ratings_and_records_come_back(lost: tuple[Path, Store]) -> None:
    folder, before = lost
    made = restore_rows(folder, folder / "mirror.jsonl", actor="anna")
    assert made.as_text().startswith("Back from the mirror: 15 ratings and 3 other records.")
    store = Store.open(folder)
    assert store.log_problem == ""
    verdict = verify(store)
    assert verdict.ok, verdict.as_text()
    with store.read() as session:
        last = session.scalars(select(AuditEvent).order_by(AuditEvent.seq.desc())).first()
    assert last is not None
    assert (last.actor, last.action) == ("anna", "restore from mirror")
    # The reader goes on with the last pair, and the analysis is that of the study as it was.
    for one in (store, before):
        rate(one, 1)
        close_study(one, actor="anna")
    data, wanted = collect(store), collect(before)
    assert [one.value for one in data.ordered()] == [one.value for one in wanted.ordered()]
    assert len(data.observations) == 4 * 5
    assert [one.specialty for one in data.readers] == ["Radiology", ""]
    again = restore_rows(folder, folder / "mirror.jsonl", actor="anna")
    assert "nothing was restored" in again.as_text()
    store.close()


def test_a_backup_is_brought_up_to_date_from_the_mirror(tmp_path: Path) -> None:
    store = tiny_study(tmp_path / "s", pairs=4)
    rate(store, 1)
    made = backup(store, tmp_path / "copy")
    rate(store, 2)
    restore_rows(made.path, store.mirror, actor="anna")
    copy = Store.open(made.path)
    assert verify(copy).ok
    with copy.read() as session:
        assert len(session.scalars(select(RatingEvent)).all()) == 15
    copy.close()
    store.close()


def test_an_older_state_of_any_database_is_brought_up_to_date(
    tmp_path: Path, url: str | None
) -> None:
    store = tiny_study(tmp_path / "s", pairs=4, url=url)
    rate(store, 2)
    store.close()
    tamper(
        store,
        "DELETE FROM rating_event WHERE seq > 5", "DELETE FROM row_event WHERE seq > 11",
        "UPDATE reading_session SET started_at = NULL",
    )  # fmt: skip
    behind = Store.open(tmp_path / "s", url=url)
    assert "5 ratings" in behind.log_problem
    behind.close()
    restore_rows(tmp_path / "s", store.mirror, url=url, actor="anna")
    again = Store.open(tmp_path / "s", url=url)
    assert verify(again).ok, verify(again).as_text()
    rate(again, 1)
    again.close()


@pytest.mark.parametrize("damage", ["a value", "a line less", "of another study", "empty"])
def test_a_mirror_that_is_not_right_restores_nothing(
    lost: tuple[Path, Store], tmp_path: Path, damage: str
) -> None:
    folder, _ = lost
    mirror = tmp_path / "copy.jsonl"
    lines = (folder / "mirror.jsonl").read_text().splitlines(keepends=True)
    place = next(n for n, text in enumerate(lines) if '"rating_event","seq":7,' in text)
    if damage == "a value":
        lines[place] = lines[place].replace('"value_num":3.0', '"value_num":5.0')
    elif damage == "a line less":
        del lines[place]
    elif damage == "of another study":
        tiny_study(tmp_path / "other", pairs=1, mirror=mirror).close()
        lines = mirror.read_text().splitlines(keepends=True)
    mirror.write_text("" if damage == "empty" else "".join(lines))
    before = (folder / "study.sqlite").read_bytes()
    with pytest.raises(StoreError) as caught:
        restore_rows(folder, mirror, actor="anna")
    says = {
        "a value": "rating_event row 7 does not continue row 6",
        "a line less": "rating_event row 8 does not continue row 6",
        "of another study": "is another one in the database",
        "empty": "There is no mirror at",
    }[damage]
    assert says in str(caught.value)
    assert (folder / "study.sqlite").read_bytes() == before


def test_by_command(
    lost: tuple[Path, Store], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = lost

    def study(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["study", *map(str, arguments)])
        status = main()
        told = capsys.readouterr()
        return status, told.out + told.err

    assert study("serve", folder, "--port", 0)[0] == 2
    status, told = study("verify", folder)
    assert (status, "15 ratings and 3 other records are in" in told) == (1, True)
    status, told = study("restore", folder, "--from", folder / "mirror.jsonl")
    assert (status, "Back from the mirror: 15 ratings" in told) == (0, True)
    head = next(line for line in told.splitlines() if line.startswith("Chain head "))
    assert study("verify", folder, "--head", head)[0] == 0
    assert study("verify", folder, "--head", head.replace("15-", "14-", 1))[0] == 1
    assert study("verify", folder, "--head", "x")[0] == 2


def test_a_study_of_version_2_comes_back_too(tmp_path: Path) -> None:
    store = earlier_study(tmp_path / "s", 2)
    store.close()
    tamper(store, "DELETE FROM rating_event WHERE seq > 1")
    with pytest.raises(LogConflict, match="ratings are in"):
        Store.open(tmp_path / "s")
    restore_rows(tmp_path / "s", tmp_path / "s" / "mirror.jsonl", actor="anna")
    again = Store.open(tmp_path / "s")
    assert again.log_problem == ""
    verdict = verify(again)
    assert verdict.ok, verdict.as_text()
    assert "chained since the migration on 20" in verdict.as_text()
    again.close()
    assert '"detail":"tables from version 2 to ' in again.mirror.read_text()


def test_a_migration_that_was_lost_comes_back(tmp_path: Path) -> None:
    earlier_study(tmp_path / "s", 2).close()
    shutil.copytree(tmp_path / "s", tmp_path / "before")
    Store.open(tmp_path / "s").close()
    shutil.copyfile(tmp_path / "s" / "mirror.jsonl", tmp_path / "before" / "mirror.jsonl")
    restore_rows(tmp_path / "before", tmp_path / "before" / "mirror.jsonl", actor="anna")
    again = Store.open(tmp_path / "before")
    assert verify(again).ok, verify(again).as_text()
    again.close()
    assert again.mirror.read_text().count('"detail":"tables from version 2 to ') == 1
