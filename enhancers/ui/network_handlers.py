"""Handlers of the Networks tab: download, add, verify and remove networks."""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from typing import Any, TypeVar

import gradio as gr

from enhancers import devices
from enhancers.errors import NetworkFactsMissing, ParameterError, ReadingRoomError
from enhancers.networks import installed
from enhancers.networks.catalog import NETWORKS
from enhancers.networks.entry import Embedded, NetworkEntry, bytes_text
from enhancers.networks.lookup import network_entry
from enhancers.networks.progress import Progress
from enhancers.registry import METHODS, methods
from enhancers.settings import Settings
from enhancers.ui import network_jobs, networks_tab, render
from enhancers.ui.added_cards import FIELD_KEY
from enhancers.ui.network_form import network_import, with_field_names, without_paths
from enhancers.ui.page_updates import PageUpdates, Updates
from enhancers.ui.parameters import prior_choices
from enhancers.ui.render import Notice, short_label
from enhancers.ui.visitors import tab_of
from enhancers.ui.wiring import Wiring
from enhancers.warm_up import import_torch

REFRESH_SECONDS = 0.25
FACTS_MISSING = (
    "The file does not specify everything. Under 'What the file does not specify', select the "
    "network it is, or enter the channels per attention head and the order of the attention rows; "
    "then press Add."
)

_log = logging.getLogger(__name__)
T = TypeVar("T")


