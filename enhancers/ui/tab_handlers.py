"""Handlers of the tabs: slider, difference map, metrics, provenance and method cards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from enhancers.asset_files import ASSETS
from enhancers.display import difference_legend, difference_map, to_u16, window_levels, window_u8
from enhancers.errors import ReadingRoomError
from enhancers.image import MedicalImage, Pixels, Window
from enhancers.registry import get
from enhancers.ui import layout, render
from enhancers.ui.handlers import Handlers
from enhancers.ui.metrics_table import metrics_html
from enhancers.ui.page_updates import Updates
from enhancers.ui.session import INPUT, Run, Session
from enhancers.ui.viewer import Panel, payload


class TabHandlers(Handlers):
    """Handlers of the tabs; only the open tab is computed."""

    def select(self, event: gr.SelectData) -> str:
        """The name of the tab that was opened."""
        return str(event.value)

    def remember_window(self, event: gr.EventData, request: gr.Request) -> None:
        """Keep the grid's display window for the slider."""
        self.session(request).display_window = (float(event.low), float(event.high))

    def pick(self, left: str | None, right: str | None, request: gr.Request) -> None:
        """Keep which two panels are compared."""
        session = self.session(request)
        session.pair, session.pair_chosen = (left, right), True

    def refresh(self, active: str, gain: float, request: gr.Request) -> Iterator[Updates]:
        """Update the open tab; announce metrics that still have to be computed."""
        session = self.session(request)
        if active == layout.METRICS_TAB and session.image is not None and not session.scored:
            yield {self.updates.layout.metrics: render.remark_html("Computing the metrics …")}
        yield self._tab(session, active, gain)

    def _tab(self, session: Session, active: str, gain: float) -> Updates:
        image = session.image
        if image is None:
            return self.updates.unchanged()
        try:
            if active == layout.SLIDER:
                return {**self.updates.pair(session), **self._slider(session, image)}
            if active == layout.DIFFERENCE:
                return {**self.updates.pair(session), **self._difference(session, image, gain)}
            if active == layout.METRICS_TAB:
                return {self.updates.layout.metrics: _metrics(session)}
            if active == layout.PROVENANCE:
                return {self.updates.layout.provenance: _records(session.run)}
        except ReadingRoomError as error:
            return self.updates.error(error)
        return self.updates.unchanged()

    def card(self, key: str) -> str:
        """The card of a method as Markdown."""
        return card_text(key)

    def _slider(self, session: Session, image: MedicalImage) -> Updates:
        (left, a), (right, b) = _pair(session)
        low, high = session.display_window or (image.window.low, image.window.high)
        levels = window_levels(low, high, image.window)
        shown = tuple(_rgb(window_u8(to_u16(pixels), *levels)) for pixels in (a, b))
        text = (
            f"Left: {left}. Right: {right}. Display window {render.number_text(low)} to "
            f"{render.number_text(high)} {image.units}, as in the grid."
        )
        page = self.updates.layout
        return {page.slider: shown, page.slider_note: render.remark_html(text)}

    def _difference(self, session: Session, image: MedicalImage, gain: float) -> Updates:
        (left, a), (right, b) = _pair(session)
        gain = max(gain, 1.0)
        label = f"{right} minus {left}"
        value = payload(
            [Panel("difference", label, difference_map(a, b, gain=gain), fixed=True)],
            self.updates.store,
            window=Window(0.0, 1.0),
            spacing=image.spacing if a.shape[:2] == image.shape else None,
            image_id=f"{image.digest}/{image.slice_index}/difference",
        )
        change = float(np.abs(b.astype(np.float64) - a).mean()) if a.shape == b.shape else 0.0
        unit_range = image.window.high - image.window.low
        text = (
            f"{label}. {difference_legend(gain, image.window, image.units)} Mean absolute "
            f"difference {render.number_text(change * unit_range)} {image.units}."
        )
        page = self.updates.layout
        return {page.difference: value, page.difference_note: render.remark_html(text)}


def card_text(key: str) -> str:
    """The card of a method as Markdown: its file, or a summary from the registry."""
    path = ASSETS / "cards" / f"{key}.md"
    if path.is_file():
        return path.read_text(encoding="utf-8")
    method = get(key)
    return f"# {method.label}\n\n{method.summary}\n\n{method.citation}"


def _metrics(session: Session) -> str:
    labels = {key: render.short_label(label) for key, label, _ in session.panels()}
    rows = session.compute_scores()
    return metrics_html(rows, [labels[row.name] for row in rows], session.truth_origin)


def _records(run: Run | None) -> list[Any] | None:
    if run is None:
        return None
    outcomes = [method.outcome for method in run.done]
    return [json.loads(outcome.record.to_json()) for outcome in outcomes if outcome] or None


def _pair(session: Session) -> list[tuple[str, Pixels]]:
    """Labels and pixels of the two chosen panels, at the size of the larger one."""
    panels = {key: (label, pixels) for key, label, pixels in session.panels()}
    chosen = [panels.get(key or INPUT, panels[INPUT]) for key in session.pair]
    height = max(pixels.shape[0] for _, pixels in chosen)
    return [(label, _enlarged(pixels, height)) for label, pixels in chosen]


def _enlarged(pixels: Pixels, height: int) -> Pixels:
    """Repeat pixels so that an image has the size of its enlarged version."""
    factor = height // pixels.shape[0]
    return pixels if factor == 1 else pixels.repeat(factor, axis=0).repeat(factor, axis=1)


def _rgb(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return gray if gray.ndim == 3 else np.repeat(gray[..., None], 3, axis=2)
