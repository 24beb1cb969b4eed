"""The list of the series of an upload, and the route of their thumbnails."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from enhancers.decoding.content import MOST_FILES
from enhancers.errors import ReadingRoomError
from enhancers.series import Series
from enhancers.series.times import time_name, volumes
from enhancers.ui.gallery import small_png
from enhancers.ui.session import Session
from enhancers.ui.sessions import Sessions

ROUTE = "readingroom/series/"
"""Address of the thumbnails, relative to the root of the app."""

_PRIVATE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def empty() -> dict[str, Any]:
    """The value of the list where there is nothing to list."""
    return {"most": MOST_FILES}


def reading(done: int, count: int) -> dict[str, Any]:
    """The value of the list while headers are read.

    Parameters
    ----------
    done : int
        Files that were read.
    count : int
        Files of the upload; of an archive 1, and how many it holds is not known yet.
    """
    words = (
        f"Reading headers: {done} files" if count == 1 else f"Reading headers: {done} of {count}"
    )
    share = 100 if count == 1 else round(100 * done / count)
    return {**empty(), "busy": {"words": words, "share": share}}


def listed(session: Session) -> dict[str, Any]:
    """The value of the list: the series of the session's upload, the open one pressed."""
    uploaded = session.series
    if uploaded is None:
        return empty()
    series = volumes(uploaded.found)
    base = f"{ROUTE}{session.token}/{uploaded.number}/"
    title = "1 series" if len(series) == 1 else f"{len(series)} series"
    if not session.series_key:
        title += ": choose one"
    return {
        **empty(),
        "title": title,
        "left_out": uploaded.found.left_out,
        "items": [
            {
                "key": times[0].key,
                "label": f"{times[0].key}. {_kind(*times)}",
                "facts": facts(*times),
                "spacing": spacing(times[0]),
                "notes": list(dict.fromkeys(note for one in times for note in one.notes)),
                "thumbnail": f"{base}{times[0].key}.png",
                "pressed": "true" if session.series_key in [one.key for one in times] else "false",
            }
            for times in series
        ],
    }


def name(one: Series) -> str:
    """What a series is, in a few words: its number, modality, plane and what is special."""
    return f"Series {one.key}, {_kind(one)}"


def _kind(one: Series, *later: Series) -> str:
    """Modality, plane and what is special of a volume; of one at several times, without which."""
    words = " ".join(filter(None, (one.modality or "unknown modality", one.plane)))
    return ", ".join((words, *(one.parts[:-1] if later else one.parts)))


def facts(one: Series, *later: Series) -> str:
    """Size of a volume, and how many slices and times it has."""
    count, each = len(one.slices), "frame" if one.over_time else "slice"
    words = f"{one.columns} × {one.rows} · {count} {each}{'s' * (count != 1)}"
    if not later:
        return words
    differs = time_name(one)
    return f"{words} · {1 + len(later)} {'times' if differs == 'time' else f'× {differs}'}"


def spacing(one: Series) -> str:
    """Spacing of the pixels and of the slices of a series; empty where it is not known."""
    lengths = [*(one.pixel_spacing or ())] + ([one.slice_spacing] if one.slice_spacing else [])
    return " × ".join(f"{length:.3g}" for length in lengths) + " mm" if lengths else ""


def router(sessions: Sessions) -> APIRouter:
    """The route of the thumbnails; those of a session are reached through its random token."""
    routes = APIRouter()

    @routes.get("/" + ROUTE + "{token}/{number}/{key}.png", include_in_schema=False)
    def picture(token: str, number: int, key: str) -> Response:
        session = sessions.by_token(token)
        uploaded = None if session is None else session.series
        if uploaded is None or uploaded.number != number:
            return Response(status_code=404, headers=_PRIVATE)
        try:
            data = small_png(uploaded.open(key).image().pixels)
        except ReadingRoomError:
            return Response(status_code=404, headers=_PRIVATE)
        return Response(data, media_type="image/png", headers=_PRIVATE)

    return routes
