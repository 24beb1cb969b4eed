"""Runs that are stopped or overtaken, pages that are loaded again, visitors beside each other."""

import threading
import time

import numpy as np
import pytest
from playwright.sync_api import expect

from enhancers.compare import runs
from enhancers.method_interface import Step, load_method
from tests.support.compare_browser import (
    ALL,
    VIEWER,
    choose_sample,
    facts,
    panels,
    readback,
    run,
    set_fold,
    set_slider,
    tab,
    tick,
    upload,
    visit,
)
from tests.support.image_files import png

pytestmark = pytest.mark.e2e


class Endless:
    """A method that is never finished."""

    def run(self, *args, **options):
        while True:
            yield Step(0.1, None, 60.0, "step 1 of many")
            time.sleep(0.05)


def test_stop_keeps_what_is_finished(opened, monkeypatch):
    noisy = np.random.default_rng(0).integers(0, 65535, (256, 300)).astype(np.uint16)
    upload(opened, "large.png", png(noisy))
    opened.wait_for_function("document.querySelector('#facts').innerText.includes('large.png')")
    set_fold(opened, "srad")
    opened.fill("#set-srad-steps :is(input, textarea)", "2")
    set_fold(opened, "clahe")
    chosen = {"unimie": Endless()}
    monkeypatch.setattr(runs, "load_method", lambda key: chosen.get(key) or load_method(key))
    tick(opened, "srad", "unimie")
    opened.click("#run")
    opened.wait_for_selector('[data-method="srad"].done')
    opened.click("#stop")
    opened.wait_for_selector('[data-method="unimie"].stopped')
    opened.wait_for_function(f"{VIEWER}.state().ready")
    assert readback(opened, "srad").shape == (256, 300, 3)
    opened.wait_for_selector("#run:not([disabled])")
    opened.wait_for_selector("#stop[disabled]")
    assert opened.locator("a.download.all").count() == 1
    opened.fill("#set-srad-steps :is(input, textarea)", "")


class Gated:
    """A method whose first step lasts until the gate opens."""

    gate = threading.Event()

    def __init__(self, key):
        self.method = load_method(key)

    def run(self, *args, **options):
        yield Step(0.1, None, 60.0, "step 1 of 2")
        self.gate.wait(60)
        yield from self.method.run(*args, **options)


def test_another_image_within_a_step_can_be_run(opened, monkeypatch):
    choose_sample(opened, "real_ct_spine")
    tick(opened, "tv")
    monkeypatch.setattr(runs, "load_method", Gated)
    opened.click("#run")
    opened.wait_for_selector('[data-method="tv"].running:has-text("step 1 of 2")')
    monkeypatch.undo()
    choose_sample(opened, "real_mr_small")
    run(opened, "clahe")
    assert panels(opened) == ["input", "clahe"]
    Gated.gate.set()
    opened.wait_for_timeout(1000)
    assert panels(opened) == ["input", "clahe"]
    assert opened.is_enabled("#run")


def test_reload_and_back_bring_image_results_settings_and_tab_again(page, served):
    visit(page, served[0])
    choose_sample(page, "real_mr_small")
    page.click(".method-card:has(#choose-clahe) .method-parameters > button")
    set_slider(page, "#set-clahe-tiles", 5)
    run(page, "clahe")
    before = readback(page, "clahe")
    tab(page, "Metrics")
    page.wait_for_selector("#metrics tbody tr")
    page.reload()
    page.wait_for_selector("#metrics tbody tr")
    page.goto("about:blank")
    page.go_back()
    page.wait_for_selector("#metrics tbody tr")
    assert "64 × 64" in facts(page)
    assert [key for key in ALL if page.is_checked(f"#choose-{key} input")] == ["clahe"]
    page.click(".method-card:has(#choose-clahe) .method-parameters > button")
    expect(page.locator("#set-clahe-tiles input[type=number]")).to_have_value("5")
    tab(page, "Side by side")
    page.wait_for_function(f"{VIEWER}.state().ready && {VIEWER}.state().panels.length === 2")
    np.testing.assert_array_equal(readback(page, "clahe"), before)
    with page.expect_download():
        page.click("#progress a.download.all")


def test_sessions_are_apart_and_end_with_their_tab(browser, opened, served):
    address, sessions = served
    choose_sample(opened, "real_mr_small")
    before = len(sessions)
    context = browser.new_context()
    other = context.new_page()
    visit(other, address)
    assert "No image yet" in facts(other)
    choose_sample(other, "real_ct_spine")
    assert len(sessions) == before + 1
    assert "64 × 64" in facts(opened)
    context.close()
    for _ in range(100):
        if len(sessions) == before:
            break
        opened.wait_for_timeout(200)
    assert len(sessions) == before
