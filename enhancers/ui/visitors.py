"""Who a browser tab belongs to: a cookie that the server makes, and the address of the request."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers, MutableHeaders

from enhancers.http_limits.addresses import address_group
from enhancers.settings import on_a_space

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = f"readingroom_visitor_{secrets.token_hex(4)}"
"""Name of the cookie, another one for each process: servers on one host share their cookies."""

_SECRET = secrets.token_bytes(32)


@dataclass(frozen=True)
class Tab:
    """A browser tab.

    Parameters
    ----------
    key : str
        The visitor's name, which the server made, with Gradio's session hash, which the browser
        made; the hash alone for programs without cookies.
    address : str
        Where the request comes from; empty where it is not known.
    """

    key: str
    address: str = ""


def tab_of(request: Any) -> Tab:
    """The tab that sent a request of Gradio."""
    visitor = _verified(str((getattr(request, "cookies", None) or {}).get(COOKIE, "")))
    client = getattr(request, "client", None)
    address = address_group(client.host) if client is not None else ""
    tab = getattr(request, "session_hash", None) or ""
    return Tab(f"{visitor}/{tab}" if visitor else tab, address)


class VisitorCookie:
    """ASGI middleware that gives every browser a name which it cannot choose.

    Parameters
    ----------
    app : ASGIApp
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; a page that is opened without a valid cookie sets one."""
        if scope["type"] != "http" or not _opens_the_page(scope):
            await self._app(scope, receive, send)
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("set-cookie", _new_cookie(scope))
            await send(message)

        await self._app(scope, receive, sent)


def _opens_the_page(scope: Scope) -> bool:
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    if scope["method"] != "GET" or path not in ("", "/"):
        return False
    cookies: SimpleCookie = SimpleCookie()
    cookies.load(Headers(scope=scope).get("cookie", ""))
    return not (COOKIE in cookies and _verified(cookies[COOKIE].value))


def _new_cookie(scope: Scope) -> str:
    token = secrets.token_urlsafe(16)
    where = "SameSite=Lax"
    if on_a_space():
        # The page is shown in a frame of another site there.
        where = "SameSite=None; Secure; Partitioned"
    elif scope.get("scheme") == "https":
        where += "; Secure"
    return f"{COOKIE}={token}.{_signature(token)}; Path=/; HttpOnly; {where}"


def _signature(token: str) -> str:
    return hmac.new(_SECRET, token.encode(), hashlib.sha256).hexdigest()[:32]


def _verified(cookie: str) -> str:
    """The visitor's name in a cookie; empty where this process did not make it."""
    token, _, signature = cookie.partition(".")
    return token if hmac.compare_digest(signature.encode(), _signature(token).encode()) else ""
