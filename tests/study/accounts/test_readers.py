"""Invitations, secrets, cookies, and what a guesser meets."""

from __future__ import annotations

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import select

from study.accounts import sign_in
from study.accounts.rate_limit import (
    TRIES,
    TRIES_OF_ADDRESS,
    TRIES_OF_CODE,
    WINDOW_SECONDS,
    RateLimit,
)
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


def test_a_right_secret_gets_in_whatever_was_tried_before(small):
    rate_limit = RateLimit(Clock())
    for number in range(TRIES_OF_CODE):
        rate_limit.failed(HERE, "R01")
        rate_limit.failed(f"10.0.1.{number}", "R01")
        rate_limit.failed(HERE, f"R{number}")
    accounts = ReaderSignIn(small.store, rate_limit)
    secret = invite(small.store, "R01", actor="coordinator").secret
    with pytest.raises(SignInError, match="do not belong together"):
        accounts.sign_in("R01", "wrong", address=HERE)
    assert accounts.sign_in("R01", secret, address=HERE).code == "R01"
    assert accounts.sign_in("R01", secret, address="10.0.0.2").code == "R01"


@pytest.mark.parametrize(
    ("tries", "who", "slow"),
    [
        ([(HERE, "R01")] * TRIES, (HERE, "R01"), True),
        ([(HERE, "R01")] * (TRIES - 1), (HERE, "R01"), False),
        ([(HERE, "R01")] * TRIES, (HERE, "R02"), False),
        ([(HERE, "R01")] * TRIES, ("10.0.0.2", "R01"), False),
        ([(HERE, f"R{n}") for n in range(TRIES_OF_ADDRESS)], (HERE, "R99"), True),
        ([(HERE, f"R{n}") for n in range(TRIES_OF_ADDRESS)], ("10.0.0.2", "R99"), False),
        ([(f"10.0.1.{n}", "R01") for n in range(TRIES_OF_CODE)], (HERE, "R01"), True),
        ([(f"10.0.1.{n}", "R01") for n in range(TRIES_OF_CODE)], (HERE, "R02"), False),
    ],
)
def test_wrong_secrets_make_checks_slow_for_a_while(tries, who, slow):
    clock = Clock()
    rate_limit = RateLimit(clock)
    for address, code in tries:
        rate_limit.failed(address, code)
    assert rate_limit.is_slow(*who) is slow
    clock.now += WINDOW_SECONDS
    assert not rate_limit.is_slow(*who)


def test_a_success_forgets_the_typing_errors_of_its_owner_only():
    rate_limit = RateLimit(Clock())
    for number in range(TRIES_OF_ADDRESS):
        rate_limit.failed(HERE, "R01")
        rate_limit.failed(HERE, f"R{number}")
    rate_limit.succeeded(HERE, "R01")
    assert rate_limit.wrong(HERE, "R01") == 0
    assert rate_limit.is_slow(HERE, "R01")


@pytest.mark.parametrize("vary", ["address", "code"])
def test_a_flood_of_failures_does_not_fill_the_memory(vary):
    rate_limit = RateLimit(Clock())
    for number in range(12_000):
        rate_limit.failed(*((f"a{number}", "R01") if vary == "address" else (HERE, f"{number}")))
    assert rate_limit.remembered < 11_000
    assert rate_limit.is_slow(HERE, "R01")


@pytest.fixture
def hashing(monkeypatch):
    """The costs of all hashes that are computed."""
    costs = []
    real = sign_in.hashlib.scrypt

    def counted(*given, **how):
        costs.append((how["n"], how["r"]))
        return real(*given, **how)

    monkeypatch.setattr(sign_in.hashlib, "scrypt", counted)
    return costs


OLD = "scrypt:12:8:AAAAAAAAAAAAAAAAAAAAAA==:{}"
"""A hash as an earlier version has written it, but for its cost."""


def old_hash(secret):
    plain = secret.replace("-", "").encode()
    found = hashlib.scrypt(plain, salt=bytes(16), n=2**12, r=8, p=1, dklen=32)
    return OLD.format(base64.b64encode(found).decode())


def test_an_unknown_code_costs_as_much_as_a_wrong_secret(small, accounts, hashing):
    """Even where some accounts have hashes of an earlier version."""
    invite(small.store, "R02", actor="coordinator")
    secret = invite(small.store, "R01", actor="coordinator").secret
    with small.store.write() as session:
        session.get_one(Reader, small.reader()).secret_hash = old_hash(secret)
    messages, costs = set(), []
    for code in ("R01", "R02", "R77"):
        hashing.clear()
        with pytest.raises(SignInError) as caught:
            accounts.sign_in(code, "wrong", address=code)
        messages.add(str(caught.value))
        costs.append(sorted(hashing))
    assert len(messages) == 1
    assert costs[0] == costs[1] == costs[2]
    assert len(costs[0]) == 2


def test_an_older_hash_stays_valid_and_is_renewed(small, accounts):
    secret = invite(small.store, "R01", actor="coordinator").secret
    with small.store.write() as session:
        session.get_one(Reader, small.reader()).secret_hash = old_hash(secret)
    assert accounts.sign_in("R01", secret, address=HERE).code == "R01"
    with small.store.read() as session:
        renewed = session.get_one(Reader, small.reader()).secret_hash
    assert renewed.split(":")[1] == hash_secret("x").split(":")[1] != "12"
    assert accounts.sign_in("R01", secret.lower(), address=HERE).code == "R01"


def test_a_wrong_invitation_keeps_nobody_from_writing(small, accounts):
    with small.store.write(), pytest.raises(SignInError, match="used already"):
        # In a thread of its own it would wait for this transaction.
        ThreadPoolExecutor(1).submit(accounts.join, "nonsense").result(2)
