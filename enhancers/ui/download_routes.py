"""The routes of the page beside Gradio's: downloads of a session and the samples' thumbnails."""

from __future__ import annotations

import io
import json

from fastapi import APIRouter
from fastapi.responses import Response

from enhancers.compare import Outcome
from enhancers.errors import ReadingRoomError
from enhancers.metrics import to_csv
from enhancers.save import BundleItem, to_png16, write_bundle
from enhancers.ui import gallery
from enhancers.ui.page_updates import DOWNLOADS
from enhancers.ui.session import INPUT, Session, Sessions
from enhancers.ui.tab_handlers import session_scores

_PRIVATE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def router(sessions: Sessions) -> APIRouter:
    """The routes; a session's are reached only through its random token."""
    routes = APIRouter()

    @routes.get("/" + DOWNLOADS + "{token}/bundle.zip", include_in_schema=False)
    def bundle(token: str) -> Response:
        session = sessions.by_token(token)
        data = None if session is None else bundle_bytes(session)
        return _file(data, "application/zip", "reading-room.zip")

    @routes.get("/" + DOWNLOADS + "{token}/{key}.png", include_in_schema=False)
    def result(token: str, key: str) -> Response:
        session = sessions.by_token(token)
        data = None if session is None else png_bytes(session, key)
        return _file(data, "image/png", f"{key}.png")

    @routes.get("/" + gallery.THUMBNAILS + "{key}.png", include_in_schema=False)
    def thumbnail(key: str) -> Response:
        try:
            data = gallery.thumbnail_png(key)
        except ReadingRoomError:
            return Response(status_code=404)
        headers = {"Cache-Control": "max-age=3600"}
        return Response(data, media_type="image/png", headers=headers)

    return routes


def _file(data: bytes | None, media_type: str, name: str) -> Response:
    if data is None:
        return Response(
            "This result is gone: the page was closed or another image opened. Run it again.",
            status_code=404, media_type="text/plain", headers=_PRIVATE,
        )  # fmt: skip
    headers = {**_PRIVATE, "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(data, media_type=media_type, headers=headers)


def png_bytes(session: Session, key: str) -> bytes | None:
    """A result (or the input) as 16-bit PNG; None when there is none of this name."""
    for found, _, pixels in session.panels():
        if found == key:
            return to_png16(pixels)
    return None


def bundle_bytes(session: Session) -> bytes | None:
    """The zip of all finished results; None when there is none."""
    image, outcomes = session.image, _outcomes(session)
    if image is None or not outcomes:
        return None
    items = [
        BundleItem(key, pixels)
        for key, _, pixels in session.panels()
        if key in outcomes and key != INPUT
    ]
    records = [json.loads(outcome.record.to_json()) for outcome in outcomes.values()]
    provenance = json.dumps(records, indent=2, ensure_ascii=False, sort_keys=True)
    target = io.BytesIO()
    write_bundle(target, image, items, to_csv(session_scores(session)), provenance, session.truth)
    return target.getvalue()


def _outcomes(session: Session) -> dict[str, Outcome]:
    slots = session.run.done if session.run else []
    return {slot.key: slot.outcome for slot in slots if slot.outcome is not None}
