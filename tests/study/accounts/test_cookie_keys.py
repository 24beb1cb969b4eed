"""Keys of cookies are a file of the server: no study, mirror or backup signs anybody in."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest
from sqlalchemy import inspect

from study.accounts.cookie_keys import VARIABLE, signing_key
from study.accounts.staff import StaffRole, StaffSignIn, add
from study.domain.errors import KeyFileError
from study.storage.backup import backup
from study.storage.store import Store
from tests.support.tiny_study import tiny_study

STUDY = "0" * 36


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "state" / "cookie.key"
    monkeypatch.setenv(VARIABLE, str(path))
    return path


def test_a_backup_signs_nobody_in(
    tmp_path: Path, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tiny_study(tmp_path / "s", pairs=1)
    given = add(store, "anna", StaffRole.ADMIN, actor="me")
    accounts = StaffSignIn(store)
    cookie = accounts.cookie(accounts.sign_in("anna", given.secret, address="here"))
    stolen = backup(store, tmp_path / "copy").path
    # On the thief's machine: everything of the study, and not the file of the server.
    monkeypatch.setenv(VARIABLE, str(tmp_path / "thief" / "cookie.key"))
    copy = Store.open(stolen)
    assert "server_secret" not in inspect(copy.engine).get_table_names()
    account = StaffSignIn(copy).account_of_cookie(cookie)
    forged = StaffSignIn(copy).cookie(accounts.sign_in("anna", given.secret, address="here"))
    assert account is None
    assert accounts.account_of_cookie(forged) is None
    assert accounts.account_of_cookie(cookie) is not None
    held = [path.read_bytes() for path in (*stolen.rglob("*"), *store.folder.rglob("*"))
            if path.is_file()]  # fmt: skip
    key = key_file.read_text().strip()
    assert not any(key.encode() in part or bytes.fromhex(key) in part for part in held)
    copy.close()
    store.close()


def test_the_key_is_made_once_and_for_the_owner_only(key_file: Path, tmp_path: Path) -> None:
    one = signing_key(STUDY, "cookie", tmp_path / "s")
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert one == signing_key(STUDY, "cookie", tmp_path / "s")
    other = signing_key(STUDY, "staff cookie", tmp_path / "s")
    assert len({one, other, signing_key("1" * 36, "cookie", tmp_path / "s")}) == 3
    assert list(key_file.parent.iterdir()) == [key_file]


def test_a_key_in_the_study_is_refused(key_file: Path) -> None:
    with pytest.raises(KeyFileError, match="choose a path outside"):
        signing_key(STUDY, "cookie", key_file.parent)


@pytest.mark.parametrize(("content", "mode", "says"), [
    ("text", 0o600, "damaged"), ("ab" * 16, 0o600, "damaged"), ("ab" * 32, 0o644, "chmod 600"),
])  # fmt: skip
def test_a_key_that_is_damaged_or_open_to_others_is_refused(
    key_file: Path, tmp_path: Path, content: str, mode: int, says: str
) -> None:
    key_file.parent.mkdir()
    key_file.write_text(content)
    key_file.chmod(mode)
    with pytest.raises(KeyFileError, match=says):
        signing_key(STUDY, "cookie", tmp_path / "s")


def test_without_a_place_the_key_lives_as_long_as_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "file" / "cookie.key"))
    one = signing_key(STUDY, "cookie", tmp_path / "s")
    assert one == signing_key(STUDY, "cookie", tmp_path / "s")
    assert "has to sign in again" in caplog.text
    shutil.rmtree(tmp_path, ignore_errors=True)
