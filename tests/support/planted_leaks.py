"""Leaks, to be put back on purpose: a check that misses them is worth nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import select, update
from starlette.middleware.gzip import GZipMiddleware

from study.domain.errors import WrongScreen
from study.domain.screens import Progress
from study.domain.terms import Role
from study.reading import pixel_tickets, presentation, reader_state
from study.storage.models import Presentation, PresentationSlot, RatingEvent, Ticket
from study.storage.store import Store
from study.web import error_route, reader_api
from tests.support import leak_checks

Patch = pytest.MonkeyPatch
Leak = Callable[[Store, Patch, FastAPI], None]


def put_name_into_windows(store: Store, patch: Patch, app: FastAPI) -> None:
    """A note beside the windows of the case says what made it."""
    real = pixel_tickets.plate

    def noted(*given: Any) -> pixel_tickets.Plate:
        found = real(*given)
        return replace(found, display=found.display[:-1] + ', "made_by": "Quill Filter v2"}')

    patch.setattr(presentation, "plate", noted)
    patch.setattr(reader_api, "_DISPLAY", (*reader_api._DISPLAY, "made_by"))


def put_encoded_name_into_headers(store: Store, patch: Patch, app: FastAPI) -> None:
    """A source file, in hexadecimal."""
    tag = b"restormer/krankenakte1.png".hex()
    patch.setattr(error_route, "HEADERS", {**error_route.HEADERS, "X-Source": tag})


def put_identifier(store: Store, patch: Patch, app: FastAPI) -> None:
    """The browser is given the identifier of the presentation."""
    real = presentation.show

    def leaky(*given: Any, **named: Any) -> presentation.PairView:
        found = real(*given, **named)
        with store.read() as rows:
            token = Presentation.token == found.token
            identifier = rows.scalars(select(Presentation.id).where(token)).one()
        return replace(found, plate=replace(found.plate, display=f'{{"units": "{identifier}"}}'))

    patch.setattr(presentation, "show", leaky)


def put_counter(store: Store, patch: Patch, app: FastAPI) -> None:
    """Tickets are counted."""
    numbers = iter(range(10_000, 99_999))

    def counted(rows: Any, reader_id: str, pair_ids: Sequence[str]) -> dict[str, str]:
        tokens = {pair_id: str(next(numbers)) for pair_id in pair_ids}
        for pair_id, token in tokens.items():
            rows.add(Ticket(token=token, presentation_id=pair_id, reader_id=reader_id))
        rows.flush()
        return tokens

    patch.setattr(presentation, "issue", counted)


def put_validator(store: Store, patch: Patch, app: FastAPI) -> None:
    """An ETag by the content, by which the same pair is known again."""
    real = reader_api.Response

    def tagged(content: bytes, **named: Any) -> Any:
        tag = hashlib.sha256(content).hexdigest()[:16]
        return real(content, headers={"ETag": f'"{tag}"'}, **named)

    patch.setattr(reader_api, "Response", tagged)


def put_name_of_download(store: Store, patch: Patch, app: FastAPI) -> None:
    """A name for saving."""
    named = {**error_route.HEADERS, "Content-Disposition": "inline; filename=a.raw"}
    patch.setattr(error_route, "HEADERS", named)


def put_compression(store: Store, patch: Patch, app: FastAPI) -> None:
    """Noise is longer than what is smooth."""
    app.add_middleware(GZipMiddleware, minimum_size=0)


def put_watermark(store: Store, patch: Patch, app: FastAPI) -> None:
    """A mark in the corner of one method's images."""
    real = reader_api.redeem

    def marked(*given: Any) -> bytes:
        return b"\xff\xff" * 8 + real(*given)[16:]

    patch.setattr(reader_api, "redeem", marked)


