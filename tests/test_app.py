"""The whole program as a user starts it: Compare, the demo, and a study beside them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from study.accounts.readers import invite
from study.storage.store import Store
from tests.support.program import program
from tests.support.tiny_study import tiny_study

ROOT = Path(__file__).parents[1]
CLOSED = "signed in as a reader"
SHOWS_METHODS = ("/", "/config", "/gradio_api/info", "/gradio_api/startup-events", "/demo/")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = tiny_study(tmp_path_factory.mktemp("beside") / "study")
    yield store
    store.close()


@pytest.fixture(scope="module")
def address(study: Store) -> Iterator[str]:
    with program(study_dir=str(study.folder)) as found:
        yield found


def test_visitors_get_compare_and_the_doors(address: str) -> None:
    page = httpx.get(address + "/", timeout=60)
    assert page.status_code == 200
    config = httpx.get(address + "/config", timeout=60).text
    for door in ("reader/", "coordinator/", "demo/"):
        assert f'href=\\"{door}\\"' in config
    assert httpx.get(address + "/coordinator/login", timeout=60).status_code == 200
    assert "demonstration, not a study" in httpx.get(address + "/demo/", timeout=60).text


PAGES = ("/", "/config", "/nothing", "/reader/", "/reader/login", "/reader/api/state",
         "/coordinator/", "/coordinator/login", "/demo/", "/gradio_api/info")  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_headers_are_those_of_the_study_server(address: str, path: str) -> None:
    answer = httpx.get(address + path, timeout=60)
    assert "server" not in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "no-store" in answer.headers["cache-control"]
    if path == "/demo/":  # Its own policy: the demonstration may be shown in a frame.
        return
    framed = "'none'" if path.startswith(("/reader", "/coordinator")) else "'self'"
    assert f"frame-ancestors {framed}" in answer.headers["content-security-policy"]


def test_a_reader_who_is_signed_in_cannot_open_compare(address: str, study: Store) -> None:
    link = invite(study, "R01", actor="coordinator")
    with httpx.Client(base_url=address, timeout=60, follow_redirects=True) as reader:
        assert reader.post("/reader/join", data={"token": link.token}).status_code == 200
        assert reader.get("/reader/api/state").status_code == 200
        for path in SHOWS_METHODS:
            answer = reader.get(path)
            assert answer.status_code == 403, path
            assert CLOSED in answer.text
        refused = reader.post("/gradio_api/queue/join", json={"fn_index": 0, "data": []})
        assert refused.status_code == 403
        assert reader.get("/coordinator/login").status_code == 200
        reader.post("/reader/logout", headers={"X-Reading-Room": "1"})
        assert CLOSED not in reader.get("/").text


def test_a_forged_cookie_closes_nothing(address: str) -> None:
    cookies = {"readingroom_reader": "forged"}
    assert httpx.get(address + "/", cookies=cookies, timeout=60).status_code == 200


def test_a_folder_without_a_study_is_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "app.py"], cwd=ROOT, text=True, capture_output=True, check=False,
        env={**os.environ, "READINGROOM_STUDY_DIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
