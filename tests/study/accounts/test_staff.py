"""Accounts of coordinators: adding, roles, signing in and out, and what a cookie is worth."""

from types import SimpleNamespace

import pytest
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import select

from study.accounts import staff
from study.accounts.rate_limit import TRIES, WAIT_SECONDS, RateLimit
from study.accounts.staff import COOKIE, StaffRole, StaffSignIn, add, members, renew, set_active
from study.domain.errors import NotAllowed, SignInError, StudyError
from study.domain.protocol import Protocol
from study.storage.models import AuditEvent, ServerSecret, Staff
from study.storage.store import Store

ADDRESS = "198.51.100.7"


class Clock:
    """Time that passes when it is told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def store(tmp_path):
    made = Store.create(tmp_path / "s", protocol=Protocol(), code="S1", seed_sha256="5" * 64)
    yield made
    made.close()


@pytest.fixture
def door(store):
    return StaffSignIn(store)


def asking(cookie=None):
    """A request with this cookie."""
    return SimpleNamespace(cookies={} if cookie is None else {COOKIE: cookie})


def audited(store):
    with store.read() as session:
        rows = select(AuditEvent.actor, AuditEvent.action, AuditEvent.target)
        return [tuple(row) for row in session.execute(rows.order_by(AuditEvent.seq))]


def signed_in(store, door, code="anna", role=StaffRole.ADMIN):
    given = add(store, code, role, actor="setup")
    member = door.sign_in(code, given.secret, address=ADDRESS)
    return member, asking(door.cookie(member))


def test_an_account_signs_in_with_its_secret_and_is_logged(store, door):
    given = add(store, " Anna ", StaffRole.ADMIN, actor="setup")
    assert given.code == "anna"
    typed = given.secret.lower().replace("-", " ")
    member = door.sign_in("ANNA", typed, address=ADDRESS)
    assert (member.code, member.role) == ("anna", StaffRole.ADMIN)
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


@pytest.mark.parametrize("code", ["", "a", "7up", "R01", "r2", "a b", "x" * 41, "<b>", "anna'"])
def test_impossible_names_are_refused(store, code):
    with pytest.raises(StudyError, match="is not possible"):
        add(store, code, StaffRole.ADMIN, actor="setup")
    assert members(store) == ()


def test_a_name_is_given_once(store):
    add(store, "anna", StaffRole.ADMIN, actor="setup")
    with pytest.raises(StudyError, match="already"):
        add(store, "Anna", StaffRole.MONITOR, actor="setup")


@pytest.mark.parametrize(("code", "secret"), [("anna", "WRONG"), ("nobody", "WRONG"), ("", "")])
def test_a_wrong_secret_and_an_unknown_name_say_the_same(store, door, code, secret):
    add(store, "anna", StaffRole.ADMIN, actor="setup")
    with pytest.raises(SignInError, match="do not belong together"):
        door.sign_in(code, secret, address=ADDRESS)


def test_guessing_has_to_wait(store):
    clock = Clock()
    door = StaffSignIn(store, RateLimit(clock))
    given = add(store, "anna", StaffRole.ADMIN, actor="setup")
    for _ in range(TRIES):
        with pytest.raises(SignInError, match="belong together"):
            door.sign_in("anna", "0000", address=ADDRESS)
    with pytest.raises(SignInError, match="Too many"):
        door.sign_in("anna", given.secret, address=ADDRESS)
    assert door.sign_in("anna", given.secret, address="203.0.113.9").code == "anna"
    clock.now += WAIT_SECONDS + 1
    assert door.sign_in("anna", given.secret, address=ADDRESS).code == "anna"


def test_a_cookie_says_who_it_is(store, door):
    member, request = signed_in(store, door)
    assert door.member_of(request) == member
    assert StaffSignIn(store).member_of(request) == member
    assert door.member_of(asking()) is None
    assert door.member_of(asking("")) is None


def test_forged_cookies_open_nothing(store, door):
    member, request = signed_in(store, door)
    cookie = request.cookies[COOKIE]
    head, _, signature = cookie.rpartition(".")
    assert door.member_of(asking(f"{head}.{signature[::-1]}")) is None
    other = URLSafeTimedSerializer(b"guess", salt="staff").dumps([member.id, member.generation])
    assert door.member_of(asking(str(other))) is None
    with store.read() as session:
        key = session.get_one(ServerSecret, "staff cookie").value
    signer = URLSafeTimedSerializer(key, salt="staff")
    for content in ([member.id], "text", [1, 2], {"a": 1}, [member.id, member.generation + 1]):
        assert door.member_of(asking(str(signer.dumps(content)))) is None


def test_the_cookie_of_a_reader_is_no_cookie_of_the_staff(store, door):
    from study.accounts.readers import Identity, ReaderSignIn

    member, _ = signed_in(store, door)
    reader = ReaderSignIn(store).cookie(Identity(member.id, "R01", member.generation))
    assert door.member_of(asking(reader)) is None


def test_an_old_cookie_ends(store, door, monkeypatch):
    _, request = signed_in(store, door)
    monkeypatch.setattr(staff, "COOKIE_SECONDS", -1)
    assert door.member_of(request) is None


def test_signing_out_ends_every_session_of_the_account_once(store, door):
    member, request = signed_in(store, door)
    door.sign_out(member)
    assert door.member_of(request) is None
    before = audited(store)
    door.sign_out(member)
    assert audited(store) == before


def test_a_new_secret_ends_the_old_one_and_its_sessions(store, door):
    old = add(store, "anna", StaffRole.ADMIN, actor="setup")
    request = asking(door.cookie(door.sign_in("anna", old.secret, address=ADDRESS)))
    new = renew(store, "anna", actor="bert")
    assert door.member_of(request) is None
    with pytest.raises(SignInError):
        door.sign_in("anna", old.secret, address=ADDRESS)
    assert door.sign_in("anna", new.secret, address=ADDRESS).code == "anna"


def test_switching_off_ends_a_session_and_on_again_needs_a_new_sign_in(store, door):
    add(store, "bert", StaffRole.ADMIN, actor="setup")
    _, request = signed_in(store, door)
    set_active(store, "anna", False, actor="bert")
    assert door.member_of(request) is None
    with pytest.raises(StudyError, match="switched off"):
        renew(store, "anna", actor="bert")
    set_active(store, "anna", True, actor="bert")
    assert door.member_of(request) is None
    assert [row[1] for row in audited(store)[-2:]] == ["switch off", "switch on"]


def test_the_last_administrator_stays(store):
    add(store, "anna", StaffRole.ADMIN, actor="setup")
    add(store, "mona", StaffRole.MONITOR, actor="setup")
    with pytest.raises(StudyError, match="only administrator"):
        set_active(store, "anna", False, actor="anna")
    set_active(store, "mona", False, actor="anna")
    assert [(m.code, m.active) for m in members(store)] == [("anna", True), ("mona", False)]


def test_nothing_is_done_to_unknown_accounts(store):
    with pytest.raises(StudyError, match="no account"):
        renew(store, "ghost", actor="anna")
    with pytest.raises(StudyError, match="no account"):
        set_active(store, "ghost", False, actor="anna")


def test_roles_are_required(store, door):
    _, admin = signed_in(store, door)
    _, monitor = signed_in(store, door, "mona", StaffRole.MONITOR)
    assert door.require(admin, StaffRole.ADMIN).code == "anna"
    assert door.require(monitor, StaffRole.ADMIN, StaffRole.MONITOR).code == "mona"
    with pytest.raises(NotAllowed, match="mona is a monitor"):
        door.require(monitor, StaffRole.ADMIN)
    with pytest.raises(SignInError, match="signed out"):
        door.require(asking(), StaffRole.ADMIN, StaffRole.MONITOR)
