"""The compare page: builds the layout and connects its events to handlers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import APIRouter

from enhancers.load import Caps
from enhancers.registry import METHODS
from enhancers.settings import Settings, on_a_space
from enhancers.ui import (
    download_routes,
    evidence_tab,
    gallery,
    layout,
    network_handlers,
    render,
    series_list,
)
from enhancers.ui.degrade_handlers import DegradeHandlers
from enhancers.ui.estimate_handlers import EstimateHandlers
from enhancers.ui.evidence_files import FOLDER
from enhancers.ui.evidence_tab import EvidencePage
from enhancers.ui.image_handlers import ImageHandlers
from enhancers.ui.layout import Layout
from enhancers.ui.mask_handlers import MaskHandlers
from enhancers.ui.navigator_handlers import NavigatorHandlers
from enhancers.ui.network_handlers import NetworkHandlers
from enhancers.ui.page_handlers import PageHandlers
from enhancers.ui.page_updates import PageUpdates, Updates
from enhancers.ui.quick_blocks import QuickBlocks
from enhancers.ui.run_handlers import RunHandlers
from enhancers.ui.sessions import Sessions
from enhancers.ui.slices_handlers import SlicesHandlers
from enhancers.ui.study_tab import StudyLinks
from enhancers.ui.tab_handlers import TabHandlers
from enhancers.ui.theme import launch_options
from enhancers.ui.upload_handlers import UploadHandlers
from enhancers.ui.viewer import PixelStore
from enhancers.ui.viewer import router as pixel_router
from enhancers.ui.wiring import Wiring

TITLE = "Reading Room"

MAX_RUNS = 64
"""Most runs at a time, queued ones included; each occupies a thread."""
OTHER_THREADS = 64
"""Threads for the handlers that answer at once."""
NO_STUDY = StudyLinks()

_WITH_MOMENT = "(moment, ...values) => [performance.now(), ...values]"

# The device queues decide who runs; this only keeps threads for everything else.
_RUNS: dict[str, Any] = {"concurrency_id": "methods", "concurrency_limit": MAX_RUNS}
_LAST: dict[str, Any] = {"trigger_mode": "always_last"}


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
    with QuickBlocks(title=TITLE, analytics_enabled=False, fill_width=True) as blocks:
        page = layout.build_layout(
            _missing(priors), gallery.tiles(), network_handlers.sampled_networks(), links,
            changes=settings.network_changes, max_bytes=settings.max_file_bytes,
            network_folder=settings.network_folder,
            remarks=(
                render.upload_remark(on_a_space=on_a_space()), render.keeping_remark(settings),
            ),
        )  # fmt: skip
        updates = PageUpdates(page, store)
        networks = NetworkHandlers(updates, settings)
        wiring = Wiring(updates, sessions)
        follow_ups = _FollowUps(wiring, page, sessions)
        _wire_tabs(wiring, page, follow_ups)
        _wire_image(wiring, page, follow_ups, Caps.from_settings(settings))
        _wire_run(wiring, page, follow_ups)
        _wire_slices(wiring, page, follow_ups)
        for event in network_handlers.wire(wiring, networks):
            # A network that was removed gives way to the default, and its method goes.
            follow_ups.estimate(event)
        _wire_evidence(wiring, page, EvidencePage(evidence))
        _wire_page(wiring, blocks, page, settings, networks, follow_ups)
        if add_endpoints:
            add_endpoints(_RUNS)
    routers = (
        pixel_router(store),
        download_routes.router(sessions),
        evidence_tab.router(evidence),
        series_list.router(sessions),
    )
    # With Gradio's default number the page shares the threads of the server, and queued runs would
    # block a reader study.
    options = {**launch_options(), "max_threads": MAX_RUNS + OTHER_THREADS}
    return ComparePage(blocks, routers, sessions, options)


def _missing(priors: Sequence[tuple[str, bool]]) -> dict[str, str]:
    """By the key of each method without its network, a sentence that says so."""
    absent = {key for key, present in priors if not present}
    return {
        method.key: f"Needs the network {key}, which is not on this machine: "
        f"python -m enhancers networks train --which {key}"
        for method in METHODS
        if method.prior and (key := method.parameter("prior").default) in absent
    }


def _outputs(page: Layout) -> list[Any]:
    return [*page.components(), *page.method_components()]


class _FollowUps:
    """Events that follow others: the open tab, the estimate, and the run as it is by then.

    Parameters
    ----------
    wiring : Wiring
    page : Layout
    sessions : Sessions
    """

    def __init__(self, wiring: Wiring, page: Layout, sessions: Sessions) -> None:
        self.wiring = wiring
        self.page = page
        self.runs = RunHandlers(wiring.updates, sessions)
        self.estimates = EstimateHandlers(wiring.updates, sessions)
        self.tabs = TabHandlers(wiring.updates, sessions)
        self.slices = SlicesHandlers(wiring.updates, sessions)

    def refresh(self, event: Any) -> None:
        """Update the open tab."""
        page = self.page
        self.wiring.connect(event.then, self.tabs.refresh, [page.active], _tab_outputs(page))

    def estimate(self, event: Any) -> None:
        """Estimate the time."""
        self.estimate_on(event.then)

    def estimate_on(self, listener: Callable[..., Any]) -> None:
        """Estimate the time when something else happens."""
        # No preprocessing: Gradio's errors about a value would take the place of the registry's.
        self.wiring.connect(
            listener, self.estimates.estimate, [self.page.moment],
            [self.page.confirm, self.page.depths, *(card.chosen for card in self.page.cards),
             *(card.chosen for card in self.page.added.cards)],
            inputs_kwargs=self.page.method_inputs(), preprocess=False, js=_WITH_MOMENT,
        )  # fmt: skip

    def settle(self, event: Any) -> None:
        """Show the run as it is, update the open tab and estimate the time."""
        settled = self.wiring.connect(event.then, self.runs.settle, None, _run_outputs(self.page))
        self.refresh(settled)
        self.offer(settled.then)
        self.estimate(event)

    def offer(self, listener: Callable[..., Any]) -> None:
        """Show what can be run on all slices when something else happens."""
        tab = self.page.slices
        inputs = [tab.method, tab.format, self.page.device]
        self.wiring.connect(listener, self.slices.show, inputs, tab.components())


def _run_outputs(page: Layout) -> list[Any]:
    return [
        page.viewer, page.progress, page.confirm,
        page.slider_left, page.slider_right, page.difference_left, page.difference_right,
    ]  # fmt: skip


def _wire_image(wiring: Wiring, page: Layout, follow_ups: _FollowUps, caps: Caps) -> None:
    handlers = ImageHandlers(wiring.updates, wiring.sessions, caps)
    uploads, planes = UploadHandlers(handlers), NavigatorHandlers(handlers)
    outputs, methods = _outputs(page), page.method_inputs()
    connect = functools.partial(wiring.connect, outputs=outputs)
    events = [
        connect(page.upload.upload, uploads.upload, [page.upload], inputs_kwargs=methods),
        connect(page.series.pick, uploads.pick, inputs_kwargs=methods),
        connect(page.samples.pick, handlers.sample, inputs_kwargs=methods),
        connect(page.modality.input, handlers.modality, [page.modality], inputs_kwargs=methods),
        connect(page.not_ct.click, handlers.not_ct, inputs_kwargs=methods),
        connect(page.slice.change, handlers.slice, [page.slice], **_LAST),
        connect(page.crop.input, handlers.crop, [page.crop]),
        connect(page.window.input, handlers.window, [page.window]),
        connect(page.limits.commit, handlers.custom_window),
        connect(
            functools.partial(gr.on, [page.truth.upload, page.truth.clear]),
            handlers.truth, [page.truth],
        ),
        *_mask_events(wiring, page, caps),
        *_degrade_events(wiring, page),
    ]  # fmt: skip
    for event in events:
        follow_ups.settle(event)
        wiring.connect(event.then, planes.show, None, [page.navigator, page.slice])
    follow_ups.settle(connect(page.navigator.move, planes.move))
    connect(page.series.refuse, uploads.refuse)


def _mask_events(wiring: Wiring, page: Layout, caps: Caps) -> list[Any]:
    """Events that change the mask; painting by itself changes nothing."""
    handlers = MaskHandlers(wiring.updates, wiring.sessions, caps)
    connect = functools.partial(wiring.connect, outputs=_outputs(page))
    connect(page.paint.click, handlers.paint)
    changes = functools.partial(gr.on, [page.mask.upload, page.mask.clear])
    return [
        connect(changes, handlers.upload, [page.mask]),
        connect(page.use_painting.click, handlers.use, [page.painting]),
    ]


def _degrade_events(wiring: Wiring, page: Layout) -> list[Any]:
    """Events that degrade the image, and undo it."""
    handlers = DegradeHandlers(wiring.updates, wiring.sessions)
    connect = functools.partial(wiring.connect, outputs=_outputs(page))
    connect(page.degrade_kind.input, handlers.kind, [page.degrade_kind])
    inputs = [page.degrade_kind, page.degrade_level, page.seed]
    return [
        connect(page.degrade.click, handlers.apply, inputs),
        connect(page.undo_degrade.click, handlers.undo),
    ]


def _wire_run(wiring: Wiring, page: Layout, follow_ups: _FollowUps) -> None:
    handlers, outputs = follow_ups.runs, _run_outputs(page)
    queued = wiring.connect(page.run.click, handlers.queue)
    started = wiring.connect(
        queued.then, handlers.run, None, outputs,
        inputs_kwargs=page.method_inputs(), preprocess=False, **_RUNS,
    )  # fmt: skip
    # Gradio's `cancels` is not used: it waits for the end of the step, and the page with it.
    stopped = wiring.connect(page.stop.click, handlers.stop, None, outputs)
    for ended in (started, stopped):
        follow_ups.settle(ended)
    fields = (*page.method_components(), page.device, page.seed, page.seeds)
    changes = [_changed(field) for field in fields]
    follow_ups.estimate_on(functools.partial(gr.on, changes))


def _changed(field: Any) -> Any:
    """The event that tells of every change by a visitor.

    `change` counts what the page fills in as well, but Gradio sends no `input` when a slider is
    reset or brings a number into its range, or when a text is pasted or deleted; and for a checkbox
    only `select` tells of the key Enter.
    """
    if isinstance(field, gr.Checkbox):
        return field.select
    return field.change if isinstance(field, gr.Slider | gr.Textbox) else field.input


def _wire_slices(wiring: Wiring, page: Layout, follow_ups: _FollowUps) -> None:
    tab, handlers = page.slices, follow_ups.slices
    follow_ups.offer(functools.partial(gr.on, [tab.method.input, tab.format.input]))
    wiring.connect(
        tab.start.click, handlers.run, [tab.method, tab.format, tab.keep, page.device],
        tab.components(), **_RUNS,
    )  # fmt: skip
    wiring.connect(tab.stop.click, handlers.stop, None, tab.components())


def _tab_outputs(page: Layout) -> list[Any]:
    return [
        page.notice, page.slider, page.difference, page.difference_note,
        page.maps_choice, page.maps_note, page.maps,
        page.metrics, page.provenance, page.slider_left, page.slider_right,
        page.difference_left, page.difference_right,
    ]  # fmt: skip


def _wire_tabs(wiring: Wiring, page: Layout, follow_ups: _FollowUps) -> None:
    handlers = follow_ups.tabs
    selected = wiring.connect(page.tabs.select, handlers.select, None, [page.active])
    follow_ups.refresh(selected)
    pairs = (
        (page.slider_left, page.slider_right), (page.difference_left, page.difference_right)
    )  # fmt: skip
    for left, right in pairs:
        listener = functools.partial(gr.on, [left.input, right.input])
        follow_ups.refresh(wiring.connect(listener, handlers.pick, [left, right]))
    kind = wiring.connect(page.difference_kind.input, handlers.kind, [page.difference_kind])
    follow_ups.refresh(kind)
    # A choice that a new run has just taken away is no error.
    chosen = wiring.connect(
        page.maps_choice.input, handlers.mapped, [page.maps_choice], preprocess=False
    )
    follow_ups.refresh(chosen)
    wiring.connect(page.card_choice.change, handlers.card, [page.card_choice], [page.card], **_LAST)


def _wire_evidence(wiring: Wiring, page: Layout, evidence: EvidencePage) -> None:
    outputs = [page.evidence.content, page.evidence.seen]

    def show(seen: str) -> Updates:
        """The evidence, where the tab does not show it yet."""
        return dict(zip(outputs, evidence.show(seen), strict=True))

    wiring.connect(page.evidence.tab.select, show, [page.evidence.seen], outputs)


def _wire_page(
    wiring: Wiring, blocks: Any, page: Layout, settings: Settings, networks: NetworkHandlers,
    follow_ups: _FollowUps,
) -> None:  # fmt: skip
    handlers = PageHandlers(wiring.updates, wiring.sessions, settings, networks)
    # The name of the session stays with the browser's tab, so that the page, when it is loaded
    # anew, finds its image and results.
    resumed = wiring.connect(
        blocks.load,
        handlers.resume,
        [page.visit],
        list(dict.fromkeys([*_outputs(page), *page.added.components()])),
        js="readingRoomVisit.get",
    )
    resumed.then(None, [page.visit], None, js="readingRoomVisit.set")
    follow_ups.settle(resumed)
    images = ImageHandlers(wiring.updates, wiring.sessions, Caps.from_settings(settings))
    wiring.connect(resumed.then, NavigatorHandlers(images).show, None, [page.navigator, page.slice])
    wiring.connect(blocks.load, handlers.opened, None, handlers.opened_outputs())
    blocks.unload(handlers.closed)
