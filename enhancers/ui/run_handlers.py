"""Handlers that start, follow and stop a run, and estimate its time."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import gradio as gr

from enhancers import devices
from enhancers.compare import Event, Request, compare, default_cache, estimate_seconds, is_large
from enhancers.errors import ParameterError, ReadingRoomError
from enhancers.image import MedicalImage
from enhancers.job_queue import QueueStatus
from enhancers.method import Method
from enhancers.ui import render
from enhancers.ui.handlers import Handlers
from enhancers.ui.page_updates import Updates
from enhancers.ui.parameters import chosen_methods, parameter_values
from enhancers.ui.run import MethodRun, Run
from enhancers.ui.session import Session
from enhancers.ui.viewer import MAX_PANELS
from enhancers.warm_up import import_networks

REFRESH_SECONDS = 0.25
"""Shortest time between two updates of the progress alone."""


class NotConfirmed(ParameterError):
    """A large image needs a confirmation."""


class RunHandlers(Handlers):
    """Handlers of Run and Stop."""

    def queue(self, request: gr.Request) -> Updates:
        """Answer the click at once: importing what the first method needs may take seconds."""
        session = self.session(request)
        if session.image is None or session.active:
            return self.updates.controls(session)
        session.changes.request_run()
        page = self.updates.layout
        return {
            page.estimate: render.estimate_html("Starting …"),
            page.run: gr.update(interactive=False),
            page.stop: gr.update(interactive=True),
        }

    def run(self, request: gr.Request, **values: Any) -> Iterator[Updates]:
        """Run the chosen methods and yield updates; closing the iterator stops the methods."""
        session = self.session(request)
        if not session.changes.take_run():
            # Another image was opened since, or Stop or Run was pressed a second time.
            yield self.updates.controls(session)
            yield self.updates.unchanged()
            return
        try:
            run = _start(session, values)
        except ReadingRoomError as error:
            asked = {self.updates.layout.confirm: gr.update(visible=True)}
            yield {
                **self.updates.controls(session),
                **(asked if isinstance(error, NotConfirmed) else {}),
                **self.updates.error(error),
            }
            return
        try:
            yield {**self.updates.notice(None), **self._run_and_status(session)}
            yield from self._follow(session, run, values)
        except ReadingRoomError as error:
            yield {**self.updates.run(session), **self.updates.error(error)}
        finally:
            run.stop()

    def _follow(self, session: Session, run: Run, values: dict[str, Any]) -> Iterator[Updates]:
        events = compare(
            run.image,
            [method.request for method in run.methods],
            seed=run.seed,
            device=_device(chosen_methods(values), values),
            cache=default_cache(),
        )
        with closing(events):
            completed = yield from self._updates(session, run, events)
        if completed:
            # The estimate of the next run follows and may take a while.
            finished = render.estimate_html("Finished.")
            yield {**self.updates.run(session), self.updates.layout.estimate: finished}

    def _updates(
        self, session: Session, run: Run, events: Iterator[Event]
    ) -> Generator[Updates, None, bool]:
        """Yield updates for pictures, the queue and progress; return whether the run completed."""
        # The first step of a method is drawn at once: the second may come much later.
        drawn = -math.inf
        wait: QueueStatus | None = None
        for event in events:
            if session.run is not run or not run.active:
                # Gradio sends the last update again at the end; it must not hold old results.
                yield self.updates.unchanged()
                return False
            run.apply(event)
            before, wait = wait, event.wait
            if wait is not None and before is not None:
                if wait.short != before.short:
                    yield self.updates.waiting(session)
                continue
            picture = event.finished or event.step.preview is not None
            if wait is not before:
                yield self._run_and_status(session)
            elif picture or time.monotonic() - drawn > REFRESH_SECONDS:
                yield self.updates.run(session)
            else:
                continue
            drawn = -math.inf if event.finished else time.monotonic()
        return True

    def _run_and_status(self, session: Session) -> Updates:
        """Everything of a run, and whether it waits or runs."""
        return {**self.updates.run(session), **self.updates.waiting(session)}

    def stop(self, request: gr.Request) -> Updates:
        """Stop the run and show what is finished; the methods end with their next step."""
        session = self.session(request)
        session.stop()
        return self.settle(request)

    def settle(self, request: gr.Request) -> Updates:
        """Show the run as it is now: an update of an earlier run may have arrived late."""
        session = self.session(request)
        return self.updates.unchanged() if session.image is None else self.updates.run(session)

    def estimate(self, request: gr.Request, **values: Any) -> Updates:
        """The expected time of the chosen methods, and whether they need a confirmation.

        An estimate belongs to the image and the settings it was asked for; if others came
        meanwhile, it changes nothing.
        """
        session = self.session(request)
        with session.lock:
            subject, image = session.set_settings(values), session.image
        with session.estimates.turn(subject.image, lambda: session.subject == subject) as current:
            if not current:
                return self.updates.unchanged()
            updates = self._estimate(image, values)
        with session.lock:
            if session.subject != subject:
                return self.updates.unchanged()
            if session.active:
                del updates[self.updates.layout.estimate]
        return updates

    def _estimate(self, image: MedicalImage | None, values: dict[str, Any]) -> Updates:
        page = self.updates.layout
        hidden = gr.update(visible=False, value=False)
        methods = chosen_methods(values)
        if image is None or not methods:
            text = render.OPEN_FIRST if image is None else "Select a method."
            return {page.estimate: render.estimate_html(text), page.confirm: hidden}
        try:
            large = _needs_confirmation(image, values)
            seconds = _seconds(image, values)
        except ReadingRoomError as error:
            return {
                page.estimate: render.estimate_html(str(error), "problem"),
                page.confirm: hidden,
            }
        if large:
            text = render.large_text(image.shape, seconds)
            shown = gr.update(visible=True)
            return {page.estimate: render.estimate_html(text, "problem"), page.confirm: shown}
        diffusion = sum(method.family == "diffusion" for method in methods)
        text = render.estimate_text(
            len(methods), sum(seconds.values()), unknown=len(seconds) < diffusion
        )
        return {page.estimate: render.estimate_html(text), page.confirm: hidden}


def _start(session: Session, values: dict[str, Any]) -> Run:
    """Start the run that the page asks for, unless the image is replaced meanwhile."""
    while True:
        run = _plan(session, values)
        with session.lock:
            if run.image is session.image:
                session.start(run)
                return run


def _plan(session: Session, values: dict[str, Any]) -> Run:
    """The run that the page asks for.

    Raises
    ------
    ParameterError
        There is no image, no method or too many, a parameter is out of range, or a large image
        needs a confirmation.
    """
    methods, image = chosen_methods(values), session.image
    if image is None:
        raise ParameterError("There is no image yet; drop a file or choose a sample.")
    if not methods:
        raise ParameterError("No method is selected; select at least one.")
    if len(methods) >= MAX_PANELS:
        raise ParameterError(
            f"{len(methods)} methods are selected; the grid holds {MAX_PANELS - 1} and the input. "
            "Select fewer."
        )
    if _needs_confirmation(image, values) and not values.get("confirm"):
        raise NotConfirmed(
            "The image is larger than 1024 x 1024 pixels and a diffusion method is selected; read "
            "the estimate above Run and select 'Run anyway'."
        )
    seed = _seed(values.get("seed"))
    requests = [Request(method.key, _checked(method, values)) for method in methods]
    labelled = zip(requests, methods, strict=True)
    runs = [MethodRun(request, method.label) for request, method in labelled]
    return Run(image, runs, seed)


def _seed(value: Any) -> int:
    """The seed of the field, where it is one."""
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else -1.0
    # Of Inf and NaN the remainder is NaN.
    if number < 0 or number % 1:
        raise ParameterError(f"The seed is {value}; give an integer of 0 or more.")
    return int(number)


def _seconds(image: MedicalImage, values: dict[str, Any]) -> dict[str, float]:
    """Estimated seconds by the label of each chosen diffusion method."""
    methods = [method for method in chosen_methods(values) if method.family == "diffusion"]
    device = devices.choose(_device(methods, values))
    found = {
        method.label: estimate_seconds(image, method.key, _checked(method, values), device)
        for method in methods
    }
    return {label: seconds for label, seconds in found.items() if seconds is not None}


def _device(methods: Sequence[Method], values: Mapping[str, Any]) -> str:
    """The requested device; the CPU for classical methods, which need not wait for torch."""
    if all(method.family == "classical" for method in methods):
        return "cpu"
    import_networks()
    return values.get("device") or "auto"


def _checked(method: Method, values: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of a method; an error begins with the method's label."""
    try:
        return parameter_values(method, values)
    except ParameterError as error:
        raise ParameterError(f"{method.label}: {error}") from None


def _needs_confirmation(image: MedicalImage, values: dict[str, Any]) -> bool:
    return any(
        is_large(image, method.key, _checked(method, values)) for method in chosen_methods(values)
    )
