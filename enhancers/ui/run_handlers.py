"""Handlers that start, follow and stop a run."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any

import gradio as gr

from enhancers.compare import Event, Request, compare, default_cache
from enhancers.errors import ParameterError, ReadingRoomError
from enhancers.job_queue import QueueStatus
from enhancers.ui import render
from enhancers.ui.handlers import Handlers
from enhancers.ui.page_updates import Updates
from enhancers.ui.parameters import chosen_methods
from enhancers.ui.requests import (
    needs_confirmation,
    requested_device,
    requested_parameters,
    requested_seeds,
    seed_number,
)
from enhancers.ui.run import MethodRun, Run
from enhancers.ui.session import Session
from enhancers.ui.viewer import MAX_PANELS

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
            device=requested_device(chosen_methods(values), values),
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
    if needs_confirmation(image, values) and not values.get("confirm"):
        raise NotConfirmed(
            "The image is larger than 1024 x 1024 pixels and a diffusion method is selected; read "
            "the estimate above Run and select 'Run anyway'."
        )
    seed = seed_number(values.get("seed"))
    runs = []
    for method in methods:
        seeds = requested_seeds(method, values)
        request = Request(method.key, requested_parameters(method, values), seeds)
        of_seeds = f"{render.short_label(method.label)}, mean of {seeds} seeds"
        runs.append(MethodRun(request, of_seeds if seeds > 1 else method.label))
    return Run(image, runs, seed)
