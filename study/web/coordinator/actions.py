"""What coordinators do: design, freeze, open, invite, close, unblind, and accounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from study.accounts import readers, staff
from study.accounts.readers import invite
from study.accounts.staff import StaffAccount, StaffRole
from study.accounts.two_persons import (
    ASKED,
    TAKEN_BACK,
    open_request,
    require_earlier_sign_in,
    require_two_persons,
)
from study.domain.composed import composed
from study.domain.errors import BlindingError, ProtocolError, StudyError
from study.domain.protocol import Protocol
from study.domain.reader_codes import normalised_code
from study.domain.terms import Status
from study.planning.amendment import amend
from study.planning.exclusions import exclude, reinstate
from study.planning.freeze import check, freeze
from study.planning.late_readers import add_reader, replace_reader
from study.planning.lifecycle import close_study, open_study, unblind
from study.planning.qualification import allow_attempt, declare, described
from study.storage.hash_chain import audit
from study.web.coordinator import design_form, views
from study.web.coordinator.conduct_fields import (
    amended_protocol,
    amended_values,
    pasted_answers,
)
from study.web.coordinator.context import CoordinatorContext, StudySnapshot, next_step
from study.web.coordinator.page_updates import PageUpdates, Updates


def listed(text: str | None) -> list[str]:
    """The entries of a text that are separated by commas."""
    return [one.strip() for one in (text or "").split(",") if one.strip()]


Fields = Mapping[str, Any]
"""Values of fields by name."""


def _require_unchanged(seen: Fields | None, stored: Fields, what: str) -> None:
    """Raise StudyError where fields were filled with something else than what is stored now."""
    if seen is not None and dict(seen) != dict(stored):
        raise StudyError(
            f"The {what} was changed elsewhere since this page showed it, and nothing was stored: "
            "note your changes, reload the page, and make them again."
        )


class Actions:
    """One method for each button; `authorized` has checked who may press it.

    Parameters
    ----------
    updates : PageUpdates
    context : CoordinatorContext
    """

    def __init__(self, updates: PageUpdates, context: CoordinatorContext) -> None:
        self.updates = updates
        self.context = context
        self.page = updates.layout

    def open_page(self, user: StaffAccount) -> Updates:
        """Fill a page that was just opened."""
        study = self.context.read(user)
        shown = self.updates.done(user, study=study)
        if user.role is StaffRole.ADMIN:
            protocol = study.progress.protocol
            shown |= self.updates.fields(study, protocol)
            shown |= self.updates.amendment_fields(protocol)
            shown |= {self.page.audit.target: f"{self.context.store.folder}-backup"}
            shown |= self._cost(study, design_form.PLANNED | design_form.values_of(protocol))
        return shown

    def refresh(self, user: StaffAccount, word: str | None = None) -> Updates:
        """Show the current state, and the audit events with the word in the filter."""
        shown = self.updates.show(user)
        return shown | self.updates.events(word or "") if user.role is StaffRole.ADMIN else shown

    def turn_to_tab(
        self, user: StaffAccount, header: str | None, word: str | None = None
    ) -> Updates:
        """Refresh what a selected tab shows, once `open_page` has filled the page.

        The first tab is selected by the page itself, before its fields have values: shown then,
        buttons could be pressed over empty fields.
        """
        return self.refresh(user, word) if header else {self.page.header: gr.skip()}

    def next_step(self, user: StaffAccount) -> Updates:
        """Open the tab of the next step."""
        _, tab = next_step(self.context.read(user))
        return {self.page.tabs: gr.Tabs(selected=tab)}

    def estimate(self, user: StaffAccount, **values: Any) -> Updates:
        """What the design in the fields costs, without saving it."""
        return self._cost(self.context.read(user), values) | self.updates.pairing(
            str(values["pairing"])
        )

    def save(self, user: StaffAccount, seen: Fields | None = None, **values: Any) -> Updates:
        """Store the design, unless it is no longer what the fields were filled with."""
        store = self.context.store
        with store.write() as session:
            if store.status_in(session) is not Status.DRAFT:
                raise ProtocolError("The design was fixed at the freeze and cannot be changed.")
            stored = store.protocol_in(session)
            _require_unchanged(seen, design_form.values_of(stored), "design")
            protocol = design_form.protocol_of(values, stored)
            store.set_protocol(session, protocol, user.code)
        study = self.context.read(user)
        shown = self.updates.done(user, "The design is saved.", study=study)
        return shown | self.updates.fields(study, protocol) | self._cost(study, values)

    def check(self, user: StaffAccount, codes: str = "") -> Updates:
        """Everything that forbids a freeze, without freezing."""
        found = check(self.context.store, self.context.key(), listed(codes))
        return self.updates.done(user) | {self.page.freeze.found: views.freeze_check(found)}

    def freeze(
        self, user: StaffAccount, confirm: str, codes: str = "", words: bool = False
    ) -> Updates:
        """Fix the plan for good."""
        self._confirmed(confirm)
        store, key = self.context.store, self.context.key()
        report = freeze(
            store, key, actor=user.code, codes=listed(codes), words_confirmed=bool(words)
        )
        # The message of a build may name methods, which nobody sees from now on.
        self.context.jobs.forget()
        message = "\n".join(
            [
                f"Frozen: {report.readers} readers, {report.cases} cases, {report.methods} "
                f"methods, {report.pairs} {report.shown} for each reader.",
                *report.notes,
            ]
        )
        return self.updates.done(user, message)

    def declare(
        self, user: StaffAccount, answers: str, pass_mark: float | None, attempts: float | None
    ) -> Updates:
        """Set the qualification of the draft from a pasted table."""
        rows = pasted_answers(answers or "")
        key = self.context.key()
        if rows is None and not self.context.store.protocol().qualification:
            raise ProtocolError("Paste the table of known answers: without it nobody qualifies.")
        if pass_mark is None or attempts is None:
            raise ProtocolError("Give the pass mark in percent, and the number of attempts.")
        return self._declared(
            user,
            declare(
                self.context.store, key, rows, pass_mark=pass_mark / 100, attempts=int(attempts),
                actor=user.code,
            ),
        )  # fmt: skip

    def undeclare(self, user: StaffAccount) -> Updates:
        """Remove the qualification of the draft."""
        key = self.context.key()
        return self._declared(user, declare(self.context.store, key, (), actor=user.code))

    def _declared(self, user: StaffAccount, protocol: Protocol) -> Updates:
        shown = self.updates.done(user, described(protocol))
        return shown | self.updates.amendment_fields(protocol)

    def amend(
        self,
        user: StaffAccount,
        reason: str,
        words: bool,
        seen: Fields | None = None,
        **values: Any,
    ) -> Updates:
        """Store an amended protocol as a new version, if the fields were those of the last one."""
        store, key = self.context.store, self.context.key()
        stored = store.protocol()
        _require_unchanged(seen, amended_values(stored), "protocol")
        wanted = amended_protocol(values, stored)
        made = amend(
            store, key, wanted, reason=reason or "", actor=user.code, words_confirmed=bool(words)
        )
        shown = self.updates.done(user, made.as_text())
        return shown | self.updates.amendment_fields(wanted)

    def open(self, user: StaffAccount) -> Updates:
        """Open the study, so that readers can read."""
        open_study(self.context.store, actor=user.code)
        return self.updates.done(user, "The study is open: invited readers can read.")

    def invite(self, user: StaffAccount, reader: str | None, origin: str) -> Updates:
        """Make a new invitation, which is shown once."""
        if not reader:
            raise StudyError("Choose a reader first: they get their codes at the freeze.")
        made = invite(self.context.store, reader, actor=user.code)
        given = views.invitation(made.code, f"{origin}{made.path}", made.secret)
        return self.updates.done(user) | {self.page.readers.given: given}

    def change_reader(
        self, user: StaffAccount, change: str, reader: str | None, code: str, reason: str
    ) -> Updates:
        """Add, replace, switch, revoke, rename or note; what was typed is cleared."""
        if not reader and change != "add":
            raise StudyError("Choose a reader first: they get their codes at the freeze.")
        who, text = reader or "", reason or ""
        store, actor = self.context.store, user.code
        match change:
            case "add":
                key = self.context.key()
                made = add_reader(store, key, code=code or "", reason=text, actor=actor)
                message = f"{made.as_text()} Invite {made.code} now."
            case "replace":
                made = replace_reader(store, who, code=code or "", reason=text, actor=actor)
                message = f"{made.as_text()} Invite {made.code} now."
            case "off" | "on":
                readers.set_active(store, who, change == "on", reason=text, actor=actor)
                message = f"{who} is switched {change}."
            case "attempt":
                number = allow_attempt(store, who, reason=text, actor=actor)
                message = f"{who} may make attempt {number} at the qualification."
            case "revoke":
                readers.revoke(store, who, reason=text, actor=actor)
                message = f"Every link, secret and session of {who} has ended: invite {who} again."
            case "rename":
                message = f"{who} is {readers.rename(store, who, code or '', actor=actor)} now."
            case _:
                readers.note(store, who, text, actor=actor)
                message = f"The note about {who} is stored."
        fields = self.page.readers.change
        return self.updates.done(user, message) | {fields["code"]: "", fields["reason"]: ""}

    def exclude(
        self, user: StaffAccount, code: str, rule: str, reason: str, prespecified: bool
    ) -> Updates:
        """Leave a reader or a case out of the analyses."""
        with self.context.store.write() as session:
            exclude(
                session,
                normalised_code(code or ""),
                rule=rule or "",
                reason=reason or "",
                actor=user.code,
                prespecified=bool(prespecified),
            )
        fields = self.page.readers.out
        emptied = {fields[name]: "" for name in ("code", "rule", "reason")}
        return self.updates.done(user, "The decision is logged; the ratings stay.") | emptied

    def reinstate(self, user: StaffAccount, code: str, reason: str) -> Updates:
        """Undo the exclusion of a reader or a case."""
        with self.context.store.write() as session:
            reinstate(
                session, normalised_code(code or ""), reason=reason or "", actor=user.code
            )  # fmt: skip
        fields = self.page.readers.out
        emptied = {fields[name]: "" for name in ("code", "rule", "reason")}
        return self.updates.done(user, "It counts again; both decisions are logged.") | emptied

    def close(self, user: StaffAccount, confirm: str) -> Updates:
        """Close the study, which ends the reading."""
        self._confirmed(confirm)
        close_study(self.context.store, actor=user.code)
        head = self.context.store.chain_head()
        return self.updates.done(
            user,
            f"The study is closed: it accepts no more ratings. Chain head {head}: keep a copy of "
            "it apart from the study, which proves everything stored so far.",
        )

    def ask_to_unblind(self, user: StaffAccount, confirm: str) -> Updates:
        """Ask for the unblinding; somebody else has to confirm."""
        self._confirmed(confirm)
        store = self.context.store
        self.context.key()
        with store.write() as session:
            if store.status_in(session) is not Status.CLOSED:
                raise BlindingError("Only a closed study can be unblinded: close it first.")
            audit(session, user.code, ASKED)
        return self.updates.done(
            user, "You asked to unblind. Another administrator has to confirm."
        )

    def take_back(self, user: StaffAccount) -> Updates:
        """Withdraw the request to unblind."""
        if not self.context.asked_by():
            raise BlindingError("Nobody has asked to unblind: nothing to withdraw.")
        with self.context.store.write() as session:
            audit(session, user.code, TAKEN_BACK)
        return self.updates.done(user, "The request to unblind is withdrawn.")

    def confirm_unblinding(self, user: StaffAccount, confirm: str) -> Updates:
        """Confirm the request of another administrator, and unblind the study."""
        self._confirmed(confirm)
        store, request = self.context.store, open_request(self.context.store)
        if request is None:
            raise BlindingError(
                "Nobody has asked to unblind: one administrator asks, another confirms."
            )
        asked = request.actor
        if not any(one.code == asked and one.active and one.role is StaffRole.ADMIN
                   for one in staff.accounts_of(store)):  # fmt: skip
            raise BlindingError(f"The account {asked}, which asked, is switched off: ask again.")
        if asked != user.code:
            require_two_persons(store, asked, user.code)
            require_earlier_sign_in(store, request, user.code)
        unblind(store, self.context.key(), actor=asked, second=user.code)
        return self.updates.done(user, "The study is unblinded.")

    def add_account(self, user: StaffAccount, name: str | None, role: str) -> Updates:
        """Add an account; its secret is shown once."""
        made = staff.add(self.context.store, name or "", StaffRole(role), actor=user.code)
        page = self.page.accounts
        return self.updates.done(user) | {page.given: views.secret(made), page.name: ""}

    def renew(self, user: StaffAccount, account: str | None) -> Updates:
        """Give an account a new secret, which is shown once."""
        made = staff.renew(self.context.store, account or "", actor=user.code)
        return self.updates.done(user) | {self.page.accounts.given: views.secret(made)}

    def switch(self, user: StaffAccount, account: str | None) -> Updates:
        """Switch an account off, or on again."""
        found = {one.code: one.active for one in staff.accounts_of(self.context.store)}
        active = not found.get(account or "", False)
        staff.set_active(self.context.store, account or "", active, actor=user.code)
        return self.updates.done(user, f"{account} is switched {'on' if active else 'off'}.")

    def _confirmed(self, typed: str) -> None:
        wanted = self.context.study_code()
        if composed((typed or "").strip()) != composed(wanted):
            raise StudyError(f"Type the code of the study, {wanted}, to confirm. Nothing was done.")

    def _cost(self, study: StudySnapshot, values: dict[str, Any]) -> Updates:
        progress = study.progress
        try:
            protocol = design_form.protocol_of(values, progress.protocol)
            methods = study.methods if progress.images.cases else ()
            sizes = design_form.planned(progress.images, values)
            cost = views.cost(
                design_form.cost(protocol, sizes, methods), saved=protocol == progress.protocol
            )
        except ProtocolError as error:
            cost = views.problem(str(error))
        return {self.page.design.cost: cost}
