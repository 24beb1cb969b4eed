"""All that a reader's browser is sent, and what must not be in it: one check for each leak.

Every check takes a recording and raises AssertionError where it finds its leak.
"""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from sqlalchemy import select

from study.storage.key import Key
from study.storage.models import (
    Item,
    Method,
    Presentation,
    PresentationSlot,
    Reader,
    ReadingSession,
    Stimulus,
)
from study.storage.store import Store

TOKEN = re.compile(r"[A-Za-z0-9_-]{22}")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-", re.IGNORECASE)
OWN_FILES = ("/assets/", "/static/", "/svelte/")
FIELDS = {
    "screen", "kind", "title", "reader", "demo", "progress", "phase", "done", "total",
    "can_correct", "body", "text", "digest", "frequencies", "least_width", "least_height",
    "patches", "failed", "instructions", "pairs", "minutes", "feedback", "questions", "code",
    "minimum", "maximum", "anchors", "cannot_judge", "primary", "break_minutes",
    "sitting_minutes", "until", "groups", "pair", "token", "ticket", "next_ticket", "plate",
    "width", "height", "channels", "window", "grid", "units", "presets", "label", "levels",
    "spacing", "answers", "question", "slot", "value", "correcting", "repeated", "error", "message",
    "event", "kept", "detail", "images", "unit", "low", "high", "longest", "shape", "show_value",
    "ties", "attempt", "version", "original", "slices", "stacks", "slice_number",
    "aspect",
}  # fmt: skip
"""Every name that may stand in an answer: none of them is a figure about readers or methods."""
TOLD = {"the original image", "a processed image", "an image made worse on purpose"}


@dataclass(frozen=True)
class Heard:
    """One answer."""

    path: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def text(self) -> str:
        """Everything but pixels, as text."""
        shown = "" if self.is_pixels else self.body.decode("utf-8", "replace")
        return "\n".join([self.path, *(f"{k}: {v}" for k, v in self.headers), shown])

    @property
    def is_pixels(self) -> bool:
        """Whether it is a pair of images."""
        return "/pixels/" in self.path and self.status == 200

    @property
    def json(self) -> Any:
        """The answer to a step, or None."""
        if "/reader/api/" not in self.path:
            return None
        return json.loads(self.body)


@dataclass
class Recording:
    """What one reader was sent, in order."""

    store: Store
    reader_id: str
    heard: list[Heard] = field(default_factory=list)

    def hear(self, answer: Any) -> None:
        """Keep an answer of a client."""
        headers = tuple(answer.headers.multi_items())
        self.heard.append(Heard(str(answer.url), answer.status_code, headers, answer.content))

    def pixels(self) -> list[Heard]:
        """The answers with images."""
        return [each for each in self.heard if each.is_pixels]

    def steps(self) -> list[Any]:
        """The answers to steps."""
        return [each.json for each in self.heard if each.json is not None]

    def pairs(self) -> list[dict[str, Any]]:
        """Every pair as it was handed out for reading."""
        given = [step for step in self.steps() if step.get("pair")]
        return [
            step["pair"]
            for step in given
            if step["screen"]["kind"] == "pair" and not step["pair"]["correcting"]
        ]


def names(recording: Recording, key: Key) -> None:
    """A name of the key file, plain or encoded."""
    secrets = [one for one in key.secret_strings() if len(one) >= 5]
    wanted = {form for secret in secrets for form in spellings(secret)}
    for each in recording.heard:
        text = each.text.lower()
        assert not [form for form in wanted if form in text], each.path
        if each.json is not None:
            assert not key.named_in(each.text), each.path


def spellings(secret: str) -> Iterator[str]:
    """A secret as it could be hidden, in lower case."""
    data = secret.encode()
    yield secret.lower()
    yield quote(secret, safe="").lower()
    yield data.hex()
    yield data[::-1].hex()
    # The three ways in which base64 can cut a text, without the letters that depend on neighbours.
    for lead in range(3):
        coded = base64.b64encode(b"\0" * lead + data).decode()
        inner = coded[(0, 2, 3)[lead] : -4]
        if len(inner) >= 5:
            yield inner.lower()


def identifiers(recording: Recording) -> None:
    """An identifier or label of the database that outlives one showing."""
    with recording.store.read() as session:
        known = [
            *session.scalars(select(Method.id)), *session.scalars(select(Item.id)),
            *session.scalars(select(Stimulus.id)), *session.scalars(select(Stimulus.file)),
            *session.scalars(select(Stimulus.pixel_sha256)), *session.scalars(select(Reader.id)),
            *session.scalars(select(Presentation.id)), *session.scalars(select(ReadingSession.id)),
        ]  # fmt: skip
        labels = {*session.scalars(select(Item.case_key)), *session.scalars(select(Method.mask))}
    for each in recording.heard:
        text = each.text
        assert not [one for one in known if one in text or one.replace("-", "") in text], each.path
        assert not labels & set(re.findall(r"\w+", text)), each.path


def tokens(recording: Recording) -> None:
    """What names a pair or its pixels is random, and no number."""
    for pair in recording.pairs():
        for name in ("token", "ticket", "next_ticket"):
            value = pair[name]
            assert (name == "next_ticket" and value == "") or TOKEN.fullmatch(value), pair
    for step in recording.steps():
        assert not UUID.search(json.dumps(step))


