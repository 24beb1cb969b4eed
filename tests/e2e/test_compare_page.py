"""The compare page in a real browser: from an image to results, measured and downloaded."""

import base64
import json
import threading
import zipfile
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import pydicom.data
import pytest
from playwright.sync_api import TimeoutError

from enhancers import settings as settings_room
from enhancers.compare import enhance, estimate_seconds, runs
from enhancers.display import full_window, to_u16, window_levels, window_u8
from enhancers.image import from_array
from enhancers.load import load
from enhancers.method_interface import Step, load_method
from enhancers.metrics import score
from enhancers.samples import sample
from enhancers.save import in_source_units, read_png16, to_png16
from enhancers.ui import build
from enhancers.warm_up import import_networks
from tests.support.image_files import bad_files, chest, nifti, png, ramp

pytestmark = pytest.mark.e2e

VIEWER = "document.querySelector('#viewer .rr').readingRoom"
CT = pydicom.data.get_testdata_file("CT_small.dcm")
ALL = (
    "srad", "n4", "nlm", "tv", "clahe", "classical", "denoiser", "pseudo_label", "null_space",
    "unimie",
)  # fmt: skip


@pytest.fixture(scope="module")
def served(serve, tmp_path_factory):
    """The page at an address, with a cache of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("READINGROOM_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        settings_room.get_settings.cache_clear()
        # What the estimates need is timed now: a process that ends inside torch is aborted.
        import_networks()
        for key in ("denoiser", "pseudo_label", "null_space", "unimie"):
            estimate_seconds(from_array(np.zeros((16, 16), np.float32)), key)
        page = build(settings_room.get_settings())
        options = {**page.launch_options, "run_history": False, "footer_links": []}
        yield serve(page.blocks, *page.routers, **options), page.sessions
    settings_room.get_settings.cache_clear()


@pytest.fixture(scope="module")
def visited(shared_page, served):
    visit(shared_page, served[0])
    return shared_page


@pytest.fixture
def opened(visited):
    """The shared page with the first tab in front."""
    visited.set_viewport_size({"width": 1280, "height": 720})
    tab(visited, "Side by side")
    return visited


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


def upload(page, name, data, field="#upload"):
    file = {"name": name, "mimeType": "application/octet-stream", "buffer": data}
    clear = page.locator(f"{field} [aria-label='Clear']")
    for last in (False, False, False, True):
        if clear.count():
            clear.first.click()
        try:
            page.set_input_files(
                f"{field} input[type=file]", file, timeout=30_000 if last else 4_000
            )
            return
        except TimeoutError:
            # The file before was still arriving: its field appears only now and can be cleared.
            if last:
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
    field.fill(str(value))
    field.press("Enter")


def readback(page, key, viewer="#viewer"):
    script = f"key => document.querySelector('{viewer} .rr').readingRoom.readback(key)"
    got = page.evaluate(script, key)
    raw = np.frombuffer(base64.b64decode(got["base64"]), np.uint8)
    return raw.reshape(got["height"], got["width"], 4)[..., :3]


def windowed(pixels, own, shown):
    """Pixels of the window ``own`` in the display window of a viewer."""
    gray = window_u8(to_u16(pixels), *window_levels(shown["low"], shown["high"], own))
    return gray if gray.ndim == 3 else np.repeat(gray[..., None], 3, axis=2)


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


def test_three_methods_show_their_exact_pixels(opened):
    choose_sample(opened, "real_ct_spine")
    assert "16 bit" in facts(opened)
    assert "read from the file" in opened.inner_text("#modality")
    assert panels(opened) == ["input"]
    run(opened, "srad", "nlm", "clahe")
    assert panels(opened) == ["input", "srad", "nlm", "clahe"]
    image = load(CT)
    shown = opened.evaluate(f"{VIEWER}.state().window")
    full = full_window(image)
    wanted = windowed(full.to_unit(image.source), full, shown)
    np.testing.assert_array_equal(readback(opened, "input"), wanted)
    for key in ("srad", "nlm", "clahe"):
        wanted = windowed(enhance(image, key).pixels, image.window, shown)
        np.testing.assert_array_equal(readback(opened, key), wanted)


def test_a_dicom_file_without_an_extension_is_read(opened):
    with open(CT, "rb") as file:
        upload(opened, "IM0001", file.read())
    opened.wait_for_function("document.querySelector('#facts').innerText.includes('IM0001')")
    opened.wait_for_function(f"{VIEWER}.state().ready")
    assert "DICOM" in facts(opened)
    assert opened.input_value("#modality input") == "CT"
    assert panels(opened) == ["input"]


def test_downloads_hold_the_results_at_16_bit(opened):
    choose_sample(opened, "ultrasound")
    run(opened, "srad", "clahe")
    base = opened.url.split("?")[0]
    image = load(sample("ultrasound").degraded)
    session_image_us = enhance(image.with_modality("US"), "srad").pixels
    link = opened.get_attribute('[data-method="srad"] a.download', "href")
    answer = opened.request.get(base + link)
    name = "Ultrasound-speckle-synthetic_srad"
    assert f'attachment; filename="{name}.png"' in answer.headers["content-disposition"]
    np.testing.assert_array_equal(read_png16(answer.body()), read_png16(to_png16(session_image_us)))
    with opened.expect_download() as download:
        opened.click("a.download.all")
    assert download.value.suggested_filename == f"{name}+clahe.zip"
    with zipfile.ZipFile(download.value.path()) as archive:
        names = set(archive.namelist())
        assert {"README.txt", "input.png", "srad.png", "clahe.png", "truth.png"} <= names
        assert {"metrics.csv", "provenance.json"} <= names
        assert archive.read("srad.png") == answer.body()
        table = archive.read("metrics.csv").decode()
        assert "srad,PSNR (dB)," in table
        records = json.loads(archive.read("provenance.json"))
        assert [record["method"] for record in records] == ["srad", "clahe"]
        assert "diagnosis" in records[0]["notice"]
    token = link.split("/")[-2]
    assert opened.request.get(base + link.replace(token, "0" * 32)).status == 404


def test_metrics_provenance_and_cards(opened):
    choose_sample(opened, "cardiac_mr")
    run(opened, "nlm", "tv")
    tab(opened, "Metrics")
    opened.wait_for_selector('#metrics [data-metric="psnr"] td:has-text(".")')
    cells = opened.locator('#metrics [data-metric="psnr"] td').all_inner_texts()
    files = sample("cardiac_mr")
    image = load(files.degraded).with_modality("MR")
    truth = load(files.truth).pixels
    results = [enhance(image, key).pixels for key in ("nlm", "tv")]
    wanted = [score(x, reference=truth, keys=["psnr"])[0].text for x in (image.pixels, *results)]
    assert cells[:3] == wanted
    assert "↑" in opened.inner_text('#metrics [data-metric="psnr"] th')
    tab(opened, "Provenance")
    opened.wait_for_function("document.querySelector('#provenance').innerText.includes('method')")
    tab(opened, "Method cards")
    opened.wait_for_selector("#card :is(h1, h2)")


def test_slider_and_difference_compare_any_two(opened):
    choose_sample(opened, "real_ct_spine")
    run(opened, "clahe")
    image = load(CT)
    result = enhance(image, "clahe").pixels
    full = full_window(image)
    opened.get_by_label("Window preset").select_option("Bone")
    tab(opened, "Slider")
    opened.wait_for_selector("#slider .rr-panel")
    slider = "document.querySelector('#slider .rr').readingRoom"
    opened.wait_for_function(f"{slider}.state().ready")
    shown = opened.evaluate(f"{slider}.state().window")
    assert (shown["low"], shown["high"]) == pytest.approx((-450, 1050), abs=0.1)
    # The input has all its values; the result is in the window in which it was processed.
    for key, pixels, own in (
        ("left", full.to_unit(image.source), full), ("right", result, image.window)
    ):  # fmt: skip
        wanted = windowed(pixels, own, shown)
        np.testing.assert_array_equal(readback(opened, key, "#slider"), wanted)
    tab(opened, "Difference")
    opened.wait_for_selector("#difference .rr-panel")
    opened.wait_for_function("document.querySelector('#difference .rr').readingRoom.state().ready")
    assert "gray level, not HU" in opened.inner_text("#difference-note")
    colours = readback(opened, "difference", "#difference").astype(int)
    change = result - image.pixels
    assert (colours[change > 0.02] * [1, 0, -1]).sum(axis=-1).min() > 0
    assert (colours[change < -0.02] * [1, 0, -1]).sum(axis=-1).max() < 0
    assert not colours[change == 0].any()


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


def set_fold(page, key, wanted=True):
    """Open or close the parameters of a method."""
    fold = page.locator(f".method-parameters:below(#choose-{key})").first
    header = fold.locator("button.label-wrap").first
    if ("open" in header.get_attribute("class").split()) != wanted:
        header.click()


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


def test_stop_keeps_what_is_finished(opened, served):
    noisy = np.random.default_rng(0).integers(0, 65535, (256, 300)).astype(np.uint16)
    upload(opened, "large.png", png(noisy))
    opened.wait_for_function("document.querySelector('#facts').innerText.includes('large.png')")
    set_fold(opened, "srad")
    opened.fill("#set-srad-steps :is(input, textarea)", "2")
    set_fold(opened, "unimie")
    opened.fill("#set-unimie-steps :is(input, textarea)", "100")
    set_fold(opened, "clahe")
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
    opened.fill("#set-unimie-steps :is(input, textarea)", "4")


def refused(page, bad):
    """Upload a bad file and wait for its sentence."""
    for last in (False, False, True):
        upload(page, bad.name, bad.data)
        try:
            page.wait_for_function(
                "says => document.querySelector('#notice').innerText.includes(says)",
                arg=bad.says, timeout=60_000 if last else 10_000,
            )  # fmt: skip
            return
        except TimeoutError:
            # Faster than a hand: Gradio drops a file that comes while the one before is cleared.
            if last:
                raise


@pytest.mark.exhaustive
def test_each_bad_file_says_what_is_wrong_and_the_result_stays(opened):
    choose_sample(opened, "real_mr_small")
    run(opened, "clahe")
    before = readback(opened, "clahe")
    for name, bad in bad_files().items():
        refused(opened, bad)
        assert panels(opened) == ["input", "clahe"], name
    np.testing.assert_array_equal(readback(opened, "clahe"), before)
    choose_sample(opened, "ultrasound")
    # Gradio writes "processing" there, unseen, as long as an event goes on.
    opened.wait_for_function("document.querySelector('#notice').innerText.trim() === ''")


def test_a_volume_has_a_slice_slider(opened):
    volume = np.stack([ramp(32, 36, 900 + 10 * k) for k in range(5)], axis=-1).astype(np.int16)
    upload(opened, "volume.nii", nifti(volume))
    opened.wait_for_selector("#slice input[type=number]:visible")
    assert opened.input_value("#slice input[type=number]") == "3"
    opened.wait_for_function(f"{VIEWER}.state().ready")
    middle = readback(opened, "input")
    shown = opened.evaluate(f"{VIEWER}.state().imageId")
    set_slider(opened, "#slice", 5)
    opened.wait_for_function(
        f"old => {VIEWER}.state().imageId !== old && {VIEWER}.state().ready", arg=shown
    )
    assert not np.array_equal(readback(opened, "input"), middle)
    choose_sample(opened, "real_mr_small")
    assert opened.locator("#slice input[type=number]:visible").count() == 0


def test_a_method_runs_on_all_slices_and_the_file_is_the_volume(opened):
    values = np.stack([chest(64, 80, seed) for seed in range(5)], -1).transpose(1, 0, 2)
    affine = np.array([[-0.8, 0, 0, 30], [0, 0.8, 0, 20], [0, 0, 2.5, -7.0]])
    source = nifti(values.astype(np.int16), affine=affine)
    upload(opened, "chest.nii", source)
    opened.wait_for_selector("#navigator .nav-view img[src^=data]")
    run(opened, "tv")
    opened.locator(".formats summary").first.click()
    with opened.expect_download() as one:
        opened.get_by_role("link", name="NIfTI").click()
    assert one.value.suggested_filename == "chest_slice-3_tv.nii.gz"
    tab(opened, "All slices")
    start = opened.locator("#slices-start")
    opened.wait_for_function("document.querySelector('#slices-start').innerText.includes('5')")
    assert start.inner_text().startswith("Run all 5 slices (")
    start.click()
    opened.wait_for_selector(".slices.done")
    with opened.expect_download() as every:
        opened.click(".slices .download.all")
    assert every.value.suggested_filename == "chest_tv_all-slices.nii.gz"
    found = load(Path(every.value.path()), slice_index=1)
    window = load(source).window.ends
    image = load(source, slice_index=1, window=window)
    assert np.array_equal(found.source, in_source_units(image, enhance(image, "tv").pixels))
    assert np.allclose(found.geometry.affine, image.geometry.affine, atol=1e-5)


def test_a_large_image_asks_before_a_diffusion_method(opened):
    noisy = np.random.default_rng(1).integers(0, 255, (1100, 1100)).astype(np.uint8)
    upload(opened, "huge.png", png(noisy))
    opened.wait_for_function("document.querySelector('#facts').innerText.includes('huge.png')")
    tick(opened, "null_space")
    opened.wait_for_selector("#confirm input:visible")
    opened.wait_for_selector("#estimate >> text=1100 × 1100")
    opened.click("#run")
    opened.wait_for_selector("#notice .notice.error")
    assert "1024" in opened.inner_text("#notice")
    tick(opened, "clahe")
    opened.wait_for_selector("#confirm", state="hidden")


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


def choose_option(page, selector, name):
    page.click(f"{selector} input")
    page.locator(f'[role=option][aria-label="{name}"]').click()


def test_results_are_kept_with_their_slice(opened):
    volume = np.stack([ramp(32, 36, 900 + 10 * k) for k in range(3)], axis=-1).astype(np.int16)
    upload(opened, "volume.nii", nifti(volume))
    opened.wait_for_selector("#slice input[type=number]:visible")
    run(opened, "clahe")
    before = readback(opened, "clahe")
    set_slider(opened, "#slice", 3)
    opened.wait_for_function(f"{VIEWER}.state().panels.length === 1")
    set_slider(opened, "#slice", 2)
    opened.wait_for_function(f"{VIEWER}.state().panels.length === 2 && {VIEWER}.state().ready")
    np.testing.assert_array_equal(readback(opened, "clahe"), before)
    opened.wait_for_selector('[data-method="clahe"].done')


def test_reload_and_back_bring_image_results_settings_and_tab_again(page, served):
    visit(page, served[0])
    choose_sample(page, "real_mr_small")
    page.click(".method-card:has(#choose-clahe) .method-parameters > button")
    set_slider(page, "#set-clahe-tiles", 5)
    run(page, "clahe")
    before = readback(page, "clahe")
    tab(page, "Metrics")
    page.reload()
    page.wait_for_selector("#metrics tbody tr")
    page.goto("about:blank")
    page.go_back()
    page.wait_for_selector("#metrics tbody tr")
    assert "64 × 64" in facts(page)
    assert [key for key in ALL if page.is_checked(f"#choose-{key} input")] == ["clahe"]
    page.click(".method-card:has(#choose-clahe) .method-parameters > button")
    assert page.input_value("#set-clahe-tiles input[type=number]") == "5"
    tab(page, "Side by side")
    page.wait_for_function(f"{VIEWER}.state().ready && {VIEWER}.state().panels.length === 2")
    np.testing.assert_array_equal(readback(page, "clahe"), before)
    with page.expect_download():
        page.click("#progress a.download.all")


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


def test_the_theme_is_dark_unless_chosen_otherwise(opened):
    assert opened.evaluate("document.body.classList.contains('dark')")
    opened.click("[data-theme-toggle]")
    assert not opened.evaluate("document.body.classList.contains('dark')")
    opened.click("[data-theme-toggle]")
    assert opened.evaluate("document.body.classList.contains('dark')")


def test_nothing_left_the_machine_and_no_script_failed(opened):
    hosts = {urlparse(url).hostname for url in opened.asked if url.startswith("http")}
    assert hosts == {"127.0.0.1"}
    assert opened.problems == []


def test_the_header_names_the_device_and_the_priors(opened):
    opened.wait_for_selector("#header .badge.ok:has-text('Device')")
    header = opened.inner_text("#header")
    assert "CPU" in header or "GiB" in header
    assert "Pixel network" in header
    assert "Latent network" in header
