"""The server of a study: what it answers, what it never says, and what it never imports."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from study.accounts.readers import invite
from study.domain.errors import StudyError
from study.server.standalone import address, bind, build_app
from study.storage.store import Store
from tests.support.open_study import Small, small_study
from tests.support.served_study import served


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return small_study(tmp_path_factory.mktemp("serve") / "study")


@pytest.fixture(scope="module")
def root(small: Small):
    with served(small.store) as root:
        yield root


@pytest.fixture
def reader(root: str, small: Small):
    """A browser of a reader who has signed in with code and secret."""
    invitation = invite(small.store, "R01", actor="coordinator")
    with httpx.Client(base_url=root, follow_redirects=True, timeout=60) as client:
        client.post("/reader/login", data={"code": "R01", "secret": invitation.secret},
                    headers={"Origin": root})  # fmt: skip
        assert client.get("/reader/api/state").status_code == 200
        yield client


PAGES = ("/", "/favicon.ico", "/nothing", "/reader/", "/reader/login", "/reader/config",
         "/reader/api/state", "/reader/theme.css", "/reader/gradio_api/info", "/coordinator/",
         "/coordinator/login", "/coordinator/config")  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_headers_are_neutral(root: str, path: str) -> None:
    answer = httpx.get(root + path)
    assert "server" not in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "no-store" in answer.headers["cache-control"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    for name in ("last-modified", "etag", "x-powered-by"):
        assert name not in answer.headers


def test_the_programs_own_files_may_be_kept(root: str, reader: httpx.Client) -> None:
    page = reader.get("/reader/").text
    script = re.search(r'src="\./(assets/[^"]+\.js)"', page)
    assert script
    answer = httpx.get(f"{root}/reader/{script[1]}")
    assert answer.status_code == 200
    assert answer.headers.get("cache-control") != "no-store"


def test_the_root_leads_to_the_readers(root: str) -> None:
    answer = httpx.get(root + "/", follow_redirects=True)
    assert answer.status_code == 200
    assert str(answer.url) == f"{root}/reader/login"


@pytest.mark.parametrize(
    "path", ["/docs", "/redoc", "/openapi.json", "/gradio_api/info", "/config"]
)
def test_nothing_describes_the_server(root: str, path: str) -> None:
    assert httpx.get(root + path).status_code == 404


@pytest.mark.parametrize(
    "path",
    ["config", "gradio_api/info", "gradio_api/openapi.json", "monitoring", "gradio_api/runs"],
)
def test_nothing_of_gradio_is_there_for_strangers(root: str, path: str) -> None:
    assert httpx.get(f"{root}/reader/{path}").status_code in (401, 404)


def test_a_reader_sees_no_monitoring_no_history_and_no_files(
    reader: httpx.Client, small: Small
) -> None:
    config = reader.get("/reader/config").json()
    assert config["run_history"] is False
    assert config["footer_links"] == []
    assert config["dependencies"] == []
    assert reader.get("/reader/monitoring").status_code != 200
    for name in ("study.sqlite", "mirror.jsonl"):
        path = small.store.folder / name
        answer = reader.get(f"/reader/gradio_api/file={path}")
        assert answer.status_code in (403, 404)


def test_no_page_needs_another_machine(reader: httpx.Client) -> None:
    page = reader.get("/reader/").text
    loaded = re.findall(r'<(?:script|link|img|iframe)[^>]*(?:src|href)="(https?:)?//', page)
    assert loaded == []


def test_vibe_mode_is_refused(monkeypatch: pytest.MonkeyPatch, small: Small) -> None:
    monkeypatch.setenv("GRADIO_VIBE_MODE", "1")
    with pytest.raises(StudyError, match="GRADIO_VIBE_MODE is set"):
        build_app(small.store)


def test_a_taken_port_is_told() -> None:
    with bind("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        assert address(first) == f"http://127.0.0.1:{port}"
        with pytest.raises(StudyError, match=f"127.0.0.1:{port}"):
            bind("127.0.0.1", port)
    with pytest.raises(StudyError, match="Choose another --host"):
        bind("203.0.113.1", 0)


def test_an_open_address_is_shown_as_this_machine() -> None:
    with bind("0.0.0.0", 0) as server:
        assert address(server) == f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_an_address_of_ipv6_is_in_brackets() -> None:
    try:
        server = bind("::1", 0)
    except StudyError:
        pytest.skip("this machine has no IPv6 address")
    with server:
        assert address(server).startswith("http://[::1]:")


@pytest.mark.exhaustive
def test_the_server_has_no_torch_and_no_method(small: Small) -> None:
    """All that serving imports, in a process of its own."""
    code = (
        "import json, sys\n"
        "from study.server import standalone as serve\n"
        f"sys.argv = ['study', 'serve', {str(small.store.folder)!r}, '--port', '0']\n"
        "serve.run = lambda app, server, **given: None\n"
        "from study.cli import main\n"
        "assert main() == 0\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(json.loads(done.stdout.splitlines()[-1]))
    assert {"gradio", "study.web.reader_api", "sqlalchemy"} <= modules
    heavy = {"torch", "torchvision", "diffusers", "SimpleITK", "skimage", "matplotlib"}
    assert not modules & heavy
    ours = {name for name in modules if name.startswith("enhancers.")}
    forbidden = (
        "ui",
        "compare",
        "registry",
        "classical",
        "diffusion",
        "networks",
        "base",
        "devices",
    )
    assert not [name for name in ours if name.split(".")[1] in forbidden]


def test_serving_from_the_command_line_until_it_is_told_to_stop(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    small_study(folder).store.close()
    process = subprocess.Popen(
        [sys.executable, "-m", "study", "serve", str(folder), "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout
        told = [process.stdout.readline() for _ in range(3)]
        assert told[0] == "The study is open.\n"
        for line, page in zip(told[1:], ("reader", "coordinator"), strict=True):
            address_ = line.split()[1]
            assert re.fullmatch(rf"http://127\.0\.0\.1:\d+/{page}/", address_)
            assert httpx.get(address_ + "login", timeout=60).status_code == 200
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    # Where the server had ended by itself before the interrupt was passed on, it is 0.
    assert process.returncode in (0, 130)
    assert "Traceback" not in err
    assert "login" not in out + err
    store = Store.open(folder)
    store.close()


@pytest.mark.exhaustive
def test_the_demonstration_from_the_command_line(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "study", "demo", "--port", "0"], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    try:
        assert process.stdout
        told = [process.stdout.readline() for _ in range(2)]
        root = told[1].removeprefix("Demonstration: ").strip().removesuffix("/demo/")
        with httpx.Client(base_url=root, follow_redirects=True, timeout=60) as client:
            assert "demonstration" in client.get("/").text
            frame = client.post("/demo/start")
            assert '<iframe src="reader/"' in frame.text
            page = client.get(f"{frame.url.path}reader/")
            assert "frame-ancestors 'self'" in page.headers["content-security-policy"]
            assert "x-frame-options" not in page.headers
            state = client.get(f"{frame.url.path}reader/api/state").json()
            assert state["screen"]["demo"] is True
            assert state["screen"]["progress"]["total"] == 6
    finally:
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
