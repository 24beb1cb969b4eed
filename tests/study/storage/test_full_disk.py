"""A full disk is said to be full: to readers, coordinators and on the command line."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from study.accounts.staff import StaffRole, add
from study.domain.errors import DiskFull, StoreError
from study.server.standalone import build_app
from study.storage.engine import translated
from study.storage.hash_chain import audit
from tests.support.http_visitor import Visitor, contents, error
from tests.support.open_study import Small, small_study


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    made = small_study(tmp_path_factory.mktemp("full") / "s", cases=1)
    yield made
    made.store.close()


@pytest.fixture
def full(small: Small) -> Iterator[Small]:
    """The database cannot grow by a page, as on a full disk."""

    def no_more(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute("PRAGMA max_page_count=1")

    small.store.engine.dispose()
    event.listen(small.store.engine, "connect", no_more)
    yield small
    event.remove(small.store.engine, "connect", no_more)
    small.store.engine.dispose()


def fill(small: Small) -> None:
    """Rows until a page is needed."""
    with small.store.write() as session:
        for _ in range(20):
            audit(session, "anna", "x", detail="x" * 4000)


def test_the_sentence_says_what_to_do(full: Small) -> None:
    with pytest.raises(DiskFull, match="disk of the study is full"):
        fill(full)


def test_postgresql_says_so_by_its_code() -> None:
    origin = SimpleNamespace(sqlstate="53100", __str__=lambda: "could not extend file")
    with pytest.raises(DiskFull), translated():
        raise OperationalError("INSERT", {}, origin)
    with pytest.raises(StoreError) as other, translated():
        raise OperationalError("INSERT", {}, SimpleNamespace(sqlstate="57014"))
    assert not isinstance(other.value, DiskFull)


def test_a_reader_keeps_the_answers_and_sends_them_again(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = Visitor(small).join().sit_down()
    rating = visitor.rating(visitor.pair(), comment="long " * 300)
    before = contents(small)

    def refuse(*_: object, **__: object) -> None:
        raise OperationalError("INSERT", {}, sqlite_full())

    with monkeypatch.context() as patch:
        patch.setattr("study.reading.ratings.append", refuse)
        answer = visitor.post("rate", rating)
    assert answer.status_code == 507
    assert error(answer) == "disk_full"
    assert "disk of the server is full" in answer.json()["error"]["message"]
    assert contents(small) == before
    assert visitor.post("rate", rating).status_code == 200


def sqlite_full() -> sqlite3.OperationalError:
    """The error of a database that cannot grow."""
    connection = sqlite3.connect(":memory:")
    connection.execute("PRAGMA max_page_count=1")
    with pytest.raises(sqlite3.OperationalError) as found:
        connection.execute("CREATE TABLE x (y)")
    return found.value


def test_a_coordinator_who_signs_in_is_told(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = add(small.store, "anna", StaffRole.ADMIN, actor="me").secret

    def refuse(*_: object, **__: object) -> None:
        raise OperationalError("INSERT", {}, sqlite_full())

    with TestClient(build_app(small.store), base_url="http://study") as client:
        monkeypatch.setattr("study.accounts.sign_in.audit", refuse)
        answer = client.post("/coordinator/login", data={"name": "anna", "secret": secret})
    assert answer.status_code == 507
    assert "disk of the study is full" in answer.text


def test_a_mirror_on_a_full_disk_is_reported_and_completed_later(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("study.storage.append_log.append_lines", refuse)
        fill(small)
    assert "No space left" in small.store.log_problem
    fill(small)
    assert small.store.log_problem == ""
