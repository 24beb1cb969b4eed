"""The reader's endpoints: the server is the truth, whatever a browser sends."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import func, select

from study.accounts.readers import invite
from study.domain.terms import Status
from study.reading import presentation
from study.storage.models import (
    BlindingGuess,
    Comment,
    DisplayCheck,
    Presentation,
    PresentationSlot,
    RatingEvent,
    ReadingSession,
    Stimulus,
    Ticket,
)
from study.web.devices import SCREEN_HEADER
from tests.support.http_visitor import Visitor, contents, count, error
from tests.support.open_study import SIZE, small_study


@pytest.fixture
def small(tmp_path):
    study = small_study(tmp_path / "s", cases=1)
    yield study
    study.store.close()


@pytest.fixture
def visitor(small):
    return Visitor(small).join()


def test_a_whole_reading(visitor):
    visitor.sit_down(until="done")
    with visitor.small.store.read() as session:
        pairs = session.scalar(
            select(func.count())
            .select_from(Presentation)
            .join(ReadingSession, ReadingSession.id == Presentation.session_id)
            .where(ReadingSession.reader_id == visitor.small.reader())
        )
        rated = session.scalar(select(func.count(RatingEvent.presentation_id.distinct())))
        assert session.scalar(select(func.max(RatingEvent.client_visible_ms))) == 4000
    assert rated == pairs
    assert count(visitor.small, BlindingGuess) >= 2


def test_the_images_are_those_of_the_plan(visitor):
    given = visitor.sit_down().pair()
    answer = visitor.get(f"pixels/{given['pair']['ticket']}")
    assert len(answer.content) == 2 * SIZE * SIZE * 2
    halves = [answer.content[: SIZE * SIZE * 2], answer.content[SIZE * SIZE * 2 :]]
    assert all(half in visitor.small.pixels.values() for half in halves)
    assert halves[0] != halves[1]


def test_the_same_submission_twice_counts_once(visitor):
    given = visitor.sit_down().pair()
    body = visitor.rating(given)
    first = visitor.post("rate", body).json()
    assert (first["repeated"], first["pair"]["token"] != given["pair"]["token"]) == (False, True)
    before = contents(visitor.small)
    again = visitor.post("rate", body).json()
    assert again["repeated"] is True
    assert again["pair"]["token"] == first["pair"]["token"]
    assert contents(visitor.small) == before


def test_the_last_submission_of_a_session_may_be_repeated_too(visitor):
    visitor.sit_down()
    body = {}
    while (given := visitor.pair()).get("pair"):
        body = visitor.rating(given)
        visitor.post("rate", body)
    before = contents(visitor.small)
    again = visitor.post("rate", body)
    assert (again.status_code, again.json()["repeated"]) == (200, True)
    assert contents(visitor.small) == before


def test_a_second_window_that_is_behind_changes_nothing(visitor):
    given = visitor.sit_down().pair()
    other = Visitor(visitor.small, visitor.client.app)
    other.client.cookies = visitor.client.cookies
    same = other.pair()
    assert same["pair"]["token"] == given["pair"]["token"]
    assert same["pair"]["ticket"] != given["pair"]["ticket"]
    visitor.post("rate", visitor.rating(given))
    before = contents(visitor.small)
    late = other.post("rate", other.rating(same, 5))
    assert (late.status_code, error(late)) == (409, "already_answered")
    assert "Nothing was changed" in late.json()["error"]["message"]
    assert contents(visitor.small) == before
    assert other.pair()["pair"]["token"] == visitor.pair()["pair"]["token"]


def test_a_pair_whose_turn_has_not_come_is_refused(visitor):
    given = visitor.sit_down().pair()
    with visitor.small.store.read() as session:
        tokens = session.scalars(
            select(Presentation.token)
            .join(ReadingSession, ReadingSession.id == Presentation.session_id)
            .where(ReadingSession.reader_id == visitor.small.reader())
        ).all()
    before = contents(visitor.small)
    for token in tokens:
        if token != given["pair"]["token"]:
            body = {**visitor.rating(given), "token": token}
            assert error(visitor.post("rate", body)) == "not_yours"
    assert contents(visitor.small) == before


def test_another_readers_tokens_are_worth_nothing(small):
    mine = Visitor(small).join("R01").sit_down()
    theirs = Visitor(small, mine.client.app).join("R02").sit_down()
    given = mine.pair()
    token = given["pair"]["token"]
    before = contents(small)
    body = {**theirs.rating(theirs.pair()), "token": token}
    assert error(theirs.post("rate", body)) == "not_yours"
    assert error(theirs.post("correct", {**body, "reason": "r"})) == "wrong_screen"
    assert error(theirs.post("pause", {"token": token, "at_ms": 1})) == "not_yours"
    event = {"kind": "zoom", "payload": "2", "at_ms": 5}
    noted = theirs.post("interaction", {"token": token, "events": [event]})
    assert error(noted) == "not_yours"
    ticket = given["pair"]["ticket"]
    stolen = theirs.get(f"pixels/{ticket}")
    assert (stolen.status_code, error(stolen)) == (404, "ticket")
    unknown = theirs.get("pixels/" + "x" * 22)
    mentioned = {"code", "message"}
    assert {k: stolen.json()["error"][k] for k in mentioned} == {
        k: unknown.json()["error"][k] for k in mentioned
    }
    assert contents(small) == before
    assert mine.get(f"pixels/{ticket}").status_code == 200


def test_a_held_ticket_of_somebody_else_is_not_handed_on(small):
    mine = Visitor(small).join("R01").sit_down()
    theirs = Visitor(small, mine.client.app).join("R02").sit_down()
    ticket = mine.pair()["pair"]["next_ticket"]
    after = theirs.post("rate", theirs.rating(theirs.pair(), held=ticket)).json()
    assert after["pair"]["ticket"] != ticket


HARMS = (
    lambda body: body["answers"].pop(),
    lambda body: body["answers"].append(body["answers"][0]),
    lambda body: body["answers"][0].update(value=6),
    lambda body: body["answers"][0].update(value=0),
    lambda body: body["answers"][0].update(slot=2),
    lambda body: body["answers"][0].update(question="beauty"),
    lambda body: body["answers"][-1].update(value=2),
    lambda body: body.update(key="short"),
)


def test_answers_that_are_not_possible_are_refused_whole(visitor):
    given = visitor.sit_down().pair()
    before = contents(visitor.small)
    for place, harm in enumerate(HARMS):
        body = visitor.rating(given)
        harm(body)
        answer = visitor.post("rate", body)
        assert (answer.status_code, error(answer)) == (422, "answers"), place
    assert contents(visitor.small) == before
    assert visitor.pair()["pair"]["token"] == given["pair"]["token"]


def test_a_correction_needs_a_reason_and_keeps_what_was_before(visitor):
    first = visitor.sit_down().pair()
    visitor.post("rate", visitor.rating(first, 2))
    previous = visitor.pair("previous")
    assert previous["pair"]["correcting"]
    assert previous["pair"]["token"] == first["pair"]["token"]
    assert previous["pair"]["next_ticket"] == ""
    assert len(visitor.pixels(previous["pair"]["ticket"])) == 2 * SIZE * SIZE * 2
    before = contents(visitor.small)
    empty = visitor.post("correct", {**visitor.rating(previous, 4), "reason": "  "})
    assert error(empty) == "answers"
    assert contents(visitor.small) == before
    done = visitor.post("correct", {**visitor.rating(previous, 4), "reason": "slip"}).json()
    assert done["feedback"] is None
    assert done["pair"]["token"] != first["pair"]["token"]
    with visitor.small.store.read() as session:
        rows = session.execute(
            select(RatingEvent.revision, RatingEvent.value_num, RatingEvent.reason).where(
                RatingEvent.slot == 0
            )
        ).all()
    assert {tuple(row) for row in rows} == {(1, 2.0, None), (2, 4.0, "slip")}


def test_comments_are_kept_as_they_are(visitor):
    given = visitor.sit_down().pair()
    text = "Rand <b>unscharf</b> — Ω 🩻"
    visitor.post("rate", visitor.rating(given, comment=f"  {text} "))
    with visitor.small.store.read() as session:
        assert session.scalars(select(Comment.text)).all() == [text]


def test_the_next_pair_is_given_after_the_answers_are_committed(visitor, monkeypatch):
    given = visitor.sit_down().pair()
    real = presentation.proceed
    seen = []

    def watched(store, reader_id, **options):
        seen.append(count(visitor.small, RatingEvent))
        return real(store, reader_id, **options)

    monkeypatch.setattr(presentation, "proceed", watched)
    visitor.post("rate", visitor.rating(given))
    assert seen == [len(visitor.rating(given)["answers"])]


def test_a_closed_study_takes_nothing_and_shows_no_images(visitor):
    given = visitor.sit_down().pair()
    with visitor.small.store.write() as session:
        visitor.small.store.set_status(session, Status.CLOSED, "coordinator")
    before = contents(visitor.small)
    assert error(visitor.post("rate", visitor.rating(given))) == "wrong_screen"
    assert error(visitor.get(f"pixels/{given['pair']['ticket']}")) == "ticket"
    assert visitor.screen["kind"] == "closed"
    assert contents(visitor.small) == before


def test_after_a_withdrawal_no_image_is_shown(visitor):
    given = visitor.sit_down().pair()
    assert visitor.post("withdraw").json()["screen"]["kind"] == "withdrawn"
    assert error(visitor.get(f"pixels/{given['pair']['ticket']}")) == "ticket"
    assert error(visitor.post("rate", visitor.rating(given))) == "wrong_screen"


def test_tickets_of_many_windows_all_work_once(visitor):
    visitor.sit_down()
    tickets = [visitor.pair()["pair"]["ticket"] for _ in range(5)]
    assert len(set(tickets)) == 5
    bodies = {visitor.pixels(ticket) for ticket in tickets}
    assert len(bodies) == 1
    assert all(visitor.get(f"pixels/{ticket}").status_code == 404 for ticket in tickets)
    assert count(visitor.small, Ticket) >= 10


def test_a_display_check_holds_for_one_computer_and_one_screen(small):
    def laptop() -> Visitor:
        visitor = Visitor(small)
        visitor.client.headers[SCREEN_HEADER] = "1920x1080@1.25 wide"
        visitor.client.post("/reader/login", data={"code": "R01", "secret": link.secret})
        return visitor

    link = invite(small.store, "R01", actor="coordinator")
    first, second = laptop(), laptop()
    pair = first.sit_down().pair()
    assert second.screen["kind"] == "display"
    assert error(second.post("pair")) == "wrong_screen"
    assert first.screen["kind"] == "pair"
    for changed in ("1920x1080@1.5 wide", "2560x1440@1.25 wide", "1920x1080@1.25 narrow"):
        first.client.headers[SCREEN_HEADER] = changed
        assert first.screen["kind"] == "display"
    # What is on the screen already is still taken; the next pair waits for the check.
    answer = first.post("rate", first.rating(pair)).json()
    assert (answer["repeated"], answer["screen"]["kind"]) == (False, "display")
    assert second.sit_down().screen["kind"] == "pair"
    with small.store.read() as session:
        details = session.scalars(select(DisplayCheck.detail_json)).all()
    assert len({json.loads(text)["device"]["id"] for text in details}) == 2


def test_a_lost_image_is_skipped_as_the_page_does_it(visitor):
    given = visitor.sit_down().pair()
    with visitor.small.store.read() as session:
        file = session.scalars(
            select(Stimulus.file)
            .join(PresentationSlot, PresentationSlot.stimulus_id == Stimulus.id)
            .join(Presentation, Presentation.id == PresentationSlot.presentation_id)
            .where(Presentation.token == given["pair"]["token"])
        ).first()
    (visitor.small.store.stimuli / file).unlink()
    answer = visitor.get(f"pixels/{given['pair']['ticket']}")
    assert (answer.status_code, error(answer)) == (409, "image_lost")
    assert file not in answer.text
    following = visitor.sit_down().pair()
    assert following["pair"]["token"] != given["pair"]["token"]
    assert len(visitor.pixels(following["pair"]["ticket"])) == 2 * SIZE * SIZE * 2
    visitor.sit_down(until="done")
