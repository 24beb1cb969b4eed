"""The server is the truth, whatever happens in the browser."""

from __future__ import annotations

import numpy as np
import pytest

from study.accounts.readers import ReaderSignIn
from tests.support.keyboard_reader import KeyboardReader, current, ratings

pytestmark = pytest.mark.e2e


def test_however_often_it_is_sent_it_counts_once(reader, small, code):
    reader.join(code, until="pair").wait_for_pair()
    slow = []

    def late(route):
        slow.append(route.request.post_data_json["key"])
        reader.page.wait_for_timeout(300)
        route.continue_()

    reader.page.route("**/api/rate", late)
    reader.press("4", "3", "5", "2", "ArrowRight", "Enter", "Enter", "Enter")
    reader.page.locator(".dk-go").dispatch_event("click")
    reader.page.wait_for_selector(".dk-told:not([hidden])")
    assert len(slow) == 1
    assert len(ratings(small, code)) == 5


def test_without_a_connection_the_answers_stay_and_go_out_once(reader, small, code):
    reader.join(code, until="pair").wait_for_pair()
    keys = []

    def lost(route):
        """The server hears it and the answer gets lost; the second time it arrives."""
        keys.append(route.request.post_data_json["key"])
        if len(keys) == 1:
            route.fetch()
            route.abort()
        else:
            route.continue_()

    reader.page.route("**/api/rate", lost)
    reader.press("4", "3", "5", "2", "ArrowRight", "Enter")
    reader.page.wait_for_function(
        "document.querySelector('.dk-status').textContent.includes('cannot be reached')"
    )
    assert reader.chosen == ["4", "3", "5", "2", "→"]
    reader.answer("Enter")
    assert len(set(keys)) == 1
    assert len(keys) >= 2
    assert len(ratings(small, code)) == 5


def test_two_windows_the_one_behind_changes_nothing_and_says_so(reader, small, root, code):
    reader.join(code, until="pair").wait_for_pair()
    second = reader.page.context.new_page()
    other = KeyboardReader(second, small, root)
    second.goto(root + "/reader/")
    other.wait_for_pair()
    reader.answer()
    before = ratings(small, code)
    other.press("1", "1", "1", "1", "ArrowLeft", "Enter")
    second.wait_for_function(
        "document.querySelector('.dk-status').textContent.includes('answered before')"
    )
    other.wait_for_pair()
    assert ratings(small, code) == before
    assert other.count == "2 of 2"
    assert other.chosen == []


def test_back_and_reload_lead_to_the_open_pair(reader, small, root, code):
    reader.join(code, until="pair").wait_for_pair()
    reader.answer()
    reader.press("Enter").wait_for_pair()
    assert reader.count == "2 of 2"
    reader.press("4")
    before = ratings(small, code)
    reader.page.go_back()
    reader.page.goto(root + "/reader/")
    assert reader.wait_for_pair().count == "2 of 2"
    reader.page.reload()
    assert reader.wait_for_pair().count == "2 of 2"
    assert reader.chosen == []
    assert ratings(small, code) == before
    token = current(small, code)
    assert np.array_equal(reader.pixels(0), reader.expected(token, 0))


def test_the_last_answer_can_be_corrected_with_a_reason(reader, small, code):
    reader.join(code, until="pair").wait_for_pair()
    assert reader.page.get_by_role("button", name="Previous").is_disabled()
    first = current(small, code)
    reader.answer()
    reader.press("Enter").wait_for_pair()
    reader.press("Backspace")
    reader.page.wait_for_selector(".dk-correcting")
    reader.wait_for_pair()
    assert reader.chosen == ["4", "3", "5", "2", "→"]
    assert np.array_equal(reader.pixels(1), reader.expected(first, 1))
    reader.press("Escape")
    reader.page.wait_for_selector(".dk-reading:not(.dk-correcting)")
    reader.wait_for_pair()
    assert reader.chosen == []
    reader.press("Backspace")
    reader.page.wait_for_selector(".dk-correcting")
    reader.wait_for_pair()
    reader.press("ArrowUp", "ArrowLeft", "Enter")
    assert "reason for the correction" in reader.message
    reader.page.keyboard.type("slip of the finger")
    reader.press("Enter", "Enter")
    reader.page.wait_for_selector(".dk-reading:not(.dk-correcting)")
    reader.wait_for_pair()
    revised = [row for row in ratings(small, code) if row[2] == 2]
    assert [value for _, value, _ in revised] == [4.0, 3.0, 5.0, 2.0, -1.0]
    assert reader.count == "2 of 2"


def test_signed_out_the_page_leads_to_the_door(reader, small, root, code):
    reader.join(code, until="pair").wait_for_pair()
    reader.page.get_by_role("button", name="Menu").click()
    reader.page.get_by_role("button", name="Sign out").click()
    reader.page.wait_for_url("**/reader/login")
    reader.page.goto(root + "/reader/")
    assert reader.page.url.endswith("/reader/login")
    kept = {cookie["name"] for cookie in reader.page.context.cookies()}
    assert ReaderSignIn.cookie_name not in kept


def test_withdrawing_takes_two_steps_and_is_final(reader, small, root, code):
    reader.join(code, until="pair").wait_for_pair()
    reader.page.get_by_role("button", name="Menu").click()
    reader.page.get_by_role("button", name="Withdraw from the study").click()
    reader.press("Escape")
    reader.page.wait_for_selector("dialog", state="detached")
    reader.page.get_by_role("button", name="Menu").click()
    reader.page.get_by_role("button", name="Withdraw from the study").click()
    reader.page.get_by_role("button", name="Withdraw", exact=True).click()
    reader.page.wait_for_selector("text=You have withdrawn")
    reader.page.reload()
    reader.page.wait_for_selector("text=You have withdrawn")
