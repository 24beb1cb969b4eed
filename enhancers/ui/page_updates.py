"""Updates of the page's components from a session; handlers return these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from enhancers.image import MedicalImage
from enhancers.ui import gallery, navigator, render, series_list
from enhancers.ui.depth_strip import depth_strip_html
from enhancers.ui.layout import Layout
from enhancers.ui.panels import all_panels, display_group, display_windows
from enhancers.ui.render import Notice
from enhancers.ui.session import FILE_WINDOW, INPUT, MANUAL, Session
from enhancers.ui.viewer import PixelStore, edges_of, payload

DOWNLOADS = "readingroom/results/"
"""Address of the downloads, relative to the root of the app."""

Updates = dict[Any, Any]


class PageUpdates:
    """Makes the updates of the page's components.

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
        """No change (Gradio treats an empty dictionary as an error)."""
        return {self.layout.notice: gr.skip()}

    def notice(self, notice: Notice | None) -> Updates:
        """Show a notice; None removes it."""
        return {self.layout.notice: render.notice_html(notice)}

    def error(self, error: Exception) -> Updates:
        """Show an error as a notice."""
        return self.notice(Notice("error", (str(error),)))

    def image(self, session: Session, notice: Notice | None = None) -> Updates:
        """Everything that depends on the open image; without a notice, the image's warnings."""
        image = session.image
        if image is None:
            return self.notice(notice)
        if notice is None and image.warnings:
            notice = Notice("warning", image.warnings)
        page = self.layout
        chosen = session.window_choice
        return {
            **self.notice(notice),
            **self.run(session),
            page.samples: gallery.tiles(session.sample),
            page.estimate: render.estimate_html(render.ESTIMATING),
            page.confirm: gr.update(visible=False, value=False),
            page.facts: render.facts_html(session),
            **self.depths(image, session.settings),
            page.modality: gr.update(
                value=image.modality.value, info=render.modality_info(image), interactive=True
            ),
            page.not_ct: gr.update(
                visible=image.modality_origin == "guessed" and image.units == "HU"
            ),
            page.window: gr.update(
                choices=_window_choices(session, image), value=chosen,
                interactive=session.opened is not None,
            ),
            page.limits: gr.update(value=limits(image), visible=chosen == MANUAL),
            page.undo_degrade: gr.update(visible=session.original is not None),
        }  # fmt: skip

    def depths(self, image: MedicalImage, values: Mapping[str, Any]) -> Updates:
        """The depths of an image, for the methods of the method section."""
        strip = depth_strip_html(image, values)
        return {self.layout.depths: gr.update(value=strip, visible=bool(strip))}

    def opened(self, session: Session) -> Updates:
        """Everything that depends on the image of a file that was opened."""
        page = self.layout
        return {
            **self.image(session),
            **self.slice(session),
            page.series: series_list.listed(session),
            page.navigator: gr.update(
                visible=navigator.shown(session), value=navigator.reading(session)
            ),
            page.crop: gr.update(visible=_has_region(session), value=session.cropped),
            page.mask: None,
            page.painting: gr.update(value=None, visible=False),
            page.use_painting: gr.update(visible=False),
        }

    def resumed(self, session: Session) -> Updates:
        """The page as it was before it was loaded anew: image, results, settings and open tab."""
        page = self.layout
        fields = page.method_inputs()
        places = page.added.inputs()
        values = {
            fields[keyword]: gr.update(value=value)
            for keyword, value in session.settings.items()
            if keyword in fields and keyword not in places and keyword != "confirm"
        }
        view = session.view
        tab = {page.tabs: gr.update(selected=view), page.active: view} if view else {}
        return {**values, **self.opened(session), **tab}

    def slice(self, session: Session) -> Updates:
        """The slice slider; not part of `image`, which answers while the slider is dragged."""
        image, opened = session.image, session.opened
        if image is None:
            return {}
        name = "slice" if opened is None else opened.slice_name
        return {
            self.layout.slice: gr.update(
                visible=image.slice_count > 1 and not navigator.has_planes(session),
                maximum=max(image.slice_count, 2),
                value=image.slice_index + 1,
                label=f"{name.capitalize()} (of {image.slice_count})",
            )
        }

    def navigator(self, session: Session) -> Updates:
        """The views of a volume; all its slices are read for them."""
        return {self.layout.navigator: navigator.value(session)}

    def run(self, session: Session) -> Updates:
        """Viewer, progress and buttons: everything that changes while methods run."""
        page = self.layout
        return {
            page.viewer: self.viewer(session),
            page.progress: render.progress_html(session, DOWNLOADS),
            **self.buttons(session),
            **self._pair_choices(session),
        }

    def buttons(self, session: Session) -> Updates:
        """Run and Stop."""
        page = self.layout
        return {
            page.run: gr.update(interactive=session.image is not None and not session.active),
            page.stop: gr.update(interactive=session.active),
        }

    def controls(self, session: Session) -> Updates:
        """Run, Stop and the line above them, for a page that was promised something else."""
        text = render.waiting_text(session) if session.active else ""
        return {**self.buttons(session), self.layout.estimate: render.estimate_html(text)}

    def control_outputs(self) -> list[Any]:
        """The components of `controls` and `notice`."""
        page = self.layout
        return [page.notice, page.estimate, page.run, page.stop]

    def everything(self, session: Session) -> Updates:
        """The image and the run as they are now, for a page that may show earlier ones."""
        return self.unchanged() if session.image is None else self.run(session)

    def waiting(self, session: Session) -> Updates:
        """Place and waiting time of a queued run."""
        page = self.layout
        return {
            page.progress: render.progress_html(session, DOWNLOADS),
            page.estimate: render.estimate_html(render.waiting_text(session)),
        }

    def pair(self, session: Session, choices: list[tuple[str, str]] | None = None) -> Updates:
        """The dropdowns of the two compared panels; with their choices where these are given."""
        page, (left, right) = self.layout, session.pair
        offered: dict[str, Any] = {} if choices is None else {"choices": choices}
        return {
            page.slider_left: gr.update(value=left, **offered),
            page.slider_right: gr.update(value=right, **offered),
            page.difference_left: gr.update(value=left, **offered),
            page.difference_right: gr.update(value=right, **offered),
        }

    def _pair_choices(self, session: Session) -> Updates:
        """The dropdowns with all panels; the input and the first result unless the user chose."""
        choices = [(label, key) for key, label, _ in session.panels()]
        keys = [key for _, key in choices]
        if not session.pair_chosen or not set(session.pair) <= set(keys):
            first = keys[0] if keys else None
            session.pair = (first, keys[1] if len(keys) > 1 else first)
            session.pair_chosen = False
        return self.pair(session, choices)

    def viewer(self, session: Session) -> dict[str, Any]:
        """The grid's value: the input, a panel per method, the ground truth where it fits."""
        image = session.image
        panels = all_panels(session)
        if image is None:
            raise ValueError("there is no image to show")
        return payload(
            panels,
            self.store,
            window=session.shown_input()[1],
            units=image.units,
            spacing=image.spacing,
            aspect=image.aspect,
            edges=edges_of(image),
            presets=display_windows(session, image),
            input_key=INPUT,
            image_id=display_group(image),
            group=display_group(image),
        )


def _has_region(session: Session) -> bool:
    """Whether the image can be cropped to its ultrasound region, or is."""
    return session.cropped or (session.image is not None and session.image.region is not None)


def limits(image: MedicalImage) -> dict[str, str]:
    """The value of the fields of a custom window."""
    low, high = image.window.ends
    return {"low": f"{low:.10g}", "high": f"{high:.10g}", "units": image.units}


def _window_choices(session: Session, image: MedicalImage) -> list[tuple[str, str]]:
    presets = [
        (f"{preset.label}: {preset.low:g} to {preset.high:g} {image.units}", preset.key)
        for preset in session.windows
    ]
    first = session.first_window or image.window
    own = f"File, or default: {first.low:g} to {first.high:g} {image.units}"
    return [(own, FILE_WINDOW), *presets, ("Custom", MANUAL)]
