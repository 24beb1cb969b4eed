"""Readers qualify before the study, and who does not is kept out of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from sqlalchemy import select

from study.domain.errors import StoreError, StudyError, WrongScreen
from study.domain.protocol import Protocol
from study.domain.qualification import KnownAnswer, graded
from study.domain.screens import ScreenKind
from study.domain.terms import Phase, Role
from study.planning.late_readers import replace_reader
from study.planning.progress_report import progress_report
from study.planning.qualification import allow_attempt
from study.reading import presentation
from study.reading.next_pair import upcoming
from study.reading.ratings import Submission, record_in
from study.storage.models import (
    AuditEvent,
    Presentation,
    QualificationResult,
    ReadingSession,
)
from tests.support.open_study import QUICK, Small, known_id, small_study
from tests.support.reader_steps import Seat, later
from tests.support.tampering import refusal
from tests.support.tiny_study import tiny_answers

CASE = known_id("case 2")
QUALIFYING = QUICK.with_(
    training=1,
    dummies=0,
    repeats=0,
    nulls=0,
    ask_blinding=False,
    qualification=(KnownAnswer(CASE, "quality", 4, 5), KnownAnswer(CASE, "fidelity", 1, 5)),
    pass_mark=0.8,
    attempts=2,
)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Small]:
    made = small_study(tmp_path / "s", QUALIFYING, cases=1, training=2)
    yield made
    made.store.close()


def at_the_qualification(small: Small) -> Seat:
    """A reader who has done the training."""
    seat = Seat(small)
    while seat.sit_down().screen.progress.phase == "training":
        seat.answer()
        if seat.kind is ScreenKind.READY:
            break
    assert seat.screen.body.attempt == 1
    return seat.sit_down()


def results(seat: Seat) -> list[tuple[int, int, bool]]:
    with seat.store.read() as session:
        rows = session.scalars(select(QualificationResult).order_by(QualificationResult.at))
        return [(one.correct, one.asked, one.passed) for one in rows]


def test_who_passes_reads_the_study(small: Small) -> None:
    seat = at_the_qualification(small)
    assert seat.screen.progress == replace(seat.screen.progress, phase="qualification", total=1)
    with seat.store.read() as session:
        pair, sitting = upcoming(session, seat.id)
        assert (pair.role, sitting.phase, pair.item_id) == (
            Role.QUALIFICATION, Phase.QUALIFICATION, CASE,
        )  # fmt: skip
    seat.answer(4)
    assert results(seat) == [(4, 4, True)]
    # The attempt that is left over is not asked for, and the result stays.
    assert seat.kind is ScreenKind.READY
    assert seat.screen.progress.phase == "reading"
    assert not seat.screen.can_correct
    with pytest.raises(WrongScreen):
        presentation.show_previous(seat.store, seat.id)
    seat.sit_down(until=ScreenKind.DONE)
    one = progress_report(small.store).readers[0]
    assert (one.done, one.planned) == (one.planned, one.planned)
    assert one.qualification == "passed at attempt 1, 4 of 4 right"


def test_who_fails_is_kept_out_until_another_attempt_is_allowed(small: Small) -> None:
    seat = at_the_qualification(small)
    seat.answer(3)
    assert results(seat) == [(2, 4, False)]
    assert (seat.kind, seat.screen.body.attempt) == (ScreenKind.READY, 2)
    seat.sit_down().answer(3)
    assert seat.kind is ScreenKind.UNQUALIFIED
    assert later(seat, days=40).kind is ScreenKind.UNQUALIFIED
    # Nothing on the screen says what the answers were to be, or how many were right.
    assert not {"2", "4", "5", "quality"} & set(json.dumps(asdict(seat.screen)).split())
    assert progress_report(small.store).readers[0].state == "not qualified"
    with pytest.raises(StudyError, match="not failed"):
        allow_attempt(small.store, "R02", reason="x", actor="chief")
    assert allow_attempt(small.store, "R01", reason="took 1 for best", actor="chief") == 3
    assert seat.screen.body.attempt == 3
    seat.sit_down().answer(5)
    assert seat.sit_down().screen.progress.phase == "reading"
    with small.store.read() as session:
        log = session.execute(select(AuditEvent.action, AuditEvent.actor, AuditEvent.detail))
        kept = [tuple(row) for row in log if row.action in ("qualification", "allow attempt")]
    assert kept == [
        ("qualification", "R01", "attempt 1: not passed, 2 of 4 right"),
        ("qualification", "R01", "attempt 2: not passed, 2 of 4 right"),
        ("allow attempt", "chief", "took 1 for best"),
        ("qualification", "R01", "attempt 3: passed, 4 of 4 right"),
    ]


def test_who_never_passes_is_kept_out_by_the_database_too(small: Small) -> None:
    seat = at_the_qualification(small)
    for attempt in range(1, 6):
        if attempt > 2:
            allow_attempt(small.store, "R01", reason="again", actor="chief")
        seat.sit_down().answer(1)
    with pytest.raises(StudyError, match="all 5 planned attempts"):
        allow_attempt(small.store, "R01", reason="again", actor="chief")
    with small.store.read() as session:
        turn = session.execute(
            select(Presentation, ReadingSession)
            .join(ReadingSession, ReadingSession.id == Presentation.session_id)
            .where(ReadingSession.reader_id == seat.id, ReadingSession.number == 1)
        ).first()
    given = Submission(turn[0].token, tiny_answers(QUALIFYING), "past the door")
    with pytest.raises(StoreError, match="has not qualified"), small.store.write() as session:
        record_in(session, seat.id, given, turn)
    assert "no attempt" in refusal(
        small.store,
        "INSERT INTO qualification_result (id, session_id, correct, asked, passed, at) "
        "SELECT 'x', id, 1, 1, TRUE, 'x' FROM reading_session WHERE number = 1",
    )
    made = replace_reader(small.store, "R01", reason="did not qualify", actor="chief")
    assert made.code == "R03"


def test_a_preference_is_right_whichever_side_the_image_is_on() -> None:
    known = (KnownAnswer("c", "preference", 1, 1, "good"), KnownAnswer("c", "quality", 4, 5, "bad"))
    for methods, choice in ((("good", "bad"), -1), (("bad", "good"), 1)):
        assert graded(known, "c", methods, {("preference", 2): choice}) == [True]
        assert graded(known, "c", methods, {("preference", 2): -choice}) == [False]
        assert graded(known, "c", methods, {("preference", 2): None}) == [False]
        slot = methods.index("bad")
        answers = {("quality", slot): 4, ("quality", 1 - slot): 1, ("noise", slot): 1}
        assert graded(known, "c", methods, answers) == [True]
    assert graded(known, "other", ("good", "bad"), {("preference", 2): 1}) == []


def test_an_impossible_known_answer_is_refused() -> None:
    for one, why in (
        (KnownAnswer("c", "sharp", 1, 2), "questions are"),
        (KnownAnswer("c", "quality", 4, 6), "within 1 to 5"),
        (KnownAnswer("c", "quality", 4, 3), "not possible"),
        (KnownAnswer("c", "preference", 1, 1), "to be preferred"),
    ):
        with pytest.raises(StudyError, match=why):
            Protocol(qualification=(one,))
