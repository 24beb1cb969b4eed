"""A simulated reader that sends the requests of a browser; its answers come from a `Judge`."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx

from study.domain.answers import Answer
from study.domain.errors import StudyError
from study.domain.questions import PAIR, RIGHT, Question, QuestionKind
from study.domain.screens import FREQUENCIES, PATCHES, ScreenKind
from study.web.error_route import HEADER
from study.web.reader_api import PREFIX


class Judge(Protocol):
    """Gives the answers of a simulated reader."""

    def answers(self, token: str, questions: Sequence[Question]) -> Sequence[Answer]:
        """The answers to all questions about a pair."""

    def guesses(self, token: str, groups: Sequence[str]) -> tuple[int | None, ...]:
        """Indices of the guessed groups of the left and the right image; None for no guess."""


class Indifferent:
    """Answers with the middle of every scale, no preference and no guess."""

    def answers(self, token: str, questions: Sequence[Question]) -> Sequence[Answer]:
        """One answer for each slot of each question."""
        return tuple(
            Answer(one.code, slot, 0 if slot == PAIR else (one.minimum + one.maximum) // 2)
            for one in questions
            for slot in one.slots
        )

    def guesses(self, token: str, groups: Sequence[str]) -> tuple[int | None, ...]:
        """No guesses."""
        return None, None


@dataclass(frozen=True)
class Exchange:
    """A request and its response.

    Parameters
    ----------
    name : str
        "pixels", or the name of the step.
    path : str
    headers : tuple of (str, str)
        Of the response, in order.
    body : bytes
        Of the response, decoded.
    size : int
        Bytes of the body as sent over the network.
    seconds : float
    """

    name: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    size: int
    seconds: float


@dataclass(frozen=True)
class Handed:
    """A pair as sent to the browser: its token, and tickets for its pixels and the next pair's."""

    token: str
    ticket: str
    next_ticket: str
    length: int
    images: int


@dataclass(frozen=True)
class Page:
    """The screen that the server asks for."""

    kind: ScreenKind
    questions: tuple[Question, ...]
    groups: tuple[str, ...]
    digest: str
    pair: Handed | None


