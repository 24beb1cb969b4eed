"""Requests of other sites and by other names, to a bare app and to both real servers."""

import socket

import httpx
import pytest
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from enhancers.request_guard import RequestGuard, allowed_hosts
from enhancers.settings import read_settings
from enhancers.ui import build
from study.server.standalone import build_app
from tests.support.open_study import small_study
from tests.support.page_driver import served

HOME = "http://room.example.org"


def asked(hosts=None, method="POST", **headers):
    def done(request):
        return PlainTextResponse("done", headers={"Access-Control-Allow-Origin": "*"})

    app = Starlette(routes=[Route("/", done, methods=["GET", "POST", "DELETE"])])
    with TestClient(RequestGuard(app, hosts), base_url=HOME) as client:
        return client.request(method, "/", headers=headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example.org"},
        {"Origin": "http://room.example.org:8080"},
        {"Origin": "http://room.example.org.evil.net"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://[broken"},
        {"Origin": HOME, "Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_what_another_origin_sends_changes_nothing(headers, method):
    answer = asked(method=method, **headers)
    assert answer.status_code == 403
    assert "another site" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin", "Origin": HOME},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://ROOM.example.org"},
    ],
)
def test_the_own_page_and_programs_pass(headers):
    assert asked(**headers).text == "done"


def test_what_may_be_read_from_elsewhere_has_no_permission_to_be():
    answer = asked(method="GET", Origin="http://evil.example.org")
    assert answer.text == "done"
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("bound", "named", "host", "status"),
    [
        ("127.0.0.1", "", "localhost:7861", 200),
        ("127.0.0.1", "", "127.0.0.1:7861", 200),
        ("::1", "", "[::1]:7861", 200),
        ("127.0.0.1", "", "rebound.example.net", 421),
        ("127.0.0.1", "", "localhost.example.net", 421),
        ("127.0.0.1", "", "127.0.0.1.example.net", 421),
        ("127.0.0.1", "", "", 421),
        ("127.0.0.1", "a.example.org, study.example.org", "Study.example.org", 200),
        ("0.0.0.0", "study.example.org", "rebound.example.net", 421),
        ("0.0.0.0", "study.example.org", "192.168.0.7:7861", 200),
        ("0.0.0.0", "", "study.example.org", 200),
        ("::", "", "study.example.org", 200),
    ],
)
def test_names_that_the_server_does_not_have_are_refused(bound, named, host, status):
    answer = asked(allowed_hosts(bound, [named]), Host=host)
    assert answer.status_code == status
    assert status == 200 or "READINGROOM_ALLOWED_HOSTS" in answer.text


def test_a_proxy_may_pass_requests_on_under_another_name():
    origin = {"Origin": "https://study.example.org", "Host": "127.0.0.1:7861"}
    assert asked(["study.example.org"], **origin).text == "done"
    assert asked([], **origin).status_code == 403


@pytest.fixture(scope="module")
def clients(tmp_path_factory):
    """Clients of the study's server and of the compare page's."""
    study = small_study(tmp_path_factory.mktemp("studies") / "s", cases=1)
    with (
        TestClient(build_app(study.store)) as reading,
        served(build(read_settings())) as address,
        httpx.Client(base_url=address, timeout=60) as comparing,
    ):
        yield reading, comparing
    study.store.close()


ROUTES = (
    "/", "/config", "/reader/login", "/reader/api/withdraw", "/coordinator/login",
    "/gradio_api/queue/join", "/gradio_api/upload", "/reader/gradio_api/queue/join",
    "/coordinator/gradio_api/run/predict", "/gradio_api/call/enhance", "/nothing",
)  # fmt: skip
FOREIGN = {"Origin": "http://other.localhost:1234", "Sec-Fetch-Site": "same-site"}


@pytest.mark.parametrize("which", [0, 1], ids=["study", "compare"])
def test_no_route_of_a_server_serves_another_origin(clients, which):
    client = clients[which]
    for path in ROUTES:
        assert client.post(path, headers=FOREIGN, json={}).status_code == 403, path
        preflight = {**FOREIGN, "Access-Control-Request-Method": "POST"}
        assert client.options(path, headers=preflight).status_code == 403, path
        read = client.get(path, headers=FOREIGN, follow_redirects=False)
        assert not [name for name in read.headers if name.startswith("access-control-")], path


LARGE = (
    ("/reader/api/rate", 300_000_000),
    ("/login", 20_000_000),
    ("/gradio_api/queue/join", 300_000_000),
    ("/gradio_api/upload", 5_000_000_000),
    ("/reader/gradio_api/upload", 5_000_000_000),
    ("/coordinator/gradio_api/upload", 5_000_000_000),
    ("/nothing", 300_000_000),
)


def test_no_route_of_the_study_takes_a_body_without_limit(clients):
    """It is refused by what it says that it will be."""
    for path, size in LARGE:
        answer = clients[0].post(path, content=b"{}", headers={"Content-Length": str(size)})
        assert answer.status_code == 413, path
        assert "bytes" in answer.text


def test_no_route_of_the_compare_page_does(clients):
    address = clients[1].base_url
    for path, size in LARGE:
        with socket.create_connection((address.host, address.port), timeout=60) as one:
            head = f"POST {path} HTTP/1.1\r\nHost: {address.host}\r\nContent-Length: {size}\r\n\r\n"
            one.sendall(head.encode())
            assert one.recv(1000).startswith(b"HTTP/1.1 413"), path


def test_errors_that_a_stranger_makes_on_the_compare_page_are_logged_lines(clients, capfd, caplog):
    """Printed ones would not be limited."""
    event = {"data": [1, 2], "fn_index": 0, "session_hash": "a"}
    assert clients[1].post("/gradio_api/run/predict", json=event).status_code == 500
    assert [record.levelname for record in caplog.records if record.name == "gradio"] == ["ERROR"]
    assert "Traceback" not in capfd.readouterr().err


def test_a_proxy_that_is_trusted_says_by_which_name_it_was_asked():
    forwarded = {
        "Origin": "https://study.example.org",
        "Host": "127.0.0.1:7861",
        "X-Forwarded-Host": "study.example.org",
    }
    assert asked(None, **forwarded).text == "done"
    assert asked([], **forwarded).status_code == 421
    # The name by which the proxy was asked does not excuse another one.
    assert asked(["study.example.org"], **{**forwarded, "Host": "evil.net"}).status_code == 421
    assert asked(["study.example.org"], **forwarded).text == "done"
