"""The navigator of a volume in a real browser: planes, lines, sliders, wheel and letters."""

import numpy as np
import pytest

from enhancers import settings as settings_room
from enhancers.ui import build
from tests.support.image_files import nifti

pytestmark = pytest.mark.e2e

VIEWER = "document.querySelector('#viewer .rr').readingRoom"
SHAPE = (40, 48, 32)
VOLUME = np.random.default_rng(6).integers(0, 900, (*SHAPE, 3)).astype(np.int16)
AFFINE = np.hstack([np.diag([-1.0, -1.5, 3.0]), np.zeros((3, 1))])
STEP = "#navigator .nav-view[data-plane={}] {}"


def at(page, plane: str, index: int, time: int = 0) -> None:
    """Wait until the viewer shows a slice."""
    place = f"/{index}/{time}/{plane}/"
    page.wait_for_function(
        f"place => {VIEWER}.state().imageId.includes(place) && {VIEWER}.state().ready", arg=place
    )


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


@pytest.fixture
def volume(page, address):
    """The page with a volume over time."""
    page.goto(address)
    page.wait_for_selector("#viewer .rr")
    data = nifti(VOLUME, affine=AFFINE)
    file = {"name": "volume.nii", "mimeType": "application/octet-stream", "buffer": data}
    page.set_input_files("#upload input[type=file]", files=[file])
    page.wait_for_selector("#navigator .nav-view img[src^=data]")
    return page


def letters(page) -> list[str]:
    return page.locator("#viewer .rr-panel .rr-edge").all_inner_texts()


def test_planes_sliders_wheel_and_keyboard(volume) -> None:
    page = volume
    assert page.locator("#slice:visible").count() == 0
    assert letters(page) == ["R", "L", "A", "P"]
    page.click(STEP.format("coronal", ".nav-name"))
    at(page, "coronal", 24)
    assert letters(page) == ["R", "L", "S", "I"]
    assert "coronal slice 25 of 48" in page.inner_text("#facts")
    slider = page.locator(STEP.format("coronal", "input"))
    slider.focus()
    page.keyboard.press("ArrowRight")
    at(page, "coronal", 25)
    page.keyboard.press("End")
    at(page, "coronal", 47)
    page.locator(STEP.format("sagittal", ".nav-stage")).hover()
    page.mouse.wheel(0, 120)
    page.wait_for_function(f"{VIEWER}.state().imageId.includes('/sagittal/')")
    pressed = page.locator("#navigator .nav-name[aria-pressed=true]")
    assert pressed.all_inner_texts() == ["Sagittal"]


def test_a_point_and_the_time(volume) -> None:
    page = volume
    box = page.locator(STEP.format("axial", ".nav-stage")).bounding_box()
    page.mouse.click(box["x"] + 0.251 * box["width"], box["y"] + 0.751 * box["height"])
    page.wait_for_function(
        "document.querySelector('.nav-view[data-plane=sagittal] input').value === '11'"
    )
    assert page.input_value(STEP.format("coronal", "input")) == "37"
    page.locator("#navigator .nav-time input").fill("3")
    at(page, "", 16, 2)
    assert "time 3 of 3" in page.inner_text("#facts")
    assert not page.problems
