"""What is on the screen: exact pixels, one way of drawing, nothing that tells one side apart."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import select

from study.storage.models import InteractionEvent, Presentation, ReadingSession
from tests.e2e.conftest import open_page
from tests.support.keyboard_reader import LIGHT, READY, KeyboardReader, current
from tests.support.open_study import QUICK, SIZE, small_study
from tests.support.served_study import served

pytestmark = pytest.mark.e2e


def test_the_pixels_on_the_page_are_the_frozen_ones(reader, small, code):
    reader.join(code, until="pair").wait_for_pair()
    for _ in range(2):
        token = current(small, code)
        for window in ((), ("v",), ("[", ".", "]", "]")):
            reader.press(*window)
            for side in (0, 1):
                assert np.array_equal(reader.pixels(side), reader.expected(token, side))
        reader.answer()
        reader.press("Enter")
        reader.page.wait_for_selector(".dk-card, " + READY)


def test_both_sides_are_drawn_in_one_way(reader, small, code):
    """The same place, scale and smoothing, whatever was done; and black around the images."""
    reader.join(code, until="pair").wait_for_pair()
    x, y = 300, 250
    reader.page.mouse.move(x, y)
    for act in (
        lambda: None,
        lambda: reader.page.mouse.wheel(0, -240),
        lambda: reader.press("s"),
        lambda: reader.press("Shift+ArrowLeft", "+"),
        lambda: reader.press("r", "-", "-"),
    ):
        act()
        (left, how_left), (right, how_right) = reader.canvas(0), reader.canvas(1)
        assert how_left == how_right
        assert left.shape == right.shape
        assert _extent(left) == _extent(right)
    lines = [panel.strip() for panel in reader.page.locator(".rr-read").all_text_contents()]
    assert lines[0].split("(")[-1] == lines[1].split("(")[-1]


def test_the_read_out_has_the_decimals_of_the_gray_levels(reader, code):
    """A finer value would tell a computed image from an original."""
    reader.join(code, until="pair").wait_for_pair()

    def texts(window, units, grid, levels):
        return reader.page.evaluate(
            f"([window, units, grid, levels]) => levels.map((level) => {LIGHT}.readingText.call("
            "{plate: {window, units, grid}}, {levels: [level], column: 3, row: 4}).split(' ')[0])",
            [window, units, grid, levels],
        )

    levels = [655, 700, 20000, 65535]
    whole = ["3", "3", "95", "312"]
    assert texts([0, 312.4], "a.u.", [0, 1], levels) == whole
    assert texts([0, 312.4], "a.u.", None, levels) == whole
    assert texts([0, 312.4], "a.u.", [0, 0.5], levels) == ["3.0", "3.5", "95.5", "312.5"]
    assert texts([0, 1], "a.u.", [0, 0.0002], levels) == ["0.010", "0.011", "0.305", "1.000"]
    assert texts([-160, 240], "HU", [-1024, 1], levels) == [
        "\u2212156",
        "\u2212156",
        "\u221238",
        "240",
    ]


def _extent(shown):
    """The rectangle that is not black."""
    rows_, columns = np.nonzero(shown.max(axis=2))
    return rows_.min(), rows_.max(), columns.min(), columns.max()


@pytest.mark.parametrize("density", [1, 2])
def test_at_100_percent_every_pixel_is_one_of_the_screen(browser, small, root, code, density):
    with open_page(browser, device_scale_factor=density) as page:
        _look_at_every_pixel(KeyboardReader(page, small, root), small, code)


def _look_at_every_pixel(reader, small, code):
    reader.join(code, until="pair").wait_for_pair()
    reader.page.evaluate(
        f"(() => {{ const light = {LIGHT};"
        "const fit = light.scale() / light.view.zoom; light.setView({...light.view,"
        "zoom: 1 / fit}); })()"
    )
    token = current(small, code)
    for side in (0, 1):
        shown, _ = reader.canvas(side)
        top, left = ((np.array(shown.shape[:2]) - SIZE) / 2).round().astype(int)
        crop = shown[top : top + SIZE, left : left + SIZE, 0]
        assert np.array_equal(crop, reader.expected(token, side))


def test_nothing_of_one_pair_stays_for_the_next(reader, small, code):
    reader.join(code, until="pair").wait_for_pair()
    fresh = reader.light()
    reader.page.mouse.move(300, 250)
    reader.page.mouse.wheel(0, -300)
    reader.page.mouse.down()
    reader.page.mouse.move(360, 280)
    reader.page.mouse.up()
    reader.press("c")
    reader.page.keyboard.type("left over")
    reader.press("Escape")
    changed = reader.light()
    assert changed["view"] != fresh["view"]
    assert changed["levels"] != fresh["levels"]
    reader.answer()
    reader.press("Enter").wait_for_pair()
    assert reader.light() == fresh
    assert reader.chosen == []
    assert reader.page.locator(".dk-words-in").input_value() == ""


def test_holding_space_shows_the_other_image_in_the_same_place(reader, small, code):
    reader.join(code, until="pair").wait_for_pair()
    reader.page.emulate_media(reduced_motion="reduce")
    own = [reader.canvas(side)[0] for side in (0, 1)]
    assert not np.array_equal(*own)
    reader.page.keyboard.down("Space")
    other = [reader.canvas(side)[0] for side in (0, 1)]
    assert reader.page.locator(".rr-label").all_text_contents() == ["Right image", "Left image"]
    reader.page.keyboard.up("Space")
    assert np.array_equal(other[0], own[1])
    assert np.array_equal(other[1], own[0])
    assert all(np.array_equal(reader.canvas(side)[0], own[side]) for side in (0, 1))
    assert reader.page.locator(".rr-label").all_text_contents() == ["Left image", "Right image"]
    assert reader.chosen == []


def test_held_on_the_images_take_turns(reader, small, code):
    reader.join(code, until="pair").wait_for_pair()
    reader.page.keyboard.down("Space")
    turns = [f"{LIGHT}.shift === {shift}" for shift in (0, 1)]
    for turn in turns:
        reader.page.wait_for_function(turn)
    reader.page.keyboard.up("Space")
    assert reader.light()["shift"] == 0


def test_both_images_appear_together(reader, small, code):
    """From black to both, in every frame that was looked at, however slow the network is."""
    reader.page.route("**/pixels/*", lambda route: (reader.page.wait_for_timeout(400),
                                                  route.continue_()))  # fmt: skip
    reader.page.add_init_script(
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
    reader.join(code, until="pair").wait_for_pair()
    reader.answer()
    reader.press("Enter").wait_for_pair()
    reader.settle()
    frames = reader.page.evaluate("window.frames_seen")
    assert [True, True] in frames
    assert [False, False] in frames
    assert not [frame for frame in frames if frame[0] != frame[1]]


def test_the_document_is_the_same_for_all_pairs_of_a_case(reader, small, code):
    reader.join(code, until="ready")
    reader.press("Enter").wait_for_pair()
    for _ in range(QUICK.training):
        reader.answer()
        reader.press("Enter")
        reader.page.wait_for_selector(".dk-card, " + READY)
    reader.press("Enter").wait_for_pair()
    seen = {}
    for _ in range(8):
        seen.setdefault(reader.dom(), set()).add(reader.methods(current(small, code)))
        reader.answer()
    assert len(seen) == 1
    assert len(next(iter(seen.values()))) > 3
    text = next(iter(seen))
    assert not [word for word in ("<img", "<a ", "download", "data-", 'title="C0') if word in text]


def test_images_are_not_handed_out_by_the_mouse(reader, small, code):
    reader.join(code, until="pair").wait_for_pair()
    stopped = reader.page.evaluate(
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


def test_paused_or_in_a_small_window_nothing_is_seen_and_no_time_passes(reader, small, code):
    reader.join(code, until="pair").wait_for_pair()
    reader.press("4", "p")
    reader.page.wait_for_selector("dialog")
    reader.wait_until_drawn(False)
    clock = "document.querySelector('.dk-images').rrLight.noted"
    assert reader.page.evaluate(f"typeof {clock}") == "function"
    reader.press("3")
    reader.press("Enter")
    reader.page.wait_for_selector("dialog", state="detached")
    reader.wait_until_drawn(True)
    assert reader.chosen == ["4"]
    reader.page.set_viewport_size({"width": 990, "height": 720})
    reader.page.locator(".dk-small").wait_for(state="visible")
    assert "press F11 for full screen" in reader.page.locator(".dk-small").inner_text()
    # A translated page would have another size, and other words than those that were approved.
    assert reader.page.evaluate("document.documentElement.translate") is False
    reader.wait_until_drawn(False)
    reader.press("3")
    assert reader.chosen == ["4"]
    reader.page.set_viewport_size({"width": 1280, "height": 720})
    reader.page.locator(".dk-small").wait_for(state="hidden")
    reader.wait_until_drawn(True)
    reader.answer("3", "5", "2", "ArrowRight")
    with small.store.read() as rows_:
        kinds = rows_.scalars(
            select(InteractionEvent.kind)
            .join(Presentation, Presentation.id == InteractionEvent.presentation_id)
            .join(ReadingSession, ReadingSession.id == Presentation.session_id)
            .where(ReadingSession.reader_id == small.reader(code))
        ).all()
    assert "pause" in kinds


@pytest.mark.parametrize(
    ("size", "language"), [((1000, 540), "de"), ((1280, 720), "en"), ((2560, 1440), "en")]
)
def test_everything_fits_and_nothing_moves_while_answering(browser, tmp_path, size, language):
    """All criteria of the catalogue, on the smallest and on a large screen, and in German."""
    from study.domain.questions import CATALOG, PREFERENCE

    protocol = QUICK.with_(questions=(*CATALOG, PREFERENCE), language=language)
    small = small_study(tmp_path / "s", protocol, cases=1)
    places = "[...document.querySelectorAll('.rr-stage, .dk-cell, .dk-go, .dk-bar > *')].map(" \
             "node => { const { x, y, width, height } = node.getBoundingClientRect();" \
             "return [x, y, width, height].map(Math.round).join(' '); }).join('|')"  # fmt: skip
    with served(small.store) as root, open_page(browser) as page:
        page.set_viewport_size({"width": size[0], "height": size[1]})
        reader = KeyboardReader(page, small, root).join(until="pair").wait_for_pair()
        before = page.evaluate(places)
        for number in range(12):
            reader.press(str(1 + number % 5))
        reader.press("ArrowLeft", "ArrowDown")
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
        assert stage["height"] > 0.39 * size[1]
        assert page.evaluate("document.documentElement.lang") == language
        button = {"de": "Nächstes Paar", "en": "Next pair"}[language]
        assert page.locator(".dk-go").text_content() == button
        assert page.problems == []
    small.store.close()
