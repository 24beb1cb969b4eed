"""Invitations, secrets, cookies, and what a guesser meets."""

from __future__ import annotations

import pytest
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import select

from study.accounts import sign_in
from study.accounts.rate_limit import TRIES, TRIES_OF_ADDRESS, WAIT_SECONDS, RateLimit
from study.accounts.readers import ReaderSignIn, invite
from study.accounts.sign_in import hash_secret, secret_matches
from study.domain.errors import SignInError, StudyError
from study.storage.models import AuditEvent, Reader
from tests.support.open_study import small_study

HERE = "10.0.0.1"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    study = small_study(tmp_path_factory.mktemp("readers") / "s", cases=2)
    yield study
    study.store.close()


@pytest.fixture
def accounts(small):
    return ReaderSignIn(small.store)


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def test_an_invitation_signs_in_once(small, accounts):
    link = invite(small.store, "r01", actor="coordinator")
    account = accounts.join(link.token)
    assert (account.id, account.code) == (small.reader(), "R01")
    with pytest.raises(SignInError, match="used already"):
        accounts.join(link.token)
    assert accounts.sign_in("r01 ", link.secret, address=HERE).id == small.reader()


def test_a_new_invitation_ends_link_secret_and_cookie_of_the_old_one(small, accounts):
    old = invite(small.store, "R01", actor="coordinator")
    cookie = accounts.cookie(accounts.sign_in("R01", old.secret, address=HERE))
    assert accounts.account_of_cookie(cookie).code == "R01"
    new = invite(small.store, "R01", actor="coordinator")
    assert accounts.account_of_cookie(cookie) is None
    with pytest.raises(SignInError):
        accounts.join(old.token)
    with pytest.raises(SignInError):
        accounts.sign_in("R01", old.secret, address=HERE)
    assert accounts.account_of_cookie(accounts.cookie(accounts.join(new.token))).code == "R01"


def test_there_must_be_such_a_reader(small):
    with pytest.raises(StudyError, match="no reader 'R99'"):
        invite(small.store, "R99", actor="coordinator")


def test_a_reader_who_is_not_active_neither_gets_in_nor_stays(small, accounts):
    link = invite(small.store, "R02", actor="coordinator")
    cookie = accounts.cookie(accounts.sign_in("R02", link.secret, address=HERE))
    with small.store.write() as session:
        session.get_one(Reader, small.reader("R02")).active = False
    assert accounts.account_of_cookie(cookie) is None
    for enter in (
        lambda: accounts.join(link.token),
        lambda: accounts.sign_in("R02", link.secret, address=HERE),
    ):
        with pytest.raises(SignInError):
            enter()
    with pytest.raises(StudyError, match="switched off and cannot be invited"):
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


def test_cookies_of_others_are_worth_nothing(small, accounts):
    account = accounts.join(invite(small.store, "R01", actor="coordinator").token)
    good = accounts.cookie(account)
    forged = URLSafeTimedSerializer(b"guess", salt="reader")
    wrong = [
        None, "", "x", good[:-2] + ("aa" if good[-2:] != "aa" else "bb"),
        forged.dumps([account.id, account.generation]),
        accounts.signer().dumps([account.id, account.generation - 1]),
        accounts.signer().dumps(["nobody", 1]),
        accounts.signer().dumps("text"),
        accounts.signer().dumps([account.id]),
        accounts.signer().dumps([{"a": 1}, 1]),
    ]  # fmt: skip
    assert accounts.account_of_cookie(good) == account
    assert [accounts.account_of_cookie(cookie) for cookie in wrong] == [None] * len(wrong)


def test_a_cookie_ends_by_itself(small, accounts, monkeypatch):
    cookie = accounts.cookie(accounts.join(invite(small.store, "R01", actor="coordinator").token))
    assert accounts.account_of_cookie(cookie)
    assert ReaderSignIn.cookie_seconds > 86400
    monkeypatch.setattr(ReaderSignIn, "cookie_seconds", -1)
    assert accounts.account_of_cookie(cookie) is None


def test_the_key_of_cookies_outlives_the_process(small):
    cookie = ReaderSignIn(small.store).cookie(
        ReaderSignIn(small.store).join(invite(small.store, "R01", actor="coordinator").token)
    )
    assert ReaderSignIn(small.store).account_of_cookie(cookie).code == "R01"


def test_guessing_a_secret_has_to_wait(small):
    clock = Clock()
    accounts = ReaderSignIn(small.store, RateLimit(clock))
    secret = invite(small.store, "R01", actor="coordinator").secret
    for _ in range(TRIES):
        with pytest.raises(SignInError, match="do not belong together"):
            accounts.sign_in("R01", "wrong", address=HERE)
    with pytest.raises(SignInError, match="Wait 5 minutes"):
        accounts.sign_in("R01", secret, address=HERE)
    assert accounts.sign_in("R01", secret, address="10.0.0.2").code == "R01"
    clock.now += WAIT_SECONDS
    assert accounts.sign_in("R01", secret, address=HERE).code == "R01"


def test_guessing_codes_from_one_address_has_to_wait():
    clock = Clock()
    rate_limit = RateLimit(clock)
    for number in range(TRIES_OF_ADDRESS):
        rate_limit.check(HERE, f"R{number}")
        rate_limit.failed(HERE, f"R{number}")
    with pytest.raises(SignInError, match="Wait"):
        rate_limit.check(HERE, "R99")
    rate_limit.check("10.0.0.2", "R99")
    clock.now += WAIT_SECONDS + 1
    rate_limit.check(HERE, "R99")


def test_a_flood_of_failures_does_not_fill_the_memory():
    clock = Clock()
    rate_limit = RateLimit(clock)
    for number in range(12_000):
        clock.now += 1
        rate_limit.failed(f"a{number}", "R01")
    assert rate_limit.remembered < 11_000


def test_an_unknown_code_costs_as_much_as_a_wrong_secret(small, accounts, monkeypatch):
    invite(small.store, "R01", actor="coordinator")
    calls = []
    real = sign_in.secret_matches
    monkeypatch.setattr(sign_in, "secret_matches", lambda *given: calls.append(1) or real(*given))
    messages = []
    for code in ("R01", "R77"):
        with pytest.raises(SignInError) as caught:
            accounts.sign_in(code, "wrong", address=code)
        messages.append(str(caught.value))
    assert len(calls) == 2
    assert messages[0] == messages[1]
