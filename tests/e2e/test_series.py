"""A DICOM series in a real browser: from a folder to a result, and what is no series."""

import base64
import json
import zipfile

import numpy as np
import pytest

from enhancers import settings as settings_room
from enhancers.registry import METHODS
from enhancers.ui import build
from tests.support import image_files

pytestmark = pytest.mark.e2e

VIEWER = "document.querySelector('#viewer .rr').readingRoom"
SIDE, SLICES = 64, 40


@pytest.fixture(scope="module")
def address(serve, tmp_path_factory):
    """The page, with a cache of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("READINGROOM_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        settings_room.get_settings.cache_clear()
        page = build(settings_room.get_settings())
        options = {**page.launch_options, "run_history": False, "footer_links": []}
        yield serve(page.blocks, *page.routers, **options)
    settings_room.get_settings.cache_clear()


def ct_slice(index, **elements):
    """A disc that grows from slice to slice, in noise; its first pixel is the slice's number."""
    rows, columns = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    disc = np.hypot(rows, columns) < 8 + index / 3
    noise = np.random.default_rng(index).normal(0, 20, (SIDE, SIDE))
    values = np.where(disc, 60, -900) + noise.round()
    values[0, 0] = index
    given = {
        "Modality": "CT", "SeriesInstanceUID": "1.2.3.1", "SOPInstanceUID": f"1.2.3.1.{index}",
        "FrameOfReferenceUID": "1.2.3.9", "SeriesNumber": 3, "InstanceNumber": index + 1,
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "PixelSpacing": [0.7, 0.7],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "ImagePositionPatient": [0, 0, 2 * index],
        "SliceThickness": 2, "RescaleSlope": 1, "RescaleIntercept": 0,
    }  # fmt: skip
    return image_files.dicom(values.astype(np.int16), **{**given, **elements})


@pytest.fixture(scope="module")
def exam(tmp_path_factory):
    """A folder of a CT series and its localizer, with names out of order, and a text."""
    folder = tmp_path_factory.mktemp("exam")
    (folder / "ct").mkdir()
    for index in range(SLICES):
        (folder / "ct" / f"IM{(7 * index) % SLICES:04}").write_bytes(ct_slice(index))
    for index in range(2):
        elements = {
            "SeriesInstanceUID": "1.2.3.7", "SOPInstanceUID": f"1.2.3.7.{index}",
            "SeriesNumber": 1, "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"],
        }  # fmt: skip
        (folder / f"LOC{index}").write_bytes(ct_slice(index, **elements))
    (folder / "notes.txt").write_text("no image")
    return folder


@pytest.fixture
def opened(page, address):
    page.goto(address)
    page.wait_for_selector("#viewer .rr")
    return page


def choose_folder(page, folder):
    with page.expect_file_chooser() as chooser:
        page.click("#upload-folder")
    chooser.value.set_files(folder)


def pick(page, key):
    page.click(f'[data-series="{key}"]')
    page.wait_for_selector(f'[data-series="{key}"][aria-pressed="true"]')
    page.wait_for_function(f"{VIEWER}.state().ready")


AXIAL = '.nav-view[data-plane="axial"] input'
"""The slider of the axial slices in the navigator."""


def go_to_slice(page, number):
    page.locator(AXIAL).fill(str(number))
    page.wait_for_function(
        f"place => {VIEWER}.state().imageId.split('/')[1] === place && {VIEWER}.state().ready",
        arg=str(number - 1),
    )


def test_a_folder_of_a_series_is_listed_scrolled_run_and_downloaded(opened, exam, tmp_path):
    choose_folder(opened, exam)
    opened.wait_for_selector(".series-list")
    assert opened.locator("#series h3").inner_text() == "2 series: choose one"
    items = opened.locator(".series-item")
    assert "64 × 64 · 40 slices" in items.nth(1).inner_text()
    assert "no DICOM (1)" in opened.inner_text("#series")
    # Every picture arrives, and nothing was opened yet.
    opened.wait_for_function(
        "[...document.querySelectorAll('.series-item img')].every(i => i.naturalWidth > 0)"
    )
    assert opened.evaluate(f"{VIEWER}.state().panels.length") == 0
    pick(opened, "2")
    opened.wait_for_selector(AXIAL)
    assert opened.input_value(AXIAL) == str(SLICES // 2 + 1)
    for number in (1, SLICES, 3):
        go_to_slice(opened, number)
    for method in METHODS:
        opened.set_checked(f"#choose-{method.key} input", method.key == "clahe")
    opened.click("#run")
    opened.wait_for_selector('#progress [data-method="clahe"].done')
    with opened.expect_download() as download:
        opened.click("#progress a.download.all")
    path = tmp_path / "result.zip"
    download.value.save_as(path)
    assert download.value.suggested_filename == "Series-2-CT-axial_slice-3_clahe.zip"
    with zipfile.ZipFile(path) as packed:
        name = next(one for one in packed.namelist() if one.endswith("provenance.json"))
        [record] = json.loads(packed.read(name))
    assert record["input"]["slice_index"] == 2
    assert record["input"]["slice_count"] == SLICES
    assert not opened.problems


DROP_A_FOLDER = """(files) => {
  const bytes = (name) => Uint8Array.from(atob(files[name]), (one) => one.charCodeAt(0));
  const entry = (name) => ({
    name, isFile: true, isDirectory: false, file: (done) => done(new File([bytes(name)], name)),
  });
  let left = Object.keys(files).map(entry);
  const reader = { readEntries: (done) => { done(left); left = []; } };
  const folder = { name: 'ct', isFile: false, isDirectory: true, createReader: () => reader };
  const event = new Event('drop', { bubbles: true, cancelable: true });
  event.dataTransfer = { files: [], items: [{ webkitGetAsEntry: () => folder }] };
  document.querySelector('#upload button').dispatchEvent(event);
}"""


def test_a_dropped_folder_is_opened_and_what_is_no_series_leaves_it(opened, exam):
    files = {
        path.name: base64.b64encode(path.read_bytes()).decode()
        for path in sorted((exam / "ct").iterdir())[:5]
    }
    field = "getComputedStyle(document.querySelector('#upload button .wrap'), '::before').content"
    assert opened.evaluate(field) == '"Choose files, or drop them here"'
    opened.evaluate(DROP_A_FOLDER, {**files, ".DS_Store": ""})
    opened.wait_for_selector('[data-series="1"][aria-pressed="true"]')
    assert opened.locator("#series h3").inner_text() == "1 series"
    assert "Left out" not in opened.inner_text("#series")
    image = opened.evaluate(f"{VIEWER}.state().imageId")
    others = [
        {"name": f"{index}.gif", "mimeType": "image/gif", "buffer": b"GIF89a"} for index in range(2)
    ]
    opened.set_input_files("#upload input[type=file]", others)
    opened.wait_for_selector("#notice .notice.error")
    assert "There is no DICOM image" in opened.inner_text("#notice")
    assert opened.evaluate(f"{VIEWER}.state().imageId") == image
    assert opened.locator('[data-series="1"][aria-pressed="true"]').count() == 1
    assert not opened.problems
