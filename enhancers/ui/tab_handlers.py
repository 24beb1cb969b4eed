"""Handlers of the tabs beside the grid: slider, difference map, metrics, provenance, cards."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from enhancers.asset_files import ASSETS
from enhancers.display import (
    difference_legend,
    difference_map,
    to_u16,
    window_levels,
    window_u8,
)
from enhancers.errors import ReadingRoomError
from enhancers.image import MedicalImage, Pixels, Window
from enhancers.metrics import ScoreRow, score_rows
from enhancers.registry import get
from enhancers.ui import layout as names
from enhancers.ui import render
from enhancers.ui.metrics_table import metrics_html
from enhancers.ui.page_updates import PageUpdates, Updates
from enhancers.ui.session import INPUT, TRUTH, Run, Session, Sessions
from enhancers.ui.viewer import Panel, payload

_CARDS = ASSETS / "cards"


class TabHandlers:
    """The handlers of the tabs; only the open one is computed.

    Parameters
    ----------
    screen : PageUpdates
    sessions : Sessions
    """

    def __init__(self, screen: PageUpdates, sessions: Sessions) -> None:
        self.screen = screen
        self.sessions = sessions

    def select(self, event: gr.SelectData) -> str:
        """Remember which tab is open."""
        return str(event.value)

    def remember_window(self, event: gr.EventData, request: gr.Request) -> None:
        """Remember the grid's display window, for the slider."""
        session = self.sessions.of(request.session_hash)
        session.shown = (float(event.low), float(event.high))

    def pick(self, left: str | None, right: str | None, request: gr.Request) -> None:
        """Remember which two panels are compared."""
        session = self.sessions.of(request.session_hash)
        session.pair, session.picked = (left, right), True

    def refresh(self, active: str, gain: float, request: gr.Request) -> Iterator[Updates]:
        """Draw the open tab; what takes long says so first."""
        session = self.sessions.of(request.session_hash)
        if active == names.METRICS_TAB and session.image is not None and not session.measured:
            yield {self.screen.layout.metrics: render.remark_html("Measuring …")}
        yield self._tab(session, active, gain)

    def _tab(self, session: Session, active: str, gain: float) -> Updates:
        image = session.image
        if image is None:
            return self.screen.unchanged()
        try:
            if active == names.SLIDER:
                return {**self._pair_fields(session), **self._slider(session, image)}
            if active == names.DIFFERENCE:
                return {**self._pair_fields(session), **self._difference(session, image, gain)}
            if active == names.METRICS_TAB:
                return {self.screen.layout.metrics: self._metrics(session, image)}
            if active == names.PROVENANCE:
                return {self.screen.layout.provenance: _records(session.run)}
        except ReadingRoomError as error:
            return self.screen.error(error)
        return self.screen.unchanged()

    def card(self, key: str) -> str:
        """The card of a method, as Markdown."""
        return card_text(key)

    def _pair_fields(self, session: Session) -> Updates:
        page, (left, right) = self.screen.layout, session.pair
        return {
            page.slider_left: gr.update(value=left),
            page.slider_right: gr.update(value=right),
            page.difference_left: gr.update(value=left),
            page.difference_right: gr.update(value=right),
        }

    def _slider(self, session: Session, image: MedicalImage) -> Updates:
        pair = _pair(session)
        low, high = session.shown or (image.window.low, image.window.high)
        levels = window_levels(low, high, image.window)
        shown = tuple(_rgb(window_u8(to_u16(pixels), *levels)) for _, pixels in pair)
        text = (
            f"{pair[0][0]} on the left, {pair[1][0]} on the right; shown from "
            f"{render.number_text(low)} to {render.number_text(high)} {image.units}, as in the "
            "grid."
        )
        page = self.screen.layout
        return {page.slider: shown, page.slider_note: render.remark_html(text)}

    def _difference(self, session: Session, image: MedicalImage, gain: float) -> Updates:
        (left, a), (right, b) = _pair(session)
        pixels = difference_map(a, b, gain=max(gain, 1.0))
        label = f"{right} minus {left}"
        value = payload(
            [Panel("difference", label, pixels, fixed=True)],
            self.screen.store,
            window=Window(0.0, 1.0),
            spacing=image.spacing if a.shape[:2] == image.shape else None,
            image_id=f"{image.digest}/{image.slice_index}/difference",
        )
        change = float(np.abs(b.astype(np.float64) - a).mean()) if a.shape == b.shape else 0.0
        unit_range = image.window.high - image.window.low
        text = (
            f"{label}. {difference_legend(max(gain, 1.0), image.window, image.units)} "
            f"Mean absolute difference {render.number_text(change * unit_range)} {image.units}."
        )
        page = self.screen.layout
        return {page.difference: value, page.difference_note: render.remark_html(text)}

    def _metrics(self, session: Session, image: MedicalImage) -> str:
        rows = session_scores(session)
        labels = {key: label for key, label, _ in session.panels()}
        truth = session.truth_origin if session.truth is not None else ""
        return metrics_html(rows, [render.short(labels[row.name]) for row in rows], truth)


def session_scores(session: Session) -> Sequence[ScoreRow]:
    """The scores of the input and of every finished result; each is computed once."""
    if session.image is None:
        return ()
    panels = {key: pixels for key, _, pixels in session.panels() if key not in (INPUT, TRUTH)}
    return score_rows(session.image.pixels, panels, truth=session.truth, known=session.scores)


def card_text(key: str) -> str:
    """The card of a method: its file, or what the registry knows."""
    path = _CARDS / f"{key}.md"
    if path.is_file():
        return path.read_text(encoding="utf-8")
    method = get(key)
    return f"# {method.label}\n\n{method.summary}\n\n{method.citation}"


def _records(run: Run | None) -> list[Any] | None:
    if run is None:
        return None
    outcomes = [slot.outcome for slot in run.done]
    return [json.loads(outcome.record.to_json()) for outcome in outcomes if outcome] or None


def _pair(session: Session) -> list[tuple[str, Pixels]]:
    """Labels and pixels of the two chosen panels, at the size of the larger."""
    panels = {key: (label, pixels) for key, label, pixels in session.panels()}
    chosen = [panels.get(key or INPUT, panels[INPUT]) for key in session.pair]
    height = max(pixels.shape[0] for _, pixels in chosen)
    return [(label, _enlarged(pixels, height)) for label, pixels in chosen]


def _enlarged(pixels: Pixels, height: int) -> Pixels:
    """Repeat pixels so that an image lies on its enlarged version."""
    factor = height // pixels.shape[0]
    return pixels if factor == 1 else pixels.repeat(factor, axis=0).repeat(factor, axis=1)


def _rgb(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return gray if gray.ndim == 3 else np.repeat(gray[..., None], 3, axis=2)
