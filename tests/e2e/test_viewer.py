"""The viewer in a real browser: exact pixels, one view for all panels, keys, safety."""

import base64
import itertools
import re
import threading
import time
from urllib.parse import urlparse

import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI

from enhancers.display import signed_difference, to_u16, window_levels, window_u8
from enhancers.image import Window
from enhancers.method import Modality
from enhancers.ui.viewer import ColourScale, Panel, PixelStore, Viewer, payload, router
from enhancers.windows import Preset, presets_for

pytestmark = pytest.mark.e2e

WINDOW = Window(-1024.0, 3071.0)
STORE = PixelStore()
HOSTILE = '<img src=x onerror="window.hurt=1">\'"`${window.hurt=1}{{7*7}}</script>'
HALVES = (-1024 + 255 * 4095 / 65535, 510 * 4095 / 65535)
"""Centre and width of the levels 0..510, where every odd level lies half-way between two grays."""

ROOT = "document.querySelector('#viewer .rr').readingRoom"


def texture(seed, shape):
    """Every 16-bit level may occur, with both ends present."""
    pixels = np.random.default_rng(seed).random(shape).astype(np.float32)
    pixels.flat[0], pixels.flat[1] = 0.0, 1.0
    return pixels


INPUT = texture(0, (96, 128))
COLOUR = texture(1, (96, 128, 3))
LARGE = np.kron(INPUT, np.ones((4, 4), np.float32))
PIXELS = {"input": INPUT, "colour": COLOUR, "large": LARGE, "other": texture(2, (96, 128))}


def value_of(*panels, image=INPUT, **options):
    defaults = {
        "units": "HU",
        "spacing": (0.7, 0.7),
        "presets": presets_for(Modality.CT, WINDOW, "HU", image),
        "input_key": "input",
    }
    return payload(panels, STORE, window=WINDOW, **(defaults | options))


def four(image_id=None, **changed):
    pixels = PIXELS | changed
    return value_of(
        Panel("input", "Input", pixels["input"], HOSTILE),
        Panel("colour", HOSTILE, pixels["colour"]),
        Panel("large", "Four times", pixels["large"]),
        Panel("other", "Other", pixels["other"], "0.4 s"),
        image=pixels["input"],
        image_id=image_id,
    )


def waiting():
    return value_of(
        Panel("input", "Input", INPUT),
        Panel("later", "Null space", caption="step 3 of 50", pending=True, progress=0.06),
        Panel("bad", "N4", error="N4 needs 32 pixels."),
    )


def gone():
    value = four()
    value["panels"][3]["token"] = "0" * 32
    return value


SOFT = Window(-160.0, 240.0)


def cut():
    """The input with all its values, and two results of a narrower window."""
    result = SOFT.to_unit(WINDOW.to_source(INPUT))
    return value_of(
        Panel("input", "Input", INPUT),
        Panel("kept", "NLM", result, window=SOFT),
        Panel("mapped", "CLAHE", 1 - result, window=SOFT, units="gray level, not HU"),
        image_id="cut",
        group="one",
    )


def slider():
    left = Panel("left", "Input", INPUT)
    right = Panel("right", "Other", PIXELS["other"])
    return value_of(left, right, layout="slider", image_id="slider", group="one", input_key=None)


def difference():
    pixels = signed_difference(INPUT, PIXELS["other"])
    return payload(
        [Panel("difference", "Other minus input", pixels)],
        STORE,
        window=Window(-4095.0, 4095.0),
        units="HU",
        layout="difference",
        image_id="difference",
        presets=[Preset(f"{gain}", f"Gain {gain}", -4095 / gain, 4095 / gain) for gain in (1, 4)],
        first=1,
    )


def mapped():
    scale = ColourScale("rising", "0", "50 HU", "expected error")
    error = Panel("error", "Error", PIXELS["other"], window=Window(0, 50), units="HU", scale=scale)
    return value_of(Panel("input", "Input", INPUT), error, image_id="map")


