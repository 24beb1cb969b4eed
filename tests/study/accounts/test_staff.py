"""Accounts of coordinators: adding, roles, signing in and out, and what a cookie is worth."""

import unicodedata
from types import SimpleNamespace

import pytest
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import select

from study.accounts.rate_limit import TRIES
from study.accounts.staff import StaffRole, StaffSignIn, accounts_of, add, renew, set_active
from study.domain.errors import NotAllowed, SignInError, StudyError
from study.domain.protocol import Protocol
from study.storage.models import AuditEvent, Staff
from study.storage.store import Store

ADDRESS = "198.51.100.7"


@pytest.fixture
def store(tmp_path):
    made = Store.create(tmp_path / "s", protocol=Protocol(), code="S1", seed_sha256="5" * 64)
    yield made
    made.close()


@pytest.fixture
def accounts(store):
    return StaffSignIn(store)


def asking(cookie=None):
    """A request with this cookie."""
    return SimpleNamespace(cookies={} if cookie is None else {StaffSignIn.cookie_name: cookie})


def audited(store):
    with store.read() as session:
        rows = select(AuditEvent.actor, AuditEvent.action, AuditEvent.target)
        return [tuple(row) for row in session.execute(rows.order_by(AuditEvent.seq))]


def signed_in(store, accounts, code="anna", role=StaffRole.ADMIN):
    given = add(store, code, role, actor="setup")
    account = accounts.sign_in(code, given.secret, address=ADDRESS)
    return account, asking(accounts.cookie(account))


def test_an_account_signs_in_with_its_secret_and_is_logged(store, accounts):
    given = add(store, " Anna ", StaffRole.ADMIN, actor="setup")
    assert given.code == "anna"
    typed = given.secret.lower().replace("-", " ")
    account = accounts.sign_in("ANNA", typed, address=ADDRESS)
    assert (account.code, account.role) == ("anna", StaffRole.ADMIN)
    assert audited(store)[-2:] == [("setup", "add account", "anna"), ("anna", "sign in", "anna")]


def test_the_database_keeps_no_secret(store):
    given = add(store, "anna", StaffRole.ADMIN, actor="setup")
    with store.read() as session:
        stored = session.scalars(select(Staff)).one()
    assert stored.secret_hash.startswith("scrypt:")
    plain = given.secret.replace("-", "")
    for path in store.folder.iterdir():
        if path.is_file():
            content = path.read_bytes()
            assert given.secret.encode() not in content
            assert plain.encode() not in content


@pytest.mark.parametrize(
    "code", ["", "7up", "\u0301a", "R01", "r2", "a b", "x" * 41, "<b>", "anna'"]
)
def test_impossible_names_are_refused(store, code):
    with pytest.raises(StudyError, match="is not possible"):
        add(store, code, StaffRole.ADMIN, actor="setup")
    assert accounts_of(store) == ()


@pytest.mark.parametrize("name", ["Jürgen", "Анна.К", "王小明", "अनीता", "anna-2"])
def test_names_may_be_in_any_script(store, accounts, name):
    made = add(store, name, StaffRole.ADMIN, actor="setup")
    typed = unicodedata.normalize("NFD", name.upper())
    assert accounts.sign_in(typed, made.secret, address=ADDRESS).code == made.code


def test_a_name_is_given_once(store):
    add(store, "anna", StaffRole.ADMIN, actor="setup")
    with pytest.raises(StudyError, match="already"):
        add(store, "Anna", StaffRole.MONITOR, actor="setup")


@pytest.mark.parametrize(("code", "secret"), [("anna", "WRONG"), ("nobody", "WRONG"), ("", "")])
def test_a_wrong_secret_and_an_unknown_name_say_the_same(store, accounts, code, secret):
    add(store, "anna", StaffRole.ADMIN, actor="setup")
    with pytest.raises(SignInError, match="do not belong together"):
        accounts.sign_in(code, secret, address=ADDRESS)


def test_a_right_secret_gets_in_after_any_number_of_wrong_ones(store, accounts):
    given = add(store, "anna", StaffRole.ADMIN, actor="setup")
    for _ in range(TRIES + 1):
        with pytest.raises(SignInError, match="belong together"):
            accounts.sign_in("anna", "0000", address=ADDRESS)
    assert accounts.sign_in("anna", given.secret, address=ADDRESS).code == "anna"


