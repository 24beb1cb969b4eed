"""The coordinator's pages: who may call what, what they say, and what they never say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import gradio as gr
import httpx
import pytest
from fastapi import FastAPI

from study.accounts import staff
from study.accounts.readers import ReaderAccount, ReaderSignIn, invite
from study.accounts.staff import StaffAccount, StaffRole, StaffSignIn
from study.domain.protocol import Protocol
from study.domain.terms import Status
from study.planning.freeze import freeze
from study.planning.lifecycle import close_study, open_study
from study.stimuli.rendering import build
from study.storage.key import Key
from study.storage.models import Reader
from study.storage.store import Store
from study.web import coordinator
from study.web.coordinator.downloads import Download
from study.web.coordinator.page import attach
from tests.support import small_studies
from tests.support.gradio_client import Answer, call, dependencies, replay
from tests.support.served_study import served
from tests.support.tampering import run

COOKIE = StaffSignIn.cookie_name
TITLE = "Noise in phantoms"
NAMES = ("restormer", "dncnn", "swinir")
ADDRESS = "198.51.100.7"


@dataclass(frozen=True)
class House:
    """A study with accounts, served with its authentication, and a second time without it."""

    store: Store
    key: Key
    root: str
    bare: str
    secrets: dict[str, str]

    def cookie(self, code: str) -> str:
        """The cookie of somebody who has just signed in."""
        accounts = StaffSignIn(self.store)
        return accounts.cookie(accounts.sign_in(code, self.secrets[code], address=ADDRESS))

    def reader_cookie(self) -> str:
        """The cookie of a reader, or of one who might be there."""
        with self.store.read() as session:
            found = session.query(Reader).first()
            who = ReaderAccount(found.id, found.code, found.generation) if found else None
        return ReaderSignIn(self.store).cookie(who or ReaderAccount("0" * 36, "R01", 0))

    def fingerprint(self) -> tuple[object, ...]:
        """Everything that a call could change."""
        import sqlite3

        connection = sqlite3.connect(str(self.store.engine.url.database))
        dump = tuple(line for line in connection.iterdump() if "sign in" not in line)
        connection.close()
        beside = self.store.folder.parent
        names = tuple(
            sorted(str(p.relative_to(beside)) for p in beside.rglob("*") if "-wal" not in p.name)
        )
        return dump, names, self.key.path.read_bytes()


def house(folder: Path, status: Status) -> tuple[Store, Key, dict[str, str]]:
    made = small_studies.draft(
        folder,
        Protocol(
            title=TITLE,
            readers=2,
            training=1,
            dummies=1,
            repeats=1,
            nulls=1,
            repeat_distance=2,
            feedback=False,
        ),
    )
    build(made.store, made.key, small_studies.ready_made(folder / "images", NAMES))
    given = {
        code: staff.add(made.store, code, role, actor="setup").secret
        for code, role in (
            ("anna", StaffRole.ADMIN), ("bert", StaffRole.ADMIN), ("mona", StaffRole.MONITOR)
        )
    }  # fmt: skip
    if status is not Status.DRAFT:
        freeze(made.store, made.key, actor="anna")
        open_study(made.store, actor="anna")
        invite(made.store, "R01", actor="anna")
    if status is Status.CLOSED:
        close_study(made.store, actor="anna")
    return made.store, made.key, given


@pytest.fixture(scope="module")
def draft(tmp_path_factory):
    yield from _served(tmp_path_factory.mktemp("draft"), Status.DRAFT)


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    yield from _served(tmp_path_factory.mktemp("closed"), Status.CLOSED)


def _served(folder, status):
    store, key, given = house(folder, status)
    unprotected = FastAPI()
    blocks = coordinator.build_page(store, key_path=key.path)
    gr.mount_gradio_app(unprotected, blocks, path="/coordinator", show_error=False)
    app = attach(FastAPI(), store, key_path=key.path)
    with served(store, app) as root, served(store, unprotected) as bare:
        yield House(store, key, f"{root}/coordinator", f"{bare}/coordinator", given)
    store.close()


def client(**cookies: str) -> httpx.Client:
    return httpx.Client(cookies=cookies, timeout=60)


def config_of(place: House) -> dict:
    with client() as asking:
        return asking.get(f"{place.bare}/config").json()


def test_nobody_gets_in_without_an_account(draft):
    for cookies in (
        {},
        {"readingroom_reader": draft.reader_cookie()},
        {COOKIE: "forged"},
    ):
        with client(**cookies) as asking:
            assert asking.get(f"{draft.root}/").headers["location"] == "login"
            for path in ("config", "gradio_api/info", "gradio_api/openapi.json", "nothing"):
                assert asking.get(f"{draft.root}/{path}").status_code in (401, 404)
            assert asking.post(f"{draft.root}/gradio_api/upload",
                               files={"files": b"PK"}).status_code == 401  # fmt: skip


@pytest.mark.parametrize("who", ["nobody", "reader", "monitor"])
def test_every_dependency_is_refused_by_its_own_first_line(draft, who):
    config, fill = config_of(draft), filled(draft)
    cookies = {
        "nobody": {},
        "reader": {"readingroom_reader": draft.reader_cookie()},
        "monitor": {COOKIE: draft.cookie("mona")},
    }[who]
    before = draft.fingerprint()
    with client(**cookies) as asking:
        answers = replay(asking, draft.bare, config, fill)
    assert len(answers) >= 20
    allowed = [answer for answer in answers if not answer.refused]
    if who == "monitor":
        assert 0 < len(allowed) <= 2
        for answer in allowed:
            assert_progress_only(draft, answer)
    else:
        assert allowed == []
        assert all("signed out" in answer.message for answer in answers)
    assert draft.fingerprint() == before


@pytest.mark.parametrize("who", ["nobody", "reader"])
def test_no_dependency_is_reached_without_a_session(draft, who):
    config = config_of(draft)
    cookies = {} if who == "nobody" else {"readingroom_reader": draft.reader_cookie()}
    before = draft.fingerprint()
    with client(**cookies) as asking:
        answers = replay(asking, draft.root, config, filled(draft))
    assert {answer.status for answer in answers} == {401}
    assert draft.fingerprint() == before


@pytest.mark.exhaustive
def test_the_replay_would_notice_a_handler_without_its_first_line(tmp_path, monkeypatch):
    anna = StaffAccount("x", "anna", StaffRole.ADMIN, True, "", 0)
    monkeypatch.setattr(StaffSignIn, "require", lambda *_: anna)
    for place in _served(tmp_path, Status.DRAFT):
        before = place.fingerprint()
        with client() as asking:
            answers = replay(asking, place.bare, config_of(place), filled(place))
        assert sum(not answer.refused for answer in answers) >= 15
        assert place.fingerprint() != before


def filled(place: House) -> dict:
    from tests.support.gradio_client import FILLED

    return FILLED | {"target": str(place.store.folder.parent / "copy")}


def assert_progress_only(place: House, answer: Answer) -> None:
    for secret in ("bert", "SHA-256", "add account", *place.key.method_strings()):
        assert secret not in answer.message
    assert TITLE in answer.message


def test_the_configuration_knows_nothing_of_the_study(draft):
    with client(**{COOKIE: draft.cookie("anna")}) as asking:
        page = asking.get(f"{draft.root}/").text
        told = asking.get(f"{draft.root}/config").text
        info = asking.get(f"{draft.root}/gradio_api/info").text
    secrets = (*draft.key.method_strings(), *draft.key.case_strings(), TITLE, draft.store.study_id,
               "anna", str(draft.key.path), str(draft.store.folder))  # fmt: skip
    for text in (page, told, info):
        for secret in secrets:
            assert secret not in text, secret


def test_no_handler_has_a_public_name(draft):
    config = config_of(draft)
    assert {one["api_visibility"] for one in dependencies(config)} == {"private"}


@pytest.mark.parametrize("stage", ["draft", "closed"])
def test_a_page_that_was_opened_names_methods_in_a_draft_only(stage, request):
    place = request.getfixturevalue(stage)
    with client(**{COOKIE: place.cookie("anna")}) as asking:
        opened = call(asking, place.root, 0, [])
    assert opened.success
    assert TITLE in opened.message
    names = [name for name in place.key.method_strings() if name in opened.message]
    # A draft lets its coordinator choose pairs by name.
    assert bool(names) == (stage == "draft")


def test_signing_in_sets_a_strict_cookie_and_signing_out_ends_it(closed):
    with httpx.Client(timeout=60) as asking:
        form = {"name": "anna", "secret": closed.secrets["anna"]}
        answer = asking.post(f"{closed.root}/login", data=form)
        assert answer.status_code == 303
        cookie = answer.headers["set-cookie"]
        for part in (
            f"{COOKIE}=",
            "HttpOnly",
            "SameSite=strict",
            "Path=/coordinator",
        ):
            assert part in cookie
        assert asking.get(f"{closed.root}/").status_code == 200
        assert asking.get(f"{closed.root}/login").status_code == 303
        old = asking.cookies[COOKIE]
        assert asking.post(f"{closed.root}/logout").headers["location"] == "login"
        assert asking.get(f"{closed.root}/config").status_code == 401
    with client(**{COOKIE: old}) as asking:
        assert asking.get(f"{closed.root}/config").status_code == 401


def test_a_wrong_secret_says_so_without_telling_which_part_is_wrong(closed):
    with httpx.Client(timeout=60) as asking:
        told = [
            asking.post(f"{closed.root}/login", data={"name": name, "secret": "wrong"})
            for name in ("anna", "ghost")
        ]
    assert [answer.status_code for answer in told] == [403, 403]
    plain = [a.text.replace("anna", "?").replace("ghost", "?") for a in told]
    assert plain[0] == plain[1]
    assert "set-cookie" not in told[0].headers


def test_what_is_typed_on_the_sign_in_page_is_escaped(closed):
    with httpx.Client(timeout=60) as asking:
        told = asking.post(f"{closed.root}/login", data={"name": '"><script>', "secret": "x"})
    assert "<script>" not in told.text
    assert "script" not in told.headers["content-security-policy"]


def test_the_sign_in_page_says_how_to_make_the_first_account(tmp_path):
    made = small_studies.draft(tmp_path)
    app = FastAPI()
    app.include_router(coordinator.router(made.store))
    with served(made.store, app) as root:
        assert "--staff" in httpx.get(f"{root}/coordinator/login").text
        staff.add(made.store, "anna", StaffRole.ADMIN, actor="setup")
        assert "--staff" not in httpx.get(f"{root}/coordinator/login").text


def test_pages_work_in_an_app_that_runs_already(tmp_path):
    store, key, given = house(tmp_path, Status.DRAFT)
    app, accounts = FastAPI(), StaffSignIn(store)
    cookie = accounts.cookie(accounts.sign_in("anna", given["anna"], address=ADDRESS))
    with served(store, app) as root:
        attach(app, store, key_path=key.path)
        with client(**{COOKIE: cookie}) as asking:
            assert call(asking, f"{root}/coordinator", 0, []).success
    store.close()


def test_downloads_are_for_administrators(tmp_path):
    from study.web.coordinator.downloads import Downloads

    store, _, given = house(tmp_path, Status.DRAFT)
    files, accounts, app = Downloads(), StaffSignIn(store), FastAPI()
    report = Download('S 1"\n-report.html', "text/html", b"<p>report</p>", shown=True)
    files.put(report, Download("S1-ratings.csv", "text/csv", b"reader\n"))
    (table, _), (page, _) = files.listing()
    app.include_router(coordinator.router(store, files, accounts))
    with served(store, app) as root:
        place = f"{root}/coordinator/files"
        for code, status in (("anna", 200), ("mona", 403)):
            member = accounts.sign_in(code, given[code], address=ADDRESS)
            with client(**{COOKIE: accounts.cookie(member)}) as asking:
                answer = asking.get(f"{place}/{table}")
                assert answer.status_code == status
                assert (b"reader" in answer.content) == (status == 200)
                if status == 200:
                    assert "attachment" in answer.headers["content-disposition"]
                    shown = asking.get(f"{place}/{page}")
                    assert "sandbox" in shown.headers["content-security-policy"]
                    assert 'filename="S_1__-report.html"' in shown.headers["content-disposition"]
                    assert asking.get(f"{place}/unknown").status_code == 404
        assert httpx.get(f"{place}/{table}").status_code == 401
    store.close()


def test_a_monitor_cannot_upload(draft):
    files = {"files": ("a.zip", b"PK")}
    with client(**{COOKIE: draft.cookie("mona")}) as asking:
        assert asking.post(f"{draft.root}/gradio_api/upload", files=files).status_code == 401
    with client(**{COOKIE: draft.cookie("anna")}) as asking:
        assert asking.post(f"{draft.root}/gradio_api/upload", files=files).status_code == 200


def test_the_cookie_of_a_switched_off_account_opens_nothing(closed):
    cookie = closed.cookie("bert")
    staff.set_active(closed.store, "bert", False, actor="anna")
    with client(**{COOKIE: cookie}) as asking:
        assert asking.get(f"{closed.root}/config").status_code == 401
    staff.set_active(closed.store, "bert", True, actor="anna")


def test_the_role_is_that_of_the_database_at_the_call(draft):
    cookie = draft.cookie("bert")
    run(draft.store, "UPDATE staff SET role = 'monitor' WHERE code = 'bert'")
    try:
        with client(**{COOKIE: cookie}) as asking:
            answers = replay(asking, draft.root, config_of(draft), {})
        assert sum(not answer.refused for answer in answers) <= 2
    finally:
        run(draft.store, "UPDATE staff SET role = 'admin' WHERE code = 'bert'")
