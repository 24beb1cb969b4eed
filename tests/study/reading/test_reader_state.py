"""Where a reader stands after every step, and that only the next step can be done."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from study.domain.errors import ProtocolError, WrongScreen
from study.domain.screens import ScreenKind
from study.domain.terms import Status
from study.reading import consent, presentation, reader_state, steps
from study.storage.models import (
    Consent,
    DisplayCheck,
    Presentation,
    RatingEvent,
    Reader,
    ReadingSession,
    stamp,
)
from tests.support.open_study import QUICK, small_study
from tests.support.reader_steps import FINE, Seat, count, later, with_


@pytest.fixture
def seat(tmp_path):
    small = small_study(tmp_path / "s", cases=1)
    yield Seat(small)
    small.store.close()


def test_the_screens_come_in_their_order(seat):
    seen = []
    while (screen := seat.screen).kind not in {ScreenKind.GUESS, ScreenKind.DONE}:
        if not seen or seen[-1] != screen.kind:
            seen.append(screen.kind)
        if screen.kind is ScreenKind.CONSENT:
            steps.accept(seat.store, seat.id, screen.body.digest)
        elif screen.kind is ScreenKind.PROFILE:
            steps.save_profile(
                seat.store, seat.id, specialty=" chest  radiology ", experience_years=0,
                frequency="never",
            )  # fmt: skip
        elif screen.kind is ScreenKind.DISPLAY:
            assert steps.save_display(seat.store, seat.id, FINE)
        elif screen.kind is ScreenKind.READY:
            steps.start(seat.store, seat.id)
        else:
            seat.answer()
    assert seen == [
        ScreenKind.CONSENT, ScreenKind.PROFILE, ScreenKind.DISPLAY,
        ScreenKind.READY, ScreenKind.PAIR, ScreenKind.READY, ScreenKind.PAIR,
    ]  # fmt: skip
    with seat.store.read() as db:
        reader = db.get_one(Reader, seat.id)
        assert reader.specialty == "chest radiology"
        assert json.loads(reader.profile_json) == {"reads_such_images": "never"}
        sittings = db.scalars(select(ReadingSession).where(ReadingSession.reader_id == seat.id))
        assert all(one.started_at and one.finished_at for one in sittings)


def test_only_the_next_step_can_be_done(seat):
    """Every step on every screen: those that are not due change nothing."""
    digest = consent.consent_digest(seat.store.protocol())
    profile = {"specialty": "x", "experience_years": 1, "frequency": "daily"}
    allsteps = {
        ScreenKind.CONSENT: lambda: steps.accept(seat.store, seat.id, digest),
        ScreenKind.PROFILE: lambda: steps.save_profile(seat.store, seat.id, **profile),
        ScreenKind.DISPLAY: lambda: steps.save_display(seat.store, seat.id, FINE),
        ScreenKind.READY: lambda: steps.start(seat.store, seat.id),
        ScreenKind.PAIR: lambda: presentation.show(seat.store, seat.id),
    }
    for due, step in allsteps.items():
        for other, wrong in allsteps.items():
            if other is not due:
                with pytest.raises(WrongScreen):
                    wrong()
        assert seat.kind is due
        step()
    assert count(seat, Consent) == count(seat, DisplayCheck) == 1


def test_consent_is_to_this_text(seat):
    with pytest.raises(WrongScreen, match="another one"):
        steps.accept(seat.store, seat.id, "0" * 64)
    assert count(seat, Consent) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"specialty": "  "}, "specialty"),
        ({"specialty": "x" * 81}, "80 letters"),
        ({"experience_years": 71}, "71 years"),
        ({"experience_years": -1}, "-1 years"),
        ({"frequency": "hourly"}, "daily, weekly"),
    ],
)
def test_a_profile_must_be_possible(seat, change, message):
    seat.sit_down(until=ScreenKind.PROFILE)
    given = {"specialty": "radiology", "experience_years": 3, "frequency": "daily"} | change
    with pytest.raises(ProtocolError, match=message):
        steps.save_profile(seat.store, seat.id, **given)
    assert seat.kind is ScreenKind.PROFILE


def test_a_window_that_is_too_small_is_refused(seat):
    seat.sit_down(until=ScreenKind.DISPLAY)
    for small in ({"width": 999}, {"height": 539}):
        with pytest.raises(ProtocolError, match="at least 1000 x 540"):
            steps.save_display(seat.store, seat.id, with_(FINE, **small))
    with pytest.raises(ProtocolError, match="18 patches, 3"):
        steps.save_display(seat.store, seat.id, with_(FINE, seen=(True,) * 3))
    assert count(seat, DisplayCheck) == 0


@pytest.mark.parametrize(
    "miss", [{"seen": (True,) * 17 + (False,)}, {"ends_seen": False}, {"dim_room": False}]
)
def test_a_check_that_is_not_passed_comes_again_until_the_reader_goes_on(seat, miss):
    seat.sit_down(until=ScreenKind.DISPLAY)
    assert seat.screen.body.failed is False
    assert steps.save_display(seat.store, seat.id, with_(FINE, **miss)) is False
    assert (seat.kind, seat.screen.body.failed) == (ScreenKind.DISPLAY, True)
    steps.save_display(seat.store, seat.id, with_(FINE, **miss, carry_on=True))
    assert seat.kind is ScreenKind.READY
    with seat.store.read() as db:
        checks = db.scalars(select(DisplayCheck)).all()
        assert [check.passed for check in checks] == [False, False]


def test_on_another_day_the_screen_is_checked_again(seat):
    seat.sit_down()
    assert later(seat, hours=11.9).kind is ScreenKind.PAIR
    tomorrow = later(seat, hours=12.1)
    assert (tomorrow.kind, tomorrow.body.failed) == (ScreenKind.DISPLAY, False)


def test_progress_counts_every_pair_of_the_sessions_alike(seat):
    seat.sit_down()
    assert seat.screen.progress == reader_state.Progress("training", 0, QUICK.training)
    seat.sit_down(until=ScreenKind.READY)
    with seat.store.read() as db:
        mine = select(func.count()).select_from(Presentation).join(ReadingSession)
        total = db.scalar(mine.where(ReadingSession.reader_id == seat.id)) - QUICK.training
    steps_seen = []
    seat.sit_down()
    while seat.kind is ScreenKind.PAIR:
        progress = seat.screen.progress
        steps_seen.append(progress.done)
        assert (progress.phase, progress.total) == ("reading", total)
        seat.answer()
    # Repeats, nulls and dummies move the count like any other pair.
    assert steps_seen == list(range(total))


def test_a_withdrawal_ends_everything(seat):
    seat.sit_down()
    steps.withdraw(seat.store, seat.id)
    steps.withdraw(seat.store, seat.id)
    assert seat.kind is ScreenKind.WITHDRAWN
    assert count(seat, Consent) == 2
    with pytest.raises(WrongScreen):
        presentation.show(seat.store, seat.id)
    with pytest.raises(WrongScreen):
        steps.accept(seat.store, seat.id, consent.consent_digest(QUICK))


@pytest.mark.parametrize(
    ("status", "word"), [(Status.FROZEN, "not opened yet"), (Status.CLOSED, "closed")]
)
def test_outside_its_time_a_study_shows_nothing_and_a_reader_may_still_withdraw(
    tmp_path, status, word
):
    begun = Status.FROZEN if status is Status.FROZEN else Status.OPEN
    small = small_study(tmp_path / "s", cases=2, status=begun)
    seat = Seat(small)
    if status is Status.CLOSED:
        seat.sit_down()
        with small.store.write() as db:
            small.store.set_status(db, Status.CLOSED, "coordinator")
    assert seat.kind is ScreenKind.CLOSED
    assert word in seat.screen.body.text
    with pytest.raises(WrongScreen):
        presentation.show(small.store, seat.id)
    steps.withdraw(small.store, seat.id)
    assert seat.kind is ScreenKind.WITHDRAWN


def test_repeats_after_a_washout_wait_for_their_day(tmp_path):
    protocol = QUICK.with_(washout_days=28.0, repeat_distance=0)
    seat = Seat(small_study(tmp_path / "s", protocol, cases=1)).sit_down(until=ScreenKind.WAIT)
    until = datetime.fromisoformat(seat.screen.body.until)
    assert timedelta(days=27.9) < until - datetime.now(UTC) < timedelta(days=28.1)
    with pytest.raises(WrongScreen):
        presentation.show(seat.store, seat.id)
    with pytest.raises(WrongScreen):
        steps.start(seat.store, seat.id)
    then = later(seat, days=28, minutes=1)
    assert (then.kind, then.can_correct) == (ScreenKind.DISPLAY, False)
    with seat.store.write() as db:
        wanted = select(ReadingSession).where(
            ReadingSession.reader_id == seat.id, ReadingSession.phase == "repeat"
        )
        db.scalars(wanted).one().not_before = stamp(datetime.now(UTC))
    seat.sit_down(until=ScreenKind.READY)
    assert seat.screen.body.pairs == QUICK.repeats
    assert seat.screen.progress.phase == "reading"


def test_the_sitting_is_counted_from_its_first_answer(seat):
    seat.sit_down()
    seat.answer()
    with seat.store.read() as db:
        first = datetime.fromisoformat(db.scalars(select(RatingEvent.server_at)).first())
        minutes = [
            reader_state.sitting_minutes(db, seat.id, first + timedelta(minutes=after))
            for after in (0, 9, 11)
        ]
    assert minutes == [0.0, 9.0, 0.0]
    assert later(seat, minutes=6).body.sitting_minutes == pytest.approx(6.0, abs=0.3)
    assert later(seat, minutes=11).body.sitting_minutes == 0.0
