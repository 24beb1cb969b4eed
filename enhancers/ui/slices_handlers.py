"""Handlers of the tab in which a method runs on all slices."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

import gradio as gr

from enhancers import devices
from enhancers.compare import expected_seconds
from enhancers.errors import ParameterError, ReadingRoomError
from enhancers.registry import get
from enhancers.ui import slices_tab
from enhancers.ui.handlers import Handlers
from enhancers.ui.page_updates import DOWNLOADS, Updates
from enhancers.ui.requests import requested_device
from enhancers.ui.run import MethodRun
from enhancers.ui.session import Session
from enhancers.ui.slices_job import FORMATS, SlicesJob, offered_formats

REFRESH_SECONDS = 0.25
"""Shortest time between two updates of the progress."""


class SlicesHandlers(Handlers):
    """Handlers of a run of all slices."""

    def show(
        self, method: str | None, kind: str | None, device: str | None, request: gr.Request
    ) -> Updates:
        """What can be run now, with the expected time, and the run that is under way.

        Parameters
        ----------
        method, kind, device : str, optional
            What is chosen.
        request : gradio.Request
        """
        session = self.session(request)
        page = self.updates.layout.slices
        image = session.image
        if slices_tab.reason(session) or image is None:
            return {page.method: gr.update(choices=[], value=None), **self._state(session)}
        choices = slices_tab.method_choices(session)
        formats = offered_formats(image)
        keys = [key for _, key in choices]
        chosen = method if method in keys else keys[0]
        kind = kind if kind in [key for _, key in formats] else formats[0][1]
        seconds = self._seconds(session, chosen, device)
        return {
            page.method: gr.update(choices=choices, value=chosen),
            page.format: gr.update(choices=formats, value=kind),
            page.keep: gr.update(visible=kind == "dcm"),
            **self._state(session, slices_tab.start_label(image.slice_count, seconds)),
        }

    def run(
        self, method: str | None, kind: str | None, keep: bool, device: str | None,
        request: gr.Request,
    ) -> Iterator[Updates]:  # fmt: skip
        """Run a method on all slices and yield the progress; closing the iterator stops it."""
        session = self.session(request)
        try:
            job = _start(session, str(method), str(kind), keep, device)
        except ReadingRoomError as error:
            yield {**self._state(session), **self.updates.error(error)}
            return
        drawn = time.monotonic()
        yield {**self._state(session), **self.updates.notice(None)}
        with closing(job.run()) as steps:
            for _ in steps:
                if session.all_slices is not job:
                    job.stop()
                elif time.monotonic() - drawn > REFRESH_SECONDS:
                    yield self._state(session)
                    drawn = time.monotonic()
        yield self._state(session)

    def stop(self, request: gr.Request) -> Updates:
        """Stop the run of all slices."""
        session = self.session(request)
        if session.all_slices is not None:
            session.all_slices.stop()
        page = self.updates.layout.slices
        return {page.stop: gr.update(interactive=False)}

    def _state(self, session: Session, label: str = "") -> Updates:
        page, job = self.updates.layout.slices, session.all_slices
        active = job is not None and job.active
        ready = not active and not slices_tab.reason(session)
        named = {"value": label} if label else {}
        return {
            page.state: slices_tab.state_html(session, DOWNLOADS),
            page.stop: gr.update(interactive=active),
            page.start: gr.update(interactive=ready, **named),
        }

    def _seconds(self, session: Session, method: str, device: str | None) -> float | None:
        run = _method_run(session, method)
        image = session.image
        if run is None or image is None:
            return None
        known = devices.choose("cpu") if device in (None, "auto", "cpu") else str(device)
        one = expected_seconds(image, run.key, run.request.params, known)
        return None if one is None else one * run.request.seeds * image.slice_count


def _method_run(session: Session, key: str) -> MethodRun | None:
    run = session.run
    return next((one for one in run.done if one.key == key), None) if run else None


def _start(session: Session, method: str, kind: str, keep: bool, device: str | None) -> SlicesJob:
    """Start the run that the tab asks for; that of before, and its file, are gone.

    Raises
    ------
    ParameterError
        There is nothing to run, one is running, or the choice is not possible.
    """
    with session.lock:
        if session.all_slices is not None and session.all_slices.active:
            raise ParameterError("All slices are being run already; stop that first.")
        why = slices_tab.reason(session)
        found, image, opened = _method_run(session, method), session.image, session.opened
        if why or image is None or opened is None or session.run is None:
            raise ParameterError(why or slices_tab.NO_RUN)
        if found is None:
            raise ParameterError("This method has no result; select one that has.")
        if kind not in FORMATS or kind not in [key for _, key in offered_formats(image)]:
            raise ParameterError("This format is not possible for this volume; select another.")
        where = requested_device([get(found.key)], {"device": device})
        job = SlicesJob(
            image, opened, found.request, found.label, session.run.seed, where, kind, keep
        )
        session.all_slices = job
        return job
