"""Huge bodies, slow headers, many connections and lines of the log: others are served meanwhile."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx

from benchmarks.attack.attack import Attack, NotTried, Outcome, outcome
from benchmarks.attack.servers import STRANGER, Server

MEGABYTE = 10**6
_BODY = 200 * MEGABYTE
_PATIENCE = 40.0
"""Seconds after which a connection that sends its header slowly must have ended."""
_CONNECTIONS = 600
_REFUSALS = {0, 400, 408, 411, 413, 422}
"""Statuses of what was not taken; 0 where the connection was ended."""
_BAD_REQUESTS = 1500


def _connected(server: Server, address: str = STRANGER) -> socket.socket:
    found = urlsplit(server.address)
    where = (str(found.hostname), int(found.port or 80))
    return socket.create_connection(where, 10.0, source_address=(address, 0))


def _seconds(server: Server) -> float:
    """How long somebody else waits for a page."""
    begun = time.perf_counter()
    with server.client() as client:
        client.get("/reader/login").raise_for_status()
    return time.perf_counter() - begun


def _stream(total: int) -> Iterator[bytes]:
    piece = b"x" * 65536
    for _ in range(total // len(piece)):
        yield piece


def huge_bodies(server: Server) -> Outcome:
    """Bodies of 200 MB to routes that take little, with and without their length, at once."""
    paths = ["/reader/api/rate", "/reader/login", "/coordinator/login", "/reader/join"]
    if server.compares:
        paths.append("/gradio_api/queue/join")
    stated: tuple[dict[str, str], ...] = ({"Content-Length": str(_BODY)}, {})
    tries = [(path, headers) for path in paths for headers in stated]
    before, most = server.memory(), 0

    def send(one: tuple[str, dict[str, str]]) -> int:
        with server.client(STRANGER) as client:
            try:
                return client.post(one[0], content=_stream(_BODY), headers=one[1]).status_code
            except httpx.TransportError:
                return 0  # The connection was ended while it sent.

    with ThreadPoolExecutor(len(tries)) as pool:
        sent = [pool.submit(send, one) for one in tries]
        while not all(one.done() for one in sent):
            most = max(most, server.memory() - before)
            time.sleep(0.1)
        statuses = {one.result() for one in sent}
    grown = f"{most / MEGABYTE:.0f} MB more memory" if before else "memory unknown"
    told = sorted(statuses - {0})
    held = statuses <= _REFUSALS and most < 100 * MEGABYTE
    return outcome(held, f"statuses {told or 'cut off'}, {grown}")


def slow_headers(server: Server) -> Outcome:
    """Headers that arrive a byte a second."""
    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(_connected(server)) for _ in range(5)]
        for one in slow:
            one.sendall(b"GET /reader/login HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        open_ = set(slow)
        while open_ and time.monotonic() - begun < _PATIENCE:
            time.sleep(0.5)
            for one in list(open_):
                if _ended(one):
                    open_.discard(one)
        seconds = time.monotonic() - begun
    ended = len(slow) - len(open_)
    return outcome(not open_, f"{ended} of {len(slow)} ended within {seconds:.0f} s")


def _ended(connection: socket.socket) -> bool:
    """Send one more byte; whether the server has ended the connection or answered."""
    try:
        connection.sendall(b"x")
        connection.setblocking(False)
        try:
            received = connection.recv(1000)
        except BlockingIOError:
            return False
        finally:
            connection.setblocking(True)
    except OSError:
        return True
    return received == b"" or b" 408 " in received or b" 400 " in received


def many_connections(server: Server) -> Outcome:
    """Many idle connections of one address."""
    with contextlib.ExitStack() as stack:
        for _ in range(_CONNECTIONS):
            with contextlib.suppress(OSError):
                stack.enter_context(_connected(server))
        waited = max(_seconds(server) for _ in range(3))
    return outcome(waited < 3.0, f"others wait {waited:.2f} s")


def log_lines(server: Server) -> Outcome:
    """Requests of which each makes the server write lines to its log."""
    if server.process is None:
        raise NotTried("its log is not known")
    before = server.log.stat().st_size
    for start in range(0, _BAD_REQUESTS, 100):
        with contextlib.suppress(OSError), _connected(server) as one:
            one.sendall(b"BROKEN\x00 / HTTP/9\r\n\r\n" * 3)
        with server.client(STRANGER) as client:
            for number in range(start, start + 100):
                with contextlib.suppress(httpx.HTTPError):
                    client.post("/reader/api/rate", content=b"{", headers={"X-Reading-Room": "1"})
                    if number % 10 == 0:
                        client.get(f"/reader/pixels/{number}")
    grown = server.log.stat().st_size - before
    return outcome(grown < MEGABYTE // 4, f"{grown / 1000:.0f} kB of log")


def others_wait(server: Server) -> Outcome:
    """Sign-ins that cost the server time, many at once: how long others wait for a page."""

    def one(number: int) -> int:
        with server.client(STRANGER) as client:
            sign_in = {"code": f"X{number:03d}", "secret": "wrong"}
            return client.post("/reader/login", data=sign_in).status_code

    with ThreadPoolExecutor(16) as pool:
        begun = [pool.submit(one, number) for number in range(48)]
        waited = [_seconds(server) for _ in range(4)]
        statuses = {each.result() for each in begun}
    return outcome(max(waited) < 3.0, f"others wait {max(waited):.2f} s, statuses {statuses}")


SERVERS: tuple[Attack[Server], ...] = (
    Attack("bodies of 200 MB", "refused, no memory", huge_bodies, harmless=True),
    Attack("600 idle connections", "others wait below 3 s", many_connections, harmless=True),
    Attack("48 wrong sign-ins at once", "others wait below 3 s", others_wait, harmless=True),
    Attack("1500 bad requests", "log below 250 kB", log_lines),
    Attack("headers of a byte each half second", f"ended within {_PATIENCE:.0f} s", slow_headers,
           harmless=True),
)  # fmt: skip
