"""Middleware: who sends a request where proxies lie between; their headers count, nobody else's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from enhancers.http_limits.addresses import Proxies, plain

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_FORWARDED = b"x-forwarded-"


class ProxyHeaders:
    """ASGI middleware: address and scheme of the client, where a trusted proxy passes it on.

    The headers ``X-Forwarded-...`` of anybody else are removed, so that nothing behind reads them.

    Parameters
    ----------
    app : ASGIApp
    proxies : Proxies
    """

    def __init__(self, app: ASGIApp, proxies: Proxies) -> None:
        self._app = app
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, as the client sent it."""
        if scope["type"] in ("http", "websocket") and scope.get("client"):
            scope = self._seen(scope)
        await self._app(scope, receive, send)

    def _seen(self, scope: Scope) -> Scope:
        host, port = scope["client"]
        if not self._proxies.trusts(host):
            kept = [pair for pair in scope["headers"] if not pair[0].startswith(_FORWARDED)]
            return {**scope, "client": (plain(host), port), "headers": kept}
        headers = Headers(scope=scope)
        client = self._proxies.client(host, headers.getlist("x-forwarded-for"))
        seen = {**scope, "client": (client, port if client == host else 0)}
        scheme = headers.get("x-forwarded-proto", "").split(",")[0].strip().lower()
        if scheme in ("http", "https"):
            seen["scheme"] = scheme if scope["type"] == "http" else scheme.replace("http", "ws")
        return seen
