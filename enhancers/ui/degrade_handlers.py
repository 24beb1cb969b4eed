"""Handlers that degrade the image, so that its ground truth is known."""

from __future__ import annotations

from typing import Any

import gradio as gr

from enhancers import job_queue
from enhancers.degrade import KINDS, degrade_image
from enhancers.errors import ImageReadError, ParameterError
from enhancers.ui import render
from enhancers.ui.handlers import Handlers
from enhancers.ui.page_updates import Updates
from enhancers.ui.render import Notice
from enhancers.ui.requests import seed_number


class DegradeHandlers(Handlers):
    """Handlers that degrade the image on display, and undo it."""

    def kind(self, key: str) -> Updates:
        """Offer the usual level of the degradation that was chosen."""
        page, kind = self.updates.layout, KINDS[key]
        return {
            page.degrade_kind: gr.update(info=kind.help),
            page.degrade_level: gr.update(value=kind.default, info=render.degrade_info(kind)),
        }

    def apply(self, key: str, level: float | None, seed: Any, request: gr.Request) -> Updates:
        """Degrade the image as it was opened; results are removed.

        Gradio names an event by its handler, and ``degrade`` is an endpoint of the API.
        """
        session = self.session(request)
        image = session.original or session.image
        if image is None:
            raise ImageReadError("Open an image first; a degraded copy takes its place.")
        if level is None:
            raise ParameterError(f"Give the level, {render.degrade_info(KINDS[key])}.")
        with session.changes.change() as number, job_queue.processor_core():
            made = degrade_image(image, key, level, seed=seed_number(seed))
            with session.lock:
                if image is not (session.original or session.image):
                    return self.updates.unchanged()
                session.degrade(made, image, number)
        said = f"{KINDS[key].label}: the image as it was is the ground truth now."
        return self.updates.image(session, Notice("info", (said,)))

    def undo(self, request: gr.Request) -> Updates:
        """Show the image as it was opened; results and ground truth are removed."""
        session = self.session(request)
        with session.lock:
            if session.original is None:
                return self.updates.unchanged()
            session.replace_image(session.original)
        return self.updates.image(session)