RUNS = itertools.count()

CHANGES = {
    "restart": lambda: four(image_id=f"run {next(RUNS)}"),
    "preview": lambda: four(image_id=f"run {next(RUNS) - 1}", other=texture(7, (96, 128))),
    "image": lambda: four(input=texture(8, (96, 128))),
    "waiting": waiting,
    "gone": gone,
    "clear": lambda: None,
    "cut": cut,
    "slide": slider,
    "subtract": difference,
    "map": mapped,
}


def blocks_of_changes():
    import gradio as gr

    with gr.Blocks() as blocks:
        text = gr.Textbox(label="Elsewhere", elem_id="elsewhere", interactive=True)
        viewer = Viewer(four(), elem_id="viewer", height="560px")
        for name, change in CHANGES.items():
            button = gr.Button(name, elem_id=name)
            button.click(change, outputs=viewer, show_progress="hidden")

        def heard(event: gr.EventData):
            return f"{event.low:.1f} {event.high:.1f} {event.units}"

        viewer.window_change(heard, outputs=text, show_progress="hidden")
        gr.HTML("<div style='height: 1500px'></div>")
    return blocks


@pytest.fixture(scope="module")
def address(serve):
    return serve(blocks_of_changes(), router(STORE))


def ready(page):
    page.wait_for_function(f"{ROOT} && {ROOT}.state().ready")


def state(page):
    page.wait_for_function(f"{ROOT}.state().ready")
    return page.evaluate(f"{ROOT}.state()")


def visit(page, address):
    page.goto(address)
    page.wait_for_selector("#viewer .rr-panel")
    ready(page)


@pytest.fixture(scope="module")
def visited(shared_page, address):
    visit(shared_page, address)
    return shared_page


@pytest.fixture
def shown(visited):
    """The page with four panels, all drawn, as if it had just been opened."""
    visited.mouse.move(2, 2)
    # Not `state`, which waits: whatever a test before left undone must not hold up the next.
    before = visited.evaluate(f"{ROOT}.state()")
    visited.click("#restart")
    visited.wait_for_function(f"old => {ROOT}.state().imageId !== old", arg=before["imageId"])
    focus(visited)
    for key, changed in {
        "w": before["mode"] != "window",
        "s": before["smooth"],
        "l": not before["captions"],
        "f": before["alone"],
    }.items():
        if changed:
            visited.keyboard.press(key)
    visited.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    state(visited)
    return visited


def readback(page, key):
    got = page.evaluate(f"key => {ROOT}.readback(key)", key)
    raw = np.frombuffer(base64.b64decode(got["base64"]), np.uint8)
    return raw.reshape(got["height"], got["width"], 4)


def settle(page):
    """Wait until what was asked for is drawn: the viewer draws in the next frame."""
    page.evaluate("new Promise(done => setTimeout(() => requestAnimationFrame(() => "
                  "requestAnimationFrame(done)), 150))")  # fmt: skip


def visible(page, index):
    """The canvas on the page, as bytes, with its place."""
    settle(page)
    text = page.evaluate(
        """index => {
            const canvas = document.querySelectorAll('#viewer .rr-canvas')[index];
            const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
            let text = '';
            for (const byte of data.data) text += String.fromCharCode(byte);
            return [canvas.width, canvas.height, btoa(text)];
        }""",
        index,
    )
    raw = np.frombuffer(base64.b64decode(text[2]), np.uint8).reshape(text[1], text[0], 4)
    place = state(page)["panels"][index]["place"]
    return raw, place


def expected(pixels, levels):
    gray = window_u8(to_u16(pixels), levels["low"], levels["high"])
    return gray if gray.ndim == 3 else np.repeat(gray[..., None], 3, axis=2)


def type_window(page, center, width):
    page.get_by_label("Window centre").fill(str(center))
    page.get_by_label("Window width").fill(str(width))
    page.get_by_label("Window width").press("Enter")