def put_same_ticket(store: Store, patch: Patch, app: FastAPI) -> None:
    """One address for every showing of the same pair of images."""

    def one(rows: Any, presentation_id: str, reader_id: str) -> str:
        slots = select(PresentationSlot.stimulus_id).where(
            PresentationSlot.presentation_id == presentation_id
        )
        both = "".join(sorted(rows.scalars(slots)))
        token = hashlib.sha256((reader_id + both).encode()).hexdigest()[:22]
        if rows.get(Ticket, token) is None:
            rows.add(Ticket(token=token, presentation_id=presentation_id, reader_id=reader_id))
        else:
            kept = update(Ticket).where(Ticket.token == token)
            rows.execute(kept.values(used_at=None, presentation_id=presentation_id))
        rows.flush()
        return token

    def fixed(rows: Any, reader_id: str, pair_ids: Sequence[str]) -> dict[str, str]:
        return {pair_id: one(rows, pair_id, reader_id) for pair_id in pair_ids}

    patch.setattr(presentation, "issue", fixed)


def put_no_prefetch_for_repeats(store: Store, patch: Patch, app: FastAPI) -> None:
    """Repeats are not fetched ahead, as if the browser had them."""
    real = presentation._following

    def leaky(rows: Any, pair: Presentation) -> Presentation | None:
        found = real(rows, pair)
        return None if found is not None and found.role == Role.REPEAT else found

    patch.setattr(presentation, "_following", leaky)


def put_role(store: Store, patch: Patch, app: FastAPI) -> None:
    """The page is told whether a pair counts."""
    real = reader_api._pair_json

    def leaky(shown: presentation.PairView) -> dict[str, Any]:
        with store.read() as rows:
            token = Presentation.token == shown.token
            role = rows.scalars(select(Presentation.role).where(token)).one()
        found = real(shown)
        return {**found, "plate": {**found["plate"], "units": role}}

    patch.setattr(reader_api, "_pair_json", leaky)


def put_figures(store: Store, patch: Patch, app: FastAPI) -> None:
    """How others have rated."""
    real = reader_api._following

    def leaky(*given: Any) -> dict[str, Any]:
        return {**real(*given), "others": {"mean": 3.4}}

    patch.setattr(reader_api, "_following", leaky)


def put_feedback(store: Store, patch: Patch, app: FastAPI) -> None:
    """Praise while reading."""
    real = presentation.proceed

    def leaky(*given: Any, **named: Any) -> presentation.Following:
        return replace(real(*given, **named), feedback=("as most others", "unlike the others"))

    patch.setattr(presentation, "proceed", leaky)


def put_uneven_progress(store: Store, patch: Patch, app: FastAPI) -> None:
    """Only the pairs that count are counted."""
    real = reader_state.progress

    def leaky(rows: Any, sitting: Any) -> Progress:
        found = real(rows, sitting)
        counted = (
            select(RatingEvent.presentation_id)
            .distinct()
            .join(Presentation, Presentation.id == RatingEvent.presentation_id)
        )
        mine = counted.where(
            RatingEvent.actor_id == sitting.reader_id, Presentation.role == Role.MAIN
        )
        return replace(found, done=len(rows.scalars(mine).all()))

    patch.setattr(reader_state, "progress", leaky)


def put_trace(store: Store, patch: Patch, app: FastAPI) -> None:
    """The error as it is."""
    real = error_route.refusal

    def leaky(error: Exception) -> Any:
        answer = real(WrongScreen("x"))
        answer.body = f'{{"error": "{store.folder}: {error!r}"}}'.encode()
        answer.headers["content-length"] = str(len(answer.body))
        return answer

    patch.setattr(error_route, "refusal", leaky)


LEAKS: tuple[tuple[Leak, leak_checks.Check], ...] = (
    (put_identifier, leak_checks.identifiers),
    (put_counter, leak_checks.tokens),
    (put_validator, leak_checks.headers),
    (put_name_of_download, leak_checks.headers),
    (put_compression, leak_checks.lengths),
    (put_watermark, leak_checks.bare_pixels),
    (put_same_ticket, leak_checks.fresh),
    (put_no_prefetch_for_repeats, leak_checks.prefetched),
    (put_role, leak_checks.alike),
    (put_figures, leak_checks.no_figures),
    (put_feedback, leak_checks.no_figures),
    (put_uneven_progress, leak_checks.even_progress),
    (put_trace, leak_checks.plain_errors),
)