def test_a_cookie_says_who_it_is(store, accounts):
    account, request = signed_in(store, accounts)
    assert accounts.account_of(request) == account
    assert StaffSignIn(store).account_of(request) == account
    assert accounts.account_of(asking()) is None
    assert accounts.account_of(asking("")) is None


def test_forged_cookies_open_nothing(store, accounts):
    account, request = signed_in(store, accounts)
    cookie = request.cookies[StaffSignIn.cookie_name]
    head, _, signature = cookie.rpartition(".")
    assert accounts.account_of(asking(f"{head}.{signature[::-1]}")) is None
    other = URLSafeTimedSerializer(b"guess", salt="staff").dumps([account.id, account.generation])
    assert accounts.account_of(asking(str(other))) is None
    for content in ([account.id], "text", [1, 2], {"a": 1}, [account.id, account.generation + 1]):
        assert accounts.account_of(asking(str(accounts.signer().dumps(content)))) is None


def test_the_cookie_of_a_reader_is_no_cookie_of_the_staff(store, accounts):
    from study.accounts.readers import ReaderAccount, ReaderSignIn

    account, _ = signed_in(store, accounts)
    reader = ReaderSignIn(store).cookie(ReaderAccount(account.id, "R01", account.generation))
    assert accounts.account_of(asking(reader)) is None


def test_an_old_cookie_ends(store, accounts, monkeypatch):
    _, request = signed_in(store, accounts)
    monkeypatch.setattr(StaffSignIn, "cookie_seconds", -1)
    assert accounts.account_of(request) is None


def test_signing_out_ends_every_session_of_the_account_once(store, accounts):
    account, request = signed_in(store, accounts)
    accounts.sign_out(account)
    assert accounts.account_of(request) is None
    before = audited(store)
    accounts.sign_out(account)
    assert audited(store) == before


def test_a_new_secret_ends_the_old_one_and_its_sessions(store, accounts):
    old = add(store, "anna", StaffRole.ADMIN, actor="setup")
    request = asking(accounts.cookie(accounts.sign_in("anna", old.secret, address=ADDRESS)))
    new = renew(store, "anna", actor="bert")
    assert accounts.account_of(request) is None
    with pytest.raises(SignInError):
        accounts.sign_in("anna", old.secret, address=ADDRESS)
    assert accounts.sign_in("anna", new.secret, address=ADDRESS).code == "anna"


def test_switching_off_ends_a_session_and_on_again_needs_a_new_sign_in(store, accounts):
    add(store, "bert", StaffRole.ADMIN, actor="setup")
    _, request = signed_in(store, accounts)
    set_active(store, "anna", False, actor="bert")
    assert accounts.account_of(request) is None
    with pytest.raises(StudyError, match="switched off"):
        renew(store, "anna", actor="bert")
    set_active(store, "anna", True, actor="bert")
    assert accounts.account_of(request) is None
    assert [row[1] for row in audited(store)[-2:]] == ["switch off", "switch on"]


def test_the_last_administrator_stays(store):
    add(store, "anna", StaffRole.ADMIN, actor="setup")
    add(store, "mona", StaffRole.MONITOR, actor="setup")
    with pytest.raises(StudyError, match="only administrator"):
        set_active(store, "anna", False, actor="anna")
    set_active(store, "mona", False, actor="anna")
    assert [(m.code, m.active) for m in accounts_of(store)] == [("anna", True), ("mona", False)]


def test_nothing_is_done_to_unknown_accounts(store):
    with pytest.raises(StudyError, match="no account"):
        renew(store, "ghost", actor="anna")
    with pytest.raises(StudyError, match="no account"):
        set_active(store, "ghost", False, actor="anna")


def test_roles_are_required(store, accounts):
    _, admin = signed_in(store, accounts)
    _, monitor = signed_in(store, accounts, "mona", StaffRole.MONITOR)
    assert accounts.require(admin, StaffRole.ADMIN).code == "anna"
    assert accounts.require(monitor, StaffRole.ADMIN, StaffRole.MONITOR).code == "mona"
    with pytest.raises(NotAllowed, match="mona is a monitor"):
        accounts.require(monitor, StaffRole.ADMIN)
    with pytest.raises(SignInError, match="signed out"):
        accounts.require(asking(), StaffRole.ADMIN, StaffRole.MONITOR)
