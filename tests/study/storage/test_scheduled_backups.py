"""Backups by the hour, and a study that comes back from one."""

from __future__ import annotations

import shutil
import time
from datetime import datetime
from pathlib import Path

import pytest

from study.domain.errors import StoreError
from study.planning.progress_report import progress_report
from study.storage import scheduled_backups
from study.storage.integrity import verify
from study.storage.restore_rows import restore_rows
from study.storage.scheduled_backups import ScheduledBackups
from study.storage.store import Store
from tests.study.storage.test_hash_chain import rate
from tests.support.tiny_study import tiny_study


class Later:
    """A clock that goes on an hour at each look."""

    def __init__(self) -> None:
        self.hour = 0

    def now(self, zone: object) -> datetime:
        self.hour += 1
        return datetime(2026, 1, 1, self.hour)


def test_the_latest_are_kept_and_share_their_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduled_backups, "datetime", Later())
    store = tiny_study(tmp_path / "s", pairs=4)
    (store.stimuli / "a.raw").write_bytes(b"pixels")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "other").mkdir()
    backups = ScheduledBackups(store, tmp_path / "b", 1.0, keep=2)
    for _ in range(3):
        backups.make()
    names = [one.name for one in backups.made()]
    assert names == ["TINY-20260101T030000Z", "TINY-20260101T040000Z"]
    assert (tmp_path / "b" / "other").is_dir()
    assert len({(one / "stimuli" / "a.raw").stat().st_ino for one in backups.made()}) == 1
    store.close()


def test_backups_of_another_study_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two servers may have one folder for backups, and studies one code."""
    monkeypatch.setattr(scheduled_backups, "datetime", Later())
    stores = [tiny_study(tmp_path / name, pairs=1) for name in ("s", "t")]
    rare, frequent = (ScheduledBackups(one, tmp_path / "b", 1.0, keep=2) for one in stores)
    for _ in range(2):
        frequent.make()
    assert [len(one.made()) for one in (rare, frequent)] == [1, 2]
    for store in stores:
        store.close()


def test_a_lost_study_comes_back_from_a_backup_and_the_mirror(tmp_path: Path) -> None:
    store = tiny_study(tmp_path / "s", pairs=4, mirror=tmp_path / "elsewhere.jsonl")
    rate(store, 1)
    backups = ScheduledBackups(store, tmp_path / "b", 1e-5, keep=3)
    backups.start()
    deadline = time.monotonic() + 60
    while len(backups.made()) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    backups.stop()
    assert 2 <= len(backups.made()) <= 3
    rate(store, 2)
    head = store.chain_head()
    store.close()
    shutil.rmtree(tmp_path / "s")
    shutil.copytree(backups.made()[-1], tmp_path / "s")
    restore_rows(tmp_path / "s", tmp_path / "elsewhere.jsonl", actor="anna")
    again = Store.open(tmp_path / "s")
    verdict = verify(again, head=head)
    assert verdict.ok, verdict.as_text()
    assert progress_report(again).readers[0].done == 3
    again.close()


def test_a_failure_is_shown_to_coordinators(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tiny_study(tmp_path / "s", pairs=2)
    backups = ScheduledBackups(store, tmp_path / "b", 1e-5, keep=3)

    def full(*_given: object, **_options: object) -> None:
        backups._stop.set()
        raise StoreError("the disk is full")

    monkeypatch.setattr(scheduled_backups, "backup", full)
    backups._run()
    assert "the disk is full" in capsys.readouterr().err
    assert any("the disk is full" in one for one in progress_report(store).attention)
    with pytest.raises(StoreError, match="lies in the study"):
        ScheduledBackups(store, tmp_path / "s" / "b", 1.0, keep=3)
    store.close()
