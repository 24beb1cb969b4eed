"""What is on the screen: exact pixels, one way of drawing, nothing that tells one side apart."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import select

from study.storage.models import InteractionEvent, Presentation, ReadingSession
from tests.e2e.conftest import open_page
from tests.support.keyboard_reader import LIGHT, READY, Chair, current
from tests.support.open_study import QUICK, SIZE, small_study
from tests.support.served_study import served

pytestmark = pytest.mark.e2e


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
    chair.page.wait_for_selector("dialog")
    chair.sees(False)
    clock = "document.querySelector('.dk-images').rrLight.noted"
    assert chair.page.evaluate(f"typeof {clock}") == "function"
    chair.press("3")
    chair.press("Enter")
    chair.page.wait_for_selector("dialog", state="detached")
    chair.sees(True)
    assert chair.chosen == ["4"]
    chair.page.set_viewport_size({"width": 990, "height": 720})
    chair.page.locator(".dk-small").wait_for(state="visible")
    chair.sees(False)
    chair.press("3")
    assert chair.chosen == ["4"]
    chair.page.set_viewport_size({"width": 1280, "height": 720})
    chair.page.locator(".dk-small").wait_for(state="hidden")
    chair.sees(True)
    chair.answer("3", "5", "2", "ArrowRight")
    with small.store.read() as rows_:
        kinds = rows_.scalars(
            select(InteractionEvent.kind)
            .join(Presentation, Presentation.id == InteractionEvent.presentation_id)
            .join(ReadingSession, ReadingSession.id == Presentation.session_id)
            .where(ReadingSession.reader_id == small.reader(code))
        ).all()
    assert "pause" in kinds


@pytest.mark.parametrize("size", [(1000, 600), (1280, 720), (2560, 1440)])
def test_everything_fits_and_nothing_moves_while_answering(browser, tmp_path, size):
    """All criteria of the catalogue, on the smallest and on a large screen."""
    from study.domain.questions import CATALOG, PREFERENCE

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
