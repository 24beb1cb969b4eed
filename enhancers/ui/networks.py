"""Handlers of the Networks tab: fetching, adding, checking and removing networks."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, TypeVar

import gradio as gr

from enhancers import devices
from enhancers.errors import NetworkFactsMissing, ParameterError, ReadingRoomError
from enhancers.networks import installed
from enhancers.networks.catalog import NETWORKS
from enhancers.networks.digests import Progress
from enhancers.networks.entry import Embedded, NetworkEntry, bytes_text
from enhancers.networks.lookup import network_entry
from enhancers.registry import METHODS
from enhancers.settings import Settings
from enhancers.ui import networks_jobs as work
from enhancers.ui import networks_view as view
from enhancers.ui import render
from enhancers.ui.networks_form import addition, on_page
from enhancers.ui.page_updates import PageUpdates, Updates
from enhancers.ui.parameters import NAME, prior_choices
from enhancers.ui.render import Notice, short
from enhancers.warm_up import import_torch

REFRESH_SECONDS = 0.25
ASK = (
    "The file does not tell everything. Say below which network of the list it is, or how many "
    "channels an attention head has and how its rows are sorted; then press Add."
)

_log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(eq=False)
class NetworkChange:
    """What one tab is having done; `stop` is set by its button, or when the tab is closed."""

    stop: threading.Event = field(default_factory=threading.Event)


class Networks:
    """The handlers of the Networks tab.

    Parameters
    ----------
    screen : PageUpdates
    settings : Settings
    """

    def __init__(self, screen: PageUpdates, settings: Settings) -> None:
        self.screen = screen
        self.settings = settings
        self._changes: dict[str, NetworkChange] = {}
        self._lock = threading.Lock()

    def header(self) -> str:
        """The header as things stand."""
        import_torch()
        chosen = devices.choose(self.settings.device)
        return render.header_html(devices.describe(chosen), present(), further())

    def fields(self) -> dict[str, Any]:
        """Keyword and component of the methods' network fields."""
        return {
            NAME.format(method=card.method.key, parameter="prior"): card.fields["prior"]
            for card in self.screen.layout.cards
            if "prior" in card.fields
        }

    def show(self, **values: Any) -> Updates:
        """The list, the header, and what the methods may choose from, as things stand.

        Parameters
        ----------
        values
            What the methods' network fields hold; one that is gone falls back to the embedded.
        """
        page = self.screen.layout
        allowed = self.settings.network_changes
        updates: Updates = {
            page.networks.list: view.list_html(installed.states(), changes=allowed),
            page.header: self.header(),
        }
        for card in page.cards:
            component = card.fields.get("prior")
            if component is None or card.method.prior is None:
                continue
            choices = prior_choices(card.method.prior)
            held = values.get(NAME.format(method=card.method.key, parameter="prior"))
            keys = [key for _, key in choices]
            value = held if held in keys else card.method.parameter("prior").default
            updates[component] = gr.update(choices=choices, value=value)
        return updates

    def chosen(self, key: str) -> Updates:
        """A method's network was chosen: one that is not here is told at once."""
        try:
            now = installed.state(network_entry(key))
        except ReadingRoomError as error:
            return self.screen.error(error)
        if now.status == "present":
            return self.screen.notice(None)
        where = " The Networks tab does both." if self.settings.network_changes else ""
        return self.screen.notice(Notice("warning", (now.note + where,)))

    def act(self, event: gr.EventData, request: gr.Request, **values: Any) -> Iterator[Updates]:
        """A button of the list."""
        action, key = str(event.action), str(event.key)
        if not self.settings.network_changes:
            yield self.screen.error(ParameterError(view.CLOSED))
            return
        if action == "choose":
            yield self._choose(key)
            return
        steps = _ACTIONS.get(action, work.unknown)(key)
        yield from self._follow(request, steps, self.screen.notice, values)

    def add(self, request: gr.Request, **values: Any) -> Iterator[Updates]:
        """Put the file or the folder of the form on the shelf."""
        form = self.screen.layout.networks.form
        if form is None or not self.settings.network_changes:
            yield self.screen.error(ParameterError(view.CLOSED))
            return
        try:
            wanted = addition(values)
        except ReadingRoomError as error:
            yield self.screen.error(error)
            return

        def added(entry: NetworkEntry) -> Updates:
            if values.get("upload"):
                # Gradio's copy of the file; the user has the original.
                wanted.path.unlink(missing_ok=True)
            users = [short(each.label) for each in METHODS if each.prior == entry.kind]
            told = (
                f"{entry.label} is here ({entry.parameters / 1e6:,.1f} M parameters). Choose it "
                f"as Network under Parameters of {' or '.join(users)}."
            )
            return {**self._emptied(), **self.screen.notice(Notice("info", (told,)))}

        yield from self._follow(request, work.adding(wanted), added, values)

    def stop(self, request: gr.Request) -> None:
        """End what this tab is having done."""
        change = self._changes.get(request.session_hash or "")
        if change is not None:
            change.stop.set()

    def _choose(self, key: str) -> Updates:
        """Fill in the form for a network of the catalogue."""
        form = self.screen.layout.networks.form
        known = [entry.key for entry in NETWORKS if not isinstance(entry.source, Embedded)]
        if form is None or key not in known:
            return self.screen.unchanged()
        return {form.like: key, form.facts: gr.update(open=True)}

    def _follow(
        self,
        request: gr.Request,
        steps: Generator[Progress, None, T],
        done: Callable[[T], Updates],
        values: dict[str, Any],
    ) -> Iterator[Updates]:
        """Do it, showing how far it is; one at a time for each tab."""
        tab, change = request.session_hash or "", NetworkChange()
        with self._lock:
            taken = self._changes.setdefault(tab, change) is not change
        if taken:
            yield self.screen.error(ParameterError("Something is under way; wait, or stop it."))
            return
        page = self.screen.layout
        try:
            busy = view.list_html(installed.states(), changes=True, busy=True)
            yield {
                **self.screen.notice(None),
                **self._work(Progress("Starting", 0, 0)),
                page.networks.list: busy,
            }
            ended = yield from self._watched(steps, change, done)
        finally:
            with self._lock:
                self._changes.pop(tab, None)
        yield {**self.show(**values), **self._idle(), **ended}

    def _watched(
        self,
        steps: Generator[Progress, None, T],
        change: NetworkChange,
        done: Callable[[T], Updates],
    ) -> Generator[Updates, None, Updates]:
        drawn, note = 0.0, ""
        try:
            with closing(steps):
                while not change.stop.is_set():
                    try:
                        step = next(steps)
                    except StopIteration as end:
                        return done(end.value)
                    if step.note != note or time.monotonic() - drawn > REFRESH_SECONDS:
                        drawn, note = time.monotonic(), step.note
                        yield self._work(step)
        except NetworkFactsMissing:
            return self._asked()
        except ReadingRoomError as error:
            return self.screen.error(ParameterError(on_page(str(error))))
        except Exception as error:
            _log.error("a change of the networks failed", exc_info=error)
            return self.screen.error(
                ParameterError(f"That failed ({type(error).__name__}); the log has more.")
            )
        return self.screen.notice(Notice("info", ("Stopped. What has arrived is kept.",)))

    def _asked(self) -> Updates:
        form = self.screen.layout.networks.form
        opened = {} if form is None else {form.facts: gr.update(open=True)}
        return {**opened, **self.screen.notice(Notice("warning", (ASK,)))}

    def _emptied(self) -> Updates:
        """The form as it was at first."""
        form = self.screen.layout.networks.form
        if form is None:
            return {}
        fields = dict.fromkeys(form.inputs().values(), "")
        return {**fields, form.upload: None, form.facts: gr.update(open=False)}

    def _work(self, step: Progress) -> Updates:
        tab = self.screen.layout.networks
        amount = f"{bytes_text(step.done)} of {bytes_text(step.total)}" if step.total else ""
        return {
            tab.work: gr.update(visible=True),
            tab.told: view.work_html(step.note, step.fraction, amount),
        }

    def _idle(self) -> Updates:
        return {self.screen.layout.networks.work: gr.update(visible=False)}


