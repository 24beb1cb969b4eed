"""A whole reading by keyboard, and what its keys do."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import func, select

from study.reading import reader_state
from study.storage.models import (
    BlindingGuess,
    Comment,
    Presentation,
    RatingEvent,
    Reader,
    ReadingSession,
)
from tests.support.keyboard_reader import READY, ratings
from tests.support.open_study import QUICK

pytestmark = pytest.mark.e2e


def test_a_whole_reading_by_keyboard(chair, small, root, code):
    page = chair.page
    chair.come_in(code)
    chair.press("Space", "Enter")
    page.wait_for_selector("[name=specialty]")
    page.keyboard.type("radiology")
    chair.press("Tab")
    page.keyboard.type("12")
    chair.press("Tab")
    page.keyboard.type("w")
    chair.press("Tab", "Enter")
    page.wait_for_selector(".dk-pattern")
    chair.press("Space", "Tab", "Space", "Tab", "Space", "Enter")
    page.wait_for_selector("text=Start the training")
    chair.press("Enter").sees_pair()
    for _ in range(QUICK.training):
        chair.answer()
        assert page.locator(".dk-told").is_visible()
        told = page.locator(".dk-made").all_text_contents()
        assert all("image" in text for text in told)
        chair.press("Enter")
        page.wait_for_selector(".dk-told", state="hidden")
        page.wait_for_selector(".dk-card, " + READY)
    assert page.locator("h1").text_content() == "Reading"
    chair.press("Enter").sees_pair()
    total = int(chair.count.split()[-1])
    for number in range(1, total + 1):
        assert chair.count == f"{number} of {total}"
        chair.answer()
    assert page.locator("h1").text_content() == "Last questions"
    chair.press("Enter").sees_pair()
    while page.locator("h1").count() == 0:
        chair.answer("1", "x")
    assert page.locator("h1").text_content() == "Thank you"

    with small.store.read() as rows_:
        mine = select(func.count()).select_from(Presentation).join(ReadingSession)
        pairs = rows_.scalar(mine.where(ReadingSession.reader_id == small.reader(code)))
        reader = rows_.get_one(Reader, small.reader(code))
        assert (reader.specialty, reader.experience_years) == ("radiology", 12)
        assert json.loads(reader.profile_json) == {"reads_such_images": "weekly"}
        guesses = rows_.scalars(
            select(BlindingGuess.guess).where(BlindingGuess.reader_id == reader.id)
        ).all()
        times = rows_.execute(
            select(RatingEvent.client_visible_ms, RatingEvent.client_first_ms).where(
                RatingEvent.actor_id == reader.id
            )
        ).all()
    assert [values for *values, _ in ratings(small, code)] == [
        [0, 4.0], [1, 3.0], [0, 5.0], [1, 2.0], [2, 1.0]
    ] * pairs  # fmt: skip
    assert sorted(set(guesses)) == ["0", "do not know"]
    assert all(0 <= first <= seen < 60_000 for seen, first in times)
    assert page.problems == []
    assert chair.said == []
    assert all(url.startswith((root, "data:")) for url in page.asked)
    kept = page.evaluate("[Object.keys(localStorage), Object.keys(sessionStorage)]")
    assert kept == [[], []]
    assert page.evaluate("navigator.serviceWorker.getRegistrations().then(all => all.length)") == 0
    pixels = [url for url in page.asked if "/pixels/" in url]
    assert len(pixels) == len(set(pixels))


def test_keys_in_a_text_field_are_letters(chair, small, code):
    chair.come_in(code, until="pair").sees_pair()
    chair.press("c")
    chair.page.keyboard.type("1 x 5 vrp? ")
    chair.press("ArrowLeft", "Backspace", "Enter")
    assert chair.page.locator(".dk-words-in").input_value() == "1 x 5 vrp "
    assert chair.chosen == []
    assert ratings(small, code) == []
    assert chair.page.locator("dialog").count() == 0
    chair.answer()
    with small.store.read() as rows_:
        mine = select(Comment.text).where(Comment.reader_id == small.reader(code))
        assert rows_.scalars(mine).all() == ["1 x 5 vrp"]


def test_all_answers_are_needed_and_the_first_missing_one_is_marked(chair, small, code):
    chair.come_in(code, until="pair").sees_pair()
    chair.press("4", "ArrowLeft", "Enter")
    assert "3 answers are missing" in chair.message
    marked = chair.page.locator(".dk-marked")
    assert marked.get_attribute("aria-label") == "Overall image quality, right image"
    chair.press("x", "9", "ArrowUp", "5", "1", "Enter")
    assert "One answer is missing" in chair.message
    assert ratings(small, code) == []
    chair.answer("2")
    assert [value for _, value, _ in ratings(small, code)] == [4.0, 5.0, 1.0, 2.0, -1.0]


def test_after_a_long_sitting_a_break_is_suggested(chair, small, code, monkeypatch):
    chair.come_in(code, until="pair").sees_pair()
    monkeypatch.setattr(reader_state, "sitting_minutes", lambda *given: 31.0)
    chair.press("4", "3", "5", "2", "ArrowRight", "Enter")
    chair.page.wait_for_selector(".dk-told:not([hidden])")
    chair.press("Enter")
    chair.page.wait_for_selector("dialog")
    assert "31 minutes" in chair.page.locator("dialog").text_content()
    assert not chair.canvas(0)[0].any()
    chair.press("Enter").sees_pair()
    assert chair.count == "2 of 2"
