"""Where a reader stands after every step, and that only the next step can be done."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from study import guessing, session, showing, steps
from study.errors import ProtocolError, WrongScreen
from study.models import (
    BlindingGuess,
    Consent,
    DisplayCheck,
    InteractionEvent,
    Method,
    Presentation,
    RatingEvent,
    Reader,
    ReadingSession,
    stamp,
)
from study.protocol import PAIR, Status
from study.ratings import Answer
from study.screens import PATCHES, Display, Kind
from tests.study.fixtures import QUICK, methods_of, small_study

FINE = Display(
    seen=(True,) * PATCHES, ends_seen=True, dim_room=True, width=1280, height=720,
    screen_width=1280, screen_height=720, colour_depth=24, ratio=1.0, carry_on=False,
)  # fmt: skip


def with_(display, **changes):
    from dataclasses import replace

    return replace(display, **changes)


class Seat:
    """A reader who takes the steps by calling them."""

    def __init__(self, small, code="R01"):
        self.small = small
        self.store = small.store
        self.id = small.reader(code)
        self.keys = 0

    @property
    def screen(self):
        return session.state(self.store, self.id)

    @property
    def kind(self):
        return self.screen.kind

    def sit_down(self, *, until=Kind.PAIR):
        """All steps up to a screen."""
        while (screen := self.screen).kind is not until:
            if screen.kind is Kind.CONSENT:
                steps.accept(self.store, self.id, screen.body.digest)
            elif screen.kind is Kind.PROFILE:
                steps.save_profile(
                    self.store, self.id, specialty="radiology", experience_years=9,
                    frequency="daily",
                )  # fmt: skip
            elif screen.kind is Kind.DISPLAY:
                steps.save_display(self.store, self.id, FINE)
            elif screen.kind is Kind.READY:
                steps.start(self.store, self.id)
            elif screen.kind is Kind.PAIR:
                self.answer()
            else:
                raise AssertionError(f"{until} was not reached, but {screen.kind}")
        return self

    def answer(self, value=3, reason=None, shown=None):
        self.keys += 1
        shown = shown or showing.show(self.store, self.id)
        answers = tuple(
            Answer(question.code, slot, 0 if slot == PAIR else value)
            for question in self.store.protocol().questions
            for slot in question.slots
        )
        given = showing.Submission(shown.token, answers, f"key number {self.keys}", reason=reason)
        return showing.submit(self.store, self.id, given)


@pytest.fixture
def seat(tmp_path):
    small = small_study(tmp_path / "s", cases=1)
    yield Seat(small)
    small.store.close()


def count(seat, table):
    with seat.store.read() as db:
        return db.scalar(select(func.count()).select_from(table))


def later(seat, **passed):
    """The reader's screen after some time."""
    return session.state(seat.store, seat.id, at=datetime.now(UTC) + timedelta(**passed))


def test_the_screens_come_in_their_order(seat):
    seen = []
    while (screen := seat.screen).kind not in {Kind.GUESS, Kind.DONE}:
        if not seen or seen[-1] != screen.kind:
            seen.append(screen.kind)
        if screen.kind is Kind.CONSENT:
            steps.accept(seat.store, seat.id, screen.body.digest)
        elif screen.kind is Kind.PROFILE:
            steps.save_profile(
                seat.store, seat.id, specialty=" chest  radiology ", experience_years=0,
                frequency="never",
            )  # fmt: skip
        elif screen.kind is Kind.DISPLAY:
            assert steps.save_display(seat.store, seat.id, FINE)
        elif screen.kind is Kind.READY:
            steps.start(seat.store, seat.id)
        else:
            seat.answer()
    assert seen == [
        Kind.CONSENT, Kind.PROFILE, Kind.DISPLAY, Kind.READY, Kind.PAIR, Kind.READY, Kind.PAIR,
    ]  # fmt: skip
    with seat.store.read() as db:
        reader = db.get_one(Reader, seat.id)
        assert reader.specialty == "chest radiology"
        assert json.loads(reader.profile_json) == {"reads_such_images": "never"}
        sittings = db.scalars(select(ReadingSession).where(ReadingSession.reader_id == seat.id))
        assert all(one.started_at and one.finished_at for one in sittings)


