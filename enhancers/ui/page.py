"""The compare page: builds the layout and connects its events to handlers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import APIRouter

from enhancers import devices
from enhancers.load import Caps
from enhancers.registry import METHODS
from enhancers.settings import Settings, on_a_space
from enhancers.ui import download_routes, evidence_tab, gallery, layout, network_handlers, render
from enhancers.ui.evidence_files import FOLDER
from enhancers.ui.evidence_tab import EvidencePage
from enhancers.ui.image_handlers import ImageHandlers
from enhancers.ui.layout import Layout
from enhancers.ui.network_handlers import NetworkHandlers
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

MAX_RUNS = 64
"""Most runs at a time, queued ones included; each occupies a thread."""
OTHER_THREADS = 64
"""Threads for the handlers that answer at once."""
DELETE_UPLOADS = (1800, render.UPLOAD_HOURS * 3600 - 1800)
"""Seconds between two rounds in which uploads are deleted, and the age from which they are."""
NO_STUDY = StudyLinks()

# The device queues decide who runs; this only keeps threads for everything else.
_RUNS: dict[str, Any] = {"concurrency_id": "methods", "concurrency_limit": MAX_RUNS}
# No handler of the page is an endpoint of the API, which `enhancers.api` has.
_QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
_LIGHT: dict[str, Any] = {**_QUIET, "concurrency_limit": None}


@dataclass(frozen=True, eq=False)
class ComparePage:
    """The page and what has to be served with it.

    Parameters
    ----------
    blocks : gradio.Blocks
    routers : tuple of fastapi.APIRouter
        To include in the app that serves `blocks`.
    sessions : Sessions
    launch_options : dict
        Look and threads of the page, for `gradio.Blocks.launch`.
    """

    blocks: Any
    routers: tuple[APIRouter, ...]
    sessions: Sessions
    launch_options: dict[str, Any]


def build(
    settings: Settings,
    links: StudyLinks = NO_STUDY,
    evidence: Path = FOLDER,
    add_endpoints: Callable[[Mapping[str, Any]], None] | None = None,
) -> ComparePage:
    """Build the page; imports no torch.

    Parameters
    ----------
    settings : Settings
    links : StudyLinks
        Addresses for the Study tab.
    evidence : Path
        Folder of the evidence.
    add_endpoints : callable, optional
        Adds the API's endpoints, whose calls are counted with the runs of the page.
    """
    sessions = Sessions()
    store = PixelStore(round(settings.pixel_store_mb * 1e6))
    priors = network_handlers.embedded_networks()
    with gr.Blocks(
        title=TITLE,
        analytics_enabled=False,
        fill_width=True,
        delete_cache=DELETE_UPLOADS,
    ) as blocks:
        page = layout.build_layout(
            _missing(priors), gallery.tiles(), priors, links,
            changes=settings.network_changes, max_bytes=settings.max_file_bytes,
            upload_remark=render.upload_remark(settings, on_a_space=on_a_space()),
        )  # fmt: skip
        updates = PageUpdates(page, store)
        image_handlers = ImageHandlers(updates, sessions, Caps.from_settings(settings))
        run_handlers = RunHandlers(updates, sessions)
        tab_handlers = TabHandlers(updates, sessions)
        networks = NetworkHandlers(updates, settings)
        _wire_tabs(page, tab_handlers)
        _wire_image(page, image_handlers, run_handlers, tab_handlers)
        _wire_run(page, run_handlers, tab_handlers)
        network_handlers.wire(networks, _LIGHT, _QUIET)
        evidence_tab.wire(EvidencePage(evidence), page.evidence, _LIGHT)
        _wire_page(blocks, page, sessions, settings, networks)
        if add_endpoints:
            add_endpoints(_RUNS)
    routers = (
        pixel_router(store),
        download_routes.router(sessions),
        evidence_tab.router(evidence),
    )
    # With Gradio's default number the page shares the threads of the server, and queued runs would
    # block a reader study.
    options = {**launch_options(), "max_threads": MAX_RUNS + OTHER_THREADS}
    return ComparePage(blocks, routers, sessions, options)


def _missing(priors: Sequence[tuple[str, bool]]) -> dict[str, str]:
    """By the key of each method without its network, a sentence that says so."""
    absent = {key for key, present in priors if not present}
    return {
        method.key: f"Needs the {method.prior} prior, which is not on this machine: "
        f"python -m enhancers networks train --which {method.prior}"
        for method in METHODS
        if method.prior in absent
    }


def _outputs(page: Layout) -> list[Any]:
    return [*page.components(), *page.method_components()]


def _wire_image(
    page: Layout,
    image_handlers: ImageHandlers,
    run_handlers: RunHandlers,
    tab_handlers: TabHandlers,
) -> None:
    everything: dict[str, Any] = {"outputs": _outputs(page), **_LIGHT}
    methods = page.method_inputs()
    events = [
        page.upload.upload(
            image_handlers.upload, [page.upload], inputs_kwargs=methods, **everything
        ),
        page.samples.pick(image_handlers.sample, None, inputs_kwargs=methods, **everything),
        page.modality.input(
            image_handlers.modality, [page.modality], inputs_kwargs=methods, **everything
        ),
        page.slice.change(
            image_handlers.slice, [page.slice], trigger_mode="always_last", **everything
        ),
        page.window.input(image_handlers.window, [page.window], **everything),
        gr.on(
            [page.low.submit, page.high.submit, page.low.blur, page.high.blur],
            image_handlers.manual_window,
            [page.low, page.high],
            **everything,
        ),
        gr.on(
            [page.truth.upload, page.truth.clear], image_handlers.truth, [page.truth], **everything
        ),
    ]
    for event in events:
        _then_refresh(event, page, tab_handlers)
        _then_estimate(event, page, run_handlers)


def _wire_run(page: Layout, run_handlers: RunHandlers, tab_handlers: TabHandlers) -> None:
    methods = page.method_inputs()
    outputs = [
        page.notice, page.estimate, page.viewer, page.progress, page.run, page.stop,
        page.slider_left, page.slider_right, page.difference_left, page.difference_right,
    ]  # fmt: skip
    queued = page.run.click(run_handlers.queue, None, outputs, **_LIGHT)
    started = queued.then(
        run_handlers.run,
        None,
        outputs,
        inputs_kwargs=methods,
        **_RUNS,
        **_QUIET,
    )
    stopped = page.stop.click(run_handlers.stop, None, outputs, cancels=[started], **_LIGHT)
    # Twice, because an update that was on its way when Stop was pressed may arrive after it.
    settled = stopped.then(run_handlers.stop, None, outputs, **_LIGHT)
    for ended in (started, settled):
        _then_refresh(ended, page, tab_handlers)
        _then_estimate(ended, page, run_handlers)
    gr.on(
        [component.change for component in (*page.method_components(), page.device)],
        run_handlers.estimate,
        None,
        [page.estimate, page.confirm],
        inputs_kwargs=methods,
        trigger_mode="always_last",
        **_LIGHT,
    )


def _then_estimate(event: Any, page: Layout, run_handlers: RunHandlers) -> None:
    outputs, methods = [page.estimate, page.confirm], page.method_inputs()
    event.then(run_handlers.estimate, None, outputs, inputs_kwargs=methods, **_LIGHT)


def _then_refresh(event: Any, page: Layout, tab_handlers: TabHandlers) -> None:
    event.then(tab_handlers.refresh, [page.active], _tab_outputs(page), **_LIGHT)


def _tab_outputs(page: Layout) -> list[Any]:
    return [
        page.notice, page.slider, page.difference, page.difference_note,
        page.metrics, page.provenance, page.slider_left, page.slider_right,
        page.difference_left, page.difference_right,
    ]  # fmt: skip


def _wire_tabs(page: Layout, tab_handlers: TabHandlers) -> None:
    selected = page.tabs.select(tab_handlers.select, None, [page.active], **_LIGHT)
    _then_refresh(selected, page, tab_handlers)
    pairs = (
        (page.slider_left, page.slider_right), (page.difference_left, page.difference_right)
    )  # fmt: skip
    for left, right in pairs:
        picked = gr.on([left.input, right.input], tab_handlers.pick, [left, right], None, **_LIGHT)
        _then_refresh(picked, page, tab_handlers)
    page.card_choice.change(tab_handlers.card, [page.card_choice], [page.card], **_LIGHT)


def _wire_page(
    blocks: Any,
    page: Layout,
    sessions: Sessions,
    settings: Settings,
    networks: NetworkHandlers,
) -> None:
    def opened() -> Updates:
        """Fill in what needs torch or may have changed since the page was built."""
        import_torch()
        choices = [("Automatic", "auto"), *((name, name) for name in devices.devices())]
        return {
            **networks.show(),
            page.device: gr.update(choices=choices, value=settings.device),
            page.card: card_text(METHODS[0].key),
        }

    def closed(request: gr.Request) -> None:
        session = sessions.remove(request.session_hash)
        if session is not None and session.run is not None:
            session.run.stop()
        networks.stop(request)

    outputs = [page.device, page.card, page.header, page.networks.list, *networks.fields().values()]
    blocks.load(opened, None, outputs, **_LIGHT)
    blocks.unload(closed)