def middle(page, index=0):
    box = page.locator("#viewer .rr-stage").nth(index).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def focus(page, index=0):
    page.locator("#viewer .rr-panel").nth(index).focus()


@pytest.mark.parametrize(
    ("center", "width"),
    [(1023.5, 4095), (40.3, 0.2), HALVES, (-1024, 7), (9000, 12000), (3071, 1)],
)
def test_the_native_canvas_is_the_window_bit_for_bit(shown, center, width):
    type_window(shown, center, width)
    now = state(shown)
    assert now["window"]["center"] == pytest.approx(center, abs=0.1)
    for key, pixels in PIXELS.items():
        got = readback(shown, key)
        assert np.array_equal(got[..., :3], expected(pixels, now["levels"])), key
        assert (got[..., 3] == 255).all()


def test_presets_set_the_levels_python_computes(shown):
    offered = four()["presets"]
    for number, preset in enumerate(offered, start=1):
        focus(shown)
        shown.keyboard.press(str(number))
        levels = state(shown)["levels"]
        assert (levels["low"], levels["high"]) == window_levels(*preset["ends"], WINDOW)
        assert np.array_equal(readback(shown, "input")[..., :3], expected(INPUT, levels))
    shown.get_by_label("Window preset").select_option("Lung")
    assert state(shown)["window"]["center"] == pytest.approx(-600, abs=0.1)


def test_what_is_on_the_page_at_100_percent_is_exact(shown):
    type_window(shown, 100, 1234)
    focus(shown)
    shown.get_by_role("button", name="1:1").click()
    levels = state(shown)["levels"]
    for index, key in ((0, "input"), (1, "colour"), (3, "other")):
        canvas, place = visible(shown, index)
        assert (place["width"], place["height"]) == (128, 96)
        x, y = place["x"], place["y"]
        crop = canvas[y : y + 96, x : x + 128, :3]
        assert np.array_equal(crop, expected(PIXELS[key], levels)), key
        canvas = canvas.copy()
        canvas[y : y + 96, x : x + 128] = 0
        assert not canvas[..., :3].any()
    focus(shown, 2)
    shown.get_by_role("button", name="1:1").click()
    canvas, place = visible(shown, 2)
    assert (place["width"], place["height"]) == (512, 384)
    top, left = max(-place["y"], 0), max(-place["x"], 0)
    y, x = max(place["y"], 0), max(place["x"], 0)
    seen = expected(LARGE, levels)[top : top + canvas.shape[0], left : left + canvas.shape[1]]
    crop = canvas[y : y + seen.shape[0], x : x + seen.shape[1], :3]
    assert np.array_equal(crop, seen)


def test_enlarged_pixels_are_squares_of_one_gray(shown):
    type_window(shown, 1023.5, 0.05)
    focus(shown)
    shown.get_by_role("button", name="1:1").click()
    for _ in range(4):
        shown.keyboard.press("+")
    canvas, place = visible(shown, 0)
    assert place["width"] > 200
    assert set(canvas[..., 0].reshape(-1)) == {0, 255}


def test_the_wheel_zooms_all_panels_about_the_pointer(shown):
    x, y = middle(shown)
    shown.mouse.move(x + 37, y - 21)
    before = state(shown)["panels"][0]
    for _ in range(4):
        shown.mouse.wheel(0, -120)
    now = state(shown)
    places = [panel["place"] for panel in now["panels"]]
    assert all(place == places[0] for place in places)
    assert places[0]["width"] == pytest.approx(before["place"]["width"] * 2**1.2, rel=1e-6)
    where = [re.search(r"\((\d+), (\d+)\)", panel["reading"]).groups() for panel in now["panels"]]
    assert where[0] == where[1] == where[3]
    assert int(where[2][0]) // 4 == int(where[0][0])
    assert int(where[2][1]) // 4 == int(where[0][1])
    assert before["reading"].split("(")[1] == now["panels"][0]["reading"].split("(")[1]
    assert shown.evaluate("window.scrollY") == 0


