"""Whoever can write the files of a closed study cannot turn its results unseen."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.attack.tampering import CHANGES, RATING, fill
from study.domain.errors import KeyFileError
from study.planning.lifecycle import close_study
from study.storage.hash_chain import TABLES
from study.storage.integrity import verify
from study.storage.integrity_report import IntegrityReport
from study.storage.signature import SigningKey, sign_chain
from study.storage.store import Store
from tests.support.read_study import Played, copy, play
from tests.support.tampering import new_chain, new_mirror, tamper

IN_THE_PLAN = {"presentation_slot", "presentation", "stimulus"}


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """A closed study with a row in every table that an analysis reads."""
    played = play(tmp_path_factory.mktemp("closed"), close=False)
    store = played.store
    fill(store)
    close_study(store, actor="anna")
    store.close()
    return played


@pytest.fixture
def taken(closed: Played, tmp_path: Path) -> Iterator[Store]:
    """A copy of it, to be changed."""
    store = copy(closed, tmp_path).store
    yield store
    store.close()


def verdict(store: Store, **options: Any) -> IntegrityReport:
    """What the command verify finds."""
    store.close()
    seen = Store.open(store.folder, read_only=True)
    try:
        return verify(seen, **options)
    finally:
        seen.close()


def test_nothing_is_found_in_a_study_that_nobody_changed(taken: Store) -> None:
    found = verdict(taken)
    assert found.ok, found.as_text()


@pytest.mark.parametrize("table", CHANGES)
def test_a_changed_row_is_found(taken: Store, table: str) -> None:
    tamper(taken, *CHANGES[table])
    found = verdict(taken)
    assert not found.ok
    changed = table.partition(" ")[0]
    assert any(one.startswith(f"{changed} ") for one in found.problems), found.as_text()
    published = any("its SHA-256 is not the one fixed" in one for one in found.problems)
    assert published == (table in IN_THE_PLAN)


@pytest.mark.parametrize("mirror", ["removed", "emptied", "cut", "cut by one line"])
def test_a_new_chain_does_not_hide_a_change_when_the_mirror_goes(taken: Store, mirror: str) -> None:
    lines = taken.mirror.read_bytes().splitlines(keepends=True)
    tamper(taken, *RATING)
    new_chain(taken)
    if mirror == "removed":
        taken.mirror.unlink()
    else:
        first = next(n for n, line in enumerate(lines) if b'"rating_event"' in line)
        kept = {"emptied": 0, "cut": first, "cut by one line": len(lines) - 1}[mirror]
        taken.mirror.write_bytes(b"".join(lines[:kept]))
    found = verdict(taken)
    assert not found.ok
    assert "mirror" in found.as_text()


def test_a_shorter_mirror_alone_is_found(taken: Store) -> None:
    lines = taken.mirror.read_bytes().splitlines(keepends=True)
    taken.mirror.write_bytes(b"".join(lines[:-2]))
    assert "is shorter than the database" in "\n".join(verdict(taken).problems)


def test_a_mirror_that_goes_is_not_begun_again_in_silence(taken: Store) -> None:
    tamper(taken, *RATING)
    new_chain(taken)
    taken.close()
    taken.mirror.unlink()
    again = Store.open(taken.folder)
    assert "has gone" in again.log_problem
    assert not again.mirror.exists()
    assert not verify(again).ok
    again.close()
    begun = Store.open(taken.folder, mirror=taken.folder / "new.jsonl")
    assert "was begun on" in verify(begun).as_text()
    begun.close()


def test_verify_writes_nothing(taken: Store) -> None:
    taken.close()
    lines = taken.mirror.read_bytes().splitlines(keepends=True)
    taken.mirror.write_bytes(b"".join(lines[:-2]))
    before = contents(taken.folder)
    assert not verdict(taken).ok
    assert contents(taken.folder) == before
    shutil.rmtree(taken.folder / "stimuli")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_head_kept_elsewhere_proves_what_a_new_chain_and_a_new_mirror_hide(
    taken: Store, closed: Played, tmp_path: Path
) -> None:
    head = taken.chain_head()
    assert verdict(taken, head=head).ok
    tamper(taken, *RATING)
    new_chain(taken, *TABLES)
    new_mirror(taken)
    hidden = verdict(taken)
    # The audit events of open and close hold the chain of the ratings.
    assert [one[:11] for one in hidden.problems] == ["audit_event"]
    tamper(taken, "UPDATE audit_event SET detail = 'none' WHERE action = 'closed'")
    new_chain(taken, *TABLES)
    new_mirror(taken)
    assert verdict(taken).ok
    found = verdict(taken, head=head)
    assert not found.ok
    assert f"do not continue the chain head {head}" in found.problems[0]


def test_a_signed_head_proves_the_same(taken: Store, tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    path.write_bytes(b"0123456789abcdef" * 2)
    key = SigningKey.read(path, taken.folder)
    assert "No chain head is signed" in verdict(taken, signing_key=key).problems[0]
    taken = Store.open(taken.folder)
    with taken.write() as session:
        sign_chain(session, key, "anna")
    assert verdict(taken, signing_key=key).ok
    tamper(taken, *RATING, "UPDATE audit_event SET detail = 'none' WHERE action = 'closed'")
    new_chain(taken, *TABLES)
    new_mirror(taken)
    assert verdict(taken).ok
    assert "do not continue" in verdict(taken, signing_key=key).problems[0]
    forged = taken.chain_head()
    tamper(taken, f"UPDATE audit_event SET target = '{forged}' WHERE action = 'sign chain'")
    new_chain(taken, *TABLES)
    new_mirror(taken)
    assert "The signature of audit event" in verdict(taken, signing_key=key).problems[0]


def test_a_signing_key_in_the_study_or_too_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(KeyFileError, match="lies in the study folder"):
        SigningKey.read(tmp_path / "key", tmp_path)
    with pytest.raises(KeyFileError, match="has 5 bytes"):
        SigningKey.read(tmp_path / "key", tmp_path / "study")
    with pytest.raises(KeyFileError, match="Make one: head -c 32"):
        SigningKey.read(tmp_path / "none", tmp_path / "study")
