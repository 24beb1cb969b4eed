"""The tab "How good is it?": the evidence that the benchmark commands wrote."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import APIRouter
from fastapi.responses import Response

from enhancers.asset_files import asset_text
from enhancers.ui.evidence_files import (
    FOLDER,
    ROUTE,
    TYPES,
    evidence_files,
    file_state,
    picture_path,
)
from enhancers.ui.evidence_page import page_html
from enhancers.ui.html import piece

_NOSNIFF = {"X-Content-Type-Options": "nosniff"}
# An SVG that is opened in a tab is a document: it must not run scripts or load files.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"


@dataclass(frozen=True, eq=False)
class EvidenceTab:
    """The components of the tab; ``seen`` holds the state of the files that it shows."""

    tab: Any
    content: Any
    seen: Any


class EvidencePage:
    """The evidence as HTML, rendered when it is first requested.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._rendered = ("", "")

    def html(self) -> tuple[str, str]:
        """State of the files and their HTML, which is kept until they change."""
        with self._lock:
            state = repr([(path.name, file_state(path)) for path in evidence_files(self.folder)])
            if state != self._rendered[0]:
                self._rendered = (state, page_html(self.folder))
            return self._rendered

    def show(self, seen: str) -> tuple[Any, Any]:
        """Content and state for a tab that was opened; skipped if it shows them already.

        Parameters
        ----------
        seen : str
            State of the files that the tab shows; empty at first.
        """
        state, html = self.html()
        return (gr.skip(), gr.skip()) if state == seen else (html, state)


def build_tab(tab: Any) -> EvidenceTab:
    """Create the components inside the open `gr.Tab`; the content comes when it is opened."""
    content = gr.HTML(
        piece("evidence_loading"),
        js_on_load=asset_text("evidence.js"),
        apply_default_css=False,
        elem_id="how-good",
    )
    return EvidenceTab(tab, content, gr.State(""))


def router(folder: Path = FOLDER) -> APIRouter:
    """The route of the pictures: PNG and SVG files of the folder, no other files."""
    routes = APIRouter()

    @routes.get("/" + ROUTE + "{name}", include_in_schema=False)
    def picture(name: str, v: str = "") -> Response:
        path = picture_path(folder, name)
        if path is None:
            return Response(status_code=404, headers=_NOSNIFF)
        # The address holds the state of the file, so that a browser may cache it for good.
        keep = "public, max-age=31536000, immutable" if v == file_state(path) else "no-cache"
        headers = {**_NOSNIFF, "Content-Security-Policy": _POLICY, "Cache-Control": keep}
        return Response(path.read_bytes(), media_type=TYPES[path.suffix], headers=headers)

    return routes
