"""Invitations, secrets, cookies, and what a guesser meets."""

from __future__ import annotations

import pytest
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import select

from study.accounts import readers
from study.accounts.rate_limit import TRIES, TRIES_OF_ADDRESS, WAIT_SECONDS, RateLimit
from study.accounts.readers import COOKIE_SECONDS, ReaderSignIn, hash_secret, invite, secret_matches
from study.domain.errors import SignInError, StudyError
from study.storage.models import AuditEvent, Reader
from tests.support.open_study import small_study

HERE = "10.0.0.1"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    study = small_study(tmp_path_factory.mktemp("entrance") / "s", cases=2)
    yield study
    study.store.close()


@pytest.fixture
def door(small):
    return ReaderSignIn(small.store)


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def test_an_invitation_signs_in_once(small, door):
    link = invite(small.store, "r01", actor="coordinator")
    identity = door.join(link.token)
    assert (identity.reader_id, identity.code) == (small.reader(), "R01")
    with pytest.raises(SignInError, match="used already"):
        door.join(link.token)
    assert door.sign_in("r01 ", link.secret, address=HERE).reader_id == small.reader()


def test_a_new_invitation_ends_link_secret_and_cookie_of_the_old_one(small, door):
    old = invite(small.store, "R01", actor="coordinator")
    cookie = door.cookie(door.sign_in("R01", old.secret, address=HERE))
    assert door.identity(cookie).code == "R01"
    new = invite(small.store, "R01", actor="coordinator")
    assert door.identity(cookie) is None
    with pytest.raises(SignInError):
        door.join(old.token)
    with pytest.raises(SignInError):
        door.sign_in("R01", old.secret, address=HERE)
    assert door.identity(door.cookie(door.join(new.token))).code == "R01"


def test_there_must_be_such_a_reader(small):
    with pytest.raises(StudyError, match="no reader 'R99'"):
        invite(small.store, "R99", actor="coordinator")


def test_a_reader_who_is_not_active_neither_gets_in_nor_stays(small, door):
    link = invite(small.store, "R02", actor="coordinator")
    cookie = door.cookie(door.sign_in("R02", link.secret, address=HERE))
    with small.store.write() as session:
        session.get_one(Reader, small.reader("R02")).active = False
    assert door.identity(cookie) is None
    for enter in (
        lambda: door.join(link.token),
        lambda: door.sign_in("R02", link.secret, address=HERE),
    ):
        with pytest.raises(SignInError):
            enter()
    with pytest.raises(StudyError, match="not active"):
        invite(small.store, "R02", actor="coordinator")
    with small.store.write() as session:
        session.get_one(Reader, small.reader("R02")).active = True


def test_the_database_holds_neither_link_nor_secret(small):
    link = invite(small.store, "R01", actor="coordinator")
    for name in ("study.sqlite", "study.sqlite-wal", "mirror.jsonl"):
        path = small.store.folder / name
        data = path.read_bytes() if path.exists() else b""
        for word in (link.token, link.secret, link.secret.replace("-", "")):
            assert word.encode() not in data
    with small.store.read() as session:
        assert session.scalars(select(AuditEvent.action)).all().count("invite") >= 1


def test_secrets_are_salted_and_forgive_how_they_are_typed():
    stored = hash_secret("0GKH-K9A1-4W8B-ZVF2")
    assert stored != hash_secret("0GKH-K9A1-4W8B-ZVF2")
    assert secret_matches("ogkh k9ai 4w8b zvf2", stored)
    assert not secret_matches("0GKH-K9A1-4W8B-ZVF3", stored)
    assert not secret_matches("", stored)


def test_cookies_of_others_are_worth_nothing(small, door):
    identity = door.join(invite(small.store, "R01", actor="coordinator").token)
    good = door.cookie(identity)
    forged = URLSafeTimedSerializer(b"guess", salt="reader")
    wrong = [
        None, "", "x", good[:-2] + ("aa" if good[-2:] != "aa" else "bb"),
        forged.dumps([identity.reader_id, identity.generation]),
        door._serializer().dumps([identity.reader_id, identity.generation - 1]),
        door._serializer().dumps(["nobody", 1]),
        door._serializer().dumps("text"),
        door._serializer().dumps([identity.reader_id]),
        door._serializer().dumps([{"a": 1}, 1]),
    ]  # fmt: skip
    assert door.identity(good) == identity
    assert [door.identity(cookie) for cookie in wrong] == [None] * len(wrong)


def test_a_cookie_ends_by_itself(small, door, monkeypatch):
    cookie = door.cookie(door.join(invite(small.store, "R01", actor="coordinator").token))
    assert door.identity(cookie)
    monkeypatch.setattr(readers, "COOKIE_SECONDS", -1)
    assert door.identity(cookie) is None
    assert COOKIE_SECONDS > 86400


def test_the_key_of_cookies_outlives_the_process(small):
    cookie = ReaderSignIn(small.store).cookie(
        ReaderSignIn(small.store).join(invite(small.store, "R01", actor="coordinator").token)
    )
    assert ReaderSignIn(small.store).identity(cookie).code == "R01"


def test_guessing_a_secret_has_to_wait(small):
    clock = Clock()
    door = ReaderSignIn(small.store, RateLimit(clock))
    secret = invite(small.store, "R01", actor="coordinator").secret
    for _ in range(TRIES):
        with pytest.raises(SignInError, match="do not belong together"):
            door.sign_in("R01", "wrong", address=HERE)
    with pytest.raises(SignInError, match="Wait 5 minutes"):
        door.sign_in("R01", secret, address=HERE)
    assert door.sign_in("R01", secret, address="10.0.0.2").code == "R01"
    clock.now += WAIT_SECONDS
    assert door.sign_in("R01", secret, address=HERE).code == "R01"


def test_guessing_codes_from_one_address_has_to_wait():
    clock = Clock()
    throttle = RateLimit(clock)
    for number in range(TRIES_OF_ADDRESS):
        throttle.check(HERE, f"R{number}")
        throttle.failed(HERE, f"R{number}")
    with pytest.raises(SignInError, match="Wait"):
        throttle.check(HERE, "R99")
    throttle.check("10.0.0.2", "R99")
    clock.now += WAIT_SECONDS + 1
    throttle.check(HERE, "R99")


def test_a_flood_of_failures_does_not_fill_the_memory():
    clock = Clock()
    throttle = RateLimit(clock)
    for number in range(12_000):
        clock.now += 1
        throttle.failed(f"a{number}", "R01")
    assert len(throttle._failures) < 11_000


def test_an_unknown_code_costs_as_much_as_a_wrong_secret(small, door, monkeypatch):
    invite(small.store, "R01", actor="coordinator")
    calls = []
    real = readers.secret_matches
    monkeypatch.setattr(readers, "secret_matches", lambda *given: calls.append(1) or real(*given))
    messages = []
    for code in ("R01", "R77"):
        with pytest.raises(SignInError) as caught:
            door.sign_in(code, "wrong", address=code)
        messages.append(str(caught.value))
    assert len(calls) == 2
    assert messages[0] == messages[1]