def test_the_reading_is_the_source_value_under_the_pointer(shown):
    x, y = middle(shown)
    shown.mouse.move(x + 11, y + 5)
    readings = [panel["reading"] for panel in state(shown)["panels"]]
    column, row = map(int, re.search(r"\((\d+), (\d+)\)", readings[0]).groups())
    value = round(float(WINDOW.to_source(INPUT[row, column])))
    assert readings[0].startswith(f"{value} HU".replace("-", "−"))
    assert readings[1].startswith("R ")
    shown.mouse.move(2, 2)
    assert [panel["reading"] for panel in state(shown)["panels"]] == [""] * 4


def test_dragging_changes_the_window_and_shift_pans(shown):
    x, y = middle(shown)
    start = state(shown)
    shown.mouse.move(x, y)
    shown.mouse.down()
    shown.mouse.move(x - 60, y + 30, steps=3)
    shown.mouse.up()
    drawn = state(shown)
    assert drawn["window"]["width"] < start["window"]["width"]
    assert drawn["window"]["center"] > start["window"]["center"]
    assert drawn["view"] == start["view"]
    assert drawn["preset"] == -1
    shown.keyboard.press("+")
    shown.keyboard.down("Shift")
    shown.mouse.move(x, y)
    zoomed = state(shown)["panels"][0]["place"]
    shown.mouse.down()
    shown.mouse.move(x + 25, y - 10)
    shown.mouse.up()
    shown.keyboard.up("Shift")
    moved = state(shown)
    assert moved["panels"][0]["place"]["x"] == pytest.approx(zoomed["x"] + 25, abs=1)
    assert moved["panels"][3]["place"]["y"] == pytest.approx(zoomed["y"] - 10, abs=1)
    assert moved["levels"] == drawn["levels"]
    shown.mouse.dblclick(x, y)
    reset = state(shown)
    assert (reset["view"], reset["levels"]) == (start["view"], start["levels"])


def test_the_right_button_windows_in_pan_mode(shown):
    x, y = middle(shown)
    shown.get_by_role("button", name="Pan", exact=True).click()
    start = state(shown)
    shown.mouse.move(x, y)
    shown.mouse.down(button="right")
    shown.mouse.move(x + 50, y)
    shown.mouse.up(button="right")
    assert state(shown)["window"]["width"] > start["window"]["width"]
    assert start["mode"] == "pan"


def test_every_key_does_what_the_list_says(shown):
    focus(shown)
    start = state(shown)
    shown.keyboard.press("+")
    assert state(shown)["view"]["zoom"] == pytest.approx(1.25)
    shown.keyboard.press("ArrowRight")
    assert state(shown)["view"]["cx"] > 0.5
    shown.keyboard.press("ArrowDown")
    assert state(shown)["view"]["cy"] > 0.5
    shown.keyboard.press("-")
    assert state(shown)["view"]["zoom"] == pytest.approx(1.0)
    for key, name, sign in (("]", "center", 1), ("[", "center", -1)):
        before = state(shown)["window"][name]
        shown.keyboard.press(key)
        assert (state(shown)["window"][name] - before) * sign > 0
    for key, sign in ((".", 1), (",", -1)):
        before = state(shown)["window"]["width"]
        shown.keyboard.press(key)
        assert (state(shown)["window"]["width"] - before) * sign > 0
    shown.keyboard.press("0")
    assert state(shown)["levels"] == start["levels"]
    for key, name, value in (("s", "smooth", True), ("l", "captions", False), ("p", "mode", "pan")):
        shown.keyboard.press(key)
        assert state(shown)[name] == value
    assert not shown.locator("#viewer .rr-head").first.is_visible()
    shown.keyboard.press("?")
    assert shown.get_by_role("dialog").is_visible()
    shown.keyboard.press("Escape")
    assert not shown.get_by_role("dialog").is_visible()


