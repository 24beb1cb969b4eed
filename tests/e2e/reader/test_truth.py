"""The server is the truth, whatever happens in the browser."""

from __future__ import annotations

import numpy as np
import pytest

from study.accounts.readers import ReaderSignIn
from tests.support.keyboard_reader import Chair, current, ratings

pytestmark = pytest.mark.e2e


def test_however_often_it_is_sent_it_counts_once(chair, small, code):
    chair.come_in(code, until="pair").sees_pair()
    slow = []

    def late(route):
        slow.append(route.request.post_data_json["key"])
        chair.page.wait_for_timeout(300)
        route.continue_()

    chair.page.route("**/api/rate", late)
    chair.press("4", "3", "5", "2", "ArrowRight", "Enter", "Enter", "Enter")
    chair.page.locator(".dk-go").dispatch_event("click")
    chair.page.wait_for_selector(".dk-told:not([hidden])")
    assert len(slow) == 1
    assert len(ratings(small, code)) == 5


def test_without_a_connection_the_answers_stay_and_go_out_once(chair, small, code):
    chair.come_in(code, until="pair").sees_pair()
    keys = []

    def lost(route):
        """The server hears it and the answer gets lost; the second time it arrives."""
        keys.append(route.request.post_data_json["key"])
        if len(keys) == 1:
            route.fetch()
            route.abort()
        else:
            route.continue_()

    chair.page.route("**/api/rate", lost)
    chair.press("4", "3", "5", "2", "ArrowRight", "Enter")
    chair.page.wait_for_function(
        "document.querySelector('.dk-status').textContent.includes('cannot be reached')"
    )
    assert chair.chosen == ["4", "3", "5", "2", "→"]
    chair.answer("Enter")
    assert len(set(keys)) == 1
    assert len(keys) >= 2
    assert len(ratings(small, code)) == 5


def test_two_windows_the_one_behind_changes_nothing_and_says_so(chair, small, root, code):
    chair.come_in(code, until="pair").sees_pair()
    second = chair.page.context.new_page()
    other = Chair(second, small, root)
    second.goto(root + "/reader/")
    other.sees_pair()
    chair.answer()
    before = ratings(small, code)
    other.press("1", "1", "1", "1", "ArrowLeft", "Enter")
    second.wait_for_function(
        "document.querySelector('.dk-status').textContent.includes('answered before')"
    )
    other.sees_pair()
    assert ratings(small, code) == before
    assert other.count == "2 of 2"
    assert other.chosen == []


def test_back_and_reload_lead_to_the_open_pair(chair, small, root, code):
    chair.come_in(code, until="pair").sees_pair()
    chair.answer()
    chair.press("Enter").sees_pair()
    assert chair.count == "2 of 2"
    chair.press("4")
    before = ratings(small, code)
    chair.page.go_back()
    chair.page.goto(root + "/reader/")
    assert chair.sees_pair().count == "2 of 2"
    chair.page.reload()
    assert chair.sees_pair().count == "2 of 2"
    assert chair.chosen == []
    assert ratings(small, code) == before
    token = current(small, code)
    assert np.array_equal(chair.pixels(0), chair.expected(token, 0))


def test_the_last_answer_can_be_corrected_with_a_reason(chair, small, code):
    chair.come_in(code, until="pair").sees_pair()
    assert chair.page.get_by_role("button", name="Previous").is_disabled()
    first = current(small, code)
    chair.answer()
    chair.press("Enter").sees_pair()
    chair.press("Backspace")
    chair.page.wait_for_selector(".dk-correcting")
    chair.sees_pair()
    assert chair.chosen == ["4", "3", "5", "2", "→"]
    assert np.array_equal(chair.pixels(1), chair.expected(first, 1))
    chair.press("Escape")
    chair.page.wait_for_selector(".dk-reading:not(.dk-correcting)")
    chair.sees_pair()
    assert chair.chosen == []
    chair.press("Backspace")
    chair.page.wait_for_selector(".dk-correcting")
    chair.sees_pair()
    chair.press("ArrowUp", "ArrowLeft", "Enter")
    assert "why you correct" in chair.message
    chair.page.keyboard.type("slip of the finger")
    chair.press("Enter", "Enter")
    chair.page.wait_for_selector(".dk-reading:not(.dk-correcting)")
    chair.sees_pair()
    revised = [row for row in ratings(small, code) if row[2] == 2]
    assert [value for _, value, _ in revised] == [4.0, 3.0, 5.0, 2.0, -1.0]
    assert chair.count == "2 of 2"


def test_signed_out_the_page_leads_to_the_door(chair, small, root, code):
    chair.come_in(code, until="pair").sees_pair()
    chair.page.get_by_role("button", name="Menu").click()
    chair.page.get_by_role("button", name="Sign out").click()
    chair.page.wait_for_url("**/reader/login")
    chair.page.goto(root + "/reader/")
    assert chair.page.url.endswith("/reader/login")
    kept = {cookie["name"] for cookie in chair.page.context.cookies()}
    assert ReaderSignIn.cookie_name not in kept


def test_withdrawing_takes_two_steps_and_is_final(chair, small, root, code):
    chair.come_in(code, until="pair").sees_pair()
    chair.page.get_by_role("button", name="Menu").click()
    chair.page.get_by_role("button", name="Withdraw from the study").click()
    chair.press("Escape")
    chair.page.wait_for_selector("dialog", state="detached")
    chair.page.get_by_role("button", name="Menu").click()
    chair.page.get_by_role("button", name="Withdraw from the study").click()
    chair.page.get_by_role("button", name="Withdraw", exact=True).click()
    chair.page.wait_for_selector("text=You have withdrawn")
    chair.page.reload()
    chair.page.wait_for_selector("text=You have withdrawn")
