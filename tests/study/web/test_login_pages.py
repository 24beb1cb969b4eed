"""Who gets in, what strangers, other sites and nonsense achieve, and what errors say."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from study.accounts.readers import ReaderSignIn, invite
from study.accounts.sign_in_queue import SignInQueue
from study.accounts.staff import StaffSignIn
from study.domain.errors import SignInBusy, StudyError
from study.reading import presentation
from study.server.standalone import build_app, trusted_proxies
from study.web import reader_api
from study.web.coordinator import routes
from study.web.error_route import HEADER
from tests.support.http_visitor import DISPLAY, PROFILE, Visitor, app_of, contents, error
from tests.support.open_study import small_study


@pytest.fixture
def small(tmp_path):
    study = small_study(tmp_path / "s", cases=1)
    yield study
    study.store.close()


@pytest.fixture
def visitor(small):
    return Visitor(small).join()


def test_an_invitation_and_a_secret_sign_in(small):
    visitor = Visitor(small)
    link = invite(small.store, "R01", actor="coordinator")
    for _ in range(3):
        page = visitor.get(f"join/{link.token}")
        assert page.status_code == 200
        assert "Open the study" in page.text
        assert '<html lang="en" translate="no">' in page.text
        assert ReaderSignIn.cookie_name not in visitor.client.cookies
    entered = visitor.client.post(
        "/reader/join", data={"token": link.token}, follow_redirects=False
    )
    assert (entered.status_code, entered.headers["location"]) == (303, "./")
    cookie = entered.headers["set-cookie"]
    assert all(word in cookie.lower() for word in ("httponly", "samesite=lax", "path=/"))
    assert "secure" not in cookie.lower()
    assert visitor.screen["reader"] == "R01"
    assert visitor.get("login", follow_redirects=False).headers["location"] == "./"

    again = Visitor(small)
    refused = again.client.post("/reader/join", data={"token": link.token})
    assert refused.status_code == 403
    assert "used already" in refused.text
    for secret, status in (("wrong", 403), (link.secret, 303)):
        came = again.client.post(
            "/reader/login", data={"code": "r01", "secret": secret}, follow_redirects=False
        )
        assert came.status_code == status
    assert again.screen["kind"] == "consent"
    kept = dict(again.client.cookies)
    assert again.client.post("/reader/logout", headers={HEADER: "1"}).status_code == 200
    assert again.get("api/state").status_code == 401
    # A copy of the cookie is worth nothing either.
    again.client.cookies.update(kept)
    assert again.get("api/state").status_code == 401


def test_over_https_the_cookie_is_secure(small):
    visitor = Visitor(small)
    visitor.client.base_url = "https://study"
    link = invite(small.store, "R01", actor="coordinator")
    entered = visitor.client.post(
        "/reader/join", data={"token": link.token}, follow_redirects=False
    )
    assert "secure" in entered.headers["set-cookie"].lower()


@pytest.mark.parametrize(("peer", "secure"), [("172.17.0.1", True), ("203.0.113.7", False)])
def test_behind_a_proxy_in_docker_the_cookie_is_secure(small, peer, secure):
    app = build_app(small.store, proxies=trusted_proxies(["172.17.0.0/16"]))
    link = invite(small.store, "R01", actor="coordinator")
    with TestClient(app, client=(peer, 50000), follow_redirects=False) as client:
        forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.1"}
        entered = client.post("/reader/join", data={"token": link.token}, headers=forwarded)
    assert ("secure" in entered.headers["set-cookie"].lower()) is secure


def test_proxies_that_are_none_are_refused():
    with pytest.raises(StudyError, match=r"'172\.17\.0\.0/99' does not appear"):
        trusted_proxies(["172.17.0.0/99"])


class Full(SignInQueue):
    """A queue without a place."""

    def submit(self, job, **who):
        raise SignInBusy(1)


def test_where_too_many_sign_in_the_page_says_when_to_come_back(small):
    app = FastAPI()
    app.include_router(reader_api.router(small.store, ReaderSignIn(small.store, queue=Full())))
    staff = StaffSignIn(small.store, queue=Full())
    app.include_router(routes.router(small.store, accounts=staff))
    with TestClient(app) as client:
        for page, code in (("reader", "code"), ("coordinator", "name")):
            answer = client.post(f"/{page}/login", data={code: "R01", "secret": "x"})
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "60"
            assert "checking too many sign-ins. Wait 1 minute" in answer.text


def test_sign_ins_leave_the_threads_to_the_readers(small):
    """As many as the server has threads wait, and a reader is served."""
    held, begun = threading.Event(), threading.Event()
    queue = SignInQueue(1)
    queue.submit(lambda: begun.set() or held.wait(20), address="first")
    begun.wait(5)
    app = FastAPI()
    app.include_router(reader_api.router(small.store, ReaderSignIn(small.store, queue=queue)))
    with TestClient(app) as client, ThreadPoolExecutor(61) as pool:
        form = {"code": "R01", "secret": "x"}
        waiting = [pool.submit(client.post, "/reader/login", data=form) for _ in range(60)]
        served = pool.submit(client.get, "/reader/login")
        try:
            assert served.result(10).status_code == 200
            assert not any(one.done() for one in waiting)
        finally:
            held.set()
        assert {one.result(20).status_code for one in waiting} == {403}


def test_what_was_typed_comes_back_as_text(small):
    answer = Visitor(small).client.post(
        "/reader/login", data={"code": '"><script>hurt()</script>', "secret": "x"}
    )
    assert "<script" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


STEPS = (
    ("consent", {"digest": "x"}), ("withdraw", {}), ("profile", PROFILE), ("display", DISPLAY),
    ("start", {}), ("pair", {}),
    ("rate", {"token": "x", "answers": [], "key": "12345678"}),
    ("correct", {"token": "x", "answers": [], "key": "12345678", "reason": "r"}),
    ("guess", {"token": "x", "guesses": [0, 0]}), ("pause", {"token": "x", "at_ms": 1}),
    ("interaction", {"token": "x", "events": []}),
)  # fmt: skip


def test_strangers_and_other_sites_can_do_nothing(small):
    signed_in = Visitor(small).join()
    stranger = Visitor(small, signed_in.client.app)
    before = contents(small)
    for step, body in STEPS:
        assert error(stranger.post(step, body)) == "signed_out", step
        assert error(signed_in.post(step, body, headers={})) == "request", step
    for path in ("api/state", "pixels/" + "x" * 22):
        assert error(stranger.get(path)) == "signed_out"
    assert contents(small) == before


def test_what_is_not_understood_changes_nothing(visitor):
    visitor.sit_down()
    for step, body in STEPS:
        _send_nonsense(visitor, step, body)


def _send_nonsense(visitor, step, body):
    before = contents(visitor.small)
    wrong = [{**body, "extra": 1}, {name: {"a": []} for name in body} or {"x": 1}, [], "text", None]
    for each in wrong:
        answer = visitor.client.post(f"/reader/api/{step}", json=each, headers={HEADER: "1"})
        assert answer.status_code == 422
        assert error(answer) == "request"
    broken = visitor.client.post(f"/reader/api/{step}", content=b"\xff{", headers={HEADER: "1"})
    assert error(broken) == "request"
    assert contents(visitor.small) == before


def test_what_goes_wrong_inside_stays_inside(visitor, monkeypatch, caplog):
    def broken(*given, **named):
        raise RuntimeError("/srv/secret/study.sqlite: no such table dncnn")

    visitor.sit_down()
    monkeypatch.setattr(presentation, "show", broken)
    with caplog.at_level(logging.ERROR):
        answer = visitor.post("pair")
    assert answer.status_code == 500
    assert error(answer) == "internal"
    for word in ("secret", "sqlite", "dncnn", "Traceback", "RuntimeError"):
        assert word not in answer.text
    event = answer.json()["error"]["event"]
    assert event in answer.json()["error"]["message"]
    assert event in caplog.text
    assert "dncnn" in caplog.text


def test_a_changed_image_is_not_shown_and_the_answer_does_not_say_which(visitor):
    given = visitor.sit_down().pair()
    for path in visitor.small.store.stimuli.iterdir():
        path.write_bytes(b"x")
    answer = visitor.get(f"pixels/{given['pair']['ticket']}")
    assert error(answer) == "image_lost"
    assert ".raw" not in answer.text


def test_the_addresses_are_those_of_the_reader(small):
    paths = {route.path for route in reader_api.router(small.store, None).routes}
    assert all(path.startswith("/reader/") for path in paths)
    assert app_of(small).openapi()["paths"] == {}