class NetworkHandlers:
    """The handlers of the Networks tab.

    Parameters
    ----------
    updates : PageUpdates
    settings : Settings
    """

    def __init__(self, updates: PageUpdates, settings: Settings) -> None:
        self.updates = updates
        self.settings = settings
        self._stops: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    def header(self) -> str:
        """The header with the device and the installed networks of now."""
        import_torch()
        chosen = devices.choose(self.settings.device)
        return render.header_html(
            devices.describe(chosen), sampled_networks(), other_network_count()
        )

    def fields(self) -> dict[str, Any]:
        """The methods' network fields by their keyword."""
        return {
            FIELD_KEY.format(method=card.method.key, parameter="prior"): card.fields["prior"]
            for card in self.updates.layout.cards
            if "prior" in card.fields
        }

    def inputs(self) -> dict[str, Any]:
        """What `show` is given: the fields of networks, and the places of added ones."""
        return {**self.fields(), **self.updates.layout.added.inputs()}

    def outputs(self) -> list[Any]:
        """The components of `show`."""
        page = self.updates.layout
        fields = self.fields().values()
        return [
            page.header, page.networks.list, page.card_choice, *fields, *page.added.components()
        ]  # fmt: skip

    def show(self, **values: Any) -> Updates:
        """`refresh`, and the methods of added networks."""
        return {**self.refresh(**values), **self.updates.layout.added.updates(values)}

    def refresh(self, **values: Any) -> Updates:
        """Refresh the list, the header, the choices of cards and those of the network fields.

        Parameters
        ----------
        values
            Of `inputs`; a network that was removed is replaced by the default.
        """
        page = self.updates.layout
        allowed = self.settings.network_changes
        updates: Updates = {
            page.networks.list: networks_tab.list_html(installed.states(), changes=allowed),
            page.header: self.header(),
            page.card_choice: gr.update(choices=card_choices()),
        }
        return {**updates, **self.choices(values)}

    def choices(self, values: Mapping[str, Any]) -> Updates:
        """The choices of the network fields; a network that was removed becomes the default.

        Parameters
        ----------
        values : mapping
            Of `inputs`.
        """
        updates: Updates = {}
        for card in self.updates.layout.cards:
            component = card.fields.get("prior")
            if component is None or card.method.prior is None:
                continue
            if card.method.parameter("prior").kind != "prior":
                continue
            choices = prior_choices(card.method.prior)
            held = values.get(FIELD_KEY.format(method=card.method.key, parameter="prior"))
            keys = [key for _, key in choices]
            value = held if held in keys else card.method.parameter("prior").default
            updates[component] = gr.update(choices=choices, value=value)
        return updates

    def chosen(self, key: str) -> Updates:
        """Warn if the network that was chosen for a method is not installed."""
        try:
            now = installed.state(network_entry(key))
        except ReadingRoomError as error:
            return self.updates.error(ParameterError(self._without_paths(error)))
        if now.status == "present":
            return self.updates.notice(None)
        where = " Both can be done in the Networks tab." if self.settings.network_changes else ""
        return self.updates.notice(Notice("warning", (without_paths(now.note) + where,)))

    def act(self, event: gr.EventData, request: gr.Request, **values: Any) -> Iterator[Updates]:
        """Handle a button of the list."""
        action, key = str(event.action), str(event.key)
        if not self.settings.network_changes:
            yield self.updates.error(ParameterError(networks_tab.CHANGES_OFF))
            return
        if action == "choose":
            yield self._choose(key)
            return
        steps = ACTIONS.get(action, network_jobs.reject)(key)
        yield from self._follow(request, steps, self.updates.notice, values)

    def add(self, request: gr.Request, **values: Any) -> Iterator[Updates]:
        """Add the file or folder of the form to the installed networks."""
        form = self.updates.layout.networks.form
        if form is None or not self.settings.network_changes:
            yield self.updates.error(ParameterError(networks_tab.CHANGES_OFF))
            return
        try:
            wanted = network_import(values, self.settings.network_folder)
        except ReadingRoomError as error:
            yield self.updates.error(error)
            return

        def added(entry: NetworkEntry) -> Updates:
            if values.get("upload"):
                # Gradio's copy of the file; the user has the original.
                wanted.path.unlink(missing_ok=True)
            return {**self._empty_form(), **self.updates.notice(Notice("info", (_use_of(entry),)))}

        yield from self._follow(request, network_jobs.add(wanted), added, values)

    def stop(self, request: gr.Request) -> None:
        """Stop the job of this browser tab."""
        stop = self._stops.get(tab_of(request).key)
        if stop is not None:
            stop.set()

    def _choose(self, key: str) -> Updates:
        """Select a network of the catalogue in the form."""
        form = self.updates.layout.networks.form
        known = [entry.key for entry in NETWORKS if not isinstance(entry.source, Embedded)]
        if form is None or key not in known:
            return self.updates.unchanged()
        return {form.like: key, form.facts: gr.update(open=True)}

    def _follow(
        self,
        request: gr.Request,
        steps: Generator[Progress, None, T],
        done: Callable[[T], Updates],
        values: dict[str, Any],
    ) -> Iterator[Updates]:
        """Run a job and yield its progress; one job at a time for each browser tab."""
        tab, stop = tab_of(request).key, threading.Event()
        with self._lock:
            busy = self._stops.setdefault(tab, stop) is not stop
        if busy:
            yield self.updates.error(
                ParameterError("Another job is running; wait for it or stop it.")
            )
            return
        page = self.updates.layout
        try:
            yield {
                **self.updates.notice(None),
                **self._progress(Progress("Starting", 0, 0)),
                page.networks.list: networks_tab.list_html(
                    installed.states(), changes=True, busy=True
                ),
            }
            ended = yield from self._watched(steps, stop, done)
        finally:
            with self._lock:
                self._stops.pop(tab, None)
        yield {**self.show(**values), **self._idle(), **ended}

    def _watched(
        self,
        steps: Generator[Progress, None, T],
        stop: threading.Event,
        done: Callable[[T], Updates],
    ) -> Generator[Updates, None, Updates]:
        drawn, note = 0.0, ""
        try:
            with closing(steps):
                while not stop.is_set():
                    try:
                        step = next(steps)
                    except StopIteration as end:
                        return done(end.value)
                    if step.note != note or time.monotonic() - drawn > REFRESH_SECONDS:
                        drawn, note = time.monotonic(), step.note
                        yield self._progress(step)
        except NetworkFactsMissing:
            return self._ask_for_facts()
        except ReadingRoomError as error:
            return self.updates.error(ParameterError(with_field_names(self._without_paths(error))))
        except Exception as error:
            _log.error("a job of the Networks tab failed", exc_info=error)
            return self.updates.error(
                ParameterError(f"The job failed ({type(error).__name__}); the log has the details.")
            )
        return self.updates.notice(
            Notice("info", ("Stopped. What was downloaded so far is kept.",))
        )

    def _without_paths(self, error: ReadingRoomError) -> str:
        return without_paths(str(error), self.settings.network_folder)

    def _ask_for_facts(self) -> Updates:
        form = self.updates.layout.networks.form
        opened = {} if form is None else {form.facts: gr.update(open=True)}
        return {**opened, **self.updates.notice(Notice("warning", (FACTS_MISSING,)))}

    def _empty_form(self) -> Updates:
        """The empty form."""
        form = self.updates.layout.networks.form
        if form is None:
            return {}
        fields = dict.fromkeys(form.inputs().values(), "")
        return {**fields, form.upload: None, form.facts: gr.update(open=False)}

    def _progress(self, step: Progress) -> Updates:
        tab = self.updates.layout.networks
        amount = f"{bytes_text(step.done)} of {bytes_text(step.total)}" if step.total else ""
        return {
            tab.work: gr.update(visible=True),
            tab.progress: networks_tab.work_html(step.note, step.fraction, amount),
        }

    def _idle(self) -> Updates:
        return {self.updates.layout.networks.work: gr.update(visible=False)}


