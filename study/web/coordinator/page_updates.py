"""What the page shows, drawn anew from the database after everything that is done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr
from sqlalchemy import select

from study.accounts.staff import StaffAccount, StaffRole, accounts_of
from study.domain.errors import StudyError
from study.domain.protocol import Protocol, Status
from study.planning.lifecycle import method_names
from study.planning.progress_report import ProgressReport, progress_report
from study.report.markup import join
from study.storage.models import AuditEvent
from study.web.coordinator import design_form, lists, sheets, views
from study.web.coordinator.context import NO_KEY, CoordinatorContext, next_step
from study.web.coordinator.layout import Layout

Updates = dict[Any, Any]
_EVENTS = 200


class PageUpdates:
    """Draws the page.

    Parameters
    ----------
    layout : Layout
    office : CoordinatorContext
    """

    def __init__(self, layout: Layout, office: CoordinatorContext) -> None:
        self.layout = layout
        self.office = office

    def show(self, member: StaffAccount, words: str = "", kind: str = "") -> Updates:
        """Everything but the fields, and a message; a monitor gets progress only."""
        page, seen = self.layout, progress_report(self.office.store)
        asked = self.office.asked_by()
        step, _ = next_step(seen, asked)
        shown: Updates = {
            page.header: views.header(member, seen),
            page.notice: views.notice(words, kind),
            page.life: views.life(seen.status),
            page.board: views.board(seen),
        }
        admin = member.role is StaffRole.ADMIN
        shown |= {tab: gr.update(visible=admin) for name, tab in page.tab.items()
                  if name != "overview"}  # fmt: skip
        if not admin:
            return shown
        shown |= {page.step: gr.update(visible=True), page.advice: views.advice(step)}
        return (
            shown
            | self._draft(seen)
            | self._freeze(seen)
            | self._readers(seen)
            | self._close(seen, member, asked)
            | self._results(seen)
            | self._accounts()
            | self.progress()
        )

    def done(self, member: StaffAccount, words: str = "", kind: str = "") -> Updates:
        """The same after something was done: what was typed or shown once is gone.

        A page that is only looked at keeps it, or a slow answer would wipe what is being typed.
        """
        shown, page = self.show(member, words, kind), self.layout
        if member.role is not StaffRole.ADMIN:
            return shown
        seen = progress_report(self.office.store)
        waiting = [one.code for one in seen.readers if one.state == "not invited"]
        first = next(iter([*waiting, *_may_be_invited(seen)]), None)
        accounts = [one.code for one in accounts_of(self.office.store)]
        for field, value in (
            (page.readers.reader, first),
            (page.freeze.confirm, ""),
            (page.close.confirm, ""),
            (page.accounts.account, accounts[0]),
        ):
            shown[field] |= {"value": value}
        gone = {page.readers.given: "", page.accounts.given: "", page.audit.filter: ""}
        return shown | gone | self.events("")

    def fields(self, protocol: Protocol) -> Updates:
        """The fields of the design as a protocol fills them."""
        page, values = self.layout.design, design_form.values_of(protocol)
        choices = self._choices()
        values["pairs"] = [v for v in values["pairs"] if v in choices["pairs"]]
        values["control"] = values["control"] if values["control"] in choices["control"] else None
        shown = {page.fields[name]: gr.update(value=value) for name, value in values.items()}
        known = design_form.criteria(protocol)
        shown[page.fields["criteria"]] = gr.update(
            choices=[(question.text, code) for code, question in known.items()],
            value=values["criteria"],
        )
        shown[page.fields["primary"]] = gr.update(choices=list(known), value=values["primary"])
        return together(shown, self.choices(values), self.pairing(values["pairing"]))

    def choices(self, values: Mapping[str, Any] | None = None) -> Updates:
        """The methods that may be chosen, by name, and what is chosen where that is given."""
        page, found = self.layout.design, self._choices()
        shown: Updates = {}
        for name, labels in found.items():
            chosen = {} if values is None else {"value": values[name]}
            turned = [(label, value) for value, label in labels.items()]
            shown[page.fields[name]] = gr.update(choices=turned, **chosen)
        pairing = {} if values is None else {"value": values["pairing"]}
        shown[page.fields["pairing"]] = gr.update(interactive=bool(found["control"]), **pairing)
        return shown

    def _choices(self) -> dict[str, dict[str, str]]:
        """Labels of methods and of pairs by their values; empty without names."""
        names = self.office.names()
        return {
            "control": {one.id: one.name for one in names},
            "pairs": {
                design_form.pair_value((one.id, other.id)): f"{one.name} – {other.name}"
                for place, one in enumerate(names)
                for other in names[place + 1 :]
            },
        }

    def pairing(self, chosen: str) -> Updates:
        """The fields that go with a way to pair."""
        page = self.layout.design
        return {
            page.fields["control"]: gr.update(visible=chosen == design_form.CONTROL),
            page.fields["pairs"]: gr.update(visible=chosen == design_form.LISTED),
        }

    def progress(self) -> Updates:
        """What the server is doing, here and on the page of results."""
        page, state = self.layout, self.office.jobs.state
        bar = views.job(state)
        building = state.name == "build"
        return {
            page.images.progress: bar if building else "",
            page.results.progress: "" if building else bar,
            page.images.build: gr.update(interactive=not state.running),
            page.images.stop: gr.update(interactive=state.running and building),
            page.timer: gr.update(active=state.running),
        }

    def events(self, word: str) -> Updates:
        """The newest audit events, with this word somewhere."""
        with self.office.store.read() as session:
            rows = session.execute(
                select(
                    AuditEvent.seq, AuditEvent.server_at, AuditEvent.actor, AuditEvent.action,
                    AuditEvent.target, AuditEvent.detail,
                ).order_by(AuditEvent.seq.desc())
            )  # fmt: skip
            wanted = word.strip().casefold()
            kept = [row for row in rows if wanted in " ".join(map(str, row)).casefold()]
        return {self.layout.audit.events: lists.audit(kept[:_EVENTS])}

    def _draft(self, seen: ProgressReport) -> Updates:
        page = self.layout
        draft, key = seen.status is Status.DRAFT, self.office.key_path is not None
        state = sheets.images(seen.images)
        if draft and not key:
            state = join((state, views.remark(NO_KEY)))
        shown: Updates = {
            page.design.draft: gr.update(visible=draft),
            page.design.sheet: gr.update(
                visible=not draft, value="" if draft else sheets.protocol(seen)
            ),
            page.design.planner: gr.update(visible=draft and not seen.images.cases),
            page.images.draft: gr.update(visible=draft and key),
            page.images.buttons: gr.update(visible=draft and key),
            page.images.state: state,
        }
        if draft:
            return shown
        # What a draft says of methods by name goes from pages that are still open.
        for name in ("control", "pairs"):
            shown[page.design.fields[name]] = gr.update(choices=[], value=None)
        for name in ("path", "methods", "reference", "anchors", "degraded", "answers"):
            shown[page.images.fields[name]] = ""
        return shown | {page.images.gates: ""}

    def _freeze(self, seen: ProgressReport) -> Updates:
        page = self.layout.freeze
        draft = seen.status is Status.DRAFT
        may = draft and self.office.key_path is not None
        words = views.remark(NO_KEY) if draft and not may else ""
        return {
            page.check: gr.update(visible=may),
            page.found: gr.update(value=words, visible=draft),
            page.confirm: gr.update(visible=may),
            page.freeze: gr.update(visible=may),
            page.open: gr.update(visible=seen.status is Status.FROZEN),
            page.hashes: sheets.hashes(seen),
        }

    def _readers(self, seen: ProgressReport) -> Updates:
        page = self.layout.readers
        codes = _may_be_invited(seen)
        return {
            page.table: views.readers(seen),
            page.reader: gr.update(choices=codes, interactive=bool(codes)),
            page.invite: gr.update(interactive=bool(codes)),
            page.exclude: gr.update(interactive=bool(seen.readers)),
            page.excluded: sheets.excluded(self.office.left_out()),
        }

    def _close(self, seen: ProgressReport, member: StaffAccount, asked: str) -> Updates:
        page, status = self.layout.close, seen.status
        closed, key = status is Status.CLOSED, self.office.key_path is not None
        mine = asked == member.code
        state = sheets.unblinding(seen, asked, member.code)
        if closed and not key:
            state = join((state, views.remark(NO_KEY)))
        return {
            page.state: state,
            page.confirm: gr.update(visible=status is Status.OPEN or (closed and key and not mine)),
            page.close: gr.update(visible=status is Status.OPEN),
            page.ask: gr.update(visible=closed and key and not asked),
            page.second: gr.update(visible=closed and key and bool(asked) and not mine),
            page.take_back: gr.update(visible=closed and bool(asked)),
            page.methods: self._methods(seen),
        }

    def _methods(self, seen: ProgressReport) -> str:
        if seen.status is not Status.UNBLINDED or self.office.key_path is None:
            return ""
        try:
            return lists.methods(method_names(self.office.store, self.office.key()))
        except StudyError as error:
            return sheets.problem(str(error))

    def _results(self, seen: ProgressReport) -> Updates:
        page = self.layout.results
        may = seen.status in (Status.CLOSED, Status.UNBLINDED)
        idle = not self.office.jobs.state.running
        state = "" if may else views.empty("There are results after the study is closed.")
        return {
            page.state: state,
            page.report: gr.update(visible=may, interactive=idle),
            page.tables: gr.update(visible=may, interactive=idle),
            page.files: lists.downloads(self.office.files.listing()) if may else "",
        }

    def _accounts(self) -> Updates:
        page, found = self.layout.accounts, accounts_of(self.office.store)
        codes = [one.code for one in found]
        return {page.table: lists.accounts(found), page.account: gr.update(choices=codes)}


def together(*parts: Updates) -> Updates:
    """Updates one after the other; two of one component become one."""
    whole: Updates = {}
    for part in parts:
        for component, update in part.items():
            before = whole.get(component)
            if isinstance(before, dict) and isinstance(update, dict):
                whole[component] = {**before, **update}
            else:
                whole[component] = update
    return whole


def _may_be_invited(seen: ProgressReport) -> list[str]:
    return [one.code for one in seen.readers if one.state not in ("withdrawn", "switched off")]