def test_f_shows_the_focused_panel_alone(shown):
    focus(shown, 2)
    shown.keyboard.press("f")
    assert state(shown)["alone"] == "large"
    panels = shown.locator("#viewer .rr-panel")
    assert [panels.nth(i).is_visible() for i in range(4)] == [False, False, True, False]
    shown.keyboard.press("Escape")
    assert all(panels.nth(i).is_visible() for i in range(4))
    shown.mouse.move(*middle(shown, 3))
    shown.keyboard.press("f")
    assert state(shown)["alone"] == "other"
    shown.keyboard.press("f")
    assert state(shown)["alone"] is None


def test_tab_walks_through_the_panels_and_out(shown):
    focus(shown)
    seen = []
    for _ in range(4):
        seen.append(shown.evaluate("document.activeElement.getAttribute('aria-label')"))
        shown.keyboard.press("Tab")
    assert seen == [f"Input, {HOSTILE}", HOSTILE, "Four times", "Other, 0.4 s"]
    assert not shown.evaluate("document.querySelector('#viewer').contains(document.activeElement)")


def test_keys_elsewhere_are_left_alone(shown):
    before = state(shown)
    box = shown.locator("#elsewhere textarea, #elsewhere input").first
    box.fill("")
    shown.mouse.move(*middle(shown))
    box.press_sequentially("i0+f1[? l")
    assert box.input_value() == "i0+f1[? l"
    after = state(shown)
    for name in ("view", "levels", "alone", "held", "captions"):
        assert after[name] == before[name]
    shown.evaluate("document.activeElement.blur()")
    shown.keyboard.press("Space")
    shown.wait_for_function("window.scrollY > 0")


def test_holding_i_shows_the_input_everywhere_until_it_is_released(shown):
    focus(shown)
    separate = [visible(shown, index)[0] for index in (0, 3)]
    assert not np.array_equal(*separate)
    shown.keyboard.down("i")
    assert state(shown)["held"]
    for index in (1, 2, 3):
        assert np.array_equal(visible(shown, index)[0], separate[0])
    shown.keyboard.up("i")
    assert not state(shown)["held"]
    assert np.array_equal(visible(shown, 3)[0], separate[1])
    shown.keyboard.down("i")
    assert state(shown)["held"]
    shown.evaluate("window.dispatchEvent(new Event('blur'))")
    assert not state(shown)["held"]


def test_a_preview_replaces_one_panel_and_keeps_zoom_and_window(shown):
    focus(shown)
    shown.keyboard.press("+")
    type_window(shown, 40, 400)
    before = state(shown)
    shown.asked.clear()
    shown.click("#preview")
    shown.wait_for_function(
        f"old => {ROOT}.state().panels[3].shown !== old && {ROOT}.state().ready",
        arg=before["panels"][3]["shown"],
    )
    after = state(shown)
    assert after["view"] == before["view"]
    assert after["levels"] == before["levels"]
    fetched = [url for url in shown.asked if "readingroom" in url]
    assert [urlparse(url).path.split("/")[-1] for url in fetched] == [after["panels"][3]["token"]]
    got = readback(shown, "other")[..., :3]
    assert np.array_equal(got, expected(texture(7, (96, 128)), after["levels"]))


def test_another_image_starts_afresh(shown):
    focus(shown)
    shown.keyboard.press("+")
    type_window(shown, 40, 400)
    before = state(shown)
    shown.click("#image")
    shown.wait_for_function(f"old => {ROOT}.state().imageId !== old", arg=before["imageId"])
    after = state(shown)
    assert after["view"] == {"zoom": 1, "cx": 0.5, "cy": 0.5}
    assert after["levels"] == {"low": 0, "high": 65535}


