"""Pairs handed out, corrected, explained and asked about at the end."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, event, select

from study.domain.errors import ProtocolError, WrongScreen
from study.domain.questions import PAIR
from study.domain.screens import ScreenKind
from study.domain.terms import Role
from study.reading import blinding_questionnaire, presentation, reader_state
from study.storage.models import BlindingGuess, InteractionEvent, Method, Presentation
from tests.support.open_study import QUICK, methods_of, small_study
from tests.support.reader_steps import Seat, count, later


@pytest.fixture
def seat(tmp_path):
    small = small_study(tmp_path / "s", cases=1)
    yield Seat(small)
    small.store.close()


def test_the_next_pair_is_fetched_ahead_within_a_session_only(seat):
    seat.sit_down()
    tickets = []
    while seat.kind is ScreenKind.PAIR:
        shown = presentation.show(seat.store, seat.id)
        tickets.append(bool(shown.next_ticket))
        seat.answer(shown=shown)
    assert tickets == [True] * (QUICK.training - 1) + [False]


def test_a_ticket_that_was_used_ahead_is_kept_and_another_is_not(seat):
    seat.sit_down()
    first = presentation.show(seat.store, seat.id)
    seat.answer(shown=first)
    ahead = presentation.show(seat.store, seat.id, held=first.next_ticket)
    assert ahead.ticket == first.next_ticket
    for wrong in (first.ticket, "x" * 22):
        assert presentation.show(seat.store, seat.id, held=wrong).ticket not in {
            wrong,
            first.next_ticket,
        }


def test_a_rating_asks_the_database_nothing_twice(seat):
    seat.sit_down()
    shown = presentation.show(seat.store, seat.id)
    asked = []

    def keep(connection, cursor, statement, parameters, context, executemany):
        if statement.startswith("SELECT"):
            asked.append((statement, str(parameters)))

    event.listen(Engine, "before_cursor_execute", keep)
    try:
        seat.answer(shown=shown)
    finally:
        event.remove(Engine, "before_cursor_execute", keep)
    assert any("FROM presentation" in statement for statement, _ in asked)
    assert len(asked) == len(set(asked)), sorted(asked)


def test_the_last_answers_can_be_corrected_for_a_while(seat, monkeypatch):
    seat.sit_down()
    with pytest.raises(WrongScreen, match="no answer to correct"):
        presentation.show_previous(seat.store, seat.id)
    first = presentation.show(seat.store, seat.id)
    seat.answer(2, shown=first)
    assert seat.screen.can_correct
    screen, again = presentation.show_previous(seat.store, seat.id)
    assert (screen.kind, again.token, again.correcting) == (ScreenKind.PAIR, first.token, True)
    assert {each.value for each in again.answers if each.slot != PAIR} == {2}
    receipt = seat.answer(4, reason="mistyped", shown=again)
    assert receipt.revision == 2
    latest = presentation.show_previous(seat.store, seat.id)[1]
    assert {each.value for each in latest.answers if each.slot != PAIR} == {4}
    assert later(seat, minutes=29).can_correct
    assert not later(seat, minutes=31).can_correct
    monkeypatch.setattr(reader_state, "CORRECTION_MINUTES", 0.0)
    with pytest.raises(WrongScreen):
        presentation.show_previous(seat.store, seat.id)
    with pytest.raises(WrongScreen):
        seat.answer(1, reason="too late", shown=again)


def test_the_last_pair_of_a_session_can_be_corrected_until_the_last_questions(seat):
    seat.sit_down(until=ScreenKind.GUESS)
    assert seat.screen.can_correct
    again = presentation.show_previous(seat.store, seat.id)[1]
    assert seat.answer(5, reason="slip", shown=again).revision == 2
    token = presentation.show(seat.store, seat.id).token
    blinding_questionnaire.save_guess(seat.store, seat.id, token, (0, None), 3)
    assert not seat.screen.can_correct


def test_training_tells_what_it_showed_and_reading_does_not(seat):
    seat.sit_down()
    said = {"reference": "the original image", "test": "a processed image"}
    said["anchor"] = "an image made worse on purpose"
    while seat.kind is ScreenKind.PAIR:
        shown = presentation.show(seat.store, seat.id)
        receipt = seat.answer(shown=shown)
        answer = presentation.feedback(seat.store, receipt.presentation_id)
        with seat.store.read() as db:
            kinds = [db.get_one(Method, one).kind for one in methods_of(seat.store, shown.token)]
        assert answer == tuple(said[kind] for kind in kinds)
    seat.sit_down()
    assert presentation.feedback(seat.store, seat.answer().presentation_id) is None


def test_without_feedback_training_is_silent(tmp_path):
    seat = Seat(small_study(tmp_path / "s", QUICK.with_(feedback=False), cases=1)).sit_down()
    assert presentation.feedback(seat.store, seat.answer().presentation_id) is None


def test_nothing_is_said_about_a_case_that_is_rated(tmp_path):
    """As in studies that were frozen before the freeze refused it."""
    seat = Seat(small_study(tmp_path / "s", cases=2, training=0))
    assert seat.store.protocol().feedback
    seat.sit_down(until=ScreenKind.READY)
    assert reader_state.state(seat.store, seat.id).body.feedback is False
    seat.sit_down()
    receipt = seat.answer()
    with seat.store.read() as db:
        assert db.get_one(Presentation, receipt.presentation_id).role == Role.TRAINING
    assert presentation.feedback(seat.store, receipt.presentation_id) is None


def test_every_method_is_guessed_about_and_no_image_twice(tmp_path):
    seat = Seat(small_study(tmp_path / "s", cases=3)).sit_down(until=ScreenKind.GUESS)
    with seat.store.read() as db:
        asked = blinding_questionnaire.guesses(db, seat.id)
        assert blinding_questionnaire.guesses(db, seat.id) == asked
    images = [image for pair in asked for image in pair.stimuli]
    assert len(set(images)) == len(images)
    shown = [method for pair in asked for method in methods_of(seat.store, pair.token)]
    assert set(shown) == set(seat.small.methods)
    assert all(
        shown.count(method) >= blinding_questionnaire.IMAGES_PER_METHOD
        for method in seat.small.methods
    )
    left = len(asked)
    while seat.kind is ScreenKind.GUESS:
        assert seat.screen.progress == reader_state.Progress(
            "reading", len(asked) - left, len(asked)
        )
        token = presentation.show(seat.store, seat.id).token
        blinding_questionnaire.save_guess(seat.store, seat.id, token, (2, None), 3)
        with pytest.raises(WrongScreen):
            blinding_questionnaire.save_guess(seat.store, seat.id, token, (1, 1), 3)
        left -= 1
    assert (seat.kind, left) == (ScreenKind.DONE, 0)
    with seat.store.read() as db:
        kept = db.scalars(select(BlindingGuess.guess)).all()
    assert sorted(set(kept)) == ["2", "do not know"]


@pytest.mark.parametrize("answers", [(0,), (0, 3), (-1, 0), (0, 1, 2)])
def test_a_guess_must_be_one_of_the_groups(seat, answers):
    seat.sit_down(until=ScreenKind.GUESS)
    token = presentation.show(seat.store, seat.id).token
    with pytest.raises(ProtocolError, match="one of the 3"):
        blinding_questionnaire.save_guess(seat.store, seat.id, token, answers, 3)
    assert count(seat, BlindingGuess) == 0


def test_without_the_last_questions_reading_ends_with_the_last_pair(tmp_path):
    seat = Seat(small_study(tmp_path / "s", QUICK.with_(ask_blinding=False), cases=1))
    seat.sit_down(until=ScreenKind.DONE)
    assert seat.screen.can_correct


def test_what_a_reader_does_with_the_images_is_kept_up_to_a_limit(seat, monkeypatch):
    seat.sit_down()
    token = presentation.show(seat.store, seat.id).token
    events = [("zoom", "1.25", 900), ("window", "0 65535", 1200), ("keylogger", "x", 3)]
    assert presentation.note(seat.store, seat.id, token, events) == 2
    monkeypatch.setattr(presentation, "MOST_EVENTS", 3)
    assert presentation.note(seat.store, seat.id, token, events) == 1
    assert presentation.note(seat.store, seat.id, token, events) == 0
    assert count(seat, InteractionEvent) == 3
