"""The compare page, put together: layout, handlers, and which event calls which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import APIRouter

from enhancers import devices
from enhancers.load import Caps
from enhancers.registry import METHODS
from enhancers.settings import Settings
from enhancers.ui import download_routes, gallery, layout
from enhancers.ui import evidence as evidence_room
from enhancers.ui import networks as networks_room
from enhancers.ui.evidence import Evidence
from enhancers.ui.evidence_files import FOLDER
from enhancers.ui.image_handlers import ImageHandlers
from enhancers.ui.layout import Layout
from enhancers.ui.networks import Networks
from enhancers.ui.page_updates import PageUpdates, Updates
from enhancers.ui.run_handlers import RunHandlers
from enhancers.ui.session import Sessions
from enhancers.ui.study_tab import StudyLinks
from enhancers.ui.tab_handlers import TabHandlers, card_text
from enhancers.ui.theme import launch_options
from enhancers.ui.viewer import PixelStore
from enhancers.ui.viewer import router as pixel_router
from enhancers.warm_up import import_torch

TITLE = "Reading Room"

MOST_RUNS = 64
"""Runs that are followed at a time, those in line included; each keeps a thread."""
OTHER_THREADS = 64
"""For the handlers that answer at once."""
NO_DOORS = StudyLinks()

# No handler is an API of its own; scripts use the command line or the package.
_QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
_LIGHT: dict[str, Any] = {**_QUIET, "concurrency_limit": None}


@dataclass(frozen=True, eq=False)
class ComparePage:
    """The page and what has to be served beside it.

    Parameters
    ----------
    blocks : gradio.Blocks
    routers : tuple of fastapi.APIRouter
        To be included in the app that `blocks` runs in.
    sessions : Sessions
    launch_options : dict
        Look and threads of the page, for `gradio.Blocks.launch`.
    """

    blocks: Any
    routers: tuple[APIRouter, ...]
    sessions: Sessions
    launch_options: dict[str, Any]


def build(settings: Settings, doors: StudyLinks = NO_DOORS, evidence: Path = FOLDER) -> ComparePage:
    """Build the page; imports no torch.

    Parameters
    ----------
    settings : Settings
    doors : StudyLinks
        What the Study tab leads to.
    evidence : Path
        Folder of what was measured.
    """
    sessions = Sessions()
    store = PixelStore(round(settings.pixel_store_mb * 1e6))
    present = networks_room.present()
    with gr.Blocks(
        title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(3600, 86400)
    ) as blocks:
        page = layout.draw(
            _missing(present), gallery.tiles(), present, doors,
            changes=settings.network_changes, cap=settings.max_file_bytes,
        )  # fmt: skip
        screen = PageUpdates(page, store)
        caps = Caps.from_settings(settings)
        running = RunHandlers(screen, sessions)
        views = TabHandlers(screen, sessions)
        _wire_views(page, views)
        _wire_image(page, ImageHandlers(screen, sessions, caps), running, views)
        _wire_run(page, running, views)
        networks = Networks(screen, settings)
        networks_room.wire(networks, _LIGHT, _QUIET)
        evidence_room.wire(Evidence(evidence), page.evidence, _LIGHT)
        _wire_page(blocks, page, sessions, settings, networks)
    routers = (
        pixel_router(store),
        download_routes.router(sessions),
        evidence_room.router(evidence),
    )
    # Threads of its own: with Gradio's default number the page shares those of the whole server,
    # and runs in line would keep a reader study waiting.
    options = {**launch_options(), "max_threads": MOST_RUNS + OTHER_THREADS}
    return ComparePage(blocks, routers, sessions, options)


def _missing(present: Sequence[tuple[str, bool]]) -> dict[str, str]:
    """Per method that lacks its network, a sentence that says so."""
    absent = {key for key, there in present if not there}
    return {
        method.key: f"Needs the {method.prior} prior, which is not on this machine: "
        f"python -m enhancers networks train --which {method.prior}"
        for method in METHODS
        if method.prior in absent
    }


def _outputs(page: Layout) -> list[Any]:
    return [*page.components(), *page.method_components()]


def _wire_image(
    page: Layout, opening: ImageHandlers, running: RunHandlers, views: TabHandlers
) -> None:
    everything: dict[str, Any] = {"outputs": _outputs(page), **_LIGHT}
    methods = page.method_inputs()
    events = [
        page.upload.upload(opening.upload, [page.upload], inputs_kwargs=methods, **everything),
        page.samples.pick(opening.sample, None, inputs_kwargs=methods, **everything),
        page.modality.input(opening.modality, [page.modality], inputs_kwargs=methods, **everything),
        page.slice.change(opening.slice, [page.slice], trigger_mode="always_last", **everything),
        page.window.input(opening.window, [page.window], **everything),
        gr.on(
            [page.low.submit, page.high.submit, page.low.blur, page.high.blur],
            opening.manual_window,
            [page.low, page.high],
            **everything,
        ),
        gr.on([page.truth.upload, page.truth.clear], opening.truth, [page.truth], **everything),
    ]
    for event in events:
        _then_refresh(event, page, views)
        _then_estimate(event, page, running)


def _wire_run(page: Layout, running: RunHandlers, views: TabHandlers) -> None:
    methods = page.method_inputs()
    outputs = [
        page.notice, page.estimate, page.viewer, page.progress, page.run, page.stop,
        page.slider_left, page.slider_right, page.difference_left, page.difference_right,
    ]  # fmt: skip
    queued = page.run.click(running.queue, None, outputs, **_LIGHT)
    started = queued.then(
        running.run,
        None,
        outputs,
        inputs_kwargs=methods,
        # The lanes decide who runs; this only keeps threads for everything else.
        concurrency_id="methods",
        concurrency_limit=MOST_RUNS,
        **_QUIET,
    )
    stopped = page.stop.click(running.stop, None, outputs, cancels=[started], **_LIGHT)
    # Drawn twice, because a picture that was on its way when Stop was pressed may come after it.
    settled = stopped.then(running.stop, None, outputs, **_LIGHT)
    for ended in (started, settled):
        _then_refresh(ended, page, views)
        _then_estimate(ended, page, running)
    gr.on(
        [component.change for component in (*page.method_components(), page.device)],
        running.estimate,
        None,
        [page.estimate, page.confirm],
        inputs_kwargs=methods,
        trigger_mode="always_last",
        **_LIGHT,
    )


def _then_estimate(event: Any, page: Layout, running: RunHandlers) -> None:
    outputs, methods = [page.estimate, page.confirm], page.method_inputs()
    event.then(running.estimate, None, outputs, inputs_kwargs=methods, **_LIGHT)


def _then_refresh(event: Any, page: Layout, views: TabHandlers) -> None:
    event.then(views.refresh, [page.active, page.gain], _view_outputs(page), **_LIGHT)


def _view_outputs(page: Layout) -> list[Any]:
    return [
        page.notice, page.slider, page.slider_note, page.difference, page.difference_note,
        page.metrics, page.provenance, page.slider_left, page.slider_right,
        page.difference_left, page.difference_right,
    ]  # fmt: skip


def _wire_views(page: Layout, views: TabHandlers) -> None:
    selected = page.tabs.select(views.select, None, [page.active], **_LIGHT)
    _then_refresh(selected, page, views)
    page.viewer.window_change(views.remember_window, None, None, **_LIGHT)
    pairs = (
        (page.slider_left, page.slider_right), (page.difference_left, page.difference_right)
    )  # fmt: skip
    for left, right in pairs:
        picked = gr.on([left.input, right.input], views.pick, [left, right], None, **_LIGHT)
        _then_refresh(picked, page, views)
    page.gain.change(
        views.refresh, [page.active, page.gain], _view_outputs(page),
        trigger_mode="always_last", **_LIGHT,
    )  # fmt: skip
    page.card_choice.change(views.card, [page.card_choice], [page.card], **_LIGHT)


def _wire_page(
    blocks: Any,
    page: Layout,
    sessions: Sessions,
    settings: Settings,
    networks: Networks,
) -> None:
    def opened() -> Updates:
        """Fill in what takes torch to know, once the page stands, and what may have changed."""
        import_torch()
        choices = [("Automatic", "auto"), *((name, name) for name in devices.devices())]
        return {
            **networks.show(),
            page.device: gr.update(choices=choices, value=settings.device),
            page.card: card_text(METHODS[0].key),
        }

    def closed(request: gr.Request) -> None:
        session = sessions.drop(request.session_hash)
        if session is not None and session.run is not None:
            session.run.stop()
        networks.stop(request)

    outputs = [page.device, page.card, page.header, page.networks.list, *networks.fields().values()]
    blocks.load(opened, None, outputs, **_LIGHT)
    blocks.unload(closed)
