"""No server of a study has an endpoint for programs, by name or as an MCP tool."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from gradio.route_utils import FnIndexInferError
from starlette.testclient import TestClient

from study.accounts import staff
from study.accounts.readers import ReaderSignIn, invite
from study.accounts.staff import StaffRole, StaffSignIn
from study.demo.site import DemoSite
from study.server.standalone import build_app
from study.storage.store import Store
from tests.support.open_study import small_study
from tests.support.program import program
from tests.support.served_study import served

NONE = {"named_endpoints": {}, "unnamed_endpoints": {}}
CALLS = ("gradio_api/call/methods", "gradio_api/run/methods", "gradio_api/mcp/", "gradio_api/mcp")


def check(client: httpx.Client | TestClient, page: str) -> None:
    """The page is open to this client, and offers programs nothing."""
    assert client.get(f"{page}config").status_code == 200
    for query in ("", "?all_endpoints=true"):
        assert client.get(f"{page}gradio_api/info{query}").json() == NONE
    config = client.get(f"{page}config").json()
    assert config["mcp_server"] is False
    assert {one["api_visibility"] for one in config["dependencies"]} <= {"private"}
    for path in CALLS:
        assert refused(client, page + path)


def refused(client: httpx.Client | TestClient, path: str) -> bool:
    """Whether a call is an error; Gradio breaks the connection at a name that it does not know."""
    try:
        return client.post(path, json={"data": []}).status_code >= 400
    except (httpx.ReadError, httpx.RemoteProtocolError, FnIndexInferError):
        return True


def reader(store: Store) -> dict[str, str]:
    """The cookie of a reader who has signed in."""
    accounts = ReaderSignIn(store)
    secret = invite(store, "R01", actor="setup").secret
    return {accounts.cookie_name: accounts.cookie(accounts.sign_in("R01", secret, address="x"))}


def coordinator(store: Store, code: str) -> dict[str, str]:
    """The cookie of a coordinator who has signed in."""
    accounts = StaffSignIn(store)
    secret = staff.add(store, code, StaffRole.ADMIN, actor="setup").secret
    return {accounts.cookie_name: accounts.cookie(accounts.sign_in(code, secret, address="x"))}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    made = small_study(tmp_path_factory.mktemp("endpoints") / "study").store
    yield made
    made.close()


def test_the_server_of_a_study_has_none(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_MCP_SERVER", "true")
    with served(store, build_app(store)) as root:
        check(httpx.Client(base_url=root, cookies=reader(store), timeout=60), "/reader/")
        staying = httpx.Client(base_url=root, cookies=coordinator(store, "anna"), timeout=60)
        check(staying, "/coordinator/")


def test_the_demonstration_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_MCP_SERVER", "true")
    app, demonstration = FastAPI(), DemoSite(tmp_path / "demo")
    app.mount("/demo", demonstration)
    with TestClient(app, base_url="http://test") as client:
        visit = client.post("/demo/start", follow_redirects=False).headers["location"]
        check(client, f"{visit}reader/")
    demonstration.close()


def test_a_study_next_to_the_compare_page_has_none(store: Store, tmp_path: Path) -> None:
    with program(
        study_dir=str(store.folder), study_demo="false", mcp="true", cache_dir=str(tmp_path)
    ) as root:
        reading = httpx.Client(base_url=root, cookies=reader(store), timeout=60)
        check(reading, "/reader/")
        staying = httpx.Client(base_url=root, cookies=coordinator(store, "bert"), timeout=60)
        check(staying, "/coordinator/")
        # The endpoints of the compare page name methods: they are closed to readers.
        assert reading.get("/gradio_api/info").status_code == 403
        for path in CALLS:
            assert reading.post(f"/{path}", json={"data": []}).status_code == 403
