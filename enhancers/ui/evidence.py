"""The tab "How good is it?": what was measured, as the commands wrote it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import APIRouter
from fastapi.responses import Response

from enhancers.asset_files import asset_text
from enhancers.ui.evidence_files import FOLDER, ROUTE, TYPES, listing, picture_path, stamp
from enhancers.ui.evidence_page import page_html

_OPENING = '<p class="evidence-opening">Reading what was measured …</p>'
_NOSNIFF = {"X-Content-Type-Options": "nosniff"}
# An SVG that is opened by itself is a document: it may draw, and nothing else.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"


@dataclass(frozen=True, eq=False)
class EvidenceTab:
    """The components of the tab; ``seen`` is the state of the files that it shows."""

    tab: Any
    content: Any
    seen: Any


class Evidence:
    """The stored evidence as a page, made when it is first asked for.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._made = ("", "")

    def html(self) -> tuple[str, str]:
        """State of the files, and the page of them; it is kept until they change."""
        with self._lock:
            state = repr([(path.name, stamp(path)) for path in listing(self.folder)])
            if state != self._made[0]:
                self._made = (state, page_html(self.folder))
            return self._made

    def show(self, seen: str) -> tuple[Any, Any]:
        """Content and state for a tab that was opened; what it shows already is left alone.

        Parameters
        ----------
        seen : str
            State of the files that the tab shows; empty at first.
        """
        state, html = self.html()
        return (gr.skip(), gr.skip()) if state == seen else (html, state)


def draw(tab: Any) -> EvidenceTab:
    """Draw the tab inside the open `gr.Tab`; the content comes when it is opened."""
    content = gr.HTML(
        _OPENING,
        js_on_load=asset_text("evidence.js"),
        apply_default_css=False,
        elem_id="how-good",
    )
    return EvidenceTab(tab, content, gr.State(""))


def wire(evidence: Evidence, drawn: EvidenceTab, light: dict[str, Any]) -> None:
    """Say which event of the page calls which handler."""
    drawn.tab.select(evidence.show, [drawn.seen], [drawn.content, drawn.seen], **light)


def router(folder: Path = FOLDER) -> APIRouter:
    """The route of the pictures: a PNG or SVG of the folder by its name, and no other file."""
    routes = APIRouter()

    @routes.get("/" + ROUTE + "{name}", include_in_schema=False)
    def picture(name: str, v: str = "") -> Response:
        path = picture_path(folder, name)
        if path is None:
            return Response(status_code=404, headers=_NOSNIFF)
        # The page names the state of the file, so that a browser may keep what it has.
        keep = "public, max-age=31536000, immutable" if v == stamp(path) else "no-cache"
        headers = {**_NOSNIFF, "Content-Security-Policy": _POLICY, "Cache-Control": keep}
        return Response(path.read_bytes(), media_type=TYPES[path.suffix], headers=headers)

    return routes
