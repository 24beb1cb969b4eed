"""The tab of the page in which a method runs on all slices of the open volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import gradio as gr

from enhancers.job_queue import seconds_text
from enhancers.ui.html import fill, piece
from enhancers.ui.session import Session
from enhancers.ui.slices_job import FORMATS, SlicesJob

LEAD = (
    "Runs one method of the last run, with its parameters, on every slice of the open volume: each "
    "slice on its own, all in one window. The file is kept until the page is closed or another "
    "image is opened."
)
NO_VOLUME = "The open image is a single slice. Open a volume or a series to run all of its slices."
NO_RUN = "Run a method on one slice first; then it can run on all of them."
KEEP = (
    "Keep name, identifier and study of the patient. Without it, the file keeps technical elements "
    "only."
)


@dataclass(frozen=True, eq=False)
class SlicesTab:
    """The components of the tab."""

    method: Any
    format: Any
    keep: Any
    start: Any
    stop: Any
    state: Any

    def components(self) -> list[Any]:
        """All of them."""
        return [getattr(self, item.name) for item in fields(self)]


def build_tab() -> SlicesTab:
    """Create the components inside an open `gr.Tab`."""
    gr.HTML(piece("remark", LEAD))
    with gr.Row(elem_id="slices-choice"):
        method = gr.Dropdown(
            [], label="Method", filterable=False, elem_id="slices-method", min_width=160
        )
        kind = gr.Dropdown(
            [(label, key) for key, label in FORMATS.items() if key != "dcm"], value="nii.gz",
            label="Format", filterable=False, elem_id="slices-format", min_width=160,
        )  # fmt: skip
    keep = gr.Checkbox(
        False, label="Keep the patient", info=KEEP, visible=False, elem_id="slices-keep"
    )
    with gr.Row(elem_id="slices-buttons"):
        start = gr.Button(
            "Run all slices", variant="primary", interactive=False, elem_id="slices-start",
            min_width=160,
        )  # fmt: skip
        stop = gr.Button("Stop", interactive=False, elem_id="slices-stop", min_width=80)
    state = gr.HTML(state_html(Session(), ""), elem_id="slices-state")
    return SlicesTab(method, kind, keep, start, stop, state)


def state_html(session: Session, base: str) -> str:
    """Progress and link of the run of all slices, or what to do first.

    Parameters
    ----------
    session : Session
    base : str
        Address of the downloads, ending in a slash.
    """
    job = session.all_slices
    if job is None:
        return piece("remark", reason(session))
    step = job.progress
    return fill(
        "slices.html",
        job=job,
        percent=round(100 * step.fraction) if step else 0,
        note=step.note if step else "Starting …",
        left=_left(job),
        wait=step.wait if step else None,
        href=f"{base}{session.token}/all-slices",
    )


def reason(session: Session) -> str:
    """Why no run can be started; empty where one can."""
    if session.image is None or session.image.slice_count == 1:
        return NO_VOLUME
    return "" if session.run is not None and session.run.done else NO_RUN


def start_label(count: int, seconds: float | None) -> str:
    """The label of the button, with the expected time."""
    expected = "" if seconds is None else f" (about {seconds_text(seconds)})"
    return f"Run all {count} slices{expected}".replace("about under", "under")


def method_choices(session: Session) -> Sequence[tuple[str, str]]:
    """Label and key of the finished methods."""
    run = session.run
    return [] if run is None else [(method.label, method.key) for method in run.done]


def _left(job: SlicesJob) -> str:
    step = job.progress
    if step is None or step.seconds_left is None or not job.active:
        return ""
    return f"{seconds_text(step.seconds_left)} left"