def present() -> list[tuple[str, bool]]:
    """Name of each embedded prior, and whether it is on this machine."""
    return [(each.key, each.present) for each in NETWORKS if isinstance(each.source, Embedded)]


def further() -> int:
    """How many other networks are on this machine."""
    embedded = {key for key, _ in present()}
    return sum(
        each.status == "present" and each.key not in embedded for each in installed.states()
    )  # fmt: skip


_ACTIONS = {"fetch": work.fetching, "verify": work.verifying, "remove": work.removing}


def wire(networks: Networks, light: dict[str, Any], quiet: dict[str, Any]) -> None:
    """Say which event of the page calls which handler."""
    page = networks.screen.layout
    tab, fields = page.networks, networks.fields()
    shown = [page.header, tab.list, *fields.values()]
    tab.tab.select(networks.show, None, shown, inputs_kwargs=fields, **light)
    for component in fields.values():
        component.input(networks.chosen, [component], [page.notice], **light)
    if tab.form is None:
        return
    form = tab.form
    outputs = [
        page.notice, *shown, tab.work, tab.told, form.facts, *form.inputs().values()
    ]  # fmt: skip
    # Downloads and conversions may take long: they have places of their own.
    slow = {"outputs": outputs, "concurrency_id": "networks", "concurrency_limit": 8, **quiet}
    tab.list.act(networks.act, None, inputs_kwargs=fields, **slow)
    everything = {**fields, **form.inputs()}
    gr.on(
        [form.upload.upload, form.add.click, form.path.submit],
        networks.add, None, inputs_kwargs=everything, **slow,
    )  # fmt: skip
    tab.stop.click(networks.stop, None, None, **light)
