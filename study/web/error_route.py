"""A route whose errors are answered with one sentence and an event number, never with details."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from study.domain.errors import (
    AlreadyAnswered,
    AnswerError,
    ConsentError,
    DiskFull,
    ImageLost,
    NotOpen,
    NotYourPresentation,
    ProtocolError,
    SignInError,
    TicketGone,
    WrongScreen,
)

HEADER = "X-Reading-Room"
"""Other sites cannot make a browser send this header: a POST that has it comes from our page."""
HEADERS = {"Cache-Control": "no-store, no-transform", "X-Content-Type-Options": "nosniff"}
"""`no-transform` keeps proxies from compressing: the size would depend on the image."""

_log = logging.getLogger("study.web.reader_api")
_ANSWERS: dict[type[Exception], tuple[int, str, str]] = {
    SignInError: (401, "signed_out", "You are signed out. Sign in again to continue."),
    AlreadyAnswered: (
        409, "already_answered",
        "This pair has been answered before, perhaps in another window. Nothing was changed.",
    ),
    NotYourPresentation: (
        409, "not_yours", "This is not your current pair. Nothing was changed.",
    ),
    WrongScreen: (
        409, "wrong_screen",
        "This page was out of date. Nothing was changed; it now shows the current step.",
    ),
    NotOpen: (409, "not_open", "The study does not accept answers now. Nothing was changed."),
    ConsentError: (409, "not_open", "Without your consent nothing is stored."),
    ImageLost: (
        409, "image_lost",
        "An image of this pair cannot be shown. The pair is skipped; the coordinator sees it.",
    ),
    TicketGone: (404, "ticket", "These images cannot be fetched again."),
    DiskFull: (
        507, "disk_full",
        "The disk of the server is full, and nothing was stored. Leave this page open and tell the "
        "coordinator; then try again.",
    ),
    AnswerError: (422, "answers", "These answers are not complete. Nothing was stored."),
    ProtocolError: (422, "answers", "These answers are not valid. Nothing was stored."),
    RequestValidationError: (422, "request", "The server could not read this request."),
}  # fmt: skip
_INTERNAL = (
    "Something went wrong on the server. What was stored before is safe. Try again; if it happens "
    "again, give this number to the coordinator: {event}."
)


class ErrorRoute(APIRoute):
    """A route whose errors never show a path, a name or a trace."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the endpoint, and add the headers to its answer."""
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                answer = await inner(request)
            except Exception as error:
                return refusal(error)
            for name, value in HEADERS.items():
                answer.headers.setdefault(name, value)
            return answer

        return handle


def refusal(error: Exception) -> JSONResponse:
    """The answer to an exception; the server's log has the details under the event number."""
    event = secrets.token_hex(4)
    status, code, message = 500, "internal", _INTERNAL.format(event=event)
    if type(error) in _ANSWERS:
        status, code, message = _ANSWERS[type(error)]
        level = logging.INFO if status < 500 else logging.ERROR
        _log.log(level, "%s %s", event, type(error).__name__)
    elif isinstance(error, HTTPException) and error.status_code < 500:
        status, code, message = error.status_code, "request", "This request is not possible."
    else:
        _log.error("event %s", event, exc_info=error)
    body = {"error": {"code": code, "message": message, "event": event}}
    return JSONResponse(body, status, headers=HEADERS)
