"""What coordinators do: design, freeze, open, invite, close, unblind, and accounts."""

from __future__ import annotations

from typing import Any

import gradio as gr

from study.accounts import staff
from study.accounts.readers import invite
from study.accounts.staff import StaffAccount, StaffRole
from study.domain.errors import BlindingError, ProtocolError, StudyError
from study.domain.protocol import Status
from study.planning.exclusions import exclude
from study.planning.freeze import check, freeze
from study.planning.lifecycle import close_study, open_study, unblind
from study.planning.progress_report import progress_report
from study.storage.hash_chain import audit
from study.web.coordinator import design_form, lists, sheets
from study.web.coordinator.context import ASKED, TAKEN_BACK, CoordinatorContext, next_step
from study.web.coordinator.page_updates import PageUpdates, Updates


class Actions:
    """One method for each button; who may press it is checked before.

    Parameters
    ----------
    screen : PageUpdates
    office : CoordinatorContext
    """

    def __init__(self, screen: PageUpdates, office: CoordinatorContext) -> None:
        self.screen = screen
        self.office = office
        self.page = screen.layout

    def enter(self, member: StaffAccount) -> Updates:
        """Fill a page that was just opened."""
        shown = self.screen.done(member)
        if member.role is StaffRole.ADMIN:
            shown |= self.screen.fields(self.office.store.protocol())
            shown |= {self.page.audit.target: f"{self.office.store.folder}-backup"}
            shown |= self._cost(
                design_form.PLANNED | design_form.values_of(self.office.store.protocol())
            )
        return shown

    def look(self, member: StaffAccount, word: str | None = None) -> Updates:
        """Show how things are now, and the events with the word that is looked for."""
        shown = self.screen.show(member)
        return shown | self.screen.events(word or "") if member.role is StaffRole.ADMIN else shown

    def go(self, member: StaffAccount) -> Updates:
        """Turn to the page where the next step is."""
        _, tab = next_step(progress_report(self.office.store), self.office.asked_by())
        return {self.page.tabs: gr.Tabs(selected=tab)}

    def reckon(self, member: StaffAccount, **values: Any) -> Updates:
        """What the design in the fields costs, without saving it."""
        return self._cost(values) | self.screen.pairing(str(values["pairing"]))

    def save(self, member: StaffAccount, **values: Any) -> Updates:
        """Store the design."""
        store = self.office.store
        protocol = design_form.protocol_of(values, store.protocol())
        with store.write() as session:
            if store.status_in(session) is not Status.DRAFT:
                raise ProtocolError("The design was fixed at the freeze and cannot be changed.")
            store.set_protocol(session, protocol, member.code)
        shown = self.screen.done(member, "The design is saved.") | self.screen.fields(protocol)
        return shown | self._cost(values)

    def check(self, member: StaffAccount) -> Updates:
        """Everything that a freeze would refuse, without freezing."""
        found = check(self.office.store, self.office.key())
        return self.screen.done(member) | {self.page.freeze.found: sheets.checks(found)}

    def freeze(self, member: StaffAccount, confirm: str) -> Updates:
        """Fix the plan for good."""
        self._confirmed(confirm)
        report = freeze(self.office.store, self.office.key(), actor=member.code)
        # What a build said may name methods; from now on nobody looks at those.
        self.office.jobs.forget()
        words = "\n".join(
            [
                f"Frozen: {report.readers} readers, {report.cases} cases, {report.methods} "
                f"methods, {report.pairs} pairs for each reader.",
                *report.notes,
            ]
        )
        return self.screen.done(member, words)

    def open(self, member: StaffAccount) -> Updates:
        """Let readers read."""
        open_study(self.office.store, actor=member.code)
        return self.screen.done(member, "The study is open: readers who are invited can read.")

    def invite(self, member: StaffAccount, reader: str | None, origin: str) -> Updates:
        """Make a new invitation, which is shown once."""
        if not reader:
            raise StudyError("Choose a reader first: they get their codes at the freeze.")
        made = invite(self.office.store, reader, actor=member.code)
        given = lists.invitation(made.code, f"{origin}{made.path}", made.secret)
        return self.screen.done(member) | {self.page.readers.given: given}

    def exclude(
        self, member: StaffAccount, code: str, rule: str, reason: str, prespecified: bool
    ) -> Updates:
        """Leave a reader or a case out of the analyses."""
        with self.office.store.write() as session:
            exclude(
                session,
                (code or "").strip().upper(),
                rule=rule or "",
                reason=reason or "",
                actor=member.code,
                prespecified=bool(prespecified),
            )
        fields = self.page.readers.out
        emptied = {fields[name]: "" for name in ("code", "rule", "reason")}
        return self.screen.done(member, "The decision is logged; the ratings stay.") | emptied

    def close(self, member: StaffAccount, confirm: str) -> Updates:
        """End the reading."""
        self._confirmed(confirm)
        close_study(self.office.store, actor=member.code)
        return self.screen.done(member, "The study is closed: nothing more is rated.")

    def ask(self, member: StaffAccount, confirm: str) -> Updates:
        """Ask for the unblinding; somebody else has to confirm."""
        self._confirmed(confirm)
        store = self.office.store
        self.office.key()
        with store.write() as session:
            if store.status_in(session) is not Status.CLOSED:
                raise BlindingError("Only a closed study can be unblinded: close it first.")
            audit(session, member.code, ASKED)
        return self.screen.done(member, "You asked to unblind. Another administrator confirms.")

    def take_back(self, member: StaffAccount) -> Updates:
        """Withdraw the question whether to unblind."""
        if not self.office.asked_by():
            raise BlindingError("Nobody asks to unblind: there is nothing to take back.")
        with self.office.store.write() as session:
            audit(session, member.code, TAKEN_BACK)
        return self.screen.done(member, "Nobody asks to unblind any more.")

    def second(self, member: StaffAccount, confirm: str) -> Updates:
        """Confirm what somebody else asked for, and lift the blinding."""
        self._confirmed(confirm)
        asked = self.office.asked_by()
        if not asked:
            raise BlindingError("Nobody asks to unblind: ask first, then somebody else confirms.")
        if not any(one.code == asked and one.active and one.role is StaffRole.ADMIN
                   for one in staff.accounts_of(self.office.store)):  # fmt: skip
            raise BlindingError(f"The account {asked}, which asked, is switched off: ask again.")
        unblind(self.office.store, self.office.key(), actor=asked, second=member.code)
        return self.screen.done(member, "The study is unblinded.")

    def add_account(self, member: StaffAccount, name: str | None, role: str) -> Updates:
        """Make an account."""
        made = staff.add(self.office.store, name or "", StaffRole(role), actor=member.code)
        page = self.page.accounts
        return self.screen.done(member) | {page.given: lists.secret(made), page.name: ""}

    def renew(self, member: StaffAccount, account: str | None) -> Updates:
        """Give an account a new secret."""
        made = staff.renew(self.office.store, account or "", actor=member.code)
        return self.screen.done(member) | {self.page.accounts.given: lists.secret(made)}

    def switch(self, member: StaffAccount, account: str | None) -> Updates:
        """Switch an account off, or on again."""
        found = {one.code: one.active for one in staff.accounts_of(self.office.store)}
        active = not found.get(account or "", False)
        staff.set_active(self.office.store, account or "", active, actor=member.code)
        return self.screen.done(member, f"{account} is switched {'on' if active else 'off'}.")

    def _confirmed(self, typed: str) -> None:
        wanted = progress_report(self.office.store).code
        if (typed or "").strip() != wanted:
            raise StudyError(f"Type the code of the study, {wanted}, to confirm. Nothing was done.")

    def _cost(self, values: dict[str, Any]) -> Updates:
        page, seen = self.page.design, progress_report(self.office.store)
        try:
            protocol = design_form.protocol_of(values, seen.protocol)
            methods = self.office.methods() if seen.images.cases else ()
            sizes = design_form.planned(seen.images, values)
            told = sheets.cost(
                design_form.cost(protocol, sizes, methods), saved=protocol == seen.protocol
            )
        except ProtocolError as error:
            told = sheets.problem(str(error))
        return {page.cost: told}
