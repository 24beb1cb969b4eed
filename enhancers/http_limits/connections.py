"""uvicorn's HTTP protocol with limits: how many connections there are, and how long each may wait.

Clients that send a header or read an answer a byte at a time, or send nothing, lose the connection.
An address with too many connections loses those that wait for it, the longest waiting first, so
that the browsers of a clinic behind one address only connect again.
"""

from __future__ import annotations

import asyncio
import functools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from enhancers.http_limits.addresses import Proxies, address_group
from enhancers.http_limits.log_lines import limit_log_lines

if TYPE_CHECKING:
    import uvicorn

KEEP_ALIVE_SECONDS = 30
_LEAST_FILES = 256
"""Open files for everything that is no connection, such as the database's."""
_REASON = b"Too many connections from this address. Try again in a few seconds."
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s"
) % (len(_REASON), _REASON)


@dataclass(frozen=True)
class ConnectionLimits:
    """What a server's connections may take.

    Parameters
    ----------
    per_address : int
        Connections of one address (see `address_group`); proxies that are trusted have no limit.
    total : int
        Connections altogether.
    header_seconds : float
        From the first byte of a request, or from connecting, until its header is complete.
    rest_seconds, rest_bytes : float, int
        For the rest of a body after its request was answered, so that its client reads the answer.
    stall_seconds : float
        Without `least_rate` bytes per second read by a client whose answer waits.
    least_rate : int
    sweep_seconds : float
        Between two looks at all connections.
    """

    per_address: int = 256
    total: int = 2000
    header_seconds: float = 15.0
    rest_seconds: float = 5.0
    rest_bytes: int = 16_000_000
    stall_seconds: float = 20.0
    least_rate: int = 1000
    sweep_seconds: float = 1.0


def limit_connections(
    config: uvicorn.Config, proxies: Proxies, limits: ConnectionLimits | None = None
) -> None:
    """Let a server, running or not, accept connections within limits only.

    Addresses that a proxy passes on are to be read by `ProxyHeaders`, in place of uvicorn's own.
    Log lines of one kind are limited as well.

    Parameters
    ----------
    config : uvicorn.Config
    proxies : Proxies
        Those that are trusted.
    limits : ConnectionLimits, optional
        By default as many connections as this process may have open files.
    """
    config.proxy_headers = False
    config.timeout_keep_alive = KEEP_ALIVE_SECONDS
    config.ws = "none"
    if not config.loaded:
        config.load()
    changed: Any = config
    if hasattr(config.loaded_app, "trusted_hosts"):
        changed.loaded_app = config.loaded_app.app
    changed.ws_protocol_class = None
    connections = _Connections(limits or ConnectionLimits(total=_most_connections()), proxies)
    changed.http_protocol_class = functools.partial(_LimitedProtocol, connections)
    limit_log_lines()


