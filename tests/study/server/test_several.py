"""Several studies in one server: who sees which, and that nothing of one reaches another."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from fastapi import Request, Response
from starlette.testclient import TestClient

from study.accounts import staff
from study.accounts.any_study import AnyStudySignIn
from study.accounts.rate_limit import TRIES
from study.accounts.readers import ReaderSignIn, invite
from study.accounts.staff import StaffRole, StaffSignIn
from study.domain.errors import KeyFileError, SignInError, StudyError
from study.server import several
from study.server.several import ServedStudies
from study.server.standalone import build_app
from study.storage import key_file
from study.web import reader_api
from study.web.coordinator import routes
from study.web.devices import device_of
from study.web.error_route import HEADER
from tests.support.open_study import QUICK, small_study
from tests.support.small_studies import draft

TITLES = ("Dose in phantoms", "Speckle in phantoms")


# Where tests keep their files, nothing needs to last.
open_studies = partial(several.open_studies, disk_may_vanish=True)
ATTACH_PAGES = several._attach_pages


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two open studies, whose folders have names of methods."""
    folder = tmp_path_factory.mktemp("studies")
    for name, title in zip(("restormer", "dncnn"), TITLES, strict=True):
        small_study(folder / name, replace(QUICK, title=title), cases=2).store.close()
    (folder / "keys").mkdir()
    return folder


@pytest.fixture(scope="module")
def opened(folder: Path):
    opened = open_studies([folder])
    assert opened.problems == ()
    assert [one.store.protocol().title for one in opened.studies] == [*reversed(TITLES)]
    yield opened
    opened.close()


def endpoints(app, study):
    """What pages send to, without the pages, which take seconds to build."""
    app.include_router(reader_api.router(study.store, ReaderSignIn(study.store, root=study.root)))
    staff_of = StaffSignIn(study.store, root=study.root)
    app.include_router(routes.router(study.store, accounts=staff_of))
    return app


@pytest.fixture(scope="module")
def app(opened: ServedStudies):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(several, "_attach_pages", endpoints)
        yield build_app(*opened.studies, not_open=1)


@pytest.fixture
def browser(app):
    with TestClient(app, base_url="http://server") as client:
        yield client


def secret_of(opened: ServedStudies, number: int, code: str = "R01") -> str:
    return invite(opened.studies[number].store, code, actor="c").secret


def test_a_stranger_learns_of_no_study(browser, opened):
    for path in ("/", "/reader/", "/reader/login", "/coordinator/", "/study/", "/study/x/reader/"):
        page = browser.get(path).text
        assert not any(title in page or one.root in page for title, one in
                       zip(TITLES, opened.studies, strict=True)), path  # fmt: skip
    assert browser.get("/study/1f2e3d/reader/").status_code == 404
    for one in opened.studies:
        assert browser.get(f"{one.root}/reader/api/state").status_code == 401


@pytest.mark.exhaustive
def test_each_study_has_the_pages_of_a_study_by_itself(opened, monkeypatch):
    monkeypatch.setattr(several, "_attach_pages", ATTACH_PAGES)
    secrets = [secret_of(opened, number) for number in range(2)]
    with TestClient(build_app(*opened.studies), base_url="http://server") as client:
        for one, secret in zip(opened.studies, secrets, strict=True):
            for page in ("reader", "coordinator"):
                refused = client.get(f"{one.root}/{page}/", follow_redirects=False)
                assert (refused.status_code, refused.headers["location"]) == (303, "login")
            client.post("/reader/login", data={"code": "R01", "secret": secret})
            config = client.get(f"{one.root}/reader/config").json()
            assert config["root"] == f"http://server{one.root}/reader"


def test_a_reader_signs_in_once_and_sees_the_own_studies_only(browser, opened):
    first, second = opened.studies
    entered = browser.post("/reader/login", data={"code": "r01", "secret": secret_of(opened, 0)})
    assert entered.url.path == f"{first.root}/reader/"
    assert browser.get(f"{first.root}/reader/api/state").json()["screen"]["reader"] == "R01"
    assert browser.get(f"{second.root}/reader/api/state").status_code == 401
    listed = browser.get("/reader/").text
    assert "Your studies" in listed
    assert f'href="..{first.root}/reader/"' in listed
    assert TITLES[1] in listed
    assert TITLES[0] not in listed
    assert "0 of 16 read" in listed
    # The other study as well, in the same browser.
    browser.post("/reader/login", data={"code": "R01", "secret": secret_of(opened, 1)})
    listed = browser.get("/reader/").text
    assert listed.index(TITLES[0]) < listed.index(TITLES[1])
    browser.post("/reader/logout")
    assert "Your studies" not in browser.get("/reader/").text
    for one in opened.studies:
        assert browser.get(f"{one.root}/reader/api/state").status_code == 401


def test_the_cookie_of_one_study_opens_no_other(browser, opened):
    second = opened.studies[1]
    browser.post("/reader/login", data={"code": "R01", "secret": secret_of(opened, 0)})
    here, there = (ReaderSignIn(one.store, root=one.root) for one in opened.studies)
    assert here.cookie_name != there.cookie_name
    browser.cookies.set(there.cookie_name, browser.cookies[here.cookie_name], path="/")
    assert browser.get(f"{second.root}/reader/api/state").status_code == 401
    pair = {"which": "current"}
    answer = browser.post(f"{second.root}/reader/api/pair", json=pair, headers={HEADER: "1"})
    assert answer.json()["error"]["code"] == "signed_out"