def _use_of(entry: NetworkEntry) -> str:
    """That a network was added, and how it is used."""
    added = f"{entry.label} was added ({entry.parameters / 1e6:,.1f} M parameters)."
    if entry.restoration is not None:
        return f"{added} It is a method: select it under 'Your networks'."
    users = [short_label(each.label) for each in METHODS if each.takes(entry.kind, entry.key)]
    return f"{added} To use it, select it as Network in the parameters of {' or '.join(users)}."


def card_choices() -> list[tuple[str, str]]:
    """Label and key of every method with a card."""
    return [(method.label, method.key) for method in methods()]


def embedded_networks() -> list[tuple[str, bool]]:
    """Name of each embedded prior, and whether it is present."""
    return [(each.key, each.present) for each in NETWORKS if isinstance(each.source, Embedded)]


def sampled_networks() -> list[tuple[str, bool]]:
    """Those of `embedded_networks` that several methods can use; the others have one method."""
    own = {each.key for each in NETWORKS if each.kind in ("restorer", "morphology")}
    return [(key, present) for key, present in embedded_networks() if key not in own]


def other_network_count() -> int:
    """Number of installed networks that are not embedded."""
    embedded = {key for key, _ in embedded_networks()}
    return sum(
        each.status == "present" and each.key not in embedded for each in installed.states()
    )  # fmt: skip


ACTIONS = {
    "fetch": network_jobs.fetch,
    "verify": network_jobs.verify,
    "remove": network_jobs.remove,
}


def wire(wiring: Wiring, networks: NetworkHandlers) -> list[Any]:
    """Connect the events of the tab to the handlers; those that may change fields of methods."""
    page = networks.updates.layout
    tab, fields = page.networks, networks.fields()
    shown, inputs = networks.outputs(), networks.inputs()
    events = [wiring.connect(tab.tab.select, networks.show, None, shown, inputs_kwargs=inputs)]
    for component in fields.values():
        wiring.connect(component.input, networks.chosen, [component])
    if tab.form is None:
        return events
    form = tab.form
    outputs = [*shown, tab.work, tab.progress, form.facts, *form.inputs().values()]
    triggers = [form.upload.upload, form.add.click]
    if form.path is not None:
        triggers.append(form.path.submit)
    # Downloads and conversions may take long: they have their own queue.
    slow = {"concurrency_id": "networks", "concurrency_limit": 8, "trigger_mode": "once"}
    wiring.connect(tab.stop.click, networks.stop)
    return [
        *events,
        wiring.connect(tab.list.act, networks.act, None, outputs, inputs_kwargs=inputs, **slow),
        wiring.connect(
            functools.partial(gr.on, triggers),
            networks.add, None, outputs, inputs_kwargs={**inputs, **form.inputs()}, **slow,
        ),
    ]  # fmt: skip
