"""Middleware of every server: headers that keep pages, addresses and answers to this server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    # The address of an invitation is secret: no other site may learn it from a link. With
    # "no-referrer" browsers would not say that a form comes from the server's own page.
    "Referrer-Policy": "same-origin",
    # Gradio evaluates its components' scripts; nothing may come from or go to another machine.
    "Content-Security-Policy": (
        "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
        "form-action 'self'; base-uri 'self'; frame-ancestors {framed}"
    ),
}
_STATIC = ("/assets/", "/static/", "/svelte/")


class SecurityHeaders:
    """ASGI middleware: security headers on every answer; only static files may be cached.

    A header that the answer has already stays.

    Parameters
    ----------
    app : ASGIApp
    framed : str
        Who may show the pages in a frame: sources of Content-Security-Policy.
    below : sequence of str
        Paths below which the headers are set; empty for all.
    """

    def __init__(self, app: ASGIApp, framed: str = "'none'", below: Sequence[str] = ()) -> None:
        self._app = app
        self._below = tuple(below)
        self._headers = {name: value.format(framed=framed) for name, value in _HEADERS.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and set the headers of its answer."""

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                if not any(part in scope["path"] for part in _STATIC):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        concerned = scope["type"] == "http" and self._concerns(scope)
        await self._app(scope, receive, sent if concerned else send)

    def _concerns(self, scope: Scope) -> bool:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        return not self._below or any(
            path == start or path.startswith(f"{start}/") for start in self._below
        )
