"""The reader's endpoints below ``/reader``: signing in, one JSON call a step, and the pixels.

- ``GET join/{token}`` shows a button, ``POST join`` uses the invitation up: a preview of the link
  by a mail program opens nothing.
- ``GET api/state`` says what to show; ``POST api/{step}`` does a step and answers with what comes
  next. Every POST needs the header ``X-Reading-Room``, which other sites cannot send.
- ``GET pixels/{ticket}`` gives both images of a pair, once.

Nothing is cached, and an error is a sentence with a number, whatever went wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, HTTPException
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.requests import Request

from study.accounts.readers import COOKIE, COOKIE_SECONDS, Identity, ReaderSignIn
from study.domain.answers import Answer
from study.domain.errors import SignInError
from study.domain.screens import Display, Guessing, Kind, Screen
from study.reading import blinding_questionnaire, presentation, steps
from study.reading.pixel_tickets import redeem
from study.reading.reader_state import require, state
from study.storage.store import Store
from study.web.error_route import HEADER, ErrorRoute
from study.web.login_pages import DOOR_HEADERS, join_page, login_page
from study.web.schemas import (
    ConsentMessage,
    CorrectionMessage,
    DisplayMessage,
    EventsMessage,
    GuessesMessage,
    NothingMessage,
    PauseMessage,
    ProfileMessage,
    RatingMessage,
    Short,
    WhichMessage,
)

PREFIX = "/reader"
_DISPLAY = ("window", "units", "presets", "spacing")


def router(store: Store, entrance: ReaderSignIn) -> APIRouter:
    """All endpoints of a study's readers, to be included before the page is mounted.

    Parameters
    ----------
    store : Store
    entrance : ReaderSignIn
    """
    routes = APIRouter(prefix=PREFIX, route_class=ErrorRoute, include_in_schema=False)
    _door(routes, entrance)

    def signed_in(request: Request) -> str:
        identity = entrance.reader_of(request)
        if identity is None:
            raise SignInError("Nobody is signed in.")
        return identity.reader_id

    def from_our_page(request: Request) -> str:
        if HEADER not in request.headers:
            raise HTTPException(403)
        return signed_in(request)

    _steps(routes, store, Depends(signed_in), Depends(from_our_page))
    _pairs(routes, store, Depends(from_our_page))

    @routes.get("/pixels/{ticket}")
    def pixels(ticket: str, reader: str = Depends(signed_in)) -> Response:
        return Response(redeem(store, ticket, reader), media_type="application/octet-stream")

    return routes


def _door(routes: APIRouter, entrance: ReaderSignIn) -> None:
    """Pages and forms of signing in and out."""

    @routes.get("/login")
    def login(request: Request) -> Response:
        if entrance.reader_of(request) is not None:
            return RedirectResponse("./", 303, DOOR_HEADERS)
        return HTMLResponse(login_page(), headers=DOOR_HEADERS)

    @routes.post("/login")
    def sign_in(
        request: Request, code: Annotated[Short, Form()], secret: Annotated[Short, Form()]
    ) -> Response:
        return _let_in(
            request, entrance, lambda: entrance.sign_in(code, secret, address=_address(request)),
            code,
        )  # fmt: skip

    @routes.get("/join/{token}")
    def invitation(token: str) -> Response:
        return HTMLResponse(join_page(token), headers=DOOR_HEADERS)

    @routes.post("/join")
    def join(request: Request, token: Annotated[Short, Form()]) -> Response:
        return _let_in(request, entrance, lambda: entrance.join(token))

    @routes.post("/logout")
    def sign_out(request: Request) -> Response:
        if HEADER not in request.headers:
            _same_site(request)
        answer = JSONResponse({})
        answer.delete_cookie(COOKIE, path="/")
        return answer


def _steps(routes: APIRouter, store: Store, reads: Any, writes: Any) -> None:
    """Everything between the pairs."""

    @routes.get("/api/state")
    def current_state(reader: str = reads) -> dict[str, Any]:
        return _next(store, reader)

    @routes.post("/api/consent")
    def consent(given: ConsentMessage, reader: str = writes) -> dict[str, Any]:
        steps.accept(store, reader, given.digest)
        return _next(store, reader)

    @routes.post("/api/withdraw")
    def withdraw(given: NothingMessage, reader: str = writes) -> dict[str, Any]:
        steps.withdraw(store, reader)
        return _next(store, reader)

    @routes.post("/api/profile")
    def profile(given: ProfileMessage, reader: str = writes) -> dict[str, Any]:
        steps.save_profile(store, reader, **given.model_dump())
        return _next(store, reader)

    @routes.post("/api/display")
    def display(given: DisplayMessage, reader: str = writes) -> dict[str, Any]:
        steps.save_display(store, reader, Display(**given.model_dump()))
        return _next(store, reader)

    @routes.post("/api/start")
    def start(given: NothingMessage, reader: str = writes) -> dict[str, Any]:
        steps.start(store, reader)
        return _next(store, reader)


def _pairs(routes: APIRouter, store: Store, writes: Any) -> None:
    """Pairs and their answers."""

    @routes.post("/api/pair")
    def pair(wanted: WhichMessage, reader: str = writes) -> dict[str, Any]:
        if wanted.which == "current":
            shown = presentation.show(store, reader)
            return {**_next(store, reader), "pair": _pair_json(shown)}
        screen, previous = presentation.show_previous(store, reader)
        return {"screen": _screen_json(screen), "pair": _pair_json(previous)}

    @routes.post("/api/rate")
    def rate(given: RatingMessage, reader: str = writes) -> dict[str, Any]:
        return _submit(store, reader, given, None)

    @routes.post("/api/correct")
    def correct(given: CorrectionMessage, reader: str = writes) -> dict[str, Any]:
        return _submit(store, reader, given, given.reason)

    @routes.post("/api/guess")
    def guess(given: GuessesMessage, reader: str = writes) -> dict[str, Any]:
        body = require(store, reader, Kind.GUESS).body
        groups = len(body.groups) if isinstance(body, Guessing) else 0
        blinding_questionnaire.save_guess(store, reader, given.token, given.guesses, groups)
        return _following(store, reader, "")

    @routes.post("/api/pause")
    def pause(given: PauseMessage, reader: str = writes) -> dict[str, Any]:
        return {"kept": presentation.note(store, reader, given.token, [("pause", "", given.at_ms)])}

    @routes.post("/api/interaction")
    def interaction(given: EventsMessage, reader: str = writes) -> dict[str, Any]:
        events = [(event.kind, event.payload, event.at_ms) for event in given.events]
        return {"kept": presentation.note(store, reader, given.token, events)}


def _submit(store: Store, reader: str, given: RatingMessage, reason: str | None) -> dict[str, Any]:
    receipt = presentation.submit(
        store,
        reader,
        presentation.Submission(
            token=given.token,
            answers=tuple(Answer(**each.model_dump()) for each in given.answers),
            key=given.key,
            visible_ms=given.visible_ms,
            first_ms=given.first_ms,
            comment=given.comment,
            reason=reason,
        ),
    )
    told = None if reason else presentation.feedback(store, receipt.presentation_id)
    following = _following(store, reader, given.held)
    return {"repeated": receipt.repeated, "feedback": told, **following}


def _next(store: Store, reader: str) -> dict[str, Any]:
    return {"screen": _screen_json(state(store, reader))}


def _following(store: Store, reader: str, held: str) -> dict[str, Any]:
    """The next screen, with its pair if it has one: the answers before it are committed."""
    screen = state(store, reader)
    shown = None
    if screen.kind in {Kind.PAIR, Kind.GUESS}:
        shown = _pair_json(presentation.show(store, reader, held=held, screen=screen))
    return {"screen": _screen_json(screen), "pair": shown}


def _screen_json(screen: Screen) -> dict[str, Any]:
    return asdict(screen)


def _pair_json(shown: presentation.Showing) -> dict[str, Any]:
    plain = asdict(shown)
    plate = plain["plate"]
    display = json.loads(plate.pop("display"))
    # Only what the page draws with, whatever else may be noted beside the windows of a case.
    return {**plain, "plate": {**{name: display.get(name) for name in _DISPLAY}, **plate}}


def _let_in(
    request: Request, entrance: ReaderSignIn, enter: Callable[[], Identity], code: str = ""
) -> Response:
    """Set the cookie and go to the page, or say what was wrong."""
    _same_site(request)
    try:
        identity = enter()
    except SignInError as error:
        return HTMLResponse(login_page(str(error), code), 403, DOOR_HEADERS)
    answer = RedirectResponse("./", 303, DOOR_HEADERS)
    # For the whole server, so that the compare page beside the study can tell readers too.
    answer.set_cookie(
        COOKIE, entrance.cookie(identity), max_age=COOKIE_SECONDS, path="/", httponly=True,
        samesite="lax", secure=request.url.scheme == "https",
    )  # fmt: skip
    return answer


def _same_site(request: Request) -> None:
    """Refuse a form that another site makes the browser send."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        raise HTTPException(403)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