def test_waiting_and_failed_panels_say_so(shown):
    shown.click("#waiting")
    notes = shown.locator("#viewer .rr-note")
    shown.wait_for_function("document.querySelectorAll('#viewer .rr-note').length === 3")
    shown.wait_for_function(f"{ROOT}.state().panels[1].key === 'later' && {ROOT}.state().ready")
    texts = [notes.nth(i).inner_text().split("\n") for i in (1, 2)]
    assert texts == [["Null space", "step 3 of 50"], ["No result", "N4 needs 32 pixels."]]
    assert [notes.nth(i).is_visible() for i in range(3)] == [False, True, True]


def test_pixels_the_server_dropped_are_asked_for_again_in_words(shown):
    shown.click("#gone")
    note = shown.locator("#viewer .rr-note").nth(3)
    note.get_by_text("Run the methods again").wait_for(state="visible")
    shown.click("#clear")
    shown.get_by_text("No image yet").wait_for(state="visible")
    assert shown.locator("#viewer .rr-panel").count() == 0


def change_to(page, name):
    page.click(f"#{name}")
    wanted = {"slide": "slider", "subtract": "difference"}.get(name, name)
    page.wait_for_function(f"name => {ROOT}.state().imageId === name", arg=wanted)
    page.evaluate("scrollTo(0, 0)")
    return state(page)


def test_a_result_is_shown_in_its_own_window_and_marked_where_it_ends(shown):
    change_to(shown, "cut")
    type_window(shown, 0, 100)
    source = WINDOW.to_source(INPUT)
    ends = [state(shown)["window"][end] for end in ("low", "high")]
    inside = window_u8(to_u16(SOFT.to_unit(source)), *window_levels(*ends, SOFT))
    assert np.array_equal(readback(shown, "kept")[..., 0], inside)
    assert "Processed" not in shown.inner_text("#viewer")
    type_window(shown, 300, 1500)
    wide = readback(shown, "kept")[..., 0]
    beyond = (source < SOFT.low) | (source > SOFT.high)
    assert set(np.unique(wide[beyond])) == {0x26, 0x5A}
    ends = [state(shown)["window"][end] for end in ("low", "high")]
    between = window_u8(to_u16(SOFT.to_unit(source)), *window_levels(*ends, SOFT))
    assert np.array_equal(wide[~beyond], between[~beyond])
    # The input has every value at any window.
    whole = window_u8(to_u16(INPUT), *state(shown)["levels"].values())
    assert np.array_equal(readback(shown, "input")[..., 0], whole)
    badges = shown.locator("#viewer .rr-badge").all_inner_texts()
    assert badges == ["", *["Processed from −160 to 240 HU"] * 2]


def test_values_that_were_mapped_anew_are_not_read_in_hounsfield_units(shown):
    change_to(shown, "cut")
    x, y = middle(shown)
    shown.mouse.move(x + 11, y + 5)
    readings = [panel["reading"] for panel in state(shown)["panels"]]
    assert " HU" in readings[0]
    assert re.fullmatch(r"[01]\.\d{3} gray level, not HU\s\(\d+, \d+\)", readings[2])


def test_the_divider_moves_by_keyboard_and_pointer_and_both_sides_are_exact(shown):
    change_to(shown, "slide")
    shown.get_by_role("button", name="1:1").click()
    divider = shown.get_by_role("slider", name="Divider between the images")
    divider.focus()
    assert divider.get_attribute("aria-valuenow") == "50"
    assert divider.get_attribute("aria-valuetext") == "Input on 50 %, Other on the rest"
    for key, wanted in (
        ("ArrowRight", 51), ("Shift+ArrowLeft", 41), ("PageUp", 51), ("Home", 0), ("End", 100),
        ("PageDown", 90), ("ArrowUp", 91),
    ):  # fmt: skip
        shown.keyboard.press(key)
        assert round(100 * state(shown)["split"]) == wanted, key
    assert state(shown)["view"]["cx"] == 0.5
    box = shown.locator("#viewer .rr-stage").first.bounding_box()
    shown.mouse.move(*middle_of(divider))
    shown.mouse.down()
    shown.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40, steps=3)
    shown.mouse.up()
    assert state(shown)["split"] == pytest.approx(0.5, abs=0.01)
    canvas, place = visible(shown, 0)
    levels = state(shown)["levels"]
    at = round(state(shown)["split"] * canvas.shape[1]) - place["x"]
    drawn = canvas[place["y"] : place["y"] + 96, place["x"] : place["x"] + 128, :3]
    assert 0 < at < 128
    assert np.array_equal(drawn[:, :at], expected(INPUT, levels)[:, :at])
    assert np.array_equal(drawn[:, at:], expected(PIXELS["other"], levels)[:, at:])
    x, y = middle(shown)
    shown.mouse.move(x + 20, y)
    reading = state(shown)["panels"][0]["reading"]
    column, row = map(int, re.search(r"\((\d+), (\d+)\)", reading).groups())
    value = round(float(WINDOW.to_source(PIXELS["other"][row, column])))
    assert reading.startswith(f"{value} HU".replace("-", "−"))