def _most_connections() -> int:
    """Connections for which this process may open files; the limit is raised where it may be."""
    try:
        import resource
    except ImportError:  # Windows
        return ConnectionLimits.total
    wanted = ConnectionLimits.total + _LEAST_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return ConnectionLimits.total
    return max(soft // 4, min(ConnectionLimits.total, soft - _LEAST_FILES))


class _LimitedProtocol(H11Protocol):
    """One connection.

    `waits_since` is when the server began to wait for the client: for a request, or for the rest of
    one that was answered. It is None while a request is being answered.
    """

    def __init__(self, connections: _Connections, **given: Any) -> None:
        super().__init__(**given)
        self._connections = connections
        self.group = ""
        self.trusted = False
        self.refused = False
        self.waits_since: float | None = None
        self.deadline: float | None = None
        self._rest: int | None = None
        self._pending = 0
        self._stalled = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast(asyncio.Transport, transport))
        host = self.client[0] if self.client else ""
        self.group, self.trusted = self._connections.kind_of(host)
        self.refused = not self._connections.opened(self)
        if self.refused:
            self.transport.write(_BUSY)
            self.transport.close()
        else:
            self._wait(self._connections.limits.header_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.closed(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.refused:
            return
        waiting = self.conn.their_state is h11.IDLE
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            if waiting:
                self.waits_since = self.deadline = self._rest = None
        elif self.deadline is None:
            self._wait(self._connections.limits.header_seconds)
        if self._rest is not None:
            self._rest -= len(data)
            if self._rest < 0:
                self.flow.pause_reading()

    def on_response_complete(self) -> None:
        # What comes after this belongs to the next request, or to a body that nobody wants.
        rest = self.conn.their_state is h11.SEND_BODY
        super().on_response_complete()
        if self.conn.their_state is h11.IDLE:
            self.waits_since, self.deadline = self.loop.time(), None
        elif rest:
            self._rest = self._connections.limits.rest_bytes
            self._wait(self._connections.limits.rest_seconds)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stalled = 0.0

    def sweep(self, now: float, passed: float) -> None:
        """Close the connection if its client takes too long."""
        limits = self._connections.limits
        pending = self.transport.get_write_buffer_size()
        if pending and pending > self._pending - limits.least_rate * passed:
            self._stalled += passed
        else:
            self._stalled = 0.0
        self._pending = pending
        if self._stalled > limits.stall_seconds:
            self.transport.abort()
        elif self.deadline is not None and now > self.deadline:
            self.end()

    def end(self) -> None:
        """Close the connection now."""
        self.deadline = None
        self.transport.abort() if self.transport.is_closing() else self.transport.close()

    def _wait(self, seconds: float) -> None:
        self.waits_since = self.loop.time()
        self.deadline = self.waits_since + seconds


class _Connections:
    """The connections of a server."""

    def __init__(self, limits: ConnectionLimits, proxies: Proxies) -> None:
        self.limits = limits
        self._proxies = proxies
        self._open: dict[_LimitedProtocol, None] = {}
        self._count: Counter[str] = Counter()
        self._sweeping = False
        self._swept = 0.0

    def kind_of(self, host: str) -> tuple[str, bool]:
        """The group of an address, and whether it is a trusted proxy."""
        return address_group(host), self._proxies.trusts(host)

    def opened(self, made: _LimitedProtocol) -> bool:
        """Make room for a connection; False where there is none."""
        if not made.trusted and self._count[made.group] >= self.limits.per_address:
            if not self._end_one(made.group):
                return False
        elif len(self._open) >= self.limits.total:
            largest = self._largest()
            busy = self._count[largest] > self._count[made.group] + 1
            if not self._end_one(largest, busy=busy) and not self._end_one():
                return False
        self._open[made] = None
        self._count[made.group] += 1
        if not self._sweeping:
            self._sweeping, self._swept = True, made.loop.time()
            made.loop.call_later(self.limits.sweep_seconds, self._sweep, made.loop)
        return True

    def closed(self, made: _LimitedProtocol) -> None:
        """Forget a connection."""
        if made in self._open:
            del self._open[made]
            self._count[made.group] -= 1
            if not self._count[made.group]:
                del self._count[made.group]

    def _largest(self) -> str:
        """The group with most connections, apart from proxies."""
        groups = {one.group for one in self._open if not one.trusted}
        return max(groups, key=lambda group: self._count[group], default="")

    def _end_one(self, group: str | None = None, *, busy: bool = False) -> bool:
        """End the connection that has waited longest, or the oldest one, busy as it is."""
        found = [one for one in self._open if group in (None, one.group)]
        waiting = [one for one in found if one.waits_since is not None]
        if waiting:
            longest = min(waiting, key=lambda one: one.waits_since or 0.0)
        elif busy and found:
            longest = found[0]
        else:
            return False
        self.closed(longest)
        longest.end()
        return True

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        passed, self._swept = now - self._swept, now
        for one in list(self._open):
            one.sweep(now, passed)
        self._sweeping = bool(self._open)
        if self._sweeping:
            loop.call_later(self.limits.sweep_seconds, self._sweep, loop)