def test_only_the_next_step_can_be_done(seat):
    """Every step on every screen: those that are not due change nothing."""
    digest = session.consent_digest(seat.store.protocol())
    profile = {"specialty": "x", "experience_years": 1, "frequency": "daily"}
    allsteps = {
        Kind.CONSENT: lambda: steps.accept(seat.store, seat.id, digest),
        Kind.PROFILE: lambda: steps.save_profile(seat.store, seat.id, **profile),
        Kind.DISPLAY: lambda: steps.save_display(seat.store, seat.id, FINE),
        Kind.READY: lambda: steps.start(seat.store, seat.id),
        Kind.PAIR: lambda: showing.show(seat.store, seat.id),
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
    seat.sit_down(until=Kind.PROFILE)
    given = {"specialty": "radiology", "experience_years": 3, "frequency": "daily"} | change
    with pytest.raises(ProtocolError, match=message):
        steps.save_profile(seat.store, seat.id, **given)
    assert seat.kind is Kind.PROFILE


def test_a_window_that_is_too_small_is_refused(seat):
    seat.sit_down(until=Kind.DISPLAY)
    for small in ({"width": 999}, {"height": 599}):
        with pytest.raises(ProtocolError, match="at least 1000 x 600"):
            steps.save_display(seat.store, seat.id, with_(FINE, **small))
    with pytest.raises(ProtocolError, match="18 patches, 3"):
        steps.save_display(seat.store, seat.id, with_(FINE, seen=(True,) * 3))
    assert count(seat, DisplayCheck) == 0


@pytest.mark.parametrize(
    "miss", [{"seen": (True,) * 17 + (False,)}, {"ends_seen": False}, {"dim_room": False}]
)
def test_a_check_that_is_not_passed_comes_again_until_the_reader_goes_on(seat, miss):
    seat.sit_down(until=Kind.DISPLAY)
    assert seat.screen.body.failed is False
    assert steps.save_display(seat.store, seat.id, with_(FINE, **miss)) is False
    assert (seat.kind, seat.screen.body.failed) == (Kind.DISPLAY, True)
    steps.save_display(seat.store, seat.id, with_(FINE, **miss, carry_on=True))
    assert seat.kind is Kind.READY
    with seat.store.read() as db:
        checks = db.scalars(select(DisplayCheck)).all()
        assert [check.passed for check in checks] == [False, False]


def test_on_another_day_the_screen_is_checked_again(seat):
    seat.sit_down()
    assert later(seat, hours=11.9).kind is Kind.PAIR
    tomorrow = later(seat, hours=12.1)
    assert (tomorrow.kind, tomorrow.body.failed) == (Kind.DISPLAY, False)


def test_progress_counts_every_pair_of_the_sessions_alike(seat):
    seat.sit_down()
    assert seat.screen.progress == session.Progress("training", 0, QUICK.training)
    seat.sit_down(until=Kind.READY)
    with seat.store.read() as db:
        mine = select(func.count()).select_from(Presentation).join(ReadingSession)
        total = db.scalar(mine.where(ReadingSession.reader_id == seat.id)) - QUICK.training
    steps_seen = []
    seat.sit_down()
    while seat.kind is Kind.PAIR:
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
    assert seat.kind is Kind.WITHDRAWN
    assert count(seat, Consent) == 2
    with pytest.raises(WrongScreen):
        showing.show(seat.store, seat.id)
    with pytest.raises(WrongScreen):
        steps.accept(seat.store, seat.id, session.consent_digest(QUICK))


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
    assert seat.kind is Kind.CLOSED
    assert word in seat.screen.body.text
    with pytest.raises(WrongScreen):
        showing.show(small.store, seat.id)
    steps.withdraw(small.store, seat.id)
    assert seat.kind is Kind.WITHDRAWN


def test_repeats_after_a_washout_wait_for_their_day(tmp_path):
    protocol = QUICK.with_(washout_days=28.0, repeat_distance=0)
    seat = Seat(small_study(tmp_path / "s", protocol, cases=1)).sit_down(until=Kind.WAIT)
    until = datetime.fromisoformat(seat.screen.body.until)
    assert timedelta(days=27.9) < until - datetime.now(UTC) < timedelta(days=28.1)
    with pytest.raises(WrongScreen):
        showing.show(seat.store, seat.id)
    with pytest.raises(WrongScreen):
        steps.start(seat.store, seat.id)
    then = later(seat, days=28, minutes=1)
    assert (then.kind, then.can_correct) == (Kind.DISPLAY, False)
    with seat.store.write() as db:
        wanted = select(ReadingSession).where(
            ReadingSession.reader_id == seat.id, ReadingSession.phase == "repeat"
        )
        db.scalars(wanted).one().not_before = stamp(datetime.now(UTC))
    seat.sit_down(until=Kind.READY)
    assert seat.screen.body.pairs == QUICK.repeats
    assert seat.screen.progress.phase == "reading"


def test_the_next_pair_is_fetched_ahead_within_a_session_only(seat):
    seat.sit_down()
    tickets = []
    while seat.kind is Kind.PAIR:
        shown = showing.show(seat.store, seat.id)
        tickets.append(bool(shown.next_ticket))
        seat.answer(shown=shown)
    assert tickets == [True] * (QUICK.training - 1) + [False]


def test_a_ticket_that_was_used_ahead_is_kept_and_another_is_not(seat):
    seat.sit_down()
    first = showing.show(seat.store, seat.id)
    seat.answer(shown=first)
    ahead = showing.show(seat.store, seat.id, held=first.next_ticket)
    assert ahead.ticket == first.next_ticket
    for wrong in (first.ticket, "x" * 22):
        assert showing.show(seat.store, seat.id, held=wrong).ticket not in {
            wrong,
            first.next_ticket,
        }


def test_the_last_answers_can_be_corrected_for_a_while(seat, monkeypatch):
    seat.sit_down()
    with pytest.raises(WrongScreen, match="no answer to correct"):
        showing.show_previous(seat.store, seat.id)
    first = showing.show(seat.store, seat.id)
    seat.answer(2, shown=first)
    assert seat.screen.can_correct
    screen, again = showing.show_previous(seat.store, seat.id)
    assert (screen.kind, again.token, again.correcting) == (Kind.PAIR, first.token, True)
    assert {each.value for each in again.answers if each.slot != PAIR} == {2}
    receipt = seat.answer(4, reason="mistyped", shown=again)
    assert receipt.revision == 2
    latest = showing.show_previous(seat.store, seat.id)[1]
    assert {each.value for each in latest.answers if each.slot != PAIR} == {4}
    assert later(seat, minutes=29).can_correct
    assert not later(seat, minutes=31).can_correct
    monkeypatch.setattr(session, "CORRECTION_MINUTES", 0.0)
    with pytest.raises(WrongScreen):
        showing.show_previous(seat.store, seat.id)
    with pytest.raises(WrongScreen):
        seat.answer(1, reason="too late", shown=again)


def test_the_last_pair_of_a_session_can_be_corrected_until_the_last_questions(seat):
    seat.sit_down(until=Kind.GUESS)
    assert seat.screen.can_correct
    again = showing.show_previous(seat.store, seat.id)[1]
    assert seat.answer(5, reason="slip", shown=again).revision == 2
    token = showing.show(seat.store, seat.id).token
    guessing.save_guess(seat.store, seat.id, token, (0, None), 3)
    assert not seat.screen.can_correct


def test_training_tells_what_it_showed_and_reading_does_not(seat):
    seat.sit_down()
    said = {"reference": "the original image", "test": "a processed image"}
    said["anchor"] = "an image made worse on purpose"
    while seat.kind is Kind.PAIR:
        shown = showing.show(seat.store, seat.id)
        receipt = seat.answer(shown=shown)
        told = showing.feedback(seat.store, receipt.presentation_id)
        with seat.store.read() as db:
            kinds = [db.get_one(Method, one).kind for one in methods_of(seat.store, shown.token)]
        assert told == tuple(said[kind] for kind in kinds)
    seat.sit_down()
    assert showing.feedback(seat.store, seat.answer().presentation_id) is None


def test_without_feedback_training_is_silent(tmp_path):
    seat = Seat(small_study(tmp_path / "s", QUICK.with_(feedback=False), cases=1)).sit_down()
    assert showing.feedback(seat.store, seat.answer().presentation_id) is None


def test_every_method_is_guessed_about_and_no_image_twice(tmp_path):
    seat = Seat(small_study(tmp_path / "s", cases=3)).sit_down(until=Kind.GUESS)
    with seat.store.read() as db:
        asked = guessing.guesses(db, seat.id)
        assert guessing.guesses(db, seat.id) == asked
    images = [image for pair in asked for image in pair.stimuli]
    assert len(set(images)) == len(images)
    shown = [method for pair in asked for method in methods_of(seat.store, pair.token)]
    assert set(shown) == set(seat.small.methods)
    assert all(shown.count(method) >= guessing.IMAGES_PER_METHOD for method in seat.small.methods)
    left = len(asked)
    while seat.kind is Kind.GUESS:
        assert seat.screen.progress == session.Progress("reading", len(asked) - left, len(asked))
        token = showing.show(seat.store, seat.id).token
        guessing.save_guess(seat.store, seat.id, token, (2, None), 3)
        with pytest.raises(WrongScreen):
            guessing.save_guess(seat.store, seat.id, token, (1, 1), 3)
        left -= 1
    assert (seat.kind, left) == (Kind.DONE, 0)
    with seat.store.read() as db:
        kept = db.scalars(select(BlindingGuess.guess)).all()
    assert sorted(set(kept)) == ["2", "do not know"]


@pytest.mark.parametrize("answers", [(0,), (0, 3), (-1, 0), (0, 1, 2)])
def test_a_guess_must_be_one_of_the_groups(seat, answers):
    seat.sit_down(until=Kind.GUESS)
    token = showing.show(seat.store, seat.id).token
    with pytest.raises(ProtocolError, match="one of the 3"):
        guessing.save_guess(seat.store, seat.id, token, answers, 3)
    assert count(seat, BlindingGuess) == 0


def test_without_the_last_questions_reading_ends_with_the_last_pair(tmp_path):
    seat = Seat(small_study(tmp_path / "s", QUICK.with_(ask_blinding=False), cases=1))
    seat.sit_down(until=Kind.DONE)
    assert seat.screen.can_correct


def test_the_sitting_is_counted_from_its_first_answer(seat):
    seat.sit_down()
    seat.answer()
    with seat.store.read() as db:
        first = datetime.fromisoformat(db.scalars(select(RatingEvent.server_at)).first())
        minutes = [
            session.sitting_minutes(db, seat.id, first + timedelta(minutes=after))
            for after in (0, 9, 11)
        ]
    assert minutes == [0.0, 9.0, 0.0]
    assert later(seat, minutes=6).body.sitting_minutes == pytest.approx(6.0, abs=0.3)
    assert later(seat, minutes=11).body.sitting_minutes == 0.0


def test_what_a_reader_does_with_the_images_is_kept_up_to_a_limit(seat, monkeypatch):
    seat.sit_down()
    token = showing.show(seat.store, seat.id).token
    events = [("zoom", "1.25", 900), ("window", "0 65535", 1200), ("keylogger", "x", 3)]
    assert showing.note(seat.store, seat.id, token, events) == 2
    monkeypatch.setattr(showing, "MOST_EVENTS", 3)
    assert showing.note(seat.store, seat.id, token, events) == 1
    assert showing.note(seat.store, seat.id, token, events) == 0
    assert count(seat, InteractionEvent) == 3
