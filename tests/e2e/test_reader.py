"""The reader's pages in a real browser: a whole reading by keyboard, exact pixels, one truth."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sqlalchemy import func, select

from study import session
from study.entrance import COOKIE
from study.models import (
    BlindingGuess,
    Comment,
    InteractionEvent,
    Presentation,
    RatingEvent,
    Reader,
    ReadingSession,
)
from tests.e2e.conftest import open_page
from tests.e2e.reading import LIGHT, READY, Chair
from tests.study.fixtures import QUICK, SIZE, small_study
from tests.study.serving import served

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    study = small_study(tmp_path_factory.mktemp("reader") / "s", QUICK.with_(readers=24), cases=1)
    yield study
    study.store.close()


@pytest.fixture(scope="module")
def root(small):
    with served(small.store) as address:
        yield address


PLACES = iter(range(1, 25))


@pytest.fixture
def code():
    """A reader who has not come yet."""
    return f"R{next(PLACES):02d}"


@pytest.fixture
def chair(page, small, root):
    return Chair(page, small, root)


def rows(small, table, code):
    with small.store.read() as rows_:
        wanted = select(table)
        if table is RatingEvent:
            wanted = wanted.where(RatingEvent.actor_id == small.reader(code))
        return list(rows_.scalars(wanted.order_by(table.id)))


def ratings(small, code):
    """(slot, value, revision) of a reader's answers, in their order."""
    with small.store.read() as rows_:
        mine = select(RatingEvent).where(RatingEvent.actor_id == small.reader(code))
        return [
            (one.slot, one.value_num, one.revision)
            for one in rows_.scalars(mine.order_by(RatingEvent.seq))
        ]


def current(small, code):
    """The token of the pair a reader is at."""
    from study.ratings import current as pair

    with small.store.read() as rows_:
        found = pair(rows_, small.reader(code))
        return found.token if found else ""


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


def test_the_pixels_on_the_page_are_the_frozen_ones(chair, small, code):
    chair.come_in(code, until="pair").sees_pair()
    for _ in range(2):
        token = current(small, code)
        for window in ((), ("v",), ("[", ".", "]", "]")):
            chair.press(*window)
            for side in (0, 1):
                assert np.array_equal(chair.pixels(side), chair.expected(token, side))
        chair.answer()
        chair.press("Enter")
        chair.page.wait_for_selector(".dk-card, " + READY)


def test_both_sides_are_drawn_in_one_way(chair, small, code):
    """The same place, scale and smoothing, whatever was done; and black around the images."""
    chair.come_in(code, until="pair").sees_pair()
    x, y = 300, 250
    chair.page.mouse.move(x, y)
    for act in (
        lambda: None,
        lambda: chair.page.mouse.wheel(0, -240),
        lambda: chair.press("s"),
        lambda: chair.press("Shift+ArrowLeft", "+"),
        lambda: chair.press("r", "-", "-"),
    ):
        act()
        (left, how_left), (right, how_right) = chair.canvas(0), chair.canvas(1)
        assert how_left == how_right
        assert left.shape == right.shape
        assert _extent(left) == _extent(right)
    lines = [panel.strip() for panel in chair.page.locator(".rr-read").all_text_contents()]
    assert lines[0].split("(")[-1] == lines[1].split("(")[-1]


def _extent(shown):
    """The rectangle that is not black."""
    rows_, columns = np.nonzero(shown.max(axis=2))
    return rows_.min(), rows_.max(), columns.min(), columns.max()


@pytest.mark.parametrize("density", [1, 2])
def test_at_100_percent_every_pixel_is_one_of_the_screen(browser, small, root, code, density):
    with open_page(browser, device_scale_factor=density) as page:
        _look_at_every_pixel(Chair(page, small, root), small, code)


def _look_at_every_pixel(chair, small, code):
    chair.come_in(code, until="pair").sees_pair()
    chair.page.evaluate(
        f"(() => {{ const light = {LIGHT};"
        "const fit = light.scale() / light.view.zoom; light.setView({...light.view,"
        "zoom: 1 / fit}); })()"
    )
    token = current(small, code)
    for side in (0, 1):
        shown, _ = chair.canvas(side)
        top, left = ((np.array(shown.shape[:2]) - SIZE) / 2).round().astype(int)
        crop = shown[top : top + SIZE, left : left + SIZE, 0]
        assert np.array_equal(crop, chair.expected(token, side))


