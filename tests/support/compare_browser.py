"""What a visitor does on the compare page in a browser, and what is on the screen then."""

import base64

import numpy as np
from playwright.sync_api import TimeoutError

from enhancers.display import to_u16, window_levels, window_u8
from enhancers.registry import METHODS

VIEWER = "document.querySelector('#viewer .rr').readingRoom"
ALL = tuple(method.key for method in METHODS)


def visit(page, address):
    page.goto(address)
    page.wait_for_selector("#run")
    page.wait_for_selector("#viewer .rr")


def tab(page, name):
    page.get_by_role("tab", name=name, exact=True).click()


def panels(page):
    page.wait_for_function(f"{VIEWER}.state().ready")
    return page.evaluate(f"{VIEWER}.state().panels.map(panel => panel.key)")


def facts(page):
    return page.inner_text("#facts")


def choose_sample(page, key):
    page.click(f'[data-sample="{key}"]')
    page.wait_for_selector(f'[data-sample="{key}"][aria-pressed="true"]')
    page.wait_for_function(f"{VIEWER}.state().ready")


def choose_option(page, selector, name):
    page.click(f"{selector} input")
    page.locator(f'[role=option][aria-label="{name}"]').click()


def upload(page, name, data, field="#upload"):
    file = {"name": name, "mimeType": "application/octet-stream", "buffer": data}
    clear = page.locator(f"{field} [aria-label='Clear']")
    for wait in (4_000, 4_000, 4_000, 30_000):
        try:
            # The page clears the field itself once the file before has been read.
            if clear.count():
                clear.first.click(timeout=wait)
            page.set_input_files(f"{field} input[type=file]", file, timeout=wait)
            return
        except TimeoutError:
            # The file before was still arriving: its field appears only now and can be cleared.
            if wait == 30_000:
                raise


def tick(page, *keys):
    for key in ALL:
        page.set_checked(f"#choose-{key} input", key in keys)


def run(page, *keys):
    tick(page, *keys)
    page.click("#run")
    for key in keys:
        page.wait_for_selector(f'#progress [data-method="{key}"].done')
    page.wait_for_selector("#progress a.download.all")
    page.wait_for_function(f"{VIEWER}.state().ready")


def set_slider(page, selector, value):
    field = page.locator(f"{selector} input[type=number]")
    # A slider that has just been unfolded sets its first value once more.
    for _ in range(20):
        field.fill(str(value))
        field.press("Enter")
        page.wait_for_timeout(100)
        if field.input_value() == str(value):
            return
    raise AssertionError(f"{selector} does not keep {value}")


def set_fold(page, key, wanted=True):
    """Open or close the parameters of a method."""
    fold = page.locator(f".method-parameters:below(#choose-{key})").first
    header = fold.locator("button.label-wrap").first
    if ("open" in header.get_attribute("class").split()) != wanted:
        header.click()


def readback(page, key, viewer="#viewer"):
    script = f"key => document.querySelector('{viewer} .rr').readingRoom.readback(key)"
    got = page.evaluate(script, key)
    raw = np.frombuffer(base64.b64decode(got["base64"]), np.uint8)
    return raw.reshape(got["height"], got["width"], 4)[..., :3]


def windowed(pixels, own, shown):
    """Pixels of the window ``own`` in the display window of a viewer."""
    gray = window_u8(to_u16(pixels), *window_levels(shown["low"], shown["high"], own))
    return gray if gray.ndim == 3 else np.repeat(gray[..., None], 3, axis=2)
