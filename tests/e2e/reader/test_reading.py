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


def test_a_whole_reading_by_keyboard(reader, small, root, code):
    page = reader.page
    reader.join(code)
    reader.press("Space", "Enter")
    page.wait_for_selector("[name=specialty]")
    page.keyboard.type("radiology")
    reader.press("Tab")
    page.keyboard.type("12")
    reader.press("Tab")
    page.keyboard.type("w")
    reader.press("Tab", "Enter")
    page.wait_for_selector(".dk-pattern")
    reader.press("Space", "Tab", "Space", "Tab", "Space", "Enter")
    page.wait_for_selector("text=Start the training")
    reader.press("Enter").wait_for_pair()
    for _ in range(QUICK.training):
        reader.answer()
        assert page.locator(".dk-told").is_visible()
        told = page.locator(".dk-made").all_text_contents()
        assert all("image" in text for text in told)
        reader.press("Enter")
        page.wait_for_selector(".dk-told", state="hidden")
        page.wait_for_selector(".dk-card, " + READY)
    assert page.locator("h1").text_content() == "Reading"
    reader.press("Enter").wait_for_pair()
    total = int(reader.count.split()[-1])
    for number in range(1, total + 1):
        assert reader.count == f"{number} of {total}"
        reader.answer()
    assert page.locator("h1").text_content() == "Last questions"
    reader.press("Enter").wait_for_pair()
    while page.locator("h1").count() == 0:
        reader.answer("1", "x")
    assert page.locator("h1").text_content() == "Thank you"

    with small.store.read() as rows_:
        mine = select(func.count()).select_from(Presentation).join(ReadingSession)
        pairs = rows_.scalar(mine.where(ReadingSession.reader_id == small.reader(code)))
        stored = rows_.get_one(Reader, small.reader(code))
        assert (stored.specialty, stored.experience_years) == ("radiology", 12)
        assert json.loads(stored.profile_json) == {"reads_such_images": "weekly"}
        guesses = rows_.scalars(
            select(BlindingGuess.guess).where(BlindingGuess.reader_id == stored.id)
        ).all()
        times = rows_.execute(
            select(RatingEvent.client_visible_ms, RatingEvent.client_first_ms).where(
                RatingEvent.actor_id == stored.id
            )
        ).all()
    assert [values for *values, _ in ratings(small, code)] == [
        [0, 4.0], [1, 3.0], [0, 5.0], [1, 2.0], [2, 1.0]
    ] * pairs  # fmt: skip
    assert sorted(set(guesses)) == ["0", "do not know"]
    assert all(0 <= first <= seen < 60_000 for seen, first in times)
    assert page.problems == []
    assert reader.said == []
    assert all(url.startswith((root, "data:")) for url in page.asked)
    kept = page.evaluate("[Object.keys(localStorage), Object.keys(sessionStorage)]")
    assert kept == [[], []]
    assert page.evaluate("navigator.serviceWorker.getRegistrations().then(all => all.length)") == 0
    pixels = [url for url in page.asked if "/pixels/" in url]
    assert len(pixels) == len(set(pixels))


def test_keys_in_a_text_field_are_letters(reader, small, code):
    reader.join(code, until="pair").wait_for_pair()
    reader.press("c")
    reader.page.keyboard.type("1 x 5 vrp? ")
    reader.press("ArrowLeft", "Backspace", "Enter")
    assert reader.page.locator(".dk-words-in").input_value() == "1 x 5 vrp "
    assert reader.chosen == []
    assert ratings(small, code) == []
    assert reader.page.locator("dialog").count() == 0
    reader.answer()
    with small.store.read() as rows_:
        mine = select(Comment.text).where(Comment.reader_id == small.reader(code))
        assert rows_.scalars(mine).all() == ["1 x 5 vrp"]


def test_all_answers_are_needed_and_the_first_missing_one_is_marked(reader, small, code):
    reader.join(code, until="pair").wait_for_pair()
    reader.press("4", "ArrowLeft", "Enter")
    assert "3 answers are missing" in reader.message
    marked = reader.page.locator(".dk-marked")
    assert marked.get_attribute("aria-label") == "Right image: Overall image quality"
    reader.press("x", "9", "ArrowUp", "5", "1", "Enter")
    assert "One answer is missing" in reader.message
    assert ratings(small, code) == []
    reader.answer("2")
    assert [value for _, value, _ in ratings(small, code)] == [4.0, 5.0, 1.0, 2.0, -1.0]


def test_after_a_long_sitting_a_break_is_suggested(reader, small, code, monkeypatch):
    reader.join(code, until="pair").wait_for_pair()
    monkeypatch.setattr(reader_state, "sitting_minutes", lambda *given: 31.0)
    reader.press("4", "3", "5", "2", "ArrowRight", "Enter")
    reader.page.wait_for_selector(".dk-told:not([hidden])")
    reader.press("Enter")
    reader.page.wait_for_selector("dialog")
    assert "31 minutes" in reader.page.locator("dialog").text_content()
    assert not reader.canvas(0)[0].any()
    reader.press("Enter").wait_for_pair()
    assert reader.count == "2 of 2"


def test_keys_mean_the_same_on_every_keyboard(reader, small, code):
    reader.join(code, until="pair").wait_for_pair()
    keypad_without_num_lock = ("ArrowLeft", "Numpad4"), ("PageDown", "Numpad3")
    for key, place in (*keypad_without_num_lock, ("Clear", "Numpad5"), ("\u0447", "KeyX")):
        reader.press_place(key, place)
    assert reader.chosen == ["4", "3", "5", "X"]
    level = reader.light()["levels"]
    reader.press("l")
    moved = reader.light()["levels"]
    assert moved[0] > level[0]
    assert moved[1] - moved[0] == level[1] - level[0]
    reader.press("Shift+L", "w")
    wider = reader.light()["levels"]
    assert wider[0] < level[0]
    assert wider[1] > level[1]
    reader.press_place("[", "Digit8", alt_graph=True, ctrlKey=True, altKey=True)
    assert reader.light()["levels"][0] < wider[0]
    reader.press_place("x", "KeyX", ctrlKey=True)
    assert ratings(small, code) == []
    assert reader.chosen == ["4", "3", "5", "X"]


def test_another_screen_asks_for_another_display_check_and_keeps_the_answers(reader, small, code):
    reader.join(code, until="pair").wait_for_pair()
    reader.press("4", "3")
    before = reader.canvas(0)[1]["width"]
    session = reader.page.context.new_cdp_session(reader.page)
    screen = {"width": 1280, "height": 720, "deviceScaleFactor": 2, "mobile": False}
    session.send("Emulation.setDeviceMetricsOverride", screen)
    reader.page.wait_for_function("devicePixelRatio === 2")
    reader.page.mouse.move(300, 200)
    reader.page.wait_for_selector(".dk-pattern")
    for tick in reader.page.locator(".dk-tick input").all():
        tick.check()
    reader.page.get_by_role("button", name="Continue").click()
    reader.wait_for_pair().wait_for_chosen("4", "3")
    assert reader.canvas(0)[1]["width"] > 1.9 * before
    session.send("Emulation.setDeviceMetricsOverride", {**screen, "deviceScaleFactor": 1})
    reader.page.wait_for_function("devicePixelRatio === 1")
    reader.page.mouse.move(310, 200)
    reader.settle().wait_for_pair().wait_for_chosen("4", "3")
    assert reader.page.locator(".dk-pattern").count() == 0