def headers(recording: Recording) -> None:
    """Names, dates and validators beside an answer; keeping of it."""
    for each in recording.heard:
        if any(part in each.path for part in OWN_FILES):
            continue
        given = {name.lower(): value for name, value in each.headers}
        for name in ("content-disposition", "etag", "last-modified", "expires", "age"):
            assert name not in given, each.path
        assert "no-store" in given["cache-control"], each.path


def lengths(recording: Recording) -> None:
    """As many bytes for every pair, uncompressed, whatever the images show."""
    found = set()
    for each in recording.pixels():
        given = {name.lower(): value for name, value in each.headers}
        assert "content-encoding" not in given
        assert "no-transform" in given["cache-control"]
        assert int(given["content-length"]) == len(each.body)
        found.add((len(each.body), tuple(sorted(given))))
    assert len(found) == 1


def bare_pixels(recording: Recording) -> None:
    """The bytes are those that were frozen, with nothing before, in or behind."""
    with recording.store.read() as session:
        frozen = {one.pixel_sha256: one for one in session.scalars(select(Stimulus))}
        files = [(recording.store.stimuli / one.file).read_bytes() for one in frozen.values()]
    known, (length,) = set(files), {len(one) for one in files}
    for each in recording.pixels():
        parts = range(0, len(each.body), length)
        assert {each.body[place : place + length] for place in parts} <= known


def fresh(recording: Recording) -> None:
    """Nothing comes twice by which a repeated image could be known."""
    handed = {(pair["token"], pair["ticket"]) for pair in recording.pairs()}
    assert len({ticket for _, ticket in handed}) == len(handed)
    paths = [each.path for each in recording.pixels()]
    assert len(set(paths)) == len(paths)


def prefetched(recording: Recording) -> None:
    """One answer has both images, and all pairs are fetched ahead alike."""
    pairs = recording.pairs()
    with recording.store.read() as session:
        last = {
            session.scalar(
                select(Presentation.token)
                .where(Presentation.session_id == sitting)
                .order_by(Presentation.position.desc())
                .limit(1)
            )
            for sitting in session.scalars(select(ReadingSession.id))
        }
    for pair in pairs:
        assert bool(pair["next_ticket"]) == (pair["token"] not in last), pair
    fetched = Counter(each.path.rsplit("/", 1)[-1] for each in recording.pixels())
    assert set(fetched.values()) == {1}
    shown = {pair["token"] for pair in pairs if fetched[pair["ticket"]]}
    assert shown == {pair["token"] for pair in pairs}


def alike(recording: Recording) -> None:
    """What is said of a case is the same for every pair of methods, and every role."""
    said: dict[str, set[str]] = {}
    with recording.store.read() as session:
        items = dict(session.execute(select(Presentation.token, Presentation.item_id)).all())
    for pair in recording.pairs():
        shape = {**pair, "token": "", "ticket": "", "next_ticket": ""}
        said.setdefault(items[pair["token"]], set()).add(json.dumps(shape))
    assert all(len(versions) == 1 for versions in said.values()), said
    assert max(Counter(items[pair["token"]] for pair in recording.pairs()).values()) > 1


def no_figures(recording: Recording) -> None:
    """Nothing about other readers, scores or agreement."""
    for each in recording.heard:
        if each.json is None:
            continue
        found = set(_names(each.json))
        assert found <= FIELDS, found - FIELDS
        feedback = each.json.get("feedback")
        assert feedback is None or set(feedback) <= TOLD


def even_progress(recording: Recording) -> None:
    """The count goes on by one with every pair of a fixed total, whatever its role."""
    seen: dict[str, list[tuple[int, int]]] = {}
    for step in recording.steps():
        screen = step.get("screen")
        if screen and screen["kind"] == "pair" and step.get("pair"):
            progress = screen["progress"]
            seen.setdefault(progress["phase"], []).append((progress["done"], progress["total"]))
    for counts in seen.values():
        distinct = list(dict.fromkeys(counts))
        assert [done for done, _ in distinct] == list(range(len(distinct)))
        assert {total for _, total in distinct} == {len(distinct)}


def plain_errors(recording: Recording) -> None:
    """An error is a sentence and a number, without path, name or trace."""
    for each in recording.heard:
        if each.status < 400 or "/reader/" not in each.path:
            continue
        for word in ("Traceback", ".py", ".sqlite", ".raw", str(recording.store.folder)):
            assert word not in each.text, each.path


def two_images(store: Store, token: str) -> tuple[str, ...]:
    """The stimuli of a pair, for tests that put a leak back."""
    with store.read() as session:
        rows = session.scalars(
            select(PresentationSlot.stimulus_id)
            .join(Presentation, Presentation.id == PresentationSlot.presentation_id)
            .where(Presentation.token == token)
            .order_by(PresentationSlot.slot)
        )
        return tuple(rows)


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield name
            yield from _names(each)
    elif isinstance(value, list):
        for each in value:
            yield from _names(each)


Check = Callable[[Recording], None]
CHECKS: tuple[Check, ...] = (
    identifiers, tokens, headers, lengths, bare_pixels, fresh, prefetched, alike, no_figures,
    even_progress, plain_errors,
)  # fmt: skip