class HttpReader:
    """One reader.

    Parameters
    ----------
    client : httpx.Client
        With the server's root as its base URL; it stores the cookie.
    judge : Judge, optional
        By default `Indifferent`.
    heard : callable, optional
        Called with every exchange.
    """

    def __init__(
        self,
        client: httpx.Client,
        judge: Judge | None = None,
        heard: Callable[[Exchange], None] | None = None,
    ) -> None:
        self._client = client
        self._judge = judge or Indifferent()
        self._heard = heard
        self._page: Page | None = None
        self._held = ""

    def join(self, link: str) -> None:
        """Sign in with an invitation, given as a link or its path."""
        token = urlsplit(link).path.rsplit("/", 1)[-1]
        answer = self._client.post(f"{PREFIX}/join", data={"token": token})
        if answer.status_code != 303:
            raise StudyError(f"The invitation was answered with {answer.status_code}.")

    def read(self, most: int | None = None) -> ScreenKind:
        """Do all steps until nothing is left to do, or ``most`` pairs are answered.

        Returns
        -------
        Kind
            The kind of the last screen.
        """
        page = self.page()
        while page.kind not in {
            ScreenKind.DONE,
            ScreenKind.CLOSED,
            ScreenKind.WITHDRAWN,
            ScreenKind.WAIT,
        }:
            if page.kind is ScreenKind.PAIR:
                if most == 0:
                    break
                most = None if most is None else most - 1
            page = self.step()
        return page.kind

    def page(self) -> Page:
        """The current screen."""
        if self._page is None:
            self._page = self._ask("state")
        return self._page

    def step(self) -> Page:
        """Do what the screen asks for; images are fetched before they are judged."""
        page = self.page()
        if page.kind in {ScreenKind.PAIR, ScreenKind.GUESS}:
            self.look()
            self._page = self.answer()
        else:
            name, body = _between(page)
            self._page = self._ask(name, body)
        return self._page

    def look(self) -> None:
        """Fetch the images of the pair, and in advance those of the next one."""
        page = self.page()
        if page.pair is None:
            page = self._page = self._ask("pair", {"which": "current"})
        pair = page.pair
        if pair is None:
            raise StudyError(f"There is no pair on the page {page.kind}.")
        if pair.ticket != self._held:
            self._fetch(pair.ticket, pair.length)
        if pair.next_ticket:
            self._fetch(pair.next_ticket)
        self._held = pair.next_ticket

    def answer(self) -> Page:
        """Send the answers to the current pair; the response has the next one."""
        page = self.page()
        if page.pair is None:
            raise StudyError(f"There is no pair to answer on the page {page.kind}.")
        token = page.pair.token
        if page.kind is ScreenKind.GUESS:
            body: dict[str, Any] = {
                "token": token,
                "guesses": list(self._judge.guesses(token, page.groups))[: page.pair.images],
            }  # fmt: skip
            self._page = self._ask("guess", body)
            return self._page
        answers = [
            one
            for one in self._judge.answers(token, page.questions)
            if one.slot != RIGHT or page.pair.images == 2
        ]
        self._page = self._ask(
            "rate",
            {
                "token": token,
                "answers": [asdict(one) for one in answers],
                "key": secrets.token_hex(16),
                "visible_ms": 5000,
                "first_ms": 1000,
                "held": self._held,
            },
        )
        return self._page

    def _ask(self, name: str, body: dict[str, Any] | None = None) -> Page:
        path, headers = f"{PREFIX}/api/{name}", {HEADER: "1"}
        if body is None:
            request = self._client.build_request("GET", path, headers=headers)
        else:
            request = self._client.build_request("POST", path, json=body, headers=headers)
        return _page(self._exchange(name, request).json())

    def _fetch(self, ticket: str, length: int | None = None) -> None:
        answer = self._exchange(
            "pixels", self._client.build_request("GET", f"{PREFIX}/pixels/{ticket}")
        )
        if length is not None and len(answer.content) != length:
            raise StudyError(f"The images have {len(answer.content)} bytes instead of {length}.")

    def _exchange(self, name: str, request: httpx.Request) -> httpx.Response:
        begun = time.perf_counter()
        answer = self._client.send(request)
        seconds = time.perf_counter() - begun
        if self._heard is not None:
            headers = tuple(answer.headers.multi_items())
            size = answer.num_bytes_downloaded
            self._heard(Exchange(name, request.url.path, headers, answer.content, size, seconds))
        if answer.status_code != 200:
            raise StudyError(f"{name} was answered with {answer.status_code}: {answer.text[:200]}")
        return answer


def _between(page: Page) -> tuple[str, dict[str, Any]]:
    """The request for a screen without images."""
    if page.kind is ScreenKind.CONSENT:
        return "consent", {"digest": page.digest}
    if page.kind is ScreenKind.PROFILE:
        profile = {"specialty": "Simulated reader", "experience_years": 7}
        return "profile", {**profile, "frequency": FREQUENCIES[0]}
    if page.kind is ScreenKind.READY:
        return "start", {}
    if page.kind is ScreenKind.DISPLAY:
        size = {"width": 1600, "height": 900, "screen_width": 1920, "screen_height": 1080}
        seen = {"seen": [True] * PATCHES, "ends_seen": True, "dim_room": True, "carry_on": False}
        return "display", {**seen, **size, "colour_depth": 24, "ratio": 1}
    raise StudyError(f"There is nothing to do on the page {page.kind}.")


def _page(found: dict[str, Any]) -> Page:
    screen = found["screen"]
    body = screen["body"]
    return Page(
        kind=ScreenKind(screen["kind"]),
        questions=tuple(_question(one) for one in body.get("questions", ())),
        groups=tuple(body.get("groups", ())),
        digest=str(body.get("digest", "")),
        pair=_handed(found.get("pair")),
    )


def _handed(pair: dict[str, Any] | None) -> Handed | None:
    if pair is None:
        return None
    plate = pair["plate"]
    images = int(plate["images"])
    pixels = int(plate["slices"] * plate["width"] * plate["height"] * plate["channels"])
    length = 2 * (images + plate["original"]) * pixels
    return Handed(pair["token"], pair["ticket"], pair["next_ticket"], length, images)


def _question(entry: dict[str, Any]) -> Question:
    anchors = tuple(entry["anchors"])
    return Question(**{**entry, "kind": QuestionKind(entry["kind"]), "anchors": anchors})