def test_addresses_tell_neither_folder_nor_code_and_stay(opened, folder):
    again = open_studies([folder])
    assert [one.root for one in again.studies] == [one.root for one in opened.studies]
    again.close()
    for one in opened.studies:
        assert not any(word in one.root for word in ("restormer", "dncnn", "SMALL"))
        assert one.store.study_id not in one.root


def test_an_invitation_leads_to_its_study(browser, opened):
    link = invite(opened.studies[1].store, "R02", actor="c")
    page = browser.get(link.path)
    assert page.url.path == f"{opened.studies[1].root}{link.path}"
    browser.post(f"{opened.studies[1].root}/reader/join", data={"token": link.token})
    assert TITLES[0] in browser.get("/reader/").text
    assert "used already" in browser.get(link.path).text


def test_a_computer_has_another_name_in_every_study():
    def device(root):
        token = {"type": "http", "root_path": root, "path": "/", "scheme": "http",
                 "headers": [(b"cookie", b"reading_device=" + b"0" * 32)]}  # fmt: skip
        return device_of(Request(token), Response()).id

    assert device("/study/1") == device("/study/1") != device("/study/2")


def test_coordinators_have_a_list_of_their_own(browser, opened):
    first, second = opened.studies
    admin = staff.add(first.store, "anna", StaffRole.ADMIN, actor="setup")
    monitor = staff.add(second.store, "anna", StaffRole.MONITOR, actor="setup")
    browser.post("/coordinator/login", data={"name": "anna", "secret": monitor.secret})
    listed = browser.get("/coordinator/").text
    assert TITLES[0] in listed
    assert TITLES[1] not in listed
    assert "could not be opened" not in listed
    browser.post("/coordinator/login", data={"name": "Anna", "secret": admin.secret})
    listed = browser.get("/coordinator/").text
    assert all(title in listed for title in TITLES)
    assert "1 study of this server could not be opened" in listed
    assert "SMALL, open: 0 of 32 read" in listed
    wrong = browser.post("/coordinator/login", data={"name": "anna", "secret": "x"})
    assert wrong.status_code == 403
    assert "do not belong together" in wrong.text


def test_wrong_secrets_at_the_list_are_counted_there_and_in_no_study(opened):
    doors = [ReaderSignIn(one.store, root=one.root) for one in opened.studies]
    anywhere = AnyStudySignIn(doors)
    for _ in range(TRIES):
        with pytest.raises(SignInError, match="do not belong together"):
            anywhere.sign_in("R01", "wrong", address="203.0.113.7")
    assert anywhere._rate_limit.is_slow("203.0.113.7", "R01")
    assert all(door._rate_limit.remembered == 0 for door in doors)
    found, account = anywhere.sign_in("R01", secret_of(opened, 1), address="203.0.113.7")
    assert (found, account.code) == (doors[1], "R01")


def test_a_study_that_does_not_open_is_told_and_the_others_are_served(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "s")
    (tmp_path / "s" / "broken" / "stimuli").mkdir(parents=True)
    (tmp_path / "s" / "dncnn" / "study.sqlite").write_bytes(b"no database")
    opened = open_studies([tmp_path / "s"])
    assert [one.store.folder.name for one in opened.studies] == ["restormer"]
    assert opened.not_open == len(opened.problems) == 2
    assert "broken is NOT SERVED: No study database" in opened.problems[0]
    assert "dncnn is NOT SERVED" in opened.problems[1]
    opened.close()
    (tmp_path / "s" / "restormer" / "study.sqlite").write_bytes(b"")
    with pytest.raises(StudyError, match="No study can be served") as told:
        open_studies([tmp_path / "s"])
    assert str(told.value).count("NOT SERVED") == 3


def test_copies_of_a_study_are_not_served(folder, tmp_path):
    shutil.copytree(folder / "dncnn", tmp_path / "copy")
    opened = open_studies([folder, tmp_path / "copy"])
    assert [one.store.folder.name for one in opened.studies] == ["restormer"]
    assert opened.not_open == 2
    assert "copies of one study" in opened.problems[0]
    opened.close()


def test_every_study_gets_its_own_key(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        draft(tmp_path / name).store.close()
    (tmp_path / "keys").mkdir(mode=0o700)
    for name in ("b", "a"):
        shutil.copy(tmp_path / name / "key.json", tmp_path / "keys" / f"{name}.key.json")
    folders = [tmp_path / name / "study" for name in ("a", "b")]
    opened = open_studies(folders, keys=[tmp_path / "keys"])
    assert [one.key and one.key.name for one in opened.studies] == ["a.key.json", "b.key.json"]
    opened.close()
    alone = open_studies(folders[:1], keys=[tmp_path / "keys"])
    assert (alone.studies[0].key, alone.studies[0].root) == (tmp_path / "keys/a.key.json", "")
    alone.close()
    with pytest.raises(KeyFileError, match="belongs to another study"):
        open_studies(folders[:1], keys=[tmp_path / "b" / "key.json"])
    # The key of one study in the folder of the other would be in its backups.
    inside = folders[1] / "key.json"
    shutil.copy(tmp_path / "a" / "key.json", inside)
    opened = open_studies(folders, keys=[inside])
    assert [one.store.folder for one in opened.studies] == folders[1:]
    assert "lies in the study folder" in opened.problems[0]
    opened.close()
    assert key_file.study_of(inside)


def test_what_belongs_to_one_study_is_refused_for_several(folder):
    with pytest.raises(StudyError, match="belongs to one study"):
        open_studies([folder], mirror=folder / "mirror")
