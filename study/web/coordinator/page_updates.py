"""What the page shows after an action, from one reading of the study."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from typing import Any

import gradio as gr
from sqlalchemy import select

from study.accounts.staff import StaffAccount, StaffRole
from study.domain.errors import StudyError
from study.domain.protocol import Protocol
from study.domain.terms import Status
from study.planning.lifecycle import method_names
from study.planning.progress_report import ProgressReport
from study.planning.qualification import described
from study.storage.models import AuditEvent
from study.web.coordinator import design_form, views
from study.web.coordinator.conduct_fields import amended_values
from study.web.coordinator.context import NO_KEY, CoordinatorContext, StudySnapshot, next_step
from study.web.coordinator.layout import Layout

Updates = dict[Any, Any]
_MAX_EVENTS = 200


class PageUpdates:
    """Turns the state of a study into updates of the page's components.

    Parameters
    ----------
    layout : Layout
    context : CoordinatorContext
    """

    def __init__(self, layout: Layout, context: CoordinatorContext) -> None:
        self.layout = layout
        self.context = context

    def show(
        self,
        user: StaffAccount,
        message: str = "",
        kind: str = "",
        study: StudySnapshot | None = None,
    ) -> Updates:
        """Everything but the values of fields, and a message; a monitor gets progress only.

        Parameters
        ----------
        user : StaffAccount
        message, kind : str
            See `views.notice`.
        study : StudySnapshot, optional
            Where it was read already.
        """
        page, study = self.layout, study or self.context.read(user)
        progress = study.progress
        shown: Updates = {
            page.header: views.header(user, progress, listed=self.context.listed),
            page.notice: views.notice(message, kind),
            page.life: views.status(progress.status),
            page.board: views.overview(progress),
        }
        admin = user.role is StaffRole.ADMIN
        shown |= {tab: gr.update(visible=admin) for name, tab in page.tab.items()
                  if name != "overview"}  # fmt: skip
        if not admin:
            return shown
        step, _ = next_step(study)
        shown |= {page.step: gr.update(visible=True), page.advice: views.advice(step)}
        return (
            shown
            | self._draft(progress)
            | self._conduct(progress)
            | self._freeze(progress)
            | self._readers(study)
            | self._close(study, user)
            | self._results(progress)
            | self._accounts(study)
            | self.job()
        )

    def done(
        self,
        user: StaffAccount,
        message: str = "",
        kind: str = "",
        study: StudySnapshot | None = None,
    ) -> Updates:
        """The same after an action: what was typed or shown once is cleared.

        `show` keeps it, or a slow answer would wipe what is being typed.
        """
        study = study or self.context.read(user)
        shown, page = self.show(user, message, kind, study), self.layout
        if user.role is not StaffRole.ADMIN:
            return shown
        may = _may_be_invited(study.progress)
        states = {one.code: one.state for one in study.progress.readers}
        first = min(may, key=lambda code: states[code] != "not invited", default=None)
        for field, value in (
            (page.readers.reader, first),
            (page.freeze.confirm, ""),
            (page.close.confirm, ""),
            (page.accounts.account, study.accounts[0].code),
        ):
            shown[field] |= {"value": value}
        cleared = {page.readers.given: "", page.accounts.given: "", page.audit.filter: ""}
        return shown | cleared | self.events("")

    def fields(self, study: StudySnapshot, protocol: Protocol) -> Updates:
        """The fields of the design as a protocol fills them."""
        page, values = self.layout.design, design_form.values_of(protocol)
        choices = self._method_choices(study)
        values["pairs"] = [v for v in values["pairs"] if v in choices["pairs"]]
        values["control"] = values["control"] if values["control"] in choices["control"] else None
        if values["primary_pair"] not in choices["primary_pair"]:
            values["primary_pair"] = ""
        shown = {page.fields[name]: gr.update(value=value) for name, value in values.items()}
        shown[page.seen] = design_form.values_of(protocol)
        known = design_form.criteria(protocol)
        shown[page.fields["criteria"]] = gr.update(
            choices=[(question.text, code) for code, question in known.items()],
            value=values["criteria"],
        )
        shown[page.fields["windows"]] = gr.update(
            choices=list(design_form.known_windows(protocol)), value=values["windows"]
        )
        shown[page.fields["primary"]] = gr.update(choices=list(known), value=values["primary"])
        chosen = self._choice_updates(choices, values)
        return together(shown, chosen, self.pairing(values["pairing"]))

    def choices(self, study: StudySnapshot) -> Updates:
        """The methods and pairs that may be chosen, by name; what is chosen stays."""
        return self._choice_updates(self._method_choices(study))

    def _choice_updates(
        self, choices: dict[str, dict[str, str]], values: Mapping[str, Any] | None = None
    ) -> Updates:
        page = self.layout.design
        shown: Updates = {}
        for name, labels in choices.items():
            chosen = {} if values is None else {"value": values[name]}
            pairs = [(label, value) for value, label in labels.items()]
            shown[page.fields[name]] = gr.update(choices=pairs, **chosen)
        pairing = {} if values is None else {"value": values["pairing"]}
        shown[page.fields["pairing"]] = gr.update(interactive=bool(choices["control"]), **pairing)
        return shown

    def _method_choices(self, study: StudySnapshot) -> dict[str, dict[str, str]]:
        """Labels of methods and of pairs by their values; empty without names."""
        names = self.context.named_methods(study)
        return {
            "control": {one.id: one.name for one in names},
            "pairs": {
                design_form.pair_value((one.id, other.id)): f"{one.name} – {other.name}"
                for place, one in enumerate(names)
                for other in names[place + 1 :]
            },
            "primary_pair": design_form.NO_PRIMARY
            | {
                f"{one.id} {other.id}": f"{one.name} against {other.name}"
                for one, other in permutations(names, 2)
            },
        }

    def pairing(self, chosen: str) -> Updates:
        """The fields that go with a way to pair."""
        page = self.layout.design
        return {
            page.fields["control"]: gr.update(visible=chosen == design_form.CONTROL),
            page.fields["pairs"]: gr.update(visible=chosen == design_form.LISTED),
        }

    def job(self) -> Updates:
        """What the server is doing, on the tabs of images and of results."""
        page, state = self.layout, self.context.jobs.state
        bar = views.job(state)
        building = state.name in ("build", "restoration")
        return {
            page.images.progress: bar if building else "",
            page.results.progress: "" if building else bar,
            page.images.build: gr.update(interactive=not state.running),
            page.images.stop: gr.update(interactive=state.running and building),
            page.timer: gr.update(active=state.running),
        }

    def events(self, word: str) -> Updates:
        """The newest audit events that contain a word."""
        with self.context.store.read() as session:
            rows = session.execute(
                select(
                    AuditEvent.seq, AuditEvent.server_at, AuditEvent.actor, AuditEvent.action,
                    AuditEvent.target, AuditEvent.detail,
                ).order_by(AuditEvent.seq.desc())
            )  # fmt: skip
            wanted = word.strip().casefold()
            kept = [row for row in rows if wanted in " ".join(map(str, row)).casefold()]
        return {self.layout.audit.events: views.events(kept[:_MAX_EVENTS])}

    def _draft(self, study: ProgressReport) -> Updates:
        page = self.layout
        draft, key = study.status is Status.DRAFT, self.context.key_path is not None
        state = views.images(study.images)
        if draft and not key:
            state += views.remark(NO_KEY)
        shown: Updates = {
            page.design.draft: gr.update(visible=draft),
            page.design.sheet: gr.update(
                visible=not draft, value="" if draft else views.protocol(study)
            ),
            page.design.planner: gr.update(visible=draft and not study.images.cases),
            page.images.draft: gr.update(visible=draft and key),
            page.images.buttons: gr.update(visible=draft and key),
            page.images.state: state,
            page.images.restore: gr.update(visible=not draft and study.images.unusable > 0),
        }
        if draft:
            return shown
        # Pages that are still open lose what a draft says of methods by name.
        for name in ("control", "pairs"):
            shown[page.design.fields[name]] = gr.update(choices=[], value=None)
        for name in (
            "path",
            "methods",
            "reference",
            "original",
            "anchors",
            "degraded",
            "answers",
            "accept_cases",
        ):
            shown[page.images.fields[name]] = ""
        return shown | {page.images.gates: ""}

    def _conduct(self, study: ProgressReport) -> Updates:
        """Where the qualification is set, and where the protocol is amended."""
        page, amendment = self.layout.qualification, self.layout.amendment
        key = self.context.key_path is not None
        draft = study.status is Status.DRAFT
        declared = bool(study.protocol.qualification)
        # A page that is still open loses what a draft says of methods by name.
        emptied: Updates = {} if draft else {page.answers: ""}
        return emptied | {
            page.box: gr.update(visible=draft and key and study.images.training > 0),
            page.state: views.remark(described(study.protocol)) if declared else "",
            page.remove: gr.update(visible=declared),
            amendment.box: gr.update(visible=key and _is_running(study)),
        }

    def amendment_fields(self, protocol: Protocol) -> Updates:
        """The fields of an amendment as the present protocol fills them, and of a qualification."""
        fields, page = self.layout.amendment.fields, self.layout.qualification
        values = amended_values(protocol)
        return {
            **{fields[name]: gr.update(value=value) for name, value in values.items()},
            self.layout.amendment.seen: values,
            page.answers: "",
            page.pass_mark: round(100 * protocol.pass_mark, 2),
            page.attempts: protocol.attempts,
        }

    def _freeze(self, study: ProgressReport) -> Updates:
        page = self.layout.freeze
        draft = study.status is Status.DRAFT
        may = draft and self.context.key_path is not None
        found = views.remark(NO_KEY) if draft and not may else ""
        return {
            page.check: gr.update(visible=may),
            page.found: gr.update(value=found, visible=draft),
            page.codes: gr.update(visible=may),
            page.words: gr.update(visible=may),
            page.confirm: gr.update(visible=may),
            page.freeze: gr.update(visible=may),
            page.open: gr.update(visible=study.status is Status.FROZEN),
            page.hashes: views.hashes(study),
        }

    def _readers(self, study: StudySnapshot) -> Updates:
        page, progress = self.layout.readers, study.progress
        codes = _may_be_invited(progress)
        return {
            page.table: views.readers(progress),
            page.reader: gr.update(choices=codes, interactive=bool(codes)),
            page.invite: gr.update(interactive=bool(codes)),
            page.change["reader"]: gr.update(choices=[one.code for one in progress.readers]),
            page.apply: gr.update(interactive=bool(progress.readers) and _is_running(progress)),
            page.exclude: gr.update(interactive=bool(progress.readers)),
            page.reinstate: gr.update(interactive=bool(study.exclusions)),
            page.excluded: views.exclusions(study.exclusions),
        }

    def _close(self, study: StudySnapshot, user: StaffAccount) -> Updates:
        page, status, asked = self.layout.close, study.progress.status, study.asked_by
        closed, key = status is Status.CLOSED, self.context.key_path is not None
        mine = asked == user.code
        state = views.unblinding(study.progress, asked, user.code)
        if closed and not key:
            state += views.remark(NO_KEY)
        return {
            page.state: state,
            page.confirm: gr.update(visible=status is Status.OPEN or (closed and key and not mine)),
            page.close: gr.update(visible=status is Status.OPEN),
            page.ask: gr.update(visible=closed and key and not asked),
            page.second: gr.update(visible=closed and key and bool(asked) and not mine),
            page.take_back: gr.update(visible=closed and bool(asked)),
            page.methods: self._methods(study.progress),
        }

    def _methods(self, study: ProgressReport) -> str:
        if study.status is not Status.UNBLINDED or self.context.key_path is None:
            return ""
        try:
            return views.methods(
                method_names(self.context.store, self.context.key(study.seed_sha256))
            )
        except StudyError as error:
            return views.problem(str(error))

    def _results(self, study: ProgressReport) -> Updates:
        page = self.layout.results
        may = study.status in (Status.CLOSED, Status.UNBLINDED)
        idle = not self.context.jobs.state.running
        state = "" if may else views.empty("There are results after the study is closed.")
        return {
            page.state: state,
            page.report: gr.update(visible=may, interactive=idle),
            page.tables: gr.update(visible=may, interactive=idle),
            page.files: views.downloads(self.context.files.listing()) if may else "",
        }

    def _accounts(self, study: StudySnapshot) -> Updates:
        page = self.layout.accounts
        codes = [one.code for one in study.accounts]
        return {page.table: views.accounts(study.accounts), page.account: gr.update(choices=codes)}


def together(*parts: Updates) -> Updates:
    """Several updates as one; those of the same component are merged."""
    merged: Updates = {}
    for part in parts:
        for component, update in part.items():
            before = merged.get(component)
            if isinstance(before, dict) and isinstance(update, dict):
                merged[component] = {**before, **update}
            else:
                merged[component] = update
    return merged


def _is_running(study: ProgressReport) -> bool:
    return study.status in (Status.FROZEN, Status.OPEN)


def _may_be_invited(study: ProgressReport) -> list[str]:
    out = ("withdrawn", "replaced", "switched off")
    return [one.code for one in study.readers if one.state not in out and _is_running(study)]
