"""The compare page: what is seen first, its controls, the keyboard and small screens."""

import numpy as np
import pytest

from tests.support.compare_browser import (
    ALL,
    choose_option,
    choose_sample,
    panels,
    run,
    set_fold,
    set_slider,
    tick,
    upload,
    visit,
)
from tests.support.image_files import png

pytestmark = pytest.mark.e2e


def test_the_first_page_fits_and_says_what_it_is(visited):
    header = visited.inner_text("#header")
    assert "Reading Room" in header
    assert "Not for diagnosis" in header
    visited.wait_for_function("document.body.classList.contains('dark')")
    assert visited.is_disabled("#run")
    for width, height in ((1280, 720), (1440, 900)):
        visited.set_viewport_size({"width": width, "height": height})
        sizes = visited.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
        )
        assert sizes[0] <= width
        assert sizes[1] <= height
        box = visited.locator("#run").bounding_box()
        assert box["y"] + box["height"] <= height


def test_methods_and_their_times_are_seen_without_scrolling(opened):
    opened.set_viewport_size({"width": 1440, "height": 900})
    choose_sample(opened, "cardiac_mr")
    opened.wait_for_selector("#choose-tv .info-text:has-text('s')")
    below = opened.locator("#runbar").bounding_box()["y"]
    for key in ALL:
        row = opened.locator(f"#choose-{key}").bounding_box()
        assert row["y"] + row["height"] <= below
    # Made for MR: the pipeline, the denoiser, the hybrid and DDNM.
    chosen = [key for key in ALL if opened.is_checked(f"#choose-{key} input")]
    assert chosen == ["classical", "denoiser", "pseudo_label", "null_space"]


def test_the_header_names_the_device_and_the_priors(opened):
    opened.wait_for_selector("#header .badge.ok:has-text('Device')")
    header = opened.inner_text("#header")
    assert "CPU" in header or "GiB" in header
    assert "Pixel network" in header
    assert "Latent network" in header


def test_the_theme_is_dark_unless_chosen_otherwise(opened):
    assert opened.evaluate("document.body.classList.contains('dark')")
    opened.click("[data-theme-toggle]")
    assert not opened.evaluate("document.body.classList.contains('dark')")
    opened.click("[data-theme-toggle]")
    assert opened.evaluate("document.body.classList.contains('dark')")


def test_the_modality_brings_its_presets_and_spares_what_was_edited(opened):
    choose_sample(opened, "low_dose_ct")
    set_fold(opened, "nlm")
    set_fold(opened, "clahe")
    noise = "#set-nlm-noise input"
    clip = "#set-clahe-clip_limit input[type=number]"
    assert opened.input_value(noise) == "gaussian"
    assert float(opened.input_value(clip)) == 1.0
    set_slider(opened, "#set-clahe-clip_limit", 3.5)
    choose_option(opened, "#modality", "MR")
    opened.wait_for_function(f"document.querySelector('{noise}').value === 'rician'")
    assert float(opened.input_value(clip)) == 3.5
    assert "chosen by you" in opened.inner_text("#modality")
    set_slider(opened, "#set-clahe-clip_limit", 2.0)


def test_a_parameter_out_of_range_is_named_and_nothing_runs(opened):
    choose_sample(opened, "real_mr_small")
    tick(opened, "srad")
    set_fold(opened, "srad")
    opened.fill("#set-srad-steps :is(input, textarea)", "9000")
    opened.click("#run")
    opened.wait_for_selector("#notice .notice.error")
    assert "SRAD: steps=9000" in opened.inner_text("#notice")
    assert panels(opened) == ["input"]
    opened.fill("#set-srad-steps :is(input, textarea)", "")
    run(opened, "srad")
    # Not its text: what Gradio writes about a pending event is transparent, and still text.
    assert opened.locator("#notice .notice").count() == 0


def test_a_typed_window_is_taken_when_both_ends_are_there(opened):
    choose_sample(opened, "real_ct_spine")
    choose_option(opened, "#window", "Custom")
    low, high = (opened.locator(f"#window-limits [name={name}]") for name in ("low", "high"))
    low.click()
    opened.keyboard.press("Control+A")
    opened.keyboard.type("-1000,5")
    opened.keyboard.press("Tab")
    for letter in "1000":
        opened.keyboard.type(letter)
        opened.wait_for_timeout(150)
    assert high.input_value() == "1000"
    high.press("Enter")
    opened.wait_for_function(
        "document.querySelector('#facts').innerText.includes('-1000.5 to 1000 HU')"
    )
    high.fill("-2000")
    opened.click("#facts")
    opened.wait_for_selector("#notice .notice.error:has-text('not below the maximum')")
    assert low.input_value() == "-1000,5"


def test_a_large_image_asks_before_a_diffusion_method(opened):
    noisy = np.random.default_rng(1).integers(0, 255, (1030, 1030)).astype(np.uint8)
    upload(opened, "huge.png", png(noisy))
    opened.wait_for_function("document.querySelector('#facts').innerText.includes('huge.png')")
    tick(opened, "null_space")
    opened.wait_for_selector("#confirm input:visible")
    opened.wait_for_selector("#estimate >> text=1030 × 1030")
    opened.click("#run")
    opened.wait_for_selector("#notice .notice.error")
    assert "1024" in opened.inner_text("#notice")
    tick(opened, "clahe")
    opened.wait_for_selector("#confirm", state="hidden")


def test_the_estimate_follows_every_way_of_changing_a_field(opened):
    tick(opened, "nlm")
    choose_sample(opened, "real_mr_small")
    set_fold(opened, "nlm")
    line = "#estimate >> text="
    sigma, beta = (opened.locator(f"#set-nlm-{name}") for name in ("sigma", "beta"))
    text, number = sigma.locator("input, textarea"), beta.locator("input[type=number]")
    text.press_sequentially("x")
    opened.wait_for_selector(f"{line}sigma=x")
    text.press("Backspace")
    opened.wait_for_selector(f"{line}1 method")
    for back in (number.blur, beta.get_by_label("Reset to default value").click):
        number.fill("999")
        opened.wait_for_selector(f"{line}beta=999")
        back()
        opened.wait_for_selector(f"{line}1 method")
    opened.locator("#choose-nlm input").press("Enter")
    opened.wait_for_selector(f"{line}Select a method")


def test_on_a_phone_a_chosen_sample_is_brought_into_view(page, served):
    page.set_viewport_size({"width": 390, "height": 844})
    visit(page, served[0])
    choose_sample(page, "real_mr_small")
    page.wait_for_function("document.querySelector('#viewer').getBoundingClientRect().top < 400")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_keyboard_is_enough(browser, page, served):
    visit(page, served[0])
    tab_to(page, '[data-sample="real_mr_small"]')
    page.keyboard.press("Enter")
    page.wait_for_selector('[data-sample="real_mr_small"][aria-pressed="true"]')
    for key in ("clahe", "classical", "denoiser", "pseudo_label", "null_space", "unimie"):
        tab_to(page, f"#choose-{key} input")
        page.keyboard.press("Space")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector('[data-method="clahe"].done')
    tab_to(page, '[data-method="clahe"] a.download')
    tab_to(page, 'button[role="tab"]:not([aria-selected="true"])')
    page.keyboard.press("Enter")
    page.wait_for_selector('button[role="tab"][aria-selected="true"]:has-text("Slider")')


def tab_to(page, selector, most=150):
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("wanted => document.activeElement.matches(wanted)", selector):
            return
    pytest.fail(f"{selector} is not reached by Tab")