def test_nothing_of_one_pair_stays_for_the_next(chair, small, code):
    chair.come_in(code, until="pair").sees_pair()
    fresh = chair.light()
    chair.page.mouse.move(300, 250)
    chair.page.mouse.wheel(0, -300)
    chair.page.mouse.down()
    chair.page.mouse.move(360, 280)
    chair.page.mouse.up()
    chair.press("c")
    chair.page.keyboard.type("left over")
    chair.press("Escape")
    changed = chair.light()
    assert changed["view"] != fresh["view"]
    assert changed["levels"] != fresh["levels"]
    chair.answer()
    chair.press("Enter").sees_pair()
    assert chair.light() == fresh
    assert chair.chosen == []
    assert chair.page.locator(".dk-words-in").input_value() == ""


def test_holding_space_shows_the_other_image_in_the_same_place(chair, small, code):
    chair.come_in(code, until="pair").sees_pair()
    chair.page.emulate_media(reduced_motion="reduce")
    own = [chair.canvas(side)[0] for side in (0, 1)]
    assert not np.array_equal(*own)
    chair.page.keyboard.down("Space")
    other = [chair.canvas(side)[0] for side in (0, 1)]
    assert chair.page.locator(".rr-label").all_text_contents() == ["Right image", "Left image"]
    chair.page.keyboard.up("Space")
    assert np.array_equal(other[0], own[1])
    assert np.array_equal(other[1], own[0])
    assert all(np.array_equal(chair.canvas(side)[0], own[side]) for side in (0, 1))
    assert chair.page.locator(".rr-label").all_text_contents() == ["Left image", "Right image"]
    assert chair.chosen == []


def test_held_on_the_images_take_turns(chair, small, code):
    chair.come_in(code, until="pair").sees_pair()
    chair.page.keyboard.down("Space")
    turns = [f"{LIGHT}.swapped === {word}" for word in ("false", "true")]
    for turn in turns:
        chair.page.wait_for_function(turn)
    chair.page.keyboard.up("Space")
    assert chair.light()["swapped"] is False


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


def test_both_images_appear_together(chair, small, code):
    """From black to both, in every frame that was looked at, however slow the network is."""
    chair.page.route("**/pixels/*", lambda route: (chair.page.wait_for_timeout(400),
                                                  route.continue_()))  # fmt: skip
    chair.page.add_init_script(
        """
        window.frames_seen = [];
        (function look() {
          const panels = [...document.querySelectorAll('.dk-images .rr-panel')];
          if (panels.length) {
            window.frames_seen.push(panels.map(({ rrPanel: { canvas, context } }) =>
              context.getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data[0] > 0));
          }
          requestAnimationFrame(look);
        })();
        """
    )
    chair.come_in(code, until="pair").sees_pair()
    chair.answer()
    chair.press("Enter").sees_pair()
    chair.settle()
    frames = chair.page.evaluate("window.frames_seen")
    assert [True, True] in frames
    assert [False, False] in frames
    assert not [frame for frame in frames if frame[0] != frame[1]]


def test_the_document_is_the_same_for_all_pairs_of_a_case(chair, small, code):
    chair.come_in(code, until="ready")
    chair.press("Enter").sees_pair()
    for _ in range(QUICK.training):
        chair.answer()
        chair.press("Enter")
        chair.page.wait_for_selector(".dk-card, " + READY)
    chair.press("Enter").sees_pair()
    seen = {}
    for _ in range(8):
        seen.setdefault(chair.dom(), set()).add(chair.methods(current(small, code)))
        chair.answer()
    assert len(seen) == 1
    assert len(next(iter(seen.values()))) > 3
    text = next(iter(seen))
    assert not [word for word in ("<img", "<a ", "download", "data-", 'title="C0') if word in text]


def test_images_are_not_handed_out_by_the_mouse(chair, small, code):
    chair.come_in(code, until="pair").sees_pair()
    stopped = chair.page.evaluate(
        """() => {
            const stage = document.querySelector('.dk-images .rr-canvas');
            return ['contextmenu', 'dragstart'].map((type) => {
              const event = new MouseEvent(type, { bubbles: true, cancelable: true });
              stage.dispatchEvent(event);
              return event.defaultPrevented;
            });
        }"""
    )
    assert stopped == [True, True]


