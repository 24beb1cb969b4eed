"""Handlers that start, follow and stop the methods."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import gradio as gr

from enhancers import devices
from enhancers.compare import Request, compare, default_cache, estimate_seconds, is_large
from enhancers.errors import ParameterError, ReadingRoomError
from enhancers.image import MedicalImage
from enhancers.job_queue import QueueStatus
from enhancers.method import Method
from enhancers.ui import render
from enhancers.ui.page_updates import PageUpdates, Updates
from enhancers.ui.parameters import chosen_methods, given
from enhancers.ui.session import Run, Session, Sessions, Slot
from enhancers.ui.viewer import MAX_PANELS
from enhancers.warm_up import import_networks

REFRESH_SECONDS = 0.25
"""Progress without a new picture is drawn this often at most."""


class RunHandlers:
    """The handlers of Run and Stop.

    Parameters
    ----------
    screen : PageUpdates
    sessions : Sessions
    """

    def __init__(self, screen: PageUpdates, sessions: Sessions) -> None:
        self.screen = screen
        self.sessions = sessions

    def queue(self, request: gr.Request) -> Updates:
        """Answer the click at once: the first method may have to import what it needs."""
        page = self.screen.layout
        if self.sessions.of(request.session_hash).image is None:
            return self.screen.unchanged()
        return {
            page.estimate: render.estimate_html("Starting …"),
            page.run: gr.update(interactive=False),
            page.stop: gr.update(interactive=True),
        }

    def run(self, request: gr.Request, **values: Any) -> Iterator[Updates]:
        """Run the chosen methods; yields what the screen shows, closes them when it is closed."""
        session = self.sessions.of(request.session_hash)
        try:
            run = self._plan(session, values)
        except ReadingRoomError as error:
            buttons = self.screen.run(session) if session.image else {}
            yield {**buttons, **self.screen.error(error)}
            return
        session.start(run)
        yield {**self.screen.notice(None), **self._going(session)}
        try:
            yield from self._follow(session, run, values)
        except ReadingRoomError as error:
            yield {**self.screen.run(session), **self.screen.error(error)}

    def _follow(self, session: Session, run: Run, values: dict[str, Any]) -> Iterator[Updates]:
        requests = [slot.request for slot in run.slots]
        drawn = time.monotonic()
        told: QueueStatus | None = None
        try:
            device = _device(chosen_methods(values), values)
            events = compare(
                run.image, requests, seed=run.seed, device=device, cache=default_cache()
            )
            with closing(events):
                for event in events:
                    if session.run is not run or not run.active:
                        # Gradio sends the last update again at the end; it must hold nothing old.
                        yield self.screen.unchanged()
                        return
                    run.take(event)
                    before, told = told, event.wait
                    if told is not None and before is not None:
                        if told.short != before.short:
                            yield self.screen.waiting(session)
                        continue
                    if told is not before:
                        yield self._going(session)
                        drawn = time.monotonic()
                        continue
                    picture = event.finished or event.step.preview is not None
                    if picture or time.monotonic() - drawn > REFRESH_SECONDS:
                        yield self.screen.run(session)
                        drawn = time.monotonic()
        finally:
            run.stop()
        # The estimate of another run follows, and may take a while.
        done = render.estimate_html("Finished.")
        yield {**self.screen.run(session), self.screen.layout.estimate: done}

    def _going(self, session: Session) -> Updates:
        """All of a run, with the line above Run: it waits, or it runs."""
        return {**self.screen.run(session), **self.screen.waiting(session)}

    def stop(self, request: gr.Request) -> Updates:
        """Draw what is finished; the event that ran is cancelled beside this."""
        session = self.sessions.of(request.session_hash)
        if session.image is None:
            return self.screen.unchanged()
        if session.run is not None:
            session.run.stop()
        return self.screen.run(session)

    def estimate(self, request: gr.Request, **values: Any) -> Updates:
        """How long the chosen methods will take, and whether that needs a confirmation."""
        session = self.sessions.of(request.session_hash)
        page = self.screen.layout
        hidden = gr.update(visible=False, value=False)
        image, methods = session.image, chosen_methods(values)
        if image is None or not methods:
            text = render.OPEN_FIRST if image is None else "Choose a method."
            return {page.estimate: render.estimate_html(text), page.confirm: hidden}
        try:
            seconds = self._seconds(image, values)
        except ReadingRoomError as error:
            return {page.estimate: render.estimate_html(str(error), "problem")}
        if not _needs_confirmation(image, values):
            sampled = sum(method.family == "diffusion" for method in methods)
            text = render.estimate_text(
                len(methods), sum(seconds.values()), unknown=len(seconds) < sampled
            )
            return {page.estimate: render.estimate_html(text), page.confirm: hidden}
        text = render.large_text(image.shape, seconds)
        shown = gr.update(visible=True)
        return {page.estimate: render.estimate_html(text, "problem"), page.confirm: shown}

    def _plan(self, session: Session, values: dict[str, Any]) -> Run:
        """Check everything before a method is started."""
        methods = chosen_methods(values)
        if session.image is None:
            raise ParameterError("There is no image yet; drop a file or choose a sample.")
        if not methods:
            raise ParameterError("No method is chosen; tick at least one.")
        if len(methods) >= MAX_PANELS:
            raise ParameterError(
                f"{len(methods)} methods are chosen; the grid holds {MAX_PANELS - 1} beside the "
                "input. Untick one."
            )
        if _needs_confirmation(session.image, values) and not values.get("confirm"):
            raise ParameterError(
                "The image is above 1024 x 1024 pixels and a diffusion method is chosen; see the "
                "estimate above Run and tick 'Run it all the same'."
            )
        seed = values.get("seed")
        if seed is None or seed < 0:
            raise ParameterError(f"The seed is {seed}; give a whole number from 0.")
        slots = [
            Slot(Request(method.key, _checked(method, values)), method.label) for method in methods
        ]
        return Run(session.image, slots, int(seed))

    def _seconds(self, image: MedicalImage, values: dict[str, Any]) -> dict[str, float]:
        """Estimated seconds by the label of each diffusion method that is chosen."""
        methods = [method for method in chosen_methods(values) if method.family == "diffusion"]
        device = devices.choose(_device(methods, values))
        found = {
            method.label: estimate_seconds(image, method.key, _checked(method, values), device)
            for method in methods
        }
        return {label: seconds for label, seconds in found.items() if seconds is not None}


def _device(methods: Sequence[Method], values: Mapping[str, Any]) -> str:
    """The device that is asked for; classical methods need none, so nobody waits for torch."""
    if all(method.family == "classical" for method in methods):
        return "cpu"
    import_networks()
    return values.get("device") or "auto"


def _checked(method: Method, values: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return given(method, values)
    except ParameterError as error:
        raise ParameterError(f"{method.label}: {error}") from None


def _needs_confirmation(image: MedicalImage, values: dict[str, Any]) -> bool:
    return any(
        is_large(image, method.key, _checked(method, values)) for method in chosen_methods(values)
    )
