"""A repeat session that is decided on while readers read: plans of the freeze stay as they are."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from study.analysis.collect import collect
from study.analysis.results import analyse
from study.domain.errors import ProtocolError, StudyError
from study.domain.plan import Trial
from study.domain.protocol import Protocol, RepeatSession
from study.domain.protocol_json import from_json
from study.domain.questions import CATALOG
from study.domain.screens import ScreenKind
from study.domain.terms import MethodKind, Phase, Role, Shown
from study.planning.amendment import amend, changed
from study.planning.assignment import PlannedCase, assign, repeat_session
from study.planning.freeze import freeze
from study.planning.late_readers import replace_reader
from study.planning.lifecycle import close_study, open_study
from study.planning.seeds import generator
from study.reading import reader_state
from study.report import render
from study.stimuli.rendering import build
from study.storage.integrity import verify
from study.storage.models import AuditEvent, Reader, ReadingSession
from study.storage.plan_check import stored_plans
from study.storage.store import Store
from tests.support import small_studies
from tests.support.reader_steps import Seat
from tests.support.tampering import refusal, tamper

SINGLE = Protocol(
    readers=2, training=0, dummies=1, repeats=1, nulls=0, feedback=False, ask_blinding=False,
    presentation=Shown.SINGLE, questions=CATALOG[:1], repeat_distance=2,
)  # fmt: skip
SEED = bytes(range(32))


class Chair(Seat):
    """A reader by code."""

    def __init__(self, store: Store, code: str) -> None:
        self.store, self.keys = store, 0
        with store.read() as session:
            self.id = session.scalars(select(Reader.id).where(Reader.code == code)).one()

    def finish(self) -> None:
        while self.kind not in (ScreenKind.DONE, ScreenKind.WAIT):
            self.sit_down().answer()


def test_repeats_are_of_main_pairs_that_no_repeat_shows_yet() -> None:
    cases = [PlannedCase(f"c{n:02d}", f"p{n // 2}") for n in range(12)]
    methods = [(name, MethodKind.TEST) for name in "abc"]
    protocol = Protocol(repeats=6, readers=1, training=2)
    plan = assign(protocol, cases, methods, seed=SEED, study_id="s", reader=0)
    patients = {case.id: case.patient for case in cases}

    def drawn(repeats: int) -> tuple[Trial, ...]:
        rng = generator(SEED, "s", -1, 2, "added repeats r")
        return repeat_session(plan, patients, repeats, 2, rng)

    found = drawn(9)
    assert found == drawn(9)
    assert [one.position for one in found] == list(range(9))
    assert {(one.session, one.phase, one.role) for one in found} == {
        (2, Phase.REPEAT, Role.REPEAT)
    }  # fmt: skip
    mains = {one.position: one for one in plan if one.session == 1 and one.role is Role.MAIN}
    again = {one.repeat_of for one in plan if one.role is Role.REPEAT}
    for one in found:
        first = mains[one.repeat_of or 0]
        assert (first.case, first.pair) == (one.case, one.pair)
    assert len({one.repeat_of for one in found} - again) == 9
    # Spread over the pairs of methods, and no more than there are.
    assert set(Counter(one.pair for one in found).values()) == {3}
    assert len(drawn(100)) == 36 - 6
    sides = Counter(one.left == mains[one.repeat_of or 0].left for one in drawn(30))
    assert min(sides.values()) > 5
    with pytest.raises(ProtocolError, match="added by amendments"):
        assign(protocol.with_(repeat_sessions=(RepeatSession(2, 7),)), cases, methods, seed=SEED,
               study_id="s", reader=0)  # fmt: skip


def test_an_added_session_is_part_of_the_amended_protocol() -> None:
    added = SINGLE.with_(repeat_sessions=(RepeatSession(3, 14.0),))
    assert from_json(added.to_json()) == added
    assert SINGLE.digest != added.digest
    assert "repeat_sessions" not in SINGLE.to_json()
    assert (added.washout_before(1), added.washout_before(2)) == (0.0, 14.0)
    later = SINGLE.with_(washout_days=28.0, repeat_sessions=(RepeatSession(3, 14.0),))
    assert (later.washout_before(2), later.washout_before(3)) == (28.0, 14.0)
    [words] = changed(SINGLE, added, SINGLE)
    assert words == "session 2: added, 3 repeats, at least 14 days after the session before"
    with pytest.raises(ProtocolError, match="add another one after them"):
        changed(added, SINGLE.with_(repeat_sessions=(RepeatSession(3, 7.0),)), SINGLE)
    with pytest.raises(ProtocolError, match="1 to 500 repeats"):
        RepeatSession(0, 1.0)
    with pytest.raises(ProtocolError, match="leave out"):
        added.with_(crossover=True, washout_days=28.0)


def test_a_session_is_added_to_an_open_study(tmp_path: Path) -> None:
    made = small_studies.draft(tmp_path, SINGLE)
    store, key = made.store, made.key
    build(store, key, small_studies.ready_made(tmp_path / "images", ("weak", "strong")))
    freeze(store, made.key, actor="anna")
    open_study(store, actor="anna")
    one, two = Chair(store, "R01"), Chair(store, "R02")
    one.finish()
    two.sit_down().answer()
    before = plans(store)
    with pytest.raises(ProtocolError, match="5 main pairs that are not repeated yet"):
        amended(store, key, RepeatSession(6, 0.0))
    assert plans(store) == before
    amended(store, key, RepeatSession(2, 0.0))
    assert one.kind is ScreenKind.READY
    one.finish()
    amended(store, key, RepeatSession(2, 7.0), readers=3)
    # A reader who is through waits, one who is not goes on where the answers ended.
    assert one.kind is ScreenKind.WAIT
    soon = datetime.now(UTC) + timedelta(days=6.9)
    assert reader_state.state(store, one.id, at=soon).kind is ScreenKind.WAIT
    due = datetime.now(UTC) + timedelta(days=7.1)
    # The display of another day is checked again.
    assert reader_state.state(store, one.id, at=due).kind is ScreenKind.DISPLAY
    two.finish()
    assert two.kind is ScreenKind.WAIT
    now = plans(store)
    assert {code: [t for t in now[code] if t.session < 2] for code in before} == before
    for code in ("R01", "R02", "R03"):
        again = [t.repeat_of for t in now[code] if t.role is Role.REPEAT]
        assert len(again) == len(set(again)) == 5
    assert [opens(store, code) for code in ("R01", "R02", "R03")] == [
        [False, False, True], [False, False, True], [False] * 3,
    ]  # fmt: skip
    guarded(store)
    replaced = replace_reader(store, "R03", reason="ill", actor="anna")
    assert (replaced.code, replaced.dropped) == ("R04", 0)
    assert {trial.session for trial in plans(store)["R04"]} == {1, 2, 3}
    with pytest.raises(StudyError, match="nothing is left to take over"):
        replace_reader(store, "R01", reason="ill", actor="anna")
    assert verify(store).ok, verify(store).as_text()
    close_study(store, actor="anna")
    reported(store)
    tamper(store, "UPDATE presentation SET position = 9 WHERE position = 1 AND session_id IN "
           "(SELECT id FROM reading_session WHERE number = 2)")  # fmt: skip
    assert "Session 2 of R0" in verify(store).as_text()
    store.close()


def amended(store: Store, key: object, added: RepeatSession, **more: int) -> None:
    chosen = store.protocol()
    wanted = chosen.with_(repeat_sessions=(*chosen.repeat_sessions, added), **more)
    amend(store, key, wanted, reason="the journal asks", actor="anna")


def plans(store: Store) -> dict[str, list[Trial]]:
    with store.read() as session:
        codes = dict(session.execute(select(Reader.id, Reader.code)).all())
        return {codes[reader]: plan for reader, plan in stored_plans(session).items()}


def opens(store: Store, code: str) -> list[bool]:
    """Whether each session of a reader opens at a stated time."""
    with store.read() as session:
        rows = session.scalars(
            select(ReadingSession.not_before)
            .join(Reader, Reader.id == ReadingSession.reader_id)
            .where(Reader.code == code)
            .order_by(ReadingSession.number)
        )
        return [one is not None for one in rows]


def guarded(store: Store) -> None:
    """Nothing is added to a plan that is fixed."""
    assert "part of the plan" in refusal(
        store, "INSERT INTO reading_session (id, reader_id, number, phase) SELECT 'x', id, 9, "
        "'repeat' FROM reader WHERE code = 'R01'",
    )  # fmt: skip
    assert "there is no plan to be fixed" in refusal(
        store, "INSERT INTO reader_change SELECT 'x', id, 'planned', NULL, 'x', 'x', 'x' FROM "
        "reader WHERE code = 'R01'",
    )  # fmt: skip


def reported(store: Store) -> None:
    """Report, export and audit log say what was added."""
    data = collect(store)
    assert Counter(one.session for one in data.observations if one.reader == "R02") == {
        1: 8, 2: 2, 3: 2,
    }  # fmt: skip
    page = " ".join(render(data, analyse(data, resamples=0)).split())
    assert "session 2: added, 2 repeats, at least 0 days after the session before" in page
    assert "Session 3 was added by an amendment: 2 repeats, at least 7 days after" in page
    with store.read() as session:
        told = session.scalars(select(AuditEvent.target).where(AuditEvent.action == "add session"))
        assert told.all() == ["session 2", "session 3"]
