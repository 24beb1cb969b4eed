"""From a session to what is on the screen: the one place where handlers' outcomes are drawn."""

from __future__ import annotations

from typing import Any

import gradio as gr

from enhancers.display import presets_for
from enhancers.image import MedicalImage
from enhancers.ui import gallery, render
from enhancers.ui.layout import Layout
from enhancers.ui.render import Notice
from enhancers.ui.session import FILE_WINDOW, INPUT, MANUAL, TRUTH, Session, Slot
from enhancers.ui.viewer import MAX_PANELS, Panel, PixelStore, payload

DOWNLOADS = "readingroom/results/"
"""Where the downloads are, below the root of the app."""

Updates = dict[Any, Any]


class PageUpdates:
    """Draws sessions on the components of a page.

    Parameters
    ----------
    layout : Layout
    store : PixelStore
        Takes the images of the viewers.
    """

    def __init__(self, layout: Layout, store: PixelStore) -> None:
        self.layout = layout
        self.store = store

    def unchanged(self) -> Updates:
        """Leave everything as it is (Gradio takes an empty dictionary for a mistake)."""
        return {self.layout.notice: gr.skip()}

    def notice(self, notice: Notice | None) -> Updates:
        """Only the notice; all else stays as it is."""
        return {self.layout.notice: render.notice_html(notice)}

    def error(self, error: Exception) -> Updates:
        """An error as a notice."""
        return self.notice(Notice("error", (str(error),)))

    def image(self, session: Session, notice: Notice | None = None) -> Updates:
        """Everything that depends on the image that is open."""
        image = session.image
        if image is None:
            return self.notice(notice)
        if notice is None and image.warnings:
            notice = Notice("warning", image.warnings)
        page = self.layout
        windows, chosen = self._windows(session, image)
        return {
            **self.notice(notice),
            **self.run(session),
            page.samples: gallery.tiles(session.sample),
            page.estimate: render.estimate_html("Working out the time …"),
            page.facts: render.facts_html(session),
            page.modality: gr.update(
                value=image.modality.value, info=render.modality_info(image), interactive=True
            ),
            page.slice: gr.update(
                visible=image.slice_count > 1,
                maximum=max(image.slice_count, 2),
                value=image.slice_index + 1,
                label=f"Slice (of {image.slice_count})",
            ),
            page.window: gr.update(
                choices=windows, value=chosen, interactive=session.path is not None
            ),
            page.manual: gr.update(visible=chosen == MANUAL),
            page.low: gr.update(value=image.window.low, label=f"Black at ({image.units})"),
            page.high: gr.update(value=image.window.high, label=f"White at ({image.units})"),
        }

    def _windows(self, session: Session, image: MedicalImage) -> tuple[list[tuple[str, str]], str]:
        presets = [
            (f"{preset.label}: {preset.low:g} to {preset.high:g} {image.units}", preset.key)
            for preset in session.windows
        ]
        choices = [("As in the file", FILE_WINDOW), *presets, ("By hand", MANUAL)]
        return choices, session.window_choice

    def run(self, session: Session) -> Updates:
        """The viewer, the progress and the buttons; what changes while methods run."""
        page = self.layout
        active = session.run is not None and session.run.active
        return {
            page.viewer: self.viewer(session),
            page.progress: render.progress_html(session, DOWNLOADS),
            page.run: gr.update(interactive=session.image is not None and not active),
            page.stop: gr.update(interactive=active),
            **self._pairs(session),
        }

    def waiting(self, session: Session) -> Updates:
        """What changes while a run stands in line: its place and the time."""
        page = self.layout
        text = render.waiting_text(session)
        return {
            page.progress: render.progress_html(session, DOWNLOADS),
            page.estimate: render.estimate_html(text),
        }

    def _pairs(self, session: Session) -> Updates:
        """The two dropdowns that choose panels, with a sensible pair."""
        page = self.layout
        choices = [(label, key) for key, label, _ in session.panels()]
        keys = [key for _, key in choices]
        first = keys[0] if keys else None
        second = keys[1] if len(keys) > 1 else first
        if not session.picked or not set(session.pair) <= set(keys):
            session.pair, session.picked = (first, second), False
        update_left, update_right = (
            gr.update(choices=choices, value=value) for value in session.pair
        )
        return {
            page.slider_left: update_left,
            page.slider_right: update_right,
            page.difference_left: update_left,
            page.difference_right: update_right,
        }

    def viewer(self, session: Session) -> dict[str, Any]:
        """The grid: the input, a panel a method, and the truth where there is room."""
        image = session.image
        if image is None:
            raise ValueError("there is no image to draw")
        panels = [Panel(INPUT, "Input", image.pixels)]
        panels += [_panel(slot) for slot in (session.run.slots if session.run else [])]
        if session.truth is not None and len(panels) < MAX_PANELS:
            panels.append(Panel(TRUTH, "Truth", session.truth, caption=session.truth_origin))
        return payload(
            panels,
            self.store,
            window=image.window,
            units=image.units,
            spacing=image.spacing,
            presets=presets_for(image.modality, image.window, image.units, image.pixels),
            input_key=INPUT,
            image_id=f"{image.digest}/{image.slice_index}/{image.window}",
        )


def _panel(slot: Slot) -> Panel:
    return Panel(
        slot.key,
        slot.label,
        slot.pixels,
        caption=render.slot_caption(slot),
        pending=slot.active,
        progress=slot.fraction if slot.active else None,
        error=slot.error or ("Stopped before it was finished." if slot.state == "stopped" else ""),
    )