def test_a_map_keeps_its_colours_and_says_what_they_mean(shown):
    change_to(shown, "map")
    bar = shown.locator("#viewer .rr-colours:not([hidden])")
    assert bar.inner_text().split() == ["0", "50", "HU", "expected", "error"]
    assert shown.locator("#viewer canvas").nth(1).get_attribute("aria-label") == (
        "Error: expected error, from 0 to 50 HU"
    )
    before = readback(shown, "error")[..., :3].astype(int)
    levels = PIXELS["other"]
    lightness = before.sum(axis=-1)
    assert lightness[levels > 0.9].min() > lightness[levels < 0.1].max()
    type_window(shown, 0, 100)
    settle(shown)
    assert np.array_equal(readback(shown, "error")[..., :3], before)
    x, y = middle(shown, 1)
    shown.mouse.move(x + 11, y + 5)
    reading = state(shown)["panels"][1]["reading"]
    value, column, row = re.match(r"([\d.]+) HU\s\((\d+), (\d+)\)", reading).groups()
    assert float(value) == pytest.approx(50 * levels[int(row), int(column)], abs=0.6)


def middle_of(locator):
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_the_difference_has_a_colour_bar_a_read_out_and_a_gain(shown):
    change_to(shown, "subtract")
    bar = shown.locator("#viewer .rr-colours:not([hidden])")
    words = ["blue", "darker,", "black", "equal,", "orange", "brighter"]
    assert bar.inner_text().split() == ["−1024", "+1024", "HU", *words]
    change = WINDOW.to_source(PIXELS["other"]) - WINDOW.to_source(INPUT)
    colours = readback(shown, "difference")[..., :3].astype(int)
    assert (colours[change > 100] * [1, 0, -1]).sum(axis=-1).min() > 0
    assert (colours[change < -100] * [1, 0, -1]).sum(axis=-1).max() < 0
    assert np.array_equal(np.unique(colours[change > 1040], axis=0), [[255, 204, 148]])
    shown.get_by_label("Difference at full colour").fill("200")
    shown.get_by_label("Difference at full colour").press("Enter")
    settle(shown)
    assert bar.inner_text().split() == ["−200", "+200", "HU", *words]
    focus(shown)
    shown.keyboard.press("[")
    low, high = state(shown)["levels"].values()
    assert low + high == 2 * 32768
    shown.keyboard.press("1")
    settle(shown)
    assert bar.inner_text().split() == ["−4095", "+4095", "HU", *words]
    assert not shown.get_by_label("Window centre").is_visible()
    assert not shown.get_by_role("button", name="Show input").is_visible()
    x, y = middle(shown)
    shown.mouse.move(x + 11, y + 5)
    reading = state(shown)["panels"][0]["reading"]
    column, row = map(int, re.search(r"\((\d+), (\d+)\)", reading).groups())
    assert reading.startswith(f"{round(float(change[row, column])):+d} HU".replace("-", "−"))


