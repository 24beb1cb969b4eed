"""Studies that are moved to another machine, or lie on a disk that cannot be written."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
from sqlalchemy import select

from study.analysis.log import run
from study.domain.errors import StoreError
from study.domain.terms import Status
from study.planning.progress_report import progress_report
from study.report.export import make
from study.storage import store as store_module
from study.storage.hash_chain import audit
from study.storage.integrity import verify
from study.storage.models import AnalysisRun, AuditEvent
from study.storage.store import Store
from tests.study.storage.test_hash_chain import ROWS_A_PAIR, rate
from tests.support.constrained_study import ruled_study
from tests.support.earlier_study import earlier_study
from tests.support.tiny_study import tiny_study


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    store = ruled_study(tmp_path / "s", None)
    with store.write() as session:
        store.set_status(session, Status.CLOSED, "anna")
    store.close()
    return tmp_path / "s"


def test_a_closed_study_is_read_from_a_disk_that_cannot_be_written(
    closed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything(closed)
    monkeypatch.setattr(store_module, "is_writable", lambda folder, database: False)
    store = Store.open(closed)
    assert store.read_only
    verdict = verify(store)
    assert verdict.ok, verdict.as_text()
    assert "mirror are intact" in verdict.as_text()
    assert len(make(store, tmp_path / "tables", actor="anna")) > 3
    made = run(store, actor="anna", resamples=20)
    assert made.run_id == ""
    with store.read() as session:
        count = len(session.scalars(select(AnalysisRun)).all())
    assert count == 1
    with pytest.raises(StoreError, match="disk that cannot be written"), store.write():
        pass
    store.close()
    assert everything(closed) == before


def test_an_older_study_on_such_a_disk_is_migrated_in_a_copy(tmp_path: Path) -> None:
    earlier_study(tmp_path / "s", 1).close()
    before = everything(tmp_path / "s")
    store = Store.open(tmp_path / "s", read_only=True)
    assert verify(store).ok, verify(store).as_text()
    assert progress_report(store).status is Status.OPEN
    store.close()
    assert everything(tmp_path / "s") == before


def test_what_is_in_the_write_ahead_log_is_read_too(tmp_path: Path) -> None:
    store = tiny_study(tmp_path / "s", pairs=1)
    with store.write() as session:
        audit(session, "anna", "last words")
    assert (tmp_path / "s" / "study.sqlite-wal").stat().st_size > 0
    shutil.copytree(tmp_path / "s", tmp_path / "archive")
    store.close()
    (tmp_path / "archive" / "study.sqlite-shm").unlink()
    copy = Store.open(tmp_path / "archive", read_only=True)
    with copy.read() as session:
        assert "last words" in session.scalars(select(AuditEvent.action)).all()
    copy.close()


def test_a_mirror_that_is_not_here_is_said(closed: Path) -> None:
    (closed / "mirror.jsonl").unlink()
    store = Store.open(closed, read_only=True)
    verdict = verify(store)
    assert not verdict.ok
    assert "mirror.jsonl has gone: it is missing" in verdict.as_text()
    store.close()


def test_verify_says_that_images_were_not_verified(tmp_path: Path) -> None:
    store = tiny_study(tmp_path / "s", pairs=1)
    assert "The 2 images were not verified (--images" in verify(store).as_text()
    assert "not verified" not in verify(store, images=True).as_text()
    store.close()


def moved(tmp_path: Path, mirror: Path) -> Path:
    """A study with a mirror, moved to where there is no such folder."""
    mirror.parent.mkdir(parents=True, exist_ok=True)
    tiny_study(tmp_path / "old" / "s", pairs=1, mirror=mirror).close()
    shutil.move(tmp_path / "old" / "s", tmp_path / "s")
    return tmp_path / "s"


def test_a_moved_study_says_that_its_mirror_is_elsewhere(tmp_path: Path) -> None:
    folder = moved(tmp_path, tmp_path / "disk" / "log.jsonl")
    shutil.move(tmp_path / "disk" / "log.jsonl", tmp_path / "log.jsonl")
    (tmp_path / "disk").rmdir()
    store = Store.open(folder)
    said = store.log_problem
    assert "there is no folder" in said
    assert "on this machine" in said
    assert f"mirror {folder} PATH" in said
    assert not verify(store).ok
    assert said in progress_report(store).as_text()
    store.close()
    store = Store.open(folder, mirror=tmp_path / "log.jsonl")
    assert "and mirror are intact" in verify(store).as_text()
    assert "begun" not in verify(store).as_text()
    store.close()


def test_a_mirror_that_begins_anew_is_logged_and_said(tmp_path: Path) -> None:
    folder = moved(tmp_path, tmp_path / "disk" / "log.jsonl")
    log = tmp_path / "disk" / "log.jsonl"
    log.unlink()
    lost = Store.open(folder)
    assert f"mirror {folder} {log}" in lost.log_problem
    assert not verify(lost).ok
    lost.close()
    for mirror in (log, None):
        store = Store.open(folder, mirror=mirror)
        verdict = verify(store)
        assert verdict.ok
        assert "The mirror log.jsonl was begun on 20" in verdict.as_text()
        with store.read() as session:
            begun = session.scalars(
                select(AuditEvent.detail).where(AuditEvent.action == "begin mirror")
            ).all()
        assert begun == ["3 audit events and 11 other records were there before"]
        store.close()


def test_a_mirror_within_the_folder_moves_with_it(tmp_path: Path) -> None:
    folder = moved(tmp_path, tmp_path / "old" / "s" / "second" / "log.jsonl")
    store = Store.open(folder)
    assert store.mirror == folder / "second" / "log.jsonl"
    assert store.log_problem == ""
    assert verify(store).ok
    assert not (tmp_path / "old" / "s").exists()
    store.close()
    (folder / "mirror.path").write_text(f"{tmp_path}/old/s/log.jsonl\n")
    shutil.move(folder / "second" / "log.jsonl", folder / "log.jsonl")
    store = Store.open(folder)
    assert (store.mirror, store.log_problem) == (folder / "log.jsonl", "")
    store.close()


def test_a_study_that_is_read_stays_as_a_crash_left_it(tmp_path: Path) -> None:
    store = tiny_study(tmp_path / "s", pairs=2)
    rate(store, 1)
    shutil.copytree(store.folder, tmp_path / "crashed")
    before = everything(tmp_path / "crashed")
    assert {"study.sqlite-wal", "study.sqlite-shm"} <= {Path(name).name for name in before}
    for _ in range(2):
        seen = Store.open(tmp_path / "crashed", read_only=True)
        assert verify(seen).ok, verify(seen).as_text()
        assert seen.chain_head().ratings == ROWS_A_PAIR
        seen.close()
    after = everything(tmp_path / "crashed")
    shared = str(tmp_path / "crashed" / "study.sqlite-shm")
    assert before | {shared: b""} == after | {shared: b""}
    store.close()


def test_a_study_that_is_in_use_is_read_and_verified(tmp_path: Path) -> None:
    store = tiny_study(tmp_path / "s", pairs=25)
    thread = threading.Thread(target=rate, args=(store, 25))
    thread.start()
    counts = []
    while not counts or thread.is_alive():
        seen = Store.open(tmp_path / "s", read_only=True)
        verdict = verify(seen)
        assert verdict.ok, verdict.as_text()
        counts.append(seen.chain_head().ratings)
        seen.close()
    thread.join()
    assert counts == sorted(counts)
    assert all(count % ROWS_A_PAIR == 0 for count in counts)
    store.close()
