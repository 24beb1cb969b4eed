"""Handlers of the tabs: slider, difference map, metrics, provenance and method cards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr
import numpy as np

from enhancers.asset_files import ASSETS
from enhancers.compare.seed_spread import calibrations, table
from enhancers.display import signed_difference, ssim_map
from enhancers.errors import ReadingRoomError
from enhancers.image import MedicalImage, Pixels, Window
from enhancers.networks.lookup import network_entry
from enhancers.networks.restoration_card import restoration_card
from enhancers.registry import get
from enhancers.ui import layout, render
from enhancers.ui.handlers import Handlers
from enhancers.ui.metrics_table import metrics_html
from enhancers.ui.page_updates import Updates
from enhancers.ui.panels import compared, display_group, display_windows, maps_panels
from enhancers.ui.run import Run
from enhancers.ui.session import INPUT, Session
from enhancers.ui.viewer import ColourScale, Panel, edges_of, payload
from enhancers.windows import Preset

GAINS = (1, 2, 4, 8, 16, 32)
"""Presets of the difference map: full colour is at the window's width divided by the gain."""

FIRST_GAIN = 4

SEED_TABLE = "<!-- seed-spread -->"
"""Where a card has the calibrations of its method."""

NO_MAPS = (
    "No result has maps yet. DDNM shows what was measured and what its network added; with two or "
    "more seeds to compare (see Reproducibility), diffusion methods show where they differ."
)


class TabHandlers(Handlers):
    """Handlers of the tabs; only the open tab is computed."""

    def select(self, event: gr.SelectData, request: gr.Request) -> Updates:
        """Keep the name of the tab that was opened."""
        name = self.session(request).view = str(event.value)
        return {self.updates.layout.active: name}

    def pick(self, left: str | None, right: str | None, request: gr.Request) -> None:
        """Keep which two panels are compared."""
        session = self.session(request)
        session.pair, session.pair_chosen = (left, right), True

    def kind(self, name: str, request: gr.Request) -> None:
        """Keep what the difference tab shows."""
        self.session(request).similarity = name == layout.SIMILARITY

    def mapped(self, key: str | None, request: gr.Request) -> None:
        """Keep whose maps are shown."""
        self.session(request).mapped = str(key or "")

    def refresh(self, active: str, request: gr.Request) -> Iterator[Updates]:
        """Update the open tab; announce metrics that still have to be computed."""
        session = self.session(request)
        if active == layout.METRICS_TAB and session.image is not None and not session.scored:
            yield {self.updates.layout.metrics: render.remark_html("Computing the metrics …")}
        yield self._tab(session, active)

    def _tab(self, session: Session, active: str) -> Updates:
        image = session.image
        if image is None:
            return self.updates.unchanged()
        try:
            if active == layout.SLIDER:
                return {**self.updates.pair(session), **self._slider(session, image)}
            if active == layout.DIFFERENCE:
                return {**self.updates.pair(session), **self._difference(session, image)}
            if active == layout.MAPS:
                return self._maps(session, image)
            if active == layout.METRICS_TAB:
                return {self.updates.layout.metrics: _metrics(session)}
            if active == layout.PROVENANCE:
                return {self.updates.layout.provenance: _records(session.run)}
        except ReadingRoomError as error:
            return self.updates.error(error)
        return self.updates.unchanged()

    def card(self, key: str) -> Updates:
        """Show the card of a method."""
        return {self.updates.layout.card: card_text(key)}

    def _slider(self, session: Session, image: MedicalImage) -> Updates:
        left, right = compared(session)
        value = payload(
            [replace(left, key="left"), replace(right, key="right")],
            self.updates.store,
            window=session.shown_input()[1],
            units=image.units,
            spacing=image.spacing,
            aspect=image.aspect,
            edges=edges_of(image),
            presets=display_windows(session, image),
            input_key="left" if left.key == INPUT else None,
            image_id=f"{display_group(image)}/slider",
            layout="slider",
            group=display_group(image),
        )
        return {self.updates.layout.slider: value}

    def _difference(self, session: Session, image: MedicalImage) -> Updates:
        left, right = compared(session)
        label = f"{right.label} minus {left.label}"
        # The input is compared as the methods got it.
        a, b = (_pixels(session, panel) for panel in (left, right))
        height = max(a.shape[0], b.shape[0])
        a, b = _enlarged(a, height), _enlarged(b, height)
        if session.similarity:
            return self._similarity(image, a, b, f"{right.label} and {left.label}")
        units = right.units or left.units or image.units
        kept = units == image.units
        reach = image.window.high - image.window.low if kept else 1.0
        value = payload(
            [Panel("difference", label, signed_difference(a, b))],
            self.updates.store,
            window=Window(-reach, reach),
            units=units,
            spacing=image.spacing if a.shape[:2] == image.shape else None,
            aspect=image.aspect,
            edges=edges_of(image),
            presets=[
                Preset(f"gain-{gain}", f"Gain {gain}", -reach / gain, reach / gain)
                for gain in GAINS
            ],
            first=GAINS.index(FIRST_GAIN),
            layout="difference",
            image_id=f"{display_group(image)}/difference/{units}",
        )
        change = float(np.abs(b - a).mean()) if a.shape == b.shape else 0.0
        text = f"{label}. Mean absolute difference {render.number_text(change * reach)} {units}."
        page = self.updates.layout
        return {page.difference: value, page.difference_note: render.remark_html(text)}

    def _similarity(self, image: MedicalImage, a: Pixels, b: Pixels, names: str) -> Updates:
        found = ssim_map(a, b)
        scale = ColourScale(
            "falling", "0, unlike", "1, equal", "structural similarity (SSIM); light is unlike"
        )
        similar = np.clip(found, 0.0, 1.0)
        panel = Panel("difference", names, similar, window=Window(0.0, 1.0), scale=scale)
        value = payload(
            [panel], self.updates.store, window=Window(0.0, 1.0),
            spacing=image.spacing if a.shape[:2] == image.shape else None,
            aspect=image.aspect,
            edges=edges_of(image),
            image_id=f"{display_group(image)}/similarity",
        )  # fmt: skip
        worst = float(np.percentile(found, 1))
        text = (
            f"Structural similarity (SSIM) of {names}: {found.mean():.3f} in the mean, "
            f"{worst:.3f} or less at 1 % of the pixels. 1 is equal."
        )
        page = self.updates.layout
        return {page.difference: value, page.difference_note: render.remark_html(text)}

    def _maps(self, session: Session, image: MedicalImage) -> Updates:
        """The maps of one result, next to it."""
        page = self.updates.layout
        found = session.maps()
        choices = [(label, key) for key, (label, _) in found.items()]
        if not found:
            return {
                page.maps_choice: gr.update(choices=[], value=None),
                page.maps_note: render.remark_html(NO_MAPS),
                page.maps: None,
            }
        key = session.mapped if session.mapped in found else choices[0][1]
        panels = maps_panels(session, key)
        notes = " ".join(f"{one.label}: {one.about}" for one in found[key][1] if one.about)
        value = payload(
            panels, self.updates.store, window=session.shown_input()[1], units=image.units,
            spacing=image.spacing, aspect=image.aspect, edges=edges_of(image),
            presets=display_windows(session, image), input_key=INPUT,
            image_id=f"{display_group(image)}/maps/{key}", group=display_group(image),
        )  # fmt: skip
        return {
            page.maps_choice: gr.update(choices=choices, value=key),
            page.maps_note: render.remark_html(notes),
            page.maps: value,
        }


