"""Handlers of the expected time: the line above Run, and the times beside the methods."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import gradio as gr

from enhancers import devices
from enhancers.compare import estimate_seconds, expected_seconds
from enhancers.errors import ParameterError, ReadingRoomError
from enhancers.image import MedicalImage
from enhancers.job_queue import seconds_text
from enhancers.ui import render
from enhancers.ui.handlers import Handlers
from enhancers.ui.page_updates import Updates
from enhancers.ui.parameters import chosen_methods
from enhancers.ui.requests import (
    needs_confirmation,
    requested_device,
    requested_parameters,
    requested_seeds,
)


class EstimateHandlers(Handlers):
    """Handlers of the expected time."""

    def estimate(
        self, moment: float | None, request: gr.Request, **values: Any
    ) -> Iterator[Updates]:
        """The expected time of the methods, and whether the chosen ones need a confirmation.

        An estimate belongs to the image and the settings it was asked for; if others came
        meanwhile, it changes nothing.

        Parameters
        ----------
        moment : float, optional
            When it was asked for, by a clock of the page: requests can overtake each other.
        request : gradio.Request
        **values
            Of the method section.
        """
        session = self.session(request)
        updates = self.updates.unchanged()
        with session.lock:
            subject, image = session.set_settings(values, moment), session.image
        if subject is None:
            yield updates
            return
        with session.estimates.turn(subject.image, lambda: session.subject == subject) as current:
            if current:
                if image is not None and not session.active:
                    # What stands there is for the settings before.
                    waiting = render.estimate_html(render.ESTIMATING)
                    times = self._times(image, values, {})
                    depths = self.updates.depths(image, values)
                    yield {self.updates.layout.estimate: waiting, **times, **depths}
                updates = self._estimate(image, values)
        with session.lock:
            if session.subject != subject:
                updates = self.updates.unchanged()
            elif session.active:
                updates.pop(self.updates.layout.estimate, None)
        yield updates

    def _estimate(self, image: MedicalImage | None, values: dict[str, Any]) -> Updates:
        page = self.updates.layout
        hidden = gr.update(visible=False, value=False)
        methods = chosen_methods(values)
        if image is None:
            # The page says from the beginning what to do; a late answer must not say it again.
            return self.updates.unchanged()
        if not methods:
            line = {page.estimate: render.estimate_html("Select a method."), page.confirm: hidden}
            return {**line, **self._times(image, values, {})}
        try:
            large = needs_confirmation(image, values)
            seconds = _seconds(image, values)
        except ReadingRoomError as error:
            return {
                page.estimate: render.estimate_html(str(error), "problem"),
                page.confirm: hidden,
            }
        diffusion = {method.label: method.key for method in methods if method.prior}
        known = {label: seconds[key] for label, key in diffusion.items() if key in seconds}
        if large:
            text, level = render.large_text(image.shape, known), "problem"
        else:
            unknown = len(known) < len(diffusion)
            text = render.estimate_text(len(methods), sum(seconds.values()), unknown=unknown)
            level = ""
        return {
            page.estimate: render.estimate_html(text, level),
            page.confirm: gr.update(visible=True) if large else hidden,
            **self._times(image, values, seconds),
        }

    def _times(
        self, image: MedicalImage, values: dict[str, Any], chosen: Mapping[str, float]
    ) -> Updates:
        """The time beside each method; of a method that is not chosen, what is known of it."""
        # Nobody waits for torch here; before it is there, no network has been timed either.
        torch = "torch" in sys.modules
        device = devices.choose(values.get("device") or "auto") if torch else "cpu"
        updates: Updates = {}
        for method, checkbox in self.updates.layout.choices(values):
            seconds = chosen.get(method.key)
            if seconds is None and (torch or method.prior is None):
                try:
                    parameters = requested_parameters(method, values)
                except ParameterError:
                    continue
                seconds = expected_seconds(image, method.key, parameters, device)
            text = "" if seconds is None else seconds_text(seconds)
            updates[checkbox] = gr.update(info=text)
        return updates


def _seconds(image: MedicalImage, values: dict[str, Any]) -> dict[str, float]:
    """Estimated seconds by the key of each chosen method, where an estimate is possible."""
    methods = chosen_methods(values)
    device = devices.choose(requested_device(methods, values))
    found = {
        method.key: estimate_seconds(
            image, method.key, requested_parameters(method, values), device
        )
        for method in methods
    }
    return {
        method.key: seconds * requested_seeds(method, values)
        for method in methods
        if (seconds := found[method.key]) is not None
    }
