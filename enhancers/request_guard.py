"""Middleware of every server: requests of other sites, and names that the server does not have."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE = ("GET", "HEAD")
"""Methods that change nothing; whoever asks, only the server's own pages can read the answer."""

_OTHER_SITE = "This request came from another site. Open the page itself and try again."
_OTHER_NAME = (
    "This server does not answer to the name {name}. If it is the right one, add it to "
    "READINGROOM_ALLOWED_HOSTS, or give it to the server with --allowed-host."
)


class RequestGuard:
    """ASGI middleware that answers to the server's own pages only.

    A request that may change something is refused where the browser says that another origin
    made the page send it, be it a sibling host or another port of the same machine; programs, which
    send neither ``Sec-Fetch-Site`` nor ``Origin``, pass. No answer lets another origin read it. To
    be the outermost layer: Gradio's own permits every origin.

    A request by a name that the server does not have is refused, since a page can let its own name
    point to this machine (DNS rebinding). A name in `hosts` is trusted as an origin too, for a
    proxy that passes requests on under another name; so is the name in ``X-Forwarded-Host``, which
    `ProxyHeaders` leaves where a trusted proxy sent it.

    Parameters
    ----------
    app : ASGIApp
    hosts : sequence of str, optional
        Names that the server answers to, besides IP addresses and localhost; None is any name.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str] | None = None) -> None:
        self._app = app
        self._hosts = None if hosts is None else frozenset(name.lower() for name in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or pass it to the app."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        hosts = _hosts(headers)
        unknown = [host for host in hosts if not self._answers_to(_name(host))]
        if unknown:
            name = _name(unknown[0]) or "(none)"
            refusal = PlainTextResponse(_OTHER_NAME.format(name=name), 421)
        elif scope.get("method") not in SAFE and self._from_elsewhere(headers, hosts):
            refusal = PlainTextResponse(_OTHER_SITE, 403)
        else:
            await self._app(scope, receive, _unreadable_elsewhere(send))
            return
        await refusal(scope, receive, send)

    def _answers_to(self, name: str) -> bool:
        return self._hosts is None or _is_local(name) or name in self._hosts

    def _from_elsewhere(self, headers: Headers, hosts: Sequence[str]) -> bool:
        site = headers.get("sec-fetch-site", "none")
        if site not in ("same-origin", "none"):
            return True
        origin = headers.get("origin")
        if origin is None:
            return False
        sent_by = origin.partition("://")[2].lower()
        if sent_by and sent_by in hosts:
            return False
        return _name(sent_by) not in (self._hosts or ())


def allowed_hosts(bound: str, named: Sequence[str]) -> tuple[str, ...] | None:
    """The names that a server answers to, for `RequestGuard`.

    Parameters
    ----------
    bound : str
        The address that the server listens at.
    named : sequence of str
        Names by the operator, each item one or several with commas or spaces between them.

    Returns
    -------
    tuple of str or None
        None, any name, where a server for other machines was given no names.
    """
    names = tuple(name for item in named for name in re.split(r"[,\s]+", item) if name)
    if names:
        return names
    return () if _is_local(bound) and not _is_any_address(bound) else None


def _unreadable_elsewhere(send: Send) -> Send:
    """Without the headers by which another origin may read an answer."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name in [name for name in headers if name.startswith("access-control-")]:
                del headers[name]
        await send(message)

    return sent


def _hosts(headers: Headers) -> list[str]:
    """The host that was asked, and those that a trusted proxy says it was asked for."""
    forwarded = headers.get("x-forwarded-host", "").split(",")
    named = [headers.get("host", ""), *(one.strip() for one in forwarded if one.strip())]
    return [one.lower() for one in named]


def _name(host: str) -> str:
    """The name in ``name:port``; an IPv6 address without its brackets."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_local(name: str) -> bool:
    """Whether no other machine's name server can say what it is."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_any_address(bound: str) -> bool:
    return ipaddress.ip_address(bound).is_unspecified if bound[:1] in "0:" else False
