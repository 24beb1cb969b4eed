"""Readers who join after the freeze, are replaced, switched off, revoked, renamed and noted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from study.accounts import readers
from study.accounts.readers import ReaderSignIn, invite
from study.analysis.collect import collect
from study.analysis.results import analyse
from study.domain.errors import FreezeError, NotOpen, ProtocolError, SignInError, StudyError
from study.domain.screens import ScreenKind
from study.domain.terms import Role, Status
from study.planning.freeze import check, freeze
from study.planning.late_readers import add_reader, replace_reader
from study.planning.lifecycle import close_study, open_study
from study.planning.progress_report import ProgressReport, progress_report
from study.reading import steps
from study.report import render
from study.stimuli.rendering import build
from study.storage.integrity import verify
from study.storage.models import AuditEvent, Presentation, Reader, ReadingSession
from study.storage.store import Store
from tests.support import small_studies
from tests.support.reader_steps import Seat


class Opened:
    """An open study of two readers, three pairs of methods and three cases."""

    def __init__(self, folder: Path, codes: tuple[str, ...] = ()) -> None:
        made = small_studies.draft(folder)
        build(made.store, made.key, small_studies.ready_made(folder / "images"))
        freeze(made.store, made.key, actor="anna", codes=codes)
        open_study(made.store, actor="anna")
        self.store, self.key = made.store, made.key

    def reader(self, code: str) -> str:
        with self.store.read() as session:
            return session.scalars(select(Reader.id).where(Reader.code == code)).one()

    def roles(self, code: str) -> Counter[str]:
        with self.store.read() as session:
            wanted = select(Presentation.role).join(ReadingSession)
            mine = ReadingSession.reader_id == self.reader(code)
            return Counter(session.scalars(wanted.where(mine)))

    def progress(self) -> ProgressReport:
        return progress_report(self.store)

    def states(self) -> dict[str, str]:
        return {one.code: one.state for one in self.progress().readers}

    def audited(self) -> list[tuple[str, str, str]]:
        with self.store.read() as session:
            rows = session.scalars(select(AuditEvent).order_by(AuditEvent.seq))
            return [(one.action, one.target, one.detail) for one in rows]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    made = Opened(tmp_path)
    yield made
    made.store.close()


def read_pairs(seat: Seat, pairs: int) -> None:
    """Answer pairs, training included."""
    for _ in range(pairs):
        seat.sit_down()
        seat.answer()


def test_a_replacement_takes_over_what_was_not_read(opened: Opened) -> None:
    before = opened.roles("R01")
    leaving = Seat(opened, "R01")
    read_pairs(leaving, 1 + 1 + 4)
    made = replace_reader(opened.store, "r01", reason="moved away", actor="anna")
    assert (made.code, made.replaces) == ("R03", "R01")
    taken = opened.roles("R03")
    assert (taken["training"], taken["dummy"]) == (before["training"], before["dummy"])
    with opened.store.read() as session:
        read = opened.progress().readers[0].done - before["dummy"]
        assert sum(taken[role] for role in ("main", "null", "repeat")) == (
            sum(before[role] for role in ("main", "null", "repeat")) - read - made.dropped
        )
        assert session.get_one(Reader, opened.reader("R03")).specialty is None
    assert opened.states() == {"R01": "replaced", "R02": "not invited", "R03": "not invited"}
    assert ("replace reader", "R01", "by R03: moved away") in opened.audited()
    with pytest.raises(NotOpen):
        leaving.answer()
    seat = Seat(opened, "R03")
    assert seat.kind is ScreenKind.CONSENT
    seat.sit_down(until=ScreenKind.GUESS)
    assert opened.states()["R03"] == "finished"
    assert verify(opened.store).ok
    close_study(opened.store, actor="anna")
    data = collect(opened.store)
    by_code = {one.code: one for one in data.readers}
    assert by_code["R01"].replaced_by == "R03"
    assert by_code["R03"].replaces == "R01"
    assert by_code["R01"].planned == by_code["R01"].read
    assert by_code["R01"].read + by_code["R03"].read == before["main"]
    of_main = [o for o in data.observations if o.role is Role.MAIN and o.reader in ("R01", "R03")]
    assert all(one.revision for one in of_main)
    text = render(data, analyse(data, resamples=20))
    assert "Changes of the readers after the freeze" in text
    assert "replaces R01" in text
    assert "moved away" in text
    assert "included, replaced by R03" in text


def test_repeats_of_what_another_person_read_are_left_out(opened: Opened) -> None:
    seat = Seat(opened, "R02")
    with opened.store.read() as session:
        repeat = session.scalars(
            select(Presentation).join(ReadingSession)
            .where(ReadingSession.reader_id == seat.id, Presentation.role == "repeat")
        ).one()  # fmt: skip
        again = session.get_one(Presentation, repeat.repeat_of)
    read_pairs(seat, 1 + again.position + 1)
    made = replace_reader(opened.store, "R02", reason="ill", actor="anna")
    assert made.dropped == 1
    assert opened.roles(made.code)["repeat"] == 0
    assert "1 repeat of pairs that R02 has read is left out" in made.as_text()


def test_of_a_reader_who_withdrew_all_pairs_are_taken_over(opened: Opened) -> None:
    seat = Seat(opened, "R01")
    read_pairs(seat, 6)
    before = opened.roles("R01")
    invite(opened.store, "R01", actor="anna")
    steps.withdraw(opened.store, seat.id)
    with pytest.raises(StudyError, match="has withdrawn, which is final"):
        invite(opened.store, "R01", actor="anna")
    made = replace_reader(opened.store, "R01", code="dr-weiß", reason="withdrew", actor="anna")
    assert made.code == "DR-WEISS"
    assert opened.roles(made.code) == before
    assert opened.states()["R01"] == "withdrawn"
    assert invite(opened.store, "dr-weiß", actor="anna").code == "DR-WEISS"


def test_who_cannot_be_replaced(opened: Opened) -> None:
    with pytest.raises(StudyError, match=r"no reader 'R09'.*R01, R02"):
        replace_reader(opened.store, "R09", reason="x", actor="anna")
    with pytest.raises(ProtocolError, match="Say why"):
        replace_reader(opened.store, "R01", reason=" ", actor="anna")
    with pytest.raises(ProtocolError, match="reader R02 already"):
        replace_reader(opened.store, "R01", code="r02", reason="x", actor="anna")
    Seat(opened, "R01").sit_down(until=ScreenKind.GUESS)
    with pytest.raises(StudyError, match="has finished: nothing is left"):
        replace_reader(opened.store, "R01", reason="x", actor="anna")
    replace_reader(opened.store, "R02", reason="x", actor="anna")
    with pytest.raises(StudyError, match="replaced already"):
        replace_reader(opened.store, "R02", reason="x", actor="anna")
    for refused in (
        lambda: invite(opened.store, "R02", actor="anna"),
        lambda: readers.set_active(opened.store, "R02", True, actor="anna"),
    ):
        with pytest.raises(StudyError, match="was replaced"):
            refused()
    close_study(opened.store, actor="anna")
    with pytest.raises(StudyError, match="study is closed"):
        add_reader(opened.store, opened.key, actor="anna")


def test_an_added_reader_has_the_next_plan_of_the_design(opened: Opened) -> None:
    first = add_reader(opened.store, opened.key, reason="more precision", actor="anna")
    second = add_reader(opened.store, opened.key, code="MÜ", actor="anna")
    assert (first.code, second.code) == ("R03", "MÜ")
    assert opened.roles("R03") == opened.roles("MÜ") == opened.roles("R01")
    with opened.store.read() as session:
        tokens = session.scalars(select(Presentation.token)).all()
        assert len(set(tokens)) == len(tokens)
        # Readers 2k and 2k + 1 see the main pairs with sides exchanged.
        sides = [sides_of(opened.store, code) for code in ("R03", "MÜ")]
    assert sides[0] == {(case, right, left) for case, left, right in sides[1]}
    Seat(opened, "MÜ").sit_down(until=ScreenKind.GUESS)
    assert verify(opened.store).ok


def sides_of(store: Store, code: str) -> set[tuple[str, str, str]]:
    from study.storage.models import PresentationSlot, Stimulus

    with store.read() as session:
        rows = session.execute(
            select(Presentation.id, Presentation.item_id, Stimulus.method_id)
            .join(ReadingSession).join(Reader, Reader.id == ReadingSession.reader_id)
            .join(PresentationSlot, PresentationSlot.presentation_id == Presentation.id)
            .join(Stimulus, Stimulus.id == PresentationSlot.stimulus_id)
            .where(Reader.code == code, Presentation.role == "main")
            .order_by(Presentation.id, PresentationSlot.slot)
        ).all()  # fmt: skip
    return {(a.item_id, a.method_id, b.method_id)
            for a, b in zip(rows[::2], rows[1::2], strict=True)}  # fmt: skip


def test_everything_of_a_lost_laptop_is_revoked(opened: Opened) -> None:
    store, accounts = opened.store, ReaderSignIn(opened.store)
    old = invite(store, "R01", actor="anna")
    cookie = accounts.cookie(accounts.join(old.token))
    link = invite(store, "R02", actor="anna")
    readers.revoke(store, "R01", reason="laptop lost", actor="anna")
    readers.revoke(store, "R02", actor="anna")
    assert accounts.account_of_cookie(cookie) is None
    with pytest.raises(SignInError):
        accounts.sign_in("R01", old.secret, address="x")
    with pytest.raises(SignInError):
        accounts.join(link.token)
    assert ("revoke", "R01", "laptop lost") in opened.audited()
    again = invite(store, "R01", actor="anna")
    assert accounts.sign_in("r01", again.secret, address="x").code == "R01"


def test_a_reader_is_switched_off_and_on(opened: Opened) -> None:
    store, accounts = opened.store, ReaderSignIn(opened.store)
    given = invite(store, "R01", actor="anna")
    cookie = accounts.cookie(accounts.join(given.token))
    readers.set_active(store, "R01", False, reason="on leave", actor="anna")
    assert accounts.account_of_cookie(cookie) is None
    assert opened.states()["R01"] == "switched off"
    readers.set_active(store, "R01", True, actor="anna")
    assert accounts.account_of_cookie(cookie) is None
    assert accounts.sign_in("R01", given.secret, address="x").code == "R01"
    close_study(store, actor="anna")
    changes = [(one.reader, one.change, one.reason) for one in collect(store).reader_changes]
    assert changes == [("R01", "switched off", "on leave"), ("R01", "switched on", "")]


def test_codes_and_notes_are_the_coordinators(opened: Opened) -> None:
    store = opened.store
    assert readers.rename(store, "R01", "mu\u0308nchen-1", actor="anna") == "MÜNCHEN-1"
    readers.note(store, "mu\u0308nchen-1", "night shifts", actor="anna")
    readers.note(store, "MÜNCHEN-1", "day shifts", actor="anna")
    assert [one.note for one in opened.progress().readers] == ["day shifts", ""]
    Seat(opened, "MÜNCHEN-1").sit_down()
    with pytest.raises(StudyError, match="has joined under this code"):
        readers.rename(store, "MÜNCHEN-1", "X", actor="anna")
    assert "day shifts" in opened.progress().as_text()
    close_study(store, actor="anna")
    assert "shifts" not in render(collect(store), analyse(collect(store), resamples=20))


@pytest.mark.parametrize(
    ("code", "said"),
    [("C001", "label of a case"), ("r 1", "not possible"), ("", "not possible"),
     ("R02", "R02 already"), ("x" * 21, "not possible"), ("m1", "label of a case")],
)  # fmt: skip
def test_codes_that_are_not_possible(opened_once: Opened, code: str, said: str) -> None:
    with pytest.raises(ProtocolError, match=said):
        readers.rename(opened_once.store, "R01", code, actor="anna")


@pytest.fixture(scope="module")
def opened_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    made = Opened(tmp_path_factory.mktemp("codes"))
    yield made
    made.store.close()


def test_codes_are_chosen_at_the_freeze(tmp_path: Path) -> None:
    made = small_studies.draft(tmp_path)
    build(made.store, made.key, small_studies.ready_made(tmp_path / "images"))
    for codes, said in (
        (("a",), "1 code of readers given for 2 readers"),
        (("a", "A"), "reader A already"),
        (("x", "dncnn"), "code of a reader would tell readers of 'dncnn'"),
    ):
        assert said in " ".join(check(made.store, made.key, codes).problems)
        with pytest.raises(FreezeError, match=said):
            freeze(made.store, made.key, actor="anna", codes=codes)
    freeze(made.store, made.key, actor="anna", codes=("site-a", "Site-B"))
    assert [one.code for one in progress_report(made.store).readers] == ["SITE-A", "SITE-B"]
    assert made.store.status() is Status.FROZEN
    made.store.close()
