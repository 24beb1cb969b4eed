"""Middleware that limits the size of a request's body, and the time that it may take."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

FORM_BYTES = 256 * 1024
"""Forms, answers and everything else that is not named: the largest answer has about 70 kB."""
EVENT_BYTES = 4 * 1024 * 1024
"""Events of a Gradio page, which carry the values of its fields."""
EVENTS = "/gradio_api/"
PATIENCE = 20.0
"""Seconds that a server waits for a body altogether, and one more for each `LEAST_RATE` bytes."""
LEAST_RATE = 10_000

_DIGITS = re.compile(r"[0-9]{1,18}")
_TOO_LARGE = "This request is larger than the {limit} bytes that this address takes."
_TOO_SLOW = "The body of this request did not arrive in time. Send it again."


class BodyLimits:
    """ASGI middleware that refuses large and slow bodies, before anything is read into memory.

    A body that says how long it is (``Content-Length``) is refused at once, with 413; another one
    as soon as it is too long, and with 408 when it comes too slowly. Time in which the server is
    busy does not count.

    Parameters
    ----------
    app : ASGIApp
    larger : mapping of str to int, optional
        Ends of paths, such as ``/gradio_api/upload``, and the bytes that they take; the longest
        end counts.
    patience : float
        Seconds, see `PATIENCE`.
    """

    def __init__(
        self, app: ASGIApp, larger: Mapping[str, int] | None = None, patience: float = PATIENCE
    ) -> None:
        self._app = app
        self._larger = sorted((larger or {}).items(), key=lambda one: -len(one[0]))
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or pass it to the app."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit(scope["path"])
        stated = Headers(scope=scope).get("content-length", "0")
        if not _DIGITS.fullmatch(stated) or int(stated) > limit:
            await _refusal(413, limit)(scope, receive, send)
            return
        body = _Body(limit, self._patience, receive, send)
        try:
            await self._app(scope, body.receive, body.send)
        except Exception:
            # An app whose body ends early may fail in any way.
            if not body.refused:
                raise
        if body.refused and not body.answered:
            await _refusal(body.refused, limit)(scope, receive, send)

    def _limit(self, path: str) -> int:
        for end, limit in self._larger:
            if path.rstrip("/").endswith(end):
                return limit
        return EVENT_BYTES if EVENTS in path else FORM_BYTES


class _Body:
    """Counts what arrives; `refused` is the status of the refusal, or 0."""

    def __init__(self, limit: int, patience: float, receive: Receive, send: Send) -> None:
        self._limit = limit
        self._patience = patience
        self._receive = receive
        self._send = send
        self._bytes = 0
        self._complete = False
        self._waited = 0.0
        self.refused = 0
        self.answered = False

    async def receive(self) -> Message:
        if self._complete:
            return await self._receive()
        left = self._patience + self._bytes / LEAST_RATE - self._waited
        clock = asyncio.get_running_loop().time
        begun = clock()
        try:
            async with asyncio.timeout(max(left, 0.0)):
                message = await self._receive()
        except TimeoutError:
            return self._refuse(408)
        self._waited += clock() - begun
        self._bytes += len(message.get("body", b""))
        if self._bytes > self._limit:
            return self._refuse(413)
        self._complete = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if not self.refused:
            self.answered = True
            await self._send(message)

    def _refuse(self, status: int) -> Message:
        """The app is told that the client has gone, and what it answers is not sent."""
        self._complete = True
        self.refused = status
        return {"type": "http.disconnect"}


def _refusal(status: int, limit: int) -> PlainTextResponse:
    text = _TOO_LARGE.format(limit=limit) if status == 413 else _TOO_SLOW
    return PlainTextResponse(text, status, {"Cache-Control": "no-store"})
