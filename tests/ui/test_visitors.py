"""Whose a browser tab is: cookies that the server makes, and shares of each address."""

import re
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from enhancers.http_limits.shares import in_excess
from enhancers.ui import visitors
from enhancers.ui.sessions import KEPT_SESSIONS, Sessions
from enhancers.ui.visitors import COOKIE, VisitorCookie, tab_of
from tests.support.compare_page import IMAGE


def test_what_makes_room_is_of_whoever_has_most():
    owners = {1: "a", 2: "b", 3: "b", 4: "a", 5: "b"}
    assert in_excess(owners, 5) == []
    assert in_excess(owners, 4) == [2]
    assert in_excess(owners, 2) == [2, 1, 3]
    assert in_excess(owners, 0) == [2, 1, 3, 4, 5]


def test_a_stranger_with_many_tabs_pushes_out_none_of_others():
    sessions = Sessions(capacity=8)
    mine = [sessions.get(f"mine {n}", "10.0.0.1") for n in range(3)]
    for n in range(100):
        sessions.get(f"theirs {n}", "10.0.0.2")
    assert len(sessions) == 8
    assert [sessions.by_token(one.token) for one in mine] == mine
    latest = sessions.get("one more", "10.0.0.3")
    assert sessions.by_token(latest.token) is latest


def test_nor_the_sessions_of_pages_that_were_left():
    sessions = Sessions()
    sessions.get("mine", "10.0.0.1").replace_image(IMAGE)
    left = sessions.remove("mine")
    for n in range(KEPT_SESSIONS + 4):
        sessions.get(f"theirs {n}", "10.0.0.2").replace_image(IMAGE)
        sessions.remove(f"theirs {n}")
    assert sessions.resume("again", left.token, "10.0.0.1")


def request(cookie="", tab="tab", host="10.0.0.1"):
    client = SimpleNamespace(host=host) if host else None
    return SimpleNamespace(session_hash=tab, cookies={COOKIE: cookie}, client=client)


@pytest.fixture
def browser():
    app = Starlette(
        routes=[Route(path, lambda request: PlainTextResponse("page")) for path in ("/", "/config")]
    )
    with TestClient(VisitorCookie(app), base_url="http://room") as client:
        yield client


def test_a_page_gives_every_browser_a_name_of_its_own(browser):
    assert "set-cookie" not in browser.get("/config").headers
    first = browser.get("/")
    assert "HttpOnly" in first.headers["set-cookie"]
    assert "SameSite=Lax" in first.headers["set-cookie"]
    assert "Secure" not in first.headers["set-cookie"]
    assert "set-cookie" not in browser.get("/").headers
    name = browser.cookies[COOKIE]
    browser.cookies.clear()
    browser.get("/")
    assert browser.cookies[COOKIE] != name
    assert tab_of(request(name)).key != tab_of(request(browser.cookies[COOKIE])).key


def test_a_session_is_reached_with_cookie_and_hash_only(browser):
    browser.get("/")
    mine = browser.cookies[COOKIE]
    sessions = Sessions()
    own = sessions.get(tab_of(request(mine)).key)
    assert sessions.get(tab_of(request(mine)).key) is own
    for other in (request(), request("chosen"), request("chosen." + mine.partition(".")[2]),
                  request(mine, tab="other")):  # fmt: skip
        assert sessions.get(tab_of(other).key) is not own


@pytest.mark.parametrize("cookie", ["chosen", "chosen.", ".", "é.è", f"{'x' * 22}.{'0' * 32}"])
def test_a_name_that_the_server_did_not_make_is_replaced(browser, cookie):
    header = {"Cookie": f"{COOKIE}={cookie}".encode()}
    assert COOKIE in browser.get("/", headers=header).headers.get("set-cookie", "")
    assert tab_of(request(cookie)).key == "tab"


def test_the_cookie_of_an_encrypted_page_is_secure_and_works_in_the_frame_of_a_space(
    browser, monkeypatch
):
    assert "; Secure" in browser.get("https://room/").headers["set-cookie"]
    monkeypatch.setattr(visitors, "on_a_space", lambda: True)
    assert re.search("SameSite=None; Secure; Partitioned", browser.get("/").headers["set-cookie"])


def test_programs_without_a_cookie_go_by_their_hash():
    assert tab_of(SimpleNamespace(session_hash="tab")).key == "tab"
    assert tab_of(SimpleNamespace(session_hash=None)).key == ""
    assert tab_of(request(host="")).address == ""
    assert tab_of(request()).address == "10.0.0.1"
