"""What each button of the coordinator's pages does to a study, and what it says."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from study.accounts import staff
from study.domain.errors import BlindingError, StoreError, StudyError
from study.domain.terms import Status
from study.planning.progress_report import progress_report
from study.storage.models import Reader
from study.web.coordinator import design_form
from tests.support.coordinator_desk import NAMES, PROTOCOL, Desk, finish


def test_a_draft_is_designed_and_saved(desk):
    values = (
        design_form.PLANNED
        | design_form.values_of(PROTOCOL)
        | {"readers": 4, "criteria": ["noise"], "primary": "noise"}
    )
    before = desk.store.protocol()
    told = desk.do.estimate(desk.anna, **values)
    assert "not saved yet" in desk.text(told, desk.page.design.cost)
    assert desk.store.protocol() == before
    desk.do.save(desk.anna, **values)
    assert desk.store.protocol().readers == 4
    assert [q.code for q in desk.store.protocol().questions] == ["noise", "preference"]
    assert ("anna", "protocol") in [row[:2] for row in desk.audited()]
    again = desk.do.estimate(desk.anna, **values)
    assert "not saved yet" not in desk.text(again, desk.page.design.cost)


def test_the_planner_says_what_is_not_possible(desk):
    values = design_form.PLANNED | design_form.values_of(PROTOCOL)
    told = desk.do.estimate(desk.anna, **(values | {"readers": None}))
    assert "Readers is empty" in desk.text(told, desk.page.design.cost)
    told = desk.do.estimate(desk.anna, **(values | {"planned_cases": 80}))
    assert "80 cases × 6 method pairs" in desk.text(told, desk.page.design.cost)


def test_pairs_are_chosen_by_name_in_a_draft(desk):
    desk.built()
    shown = desk.do.open_page(desk.anna)
    control, pairs = (desk.page.design.fields[name] for name in ("control", "pairs"))
    labels = dict(shown[control]["choices"])
    assert sorted(labels) == sorted(NAMES)
    assert len(shown[pairs]["choices"]) == 3
    values = design_form.PLANNED | design_form.values_of(PROTOCOL)
    chosen = {"pairing": design_form.CONTROL, "control": labels["dncnn"]}
    shown = desk.do.estimate(desk.anna, **(values | chosen))
    assert "3 cases × 2 method pairs" in desk.text(shown, desk.page.design.cost)
    assert shown[control]["visible"]
    desk.do.save(desk.anna, **(values | chosen))
    assert desk.store.protocol().control == labels["dncnn"]
    assert desk.do.open_page(desk.anna)[control]["value"] == labels["dncnn"]


def test_a_design_cannot_be_saved_after_the_freeze(desk):
    desk.built().do.freeze(desk.anna, "S1")
    with pytest.raises(StudyError, match="fixed at the freeze"):
        desk.do.save(desk.anna, **(design_form.PLANNED | design_form.values_of(PROTOCOL)))


def test_the_check_tells_what_forbids_the_freeze_and_changes_nothing(desk):
    told = desk.do.check(desk.anna)
    assert "no stimuli yet" in desk.text(told, desk.page.freeze.found)
    desk.built()
    assert "Nothing forbids" in desk.text(desk.do.check(desk.anna), desk.page.freeze.found)
    with desk.store.write() as session:
        desk.store.set_protocol(session, PROTOCOL.with_(title="Is DnCNN better?"), "anna")
    told = desk.text(desk.do.check(desk.anna), desk.page.freeze.found)
    assert "dncnn" in told
    assert desk.store.status() is Status.DRAFT


@pytest.mark.parametrize("typed", ["", "s1", "S2", None])
def test_nothing_final_is_done_without_the_code_of_the_study(desk, typed):
    desk.built()
    with pytest.raises(StudyError, match="Type the code"):
        desk.do.freeze(desk.anna, typed)
    assert desk.store.status() is Status.DRAFT
    desk.do.freeze(desk.anna, "S1")
    desk.do.open(desk.anna)
    with pytest.raises(StudyError, match="Type the code"):
        desk.do.close(desk.anna, typed)
    assert desk.store.status() is Status.OPEN


def test_steps_out_of_order_are_refused(desk):
    with pytest.raises(StoreError, match="cannot become open"):
        desk.do.open(desk.anna)
    with pytest.raises(StudyError, match="Choose a reader"):
        desk.do.invite(desk.anna, None, origin="http://x")
    with pytest.raises(StudyError, match="after the study is closed"):
        desk.tasks.report(desk.anna)
    with pytest.raises(BlindingError, match="Only a closed study"):
        desk.do.ask_to_unblind(desk.anna, "S1")
    with pytest.raises(BlindingError, match="Nobody has asked"):
        desk.do.confirm_unblinding(desk.bert, "S1")
    with pytest.raises(BlindingError, match="Nobody has asked"):
        desk.do.take_back(desk.anna)


def test_an_invitation_is_shown_once_and_kept_as_a_hash(desk):
    desk.opened()
    shown = desk.do.invite(desk.anna, "R01", origin="https://study.example")
    given = desk.text(shown, desk.page.readers.given)
    link = given.partition("https://study.example/reader/join/")[2].partition('"')[0][:22]
    assert len(link) == 22
    assert shown[desk.page.readers.reader]["value"] == "R02"
    later = desk.do.open_page(desk.anna)
    assert link not in desk.everything(later)
    with desk.store.read() as session:
        row = session.scalars(select(Reader).where(Reader.code == "R01")).one()
        assert row.invite_hash
        assert link not in row.invite_hash
    states = [one.state for one in progress_report(desk.store).readers]
    assert states == ["invited", "not invited"]
    closed = desk.do.close(desk.anna, "S1")
    assert closed[desk.page.readers.reader]["choices"] == []
    assert not closed[desk.page.readers.invite]["interactive"]


def test_a_reader_and_a_case_are_left_out_by_a_logged_decision(desk):
    desk.opened()
    shown = desk.do.exclude(desk.anna, " r01 ", "screen", "Read on a phone.", True)
    assert "Read on a phone." in desk.text(shown, desk.page.readers.excluded)
    desk.do.exclude(desk.bert, "C002", "blurred", "Moved.", False)
    decided = [(one.target, one.prespecified, one.decided_by) for one in desk.context.exclusions()]
    assert decided == [("R01", True, "anna"), ("C002", False, "bert")]
    for given, words in ((("R09", "x", "y", False), "no reader"), (("R02", "", "y", False), "rule"),
                         (("R01", "x", "y", False), "already")):  # fmt: skip
        with pytest.raises(StudyError, match=words):
            desk.do.exclude(desk.anna, *given)


def test_an_exclusion_is_undone_on_the_page(desk):
    desk.opened()
    desk.do.exclude(desk.anna, "R01", "screen", "Read on a phone.", False)
    shown = desk.do.reinstate(desk.bert, " r01 ", "It was a tablet of the right size.")
    text = desk.text(shown, desk.page.readers.excluded)
    assert "counts again" in text
    assert "It was a tablet of the right size." in text
    with pytest.raises(StudyError, match="not excluded"):
        desk.do.reinstate(desk.bert, "R01", "Once more.")


def test_unblinding_takes_two_persons(tmp_path):
    desk = Desk(tmp_path).closed()
    desk.do.ask_to_unblind(desk.anna, "S1")
    with pytest.raises(BlindingError, match="cannot confirm alone"):
        desk.do.confirm_unblinding(desk.anna, "S1")
    with pytest.raises(StudyError, match="Type the code"):
        desk.do.confirm_unblinding(desk.bert, "")
    assert desk.store.status() is Status.CLOSED
    shown = desk.do.refresh(desk.anna)
    assert not shown[desk.page.close.second]["visible"]
    assert desk.do.refresh(desk.bert)[desk.page.close.second]["visible"]
    with pytest.raises(BlindingError, match="bert had not signed in"):
        desk.do.confirm_unblinding(desk.bert, "S1")
    desk.do.take_back(desk.bert)
    with pytest.raises(BlindingError, match="Nobody has asked"):
        desk.do.confirm_unblinding(desk.bert, "S1")
    desk.sign_in("bert")
    desk.do.ask_to_unblind(desk.anna, "S1")
    shown = desk.do.confirm_unblinding(desk.bert, "S1")
    assert desk.store.status() is Status.UNBLINDED
    assert all(name in desk.text(shown, desk.page.close.methods) for name in NAMES)
    assert ("anna", "unblind", "confirmed by bert") in desk.audited()
    desk.tasks.tables(desk.anna)
    finish(desk)
    named = {one.name: one for _, one in desk.context.files.listing()}
    assert not named["S1-ratings.csv"].masked
    assert b"restormer" in named["S1-ratings.csv"].content
    desk.store.close()


def test_nobody_unblinds_with_the_renewed_account_of_a_colleague(tmp_path):
    desk = Desk(tmp_path).opened()
    desk.do.close(desk.anna, "S1")
    shown = desk.do.renew(desk.anna, "bert")
    given = re.search(r"[0-9A-F]{4}(-[0-9A-F]{4}){4}", desk.text(shown, desk.page.accounts.given))
    assert given is not None
    desk.secrets["bert"] = given[0]
    desk.sign_in("bert")
    for asking, confirming in ((desk.anna, desk.bert), (desk.bert, desk.anna)):
        desk.do.ask_to_unblind(asking, "S1")
        with pytest.raises(BlindingError, match="anna has set a secret"):
            desk.do.confirm_unblinding(confirming, "S1")
    assert desk.store.status() is Status.CLOSED
    desk.store.close()


def test_an_account_that_was_switched_off_cannot_have_asked(tmp_path):
    desk = Desk(tmp_path).opened()
    desk.do.close(desk.anna, "S1")
    desk.do.ask_to_unblind(desk.bert, "S1")
    desk.do.switch(desk.anna, "bert")
    with pytest.raises(BlindingError, match="switched off"):
        desk.do.confirm_unblinding(desk.anna, "S1")
    desk.store.close()


def test_accounts_are_made_renewed_and_switched(desk):
    shown = desk.do.add_account(desk.anna, "carl", "monitor")
    secret = desk.text(shown, desk.page.accounts.given).partition('data-copy="')[2]
    assert "carl" in desk.text(shown, desk.page.accounts.given)
    assert secret
    desk.do.renew(desk.anna, "carl")
    desk.do.switch(desk.anna, "carl")
    assert [m.active for m in staff.accounts_of(desk.store) if m.code == "carl"] == [False]
    desk.do.switch(desk.anna, "carl")
    with pytest.raises(StudyError, match="no account"):
        desk.do.renew(desk.anna, None)
    with pytest.raises(StudyError, match="not possible"):
        desk.do.add_account(desk.anna, None, "monitor")
    with pytest.raises(ValueError, match="owner"):
        desk.do.add_account(desk.anna, "dora", "owner")
    actions = [row[:2] for row in desk.audited() if row[0] == "anna"]
    assert actions == [("anna", name) for name in ("add account", "new secret", "switch off",
                                                   "switch on")]  # fmt: skip


def test_readers_are_changed_after_the_freeze(desk):
    desk.opened()
    none = {"reader": None, "code": "", "reason": ""}
    with pytest.raises(StudyError, match="Choose a reader first"):
        desk.do.change_reader(desk.anna, "off", **none)
    shown = desk.do.change_reader(desk.anna, "replace", "R01", "site-a", "moved away")
    assert "SITE-A takes over the plan of R01" in desk.text(shown, desk.page.notice)
    assert desk.text(shown, desk.page.readers.change["reason"]) == ""
    assert shown[desk.page.readers.change["reader"]]["choices"] == ["R01", "R02", "SITE-A"]
    assert shown[desk.page.readers.reader]["choices"] == ["R02", "SITE-A"]
    table = desk.text(shown, desk.page.readers.table)
    assert "replaced by SITE-A" in table
    assert "in place of R01" in table
    shown = desk.do.change_reader(desk.anna, "add", **none)
    assert "R03 is added" in desk.text(shown, desk.page.notice)
    for change, said in (("off", "R02 is switched off"), ("on", "R02 is switched on"),
                         ("revoke", "invite R02 again")):  # fmt: skip
        shown = desk.do.change_reader(desk.anna, change, "R02", "", "")
        assert said in desk.text(shown, desk.page.notice)
    shown = desk.do.change_reader(desk.anna, "rename", "R02", "R7", "")
    shown = desk.do.change_reader(desk.anna, "note", "R7", "", "<b>ward</b> 3")
    assert "&lt;b&gt;ward" in desk.text(shown, desk.page.readers.table)
    assert "ward" not in desk.text(shown, desk.page.board)
    assert "ward" not in desk.everything(desk.do.refresh(desk.mona))


def test_codes_of_readers_are_given_at_the_freeze(desk):
    desk.built()
    told = desk.do.check(desk.anna, "one")
    assert "1 code of readers given for 2 readers" in desk.text(told, desk.page.freeze.found)
    desk.do.freeze(desk.anna, "S1", "one, two")
    assert [one.code for one in progress_report(desk.store).readers] == ["ONE", "TWO"]


def test_of_two_coordinators_neither_overwrites_the_other(desk):
    page = desk.page.design
    seen = {one.code: desk.do.open_page(one)[page.seen] for one in (desk.anna, desk.bert)}
    first = design_form.PLANNED | seen["anna"] | {"readers": 4}
    again = desk.do.save(desk.anna, seen=seen["anna"], **first)[page.seen]
    second = design_form.PLANNED | seen["bert"] | {"title": "Another"}
    with pytest.raises(StudyError, match="design was changed elsewhere"):
        desk.do.save(desk.bert, seen=seen["bert"], **second)
    assert (desk.store.protocol().readers, desk.store.protocol().title) == (4, PROTOCOL.title)
    desk.do.save(desk.anna, seen=again, **(first | {"readers": 5}))
    assert desk.store.protocol().readers == 5


def test_an_amendment_is_of_the_version_that_was_shown(desk):
    desk.built().do.freeze(desk.anna, "S1")
    fields = desk.page.amendment
    seen = {one.code: desk.do.open_page(one)[fields.seen] for one in (desk.anna, desk.bert)}
    desk.do.amend(desk.anna, seen=seen["anna"], **(seen["anna"] | {"title": "A", "reason": "why"}))
    with pytest.raises(StudyError, match="protocol was changed elsewhere"):
        desk.do.amend(
            desk.bert, seen=seen["bert"], **(seen["bert"] | {"notes": "N", "reason": "why"})
        )
    assert (desk.store.protocol().title, desk.store.protocol().notes) == ("A", PROTOCOL.notes)
