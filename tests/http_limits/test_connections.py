"""A server under clients that dribble, say nothing, read nothing, or come in hundreds."""

import contextlib
import socket
import threading
import time

import pytest
import uvicorn

from enhancers.http_limits.addresses import Proxies, networks
from enhancers.http_limits.bodies import BodyLimits
from enhancers.http_limits.connections import ConnectionLimits, limit_connections

HOST = "127.0.0.1"
NOBODY = Proxies(())
QUICK = ConnectionLimits(
    per_address=6, total=9, header_seconds=0.3, rest_seconds=0.2, rest_bytes=100_000,
    stall_seconds=0.3, sweep_seconds=0.05,
)  # fmt: skip
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LARGE = 40_000_000


async def app(scope, receive, send):
    """``/large`` answers with much, ``/wait`` after the body, everything else at once."""
    assert scope["type"] in ("http", "lifespan")
    if scope["type"] == "lifespan":
        return
    if scope["path"] == "/wait":
        while (await receive()).get("more_body"):
            pass
    body = b"x" * (LARGE if scope["path"] == "/large" else 2)
    length = b"%d" % len(body)
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]}
    await send(start)
    await send({"type": "http.response.body", "body": body})


@contextlib.contextmanager
def serving(proxies=NOBODY, limits=QUICK):
    config = uvicorn.Config(BodyLimits(app, {"/short": 10}), log_level="critical", lifespan="off")
    limit_connections(config, proxies, limits)
    server = uvicorn.Server(config)
    with socket.create_server((HOST, 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield listening.getsockname()[1]
        server.should_exit = server.force_exit = True
        thread.join(10)


@pytest.fixture(scope="module")
def port():
    with serving() as port:
        yield port


@contextlib.contextmanager
def connected(port, *sent, source=HOST):
    with socket.create_connection((HOST, port), timeout=5, source_address=(source, 0)) as one:
        for data in sent:
            one.sendall(data)
        yield one


def read(one):
    """Everything until the server closes."""
    found = b""
    with contextlib.suppress(ConnectionError):
        while data := one.recv(1 << 20):
            found += data
    return found


def one_answer(one):
    """The next answer of a connection that stays open."""
    found = b""
    while not found.endswith(b"xx"):
        found += one.recv(1000)
    return found


def answered(port, request=GET, source=HOST):
    with connected(port, request, source=source) as one:
        return one.recv(1000)


def test_a_request_is_answered_and_the_connection_kept(port):
    with connected(port, GET) as one:
        assert one_answer(one).startswith(b"HTTP/1.1 200")
        time.sleep(0.4)  # Longer than a header may take.
        one.sendall(GET)
        assert one_answer(one).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("first", [b"", b"GET / HTTP/1.1\r\n"])
def test_a_header_that_dribbles_ends_the_connection(port, first):
    with connected(port, first) as one:
        begun = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - begun < 3:
                if first:
                    one.sendall(b"X")
                one.settimeout(0.05)
                with contextlib.suppress(TimeoutError):
                    if not one.recv(1):
                        break
        assert 0.2 < time.monotonic() - begun < 2


def test_a_dribbling_header_after_an_answer_ends_it_too(port):
    with connected(port, GET) as one:
        one_answer(one)
        one.sendall(b"GET")
        begun = time.monotonic()
        assert one.recv(1000) == b""
        assert time.monotonic() - begun < 2


def test_the_rest_of_a_body_that_was_refused_is_not_taken(port):
    head = b"POST /short HTTP/1.1\r\nHost: x\r\nContent-Length: 300000000\r\n\r\n"
    with connected(port, head) as one:
        assert one.recv(1000).startswith(b"HTTP/1.1 413")
        sent, begun = 0, time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - begun < 3:
                sent += one.send(b"x" * 100_000)
        assert time.monotonic() - begun < 2
        assert sent < 30_000_000


def test_whoever_does_not_read_loses_the_answer(port):
    with connected(port, b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n") as one:
        time.sleep(0.8)
        assert len(read(one)) < LARGE


def test_a_slow_reader_who_goes_on_gets_all(port):
    with connected(port, b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") as one:
        found = 0
        while data := one.recv(1 << 16):
            found += len(data)
            if found % 10 == 0:
                time.sleep(0.001)
    assert found > LARGE


def test_an_address_with_many_connections_loses_those_that_wait(port):
    with contextlib.ExitStack() as all_:
        ones = [all_.enter_context(connected(port)) for _ in range(QUICK.per_address)]
        assert answered(port).startswith(b"HTTP/1.1 200")
        assert ones[0].recv(1) == b""


def test_an_address_whose_requests_fill_all_places_is_told_so(port):
    body = b"POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
    with contextlib.ExitStack() as all_:
        ones = [all_.enter_context(connected(port, body)) for _ in range(QUICK.per_address)]
        time.sleep(0.1)
        with connected(port, GET) as one:
            assert read(one).startswith(b"HTTP/1.1 503")
        # Another address is served, and these go on.
        assert answered(port, source="127.0.0.2").startswith(b"HTTP/1.1 200")
        ones[0].sendall(b"12345")
        assert ones[0].recv(1000).startswith(b"HTTP/1.1 200")


def test_no_address_shuts_out_another(port):
    body = b"POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
    with contextlib.ExitStack() as all_:
        for source, count in (("127.0.0.2", 6), ("127.0.0.3", 3)):
            for _ in range(count):
                all_.enter_context(connected(port, body, source=source))
        time.sleep(0.1)
        assert answered(port, source="127.0.0.4").startswith(b"HTTP/1.1 200")


def test_a_trusted_proxy_may_have_more_connections_than_an_address():
    with serving(Proxies(networks("127.0.0.0/8"))) as port, contextlib.ExitStack() as all_:
        body = b"POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
        for _ in range(QUICK.per_address + 1):
            all_.enter_context(connected(port, body))
        time.sleep(0.1)
        assert answered(port).startswith(b"HTTP/1.1 200")


def test_a_web_socket_is_not_opened(port):
    upgrade = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    assert answered(port, upgrade).startswith(b"HTTP/1.1 200")
