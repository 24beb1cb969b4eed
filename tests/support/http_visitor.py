"""A reader over HTTP: the same requests as the page sends, in the same order."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from sqlalchemy import func, select
from starlette.testclient import TestClient

from study.accounts.readers import ReaderSignIn, invite
from study.domain.questions import PAIR
from study.domain.screens import PATCHES
from study.storage.models import (
    BlindingGuess,
    Comment,
    Consent,
    DisplayCheck,
    InteractionEvent,
    RatingEvent,
    Reader,
    ReadingSession,
)
from study.web.error_route import HEADER
from study.web.reader_api import router
from tests.support.open_study import Small

TABLES = (
    RatingEvent, Comment, Consent, DisplayCheck, BlindingGuess, InteractionEvent, Reader,
    ReadingSession,
)  # fmt: skip
PROFILE = {"specialty": "radiology", "experience_years": 9, "frequency": "daily"}
DISPLAY: dict[str, Any] = {
    "seen": [True] * PATCHES, "ends_seen": True, "dim_room": True, "width": 1280, "height": 720,
    "screen_width": 1280, "screen_height": 720, "colour_depth": 24, "ratio": 1, "carry_on": False,
}  # fmt: skip


def app_of(small: Small) -> FastAPI:
    """The endpoints alone, without the page."""
    app = FastAPI()
    app.include_router(router(small.store, ReaderSignIn(small.store)))
    return app


def answers_to(screen: dict[str, Any], value: int = 3) -> list[dict[str, Any]]:
    """The same answer to everything."""
    return [
        {"question": each["code"], "slot": slot, "value": 0 if slot == PAIR else value}
        for each in screen["body"]["questions"]
        for slot in ((PAIR,) if each["kind"] == "preference" else (0, 1))
    ]


def contents(small: Small) -> dict[str, list[Any]]:
    """Everything that readers can change, except tickets."""
    with small.store.read() as session:
        return {
            table.__tablename__: session.execute(select(table.__table__)).all() for table in TABLES
        }


def count(small: Small, table: Any) -> int:
    """Rows of a table."""
    with small.store.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def error(answer: Any) -> str:
    """The code of an error, which is one sentence and a number, and nothing else."""
    found = answer.json()
    assert set(found) == {"error"}
    assert set(found["error"]) == {"code", "message", "event"}
    assert answer.headers["cache-control"].startswith("no-store")
    return str(found["error"]["code"])


class Visitor:
    """One browser.

    Parameters
    ----------
    small : Small
    app : FastAPI, optional
    heard : callable, optional
        Called with every answer.
    """

    def __init__(
        self,
        small: Small,
        app: FastAPI | None = None,
        heard: Callable[[Any], None] = lambda answer: None,
    ) -> None:
        self.small = small
        self.client = TestClient(
            app or app_of(small), base_url="http://study", raise_server_exceptions=False
        )
        self.heard = heard
        # Not id(self): the next visitor may get the address of one that has gone.
        self.name = uuid.uuid4().hex
        self.keys = 0

    def get(self, path: str, **options: Any) -> Any:
        """GET below /reader/."""
        answer = self.client.get(f"/reader/{path}", **options)
        self.heard(answer)
        return answer

    def post(self, step: str, body: dict[str, Any] | None = None, **options: Any) -> Any:
        """A step, as the page sends it."""
        options.setdefault("headers", {HEADER: "1"})
        answer = self.client.post(f"/reader/api/{step}", json=body or {}, **options)
        self.heard(answer)
        return answer

    def join(self, code: str = "R01") -> Visitor:
        """Sign in by an invitation."""
        token = invite(self.small.store, code, actor="coordinator").token
        self.heard(self.client.post("/reader/join", data={"token": token}, follow_redirects=False))
        return self

    @property
    def screen(self) -> dict[str, Any]:
        """Where the server says this reader is."""
        return dict(self.get("api/state").json()["screen"])

    def sit_down(self, until: str = "pair") -> Visitor:
        """Take the steps to a screen, answering pairs on the way."""
        while (screen := self.screen)["kind"] != until:
            kind = screen["kind"]
            if kind == "consent":
                self.post("consent", {"digest": screen["body"]["digest"]})
            elif kind == "profile":
                self.post("profile", PROFILE)
            elif kind == "display":
                self.post("display", DISPLAY)
            elif kind == "ready":
                self.post("start")
            elif kind == "pair":
                self.read_on()
            elif kind == "guess":
                pair = self.pair()["pair"]
                self.post("guess", {"token": pair["token"], "guesses": [0, None]})
            else:
                raise AssertionError(f"{until} was not reached, but {kind}")
        return self

    def pair(self, which: str = "current") -> dict[str, Any]:
        """Ask for a pair."""
        return dict(self.post("pair", {"which": which}).json())

    def pixels(self, ticket: str) -> bytes:
        """Fetch both images."""
        return bytes(self.get(f"pixels/{ticket}").content)

    def rating(self, given: dict[str, Any], value: int = 3, **more: Any) -> dict[str, Any]:
        """What the page sends about a pair."""
        self.keys += 1
        return {
            "token": given["pair"]["token"],
            "answers": answers_to(given["screen"], value),
            "key": f"{self.name} key {self.keys}",
            "visible_ms": 4000,
            "first_ms": 900,
            **more,
        }

    def read_on(self) -> None:
        """Read to the end of the session as the page does, the next images fetched ahead."""
        given = self.pair()
        held = ""
        while given["pair"] is not None and given["screen"]["kind"] == "pair":
            if given["pair"]["ticket"] != held:
                self.pixels(given["pair"]["ticket"])
            held = given["pair"]["next_ticket"]
            if held:
                self.pixels(held)
            given = self.post("rate", self.rating(given, held=held)).json()