def card_text(key: str) -> str:
    """The card of a method as Markdown: its file, or for an added network what is known of it."""
    path = ASSETS / "cards" / f"{key}.md"
    if path.is_file():
        text = path.read_text(encoding="utf-8")
        found = [one for one in calibrations() if one.method == key]
        return text.replace(SEED_TABLE, table(found) if found else "No calibration is installed.")
    return restoration_card(network_entry(get(key).key, "restoration"))


def _metrics(session: Session) -> str:
    labels = {key: render.short_label(label) for key, label, _ in session.panels()}
    rows = session.compute_scores()
    return metrics_html(
        rows, [labels[row.name] for row in rows], session.truth_origin, session.score_shrink
    )


def _records(run: Run | None) -> list[Any] | None:
    if run is None:
        return None
    outcomes = [method.outcome for method in run.done]
    return [json.loads(outcome.record.to_json()) for outcome in outcomes if outcome] or None


def _pixels(session: Session, panel: Panel) -> Pixels:
    """The pixels of a panel in [0, 1] of the processing window."""
    [pixels] = [pixels for key, _, pixels in session.panels() if key == panel.key]
    return pixels


def _enlarged(pixels: Pixels, height: int) -> Pixels:
    """Repeat pixels so that an image has the size of its enlarged version."""
    factor = height // pixels.shape[0]
    return pixels if factor == 1 else pixels.repeat(factor, axis=0).repeat(factor, axis=1)
