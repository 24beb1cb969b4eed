"""From an image or a volume to results: their exact pixels, measured and downloaded."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pydicom.data
import pytest
from playwright.sync_api import TimeoutError

from enhancers.compare import enhance
from enhancers.load import load
from enhancers.metrics import score
from enhancers.samples import sample
from enhancers.save import in_source_units, read_png16, to_png16
from enhancers.windows import full_window
from tests.support.compare_browser import (
    VIEWER,
    choose_sample,
    facts,
    panels,
    readback,
    run,
    set_slider,
    tab,
    upload,
    windowed,
)
from tests.support.image_files import bad_files, chest, nifti, ramp

pytestmark = pytest.mark.e2e

CT = pydicom.data.get_testdata_file("CT_small.dcm")


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


def test_a_dicom_file_without_an_extension_is_read(opened):
    with open(CT, "rb") as file:
        upload(opened, "IM0001", file.read())
    opened.wait_for_function("document.querySelector('#facts').innerText.includes('IM0001')")
    opened.wait_for_function(f"{VIEWER}.state().ready")
    assert "DICOM" in facts(opened)
    assert opened.input_value("#modality input") == "CT"
    assert panels(opened) == ["input"]


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
