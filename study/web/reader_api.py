"""The reader's endpoints below ``/reader``: sign-in, one JSON call for each step, and the pixels.

- ``GET join/{token}`` shows a button and ``POST join`` uses the invitation up, so a mail program
  that previews the link does not sign in.
- ``GET api/state`` says what to show; ``POST api/{step}`` does a step and answers with the next
  screen. Every POST needs the header ``X-Reading-Room``, which other sites cannot send.
- ``GET pixels/{ticket}`` gives both images of a pair with all their slices, once.

Nothing is cached, and every error is a sentence with a number.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, HTTPException
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from study.accounts.readers import ReaderSignIn
from study.domain.answers import Answer
from study.domain.errors import SignInError
from study.domain.screens import BlindingForm, Device, Display, Screen, ScreenKind
from study.reading import blinding_questionnaire, presentation, steps
from study.reading.pixel_tickets import redeem
from study.reading.ratings import Submission
from study.reading.reader_state import require, state
from study.storage.store import Store
from study.web.devices import device_of
from study.web.error_route import HEADER, ErrorRoute
from study.web.login_forms import client_address, signed_in, to_page
from study.web.login_pages import LoginPages
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
_OF_DEVICE = Depends(device_of)
_DISPLAY = ("window", "grid", "units", "presets", "spacing", "aspect")


@dataclass(frozen=True)
class _Client:
    """Who sends a request, and from which device."""

    reader: str
    device: Device


def router(store: Store, accounts: ReaderSignIn) -> APIRouter:
    """All endpoints of a study's readers, to be included before the page is mounted.

    Parameters
    ----------
    store : Store
    accounts : ReaderSignIn
    """
    routes = APIRouter(prefix=PREFIX, route_class=ErrorRoute, include_in_schema=False)
    _sign_in(routes, store, accounts)

    def reader_of(request: Request) -> str:
        account = accounts.account_of(request)
        if account is None:
            raise SignInError("Nobody is signed in.")
        return account.id

    def client_of(request: Request, device: Device = _OF_DEVICE) -> _Client:
        return _Client(reader_of(request), device)

    def from_our_page(request: Request, device: Device = _OF_DEVICE) -> _Client:
        if HEADER not in request.headers:
            raise HTTPException(403)
        return client_of(request, device)

    _steps(routes, store, Depends(client_of), Depends(from_our_page))
    _pairs(routes, store, Depends(from_our_page))

    @routes.get("/pixels/{ticket}")
    def pixels(ticket: Short, reader: str = Depends(reader_of)) -> Response:
        return Response(redeem(store, ticket, reader), media_type="application/octet-stream")

    return routes


def _sign_in(routes: APIRouter, store: Store, accounts: ReaderSignIn) -> None:
    """Pages and forms of signing in and out."""
    pages = LoginPages(store.protocol)

    @routes.get("/login")
    def login_page(request: Request) -> Response:
        return pages.login() if accounts.account_of(request) is None else to_page()

    @routes.post("/login")
    async def login(
        request: Request, code: Annotated[Short, Form()], secret: Annotated[Short, Form()]
    ) -> Response:
        address = client_address(request)
        try:
            account = await accounts.sign_in_in_turn(code, secret, address=address)
        except SignInError as error:
            return await run_in_threadpool(pages.login, error, code)
        return await run_in_threadpool(signed_in, request, accounts, account)

    @routes.get("/join/{token}")
    def invitation(token: str) -> Response:
        return pages.join(token)

    @routes.post("/join")
    def join(request: Request, token: Annotated[Short, Form()]) -> Response:
        try:
            return signed_in(request, accounts, accounts.join(token))
        except SignInError as error:
            return pages.login(error)

    @routes.post("/logout")
    def logout(request: Request) -> Response:
        account = accounts.account_of(request)
        if account is not None:
            accounts.sign_out(account)
        answer = JSONResponse({})
        answer.delete_cookie(accounts.cookie_name, path=accounts.cookie_path)
        return answer


def _steps(routes: APIRouter, store: Store, reads: Any, writes: Any) -> None:
    """Everything between the pairs."""

    @routes.get("/api/texts")
    def texts(client: _Client = reads) -> dict[str, Any]:
        protocol = store.protocol()
        return {"language": protocol.language, "texts": protocol.reader_texts}

    @routes.get("/api/state")
    def current_state(client: _Client = reads) -> dict[str, Any]:
        return _next(store, client)

    @routes.post("/api/consent")
    def consent(given: ConsentMessage, client: _Client = writes) -> dict[str, Any]:
        steps.accept(store, client.reader, given.digest)
        return _next(store, client)

    @routes.post("/api/withdraw")
    def withdraw(given: NothingMessage, client: _Client = writes) -> dict[str, Any]:
        steps.withdraw(store, client.reader)
        return _next(store, client)

    @routes.post("/api/profile")
    def profile(given: ProfileMessage, client: _Client = writes) -> dict[str, Any]:
        steps.save_profile(store, client.reader, **given.model_dump())
        return _next(store, client)

    @routes.post("/api/display")
    def display(given: DisplayMessage, client: _Client = writes) -> dict[str, Any]:
        steps.save_display(store, client.reader, Display(**given.model_dump()), client.device)
        return _next(store, client)

    @routes.post("/api/start")
    def start(given: NothingMessage, client: _Client = writes) -> dict[str, Any]:
        steps.start(store, client.reader, client.device)
        return _next(store, client)


def _pairs(routes: APIRouter, store: Store, writes: Any) -> None:
    """Pairs and their answers."""

    @routes.post("/api/pair")
    def pair(wanted: WhichMessage, client: _Client = writes) -> dict[str, Any]:
        if wanted.which == "current":
            kinds = (ScreenKind.PAIR, ScreenKind.GUESS)
            screen = require(store, client.reader, *kinds, device=client.device)
            shown = presentation.show(store, client.reader, screen=screen)
            return {"screen": _screen_json(screen), "pair": _pair_json(shown)}
        screen, previous = presentation.show_previous(store, client.reader)
        return {"screen": _screen_json(screen), "pair": _pair_json(previous)}

    @routes.post("/api/rate")
    def rate(given: RatingMessage, client: _Client = writes) -> dict[str, Any]:
        return _submit(store, client, given, None)

    @routes.post("/api/correct")
    def correct(given: CorrectionMessage, client: _Client = writes) -> dict[str, Any]:
        return _submit(store, client, given, given.reason)

    @routes.post("/api/guess")
    def guess(given: GuessesMessage, client: _Client = writes) -> dict[str, Any]:
        body = require(store, client.reader, ScreenKind.GUESS).body
        groups = len(body.groups) if isinstance(body, BlindingForm) else 0
        blinding_questionnaire.save_guess(store, client.reader, given.token, given.guesses, groups)
        return _following(presentation.proceed(store, client.reader, device=client.device))

    @routes.post("/api/pause")
    def pause(given: PauseMessage, client: _Client = writes) -> dict[str, Any]:
        return {
            "kept": presentation.note(
                store, client.reader, given.token, [("pause", "", given.at_ms)]
            )
        }

    @routes.post("/api/interaction")
    def interaction(given: EventsMessage, client: _Client = writes) -> dict[str, Any]:
        events = [(event.kind, event.payload, event.at_ms) for event in given.events]
        return {"kept": presentation.note(store, client.reader, given.token, events)}


def _submit(
    store: Store, client: _Client, given: RatingMessage, reason: str | None
) -> dict[str, Any]:
    receipt = presentation.submit(
        store,
        client.reader,
        Submission(
            token=given.token,
            answers=tuple(Answer(**each.model_dump()) for each in given.answers),
            idempotency_key=given.key,
            visible_ms=given.visible_ms,
            first_ms=given.first_ms,
            comment=given.comment,
            reason=reason,
            version=given.version,
        ),
    )
    answered = None if reason else receipt.presentation_id
    following = presentation.proceed(
        store, client.reader, device=client.device, held=given.held, answered=answered
    )
    about = {"repeated": receipt.repeated, "feedback": following.feedback}
    return {**about, **_following(following)}


def _next(store: Store, client: _Client) -> dict[str, Any]:
    return {"screen": _screen_json(state(store, client.reader, device=client.device))}


def _following(following: presentation.Following) -> dict[str, Any]:
    shown = None if following.pair is None else _pair_json(following.pair)
    return {"screen": _screen_json(following.screen), "pair": shown}


def _screen_json(screen: Screen) -> dict[str, Any]:
    plain = asdict(screen)
    for question in plain["body"].get("questions", ()):
        # What the answer is held against is none of the reader's business.
        del question["truth"]
    return plain


def _pair_json(shown: presentation.PairView) -> dict[str, Any]:
    plain = asdict(shown)
    plate = plain["plate"]
    display = json.loads(plate.pop("display"))
    # Only what the page draws with, whatever else may be noted with the windows of a case.
    return {**plain, "plate": {**{name: display.get(name) for name in _DISPLAY}, **plate}}