def test_paused_or_in_a_small_window_nothing_is_seen_and_no_time_passes(chair, small, code):
    chair.come_in(code, until="pair").sees_pair()
    chair.press("4", "p")
    assert chair.page.locator("dialog").is_visible()
    assert all(not chair.canvas(side)[0].any() for side in (0, 1))
    clock = "document.querySelector('.dk-images').rrLight.noted"
    assert chair.page.evaluate(f"typeof {clock}") == "function"
    chair.press("3")
    chair.press("Enter")
    chair.page.wait_for_selector("dialog", state="detached")
    assert chair.canvas(0)[0].any()
    assert chair.chosen == ["4"]
    chair.page.set_viewport_size({"width": 990, "height": 720})
    assert chair.page.locator(".dk-small").is_visible()
    assert not chair.canvas(0)[0].any()
    chair.press("3")
    assert chair.chosen == ["4"]
    chair.page.set_viewport_size({"width": 1280, "height": 720})
    chair.page.locator(".dk-small").wait_for(state="hidden")
    assert chair.canvas(0)[0].any()
    chair.answer("3", "5", "2", "ArrowRight")
    with small.store.read() as rows_:
        kinds = rows_.scalars(
            select(InteractionEvent.kind)
            .join(Presentation, Presentation.id == InteractionEvent.presentation_id)
            .join(ReadingSession, ReadingSession.id == Presentation.session_id)
            .where(ReadingSession.reader_id == small.reader(code))
        ).all()
    assert "pause" in kinds


def test_after_a_long_sitting_a_break_is_suggested(chair, small, code, monkeypatch):
    chair.come_in(code, until="pair").sees_pair()
    monkeypatch.setattr(session, "sitting_minutes", lambda *given: 31.0)
    chair.press("4", "3", "5", "2", "ArrowRight", "Enter")
    chair.page.wait_for_selector(".dk-told:not([hidden])")
    chair.press("Enter")
    chair.page.wait_for_selector("dialog")
    assert "31 minutes" in chair.page.locator("dialog").text_content()
    assert not chair.canvas(0)[0].any()
    chair.press("Enter").sees_pair()
    assert chair.count == "2 of 2"


def test_signed_out_the_page_leads_to_the_door(chair, small, root, code):
    chair.come_in(code, until="pair").sees_pair()
    chair.page.get_by_role("button", name="Menu").click()
    chair.page.get_by_role("button", name="Sign out").click()
    chair.page.wait_for_url("**/reader/login")
    chair.page.goto(root + "/reader/")
    assert chair.page.url.endswith("/reader/login")
    assert COOKIE not in {cookie["name"] for cookie in chair.page.context.cookies()}


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


@pytest.mark.parametrize("size", [(1000, 600), (1280, 720), (2560, 1440)])
def test_everything_fits_and_nothing_moves_while_answering(browser, tmp_path, size):
    """All criteria of the catalogue, on the smallest and on a large screen."""
    from study.protocol import CATALOG, PREFERENCE

    protocol = QUICK.with_(questions=(*CATALOG, PREFERENCE))
    small = small_study(tmp_path / "s", protocol, cases=1)
    places = "[...document.querySelectorAll('.rr-stage, .dk-cell, .dk-go, .dk-bar > *')].map(" \
             "node => { const { x, y, width, height } = node.getBoundingClientRect();" \
             "return [x, y, width, height].map(Math.round).join(' '); }).join('|')"  # fmt: skip
    with served(small.store) as root, open_page(browser) as page:
        page.set_viewport_size({"width": size[0], "height": size[1]})
        chair = Chair(page, small, root).come_in(until="pair").sees_pair()
        before = page.evaluate(places)
        for number in range(12):
            chair.press(str(1 + number % 5))
        chair.press("ArrowLeft", "ArrowDown")
        assert page.evaluate(places) == before
        over = page.evaluate(
            "[...document.querySelectorAll('html, .dk-bar, .dk-dock, .dk-sheet')]"
            ".filter(node => node.scrollWidth > node.clientWidth + 1).map(node => node.className)"
        )
        assert over == []
        lowest = page.evaluate(
            "Math.max(...[...document.querySelectorAll('.dk-point, .dk-go')].map("
            "node => node.getBoundingClientRect().bottom))"
        )
        assert lowest <= size[1]
        stage = page.locator(".rr-stage").first.bounding_box()
        assert stage["height"] > 0.4 * size[1]
        assert page.problems == []
    small.store.close()