@pytest.mark.parametrize("name", ["cut", "slide"])
def test_full_screen_shows_the_viewer_alone_and_comes_back(shown, name):
    change_to(shown, name)
    before = state(shown)["panels"][0]["place"]["width"]
    shown.get_by_role("button", name="Full screen").click()
    shown.wait_for_function("document.fullscreenElement?.matches('#viewer .rr')")
    shown.wait_for_function(f"old => {ROOT}.state().panels[0].place.width > old", arg=before)
    focus(shown)
    shown.keyboard.press("e")
    shown.wait_for_function("document.fullscreenElement === null")
    shown.wait_for_function(f"old => {ROOT}.state().panels[0].place.width === old", arg=before)


def test_hostile_labels_are_only_text(shown):
    assert shown.locator("#viewer .rr-label").nth(1).inner_text() == HOSTILE
    assert shown.locator("#viewer .rr-caption").nth(0).inner_text() == HOSTILE
    assert shown.locator("#viewer img").count() == 0
    assert shown.evaluate("window.hurt") is None
    assert shown.problems == []


def test_no_request_leaves_the_machine(shown):
    shown.click("#preview")
    state(shown)
    assert len(shown.asked) > 10
    remote = [url for url in shown.asked if urlparse(url).scheme in ("http", "https", "ws", "wss")]
    assert {urlparse(url).hostname for url in remote} == {"127.0.0.1"}


def test_python_hears_of_a_new_window(shown):
    type_window(shown, 40, 400)
    box = shown.locator("#elsewhere textarea, #elsewhere input").first
    shown.wait_for_function(
        "box => /^-\\d+[.]\\d 2[34]\\d/.test(box.value)", arg=box.element_handle()
    )
    low, high, _ = box.input_value().split()
    assert float(low) == pytest.approx(-160, abs=0.1)
    assert float(high) == pytest.approx(240, abs=0.1)


@pytest.mark.parametrize("dark", [False, True])
def test_the_image_area_is_black_and_nothing_near_it_is_coloured(shown, dark):
    page = shown
    page.evaluate("dark => document.body.classList.toggle('dark', dark)", dark)
    colours = page.evaluate(
        """() => [...document.querySelectorAll('#viewer .rr, #viewer .rr *')].flatMap(node => {
            const style = getComputedStyle(node);
            return [style.color, style.backgroundColor, style.borderTopColor];
        })"""
    )
    for colour in set(colours):
        red, green, blue = re.findall(r"[\d.]+", colour)[:3]
        assert red == green == blue, colour
    stage = page.locator("#viewer .rr-stage").first
    assert stage.evaluate("node => getComputedStyle(node).backgroundColor") == "rgb(0, 0, 0)"
    assert np.array_equal(visible(page, 0)[0][0, 0], [0, 0, 0, 255])


def test_a_dense_screen_gets_its_own_pixels(dense_page, address):
    page = dense_page
    visit(page, address)
    width = page.locator("#viewer .rr-stage").first.bounding_box()["width"]
    focus(page)
    page.get_by_role("button", name="1:1").click()
    canvas, place = visible(page, 0)
    assert canvas.shape[1] == 2 * width
    crop = canvas[place["y"] : place["y"] + 96, place["x"] : place["x"] + 128, :3]
    assert np.array_equal(crop, expected(INPUT, state(page)["levels"]))


def test_it_works_below_another_path(page):
    import gradio as gr

    with gr.Blocks() as blocks:
        Viewer(four(), elem_id="viewer")
    host = FastAPI()
    host.include_router(router(STORE), prefix="/compare")
    gr.mount_gradio_app(host, blocks, path="/compare")
    server = uvicorn.Server(uvicorn.Config(host, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        visit(page, f"http://127.0.0.1:{port}/compare/")
        assert np.array_equal(
            readback(page, "input")[..., :3], expected(INPUT, {"low": 0, "high": 65535})
        )
    finally:
        page.close()
        server.should_exit = True
        thread.join()
