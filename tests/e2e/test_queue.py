"""Several people at one device: each is shown a place and a time, and both are true."""

import itertools
import time
from contextlib import ExitStack

import numpy as np
import pytest

from enhancers import job_queue
from enhancers import settings as settings_room
from enhancers.compare import Request, compare, estimate_seconds, runs
from enhancers.image import from_array
from enhancers.method_interface import load_method
from enhancers.ui import build
from enhancers.warm_up import import_networks
from tests.e2e.conftest import open_page
from tests.support.compare_browser import choose_sample, set_fold, tab, tick, upload, visit
from tests.support.image_files import png

pytestmark = [pytest.mark.e2e, pytest.mark.exhaustive]

SIDE = 64
PARAMS = {"sigma": 0.3}
SEEDS = itertools.count(1)
STEP_SECONDS = 0.1
"""Each step takes so long at least: on a fast machine there would be nothing to wait for."""

WATCH = """
clearInterval(window.watching);
window.seen = [];
window.watching = setInterval(() => {
  const line = document.querySelector('#progress .in-line');
  const row = document.querySelector('#progress [data-method="null_space"]');
  window.seen.push({
    at: performance.now() / 1000,
    ahead: line ? Number(line.dataset.ahead) : 0,
    time: line ? line.querySelector('.line-time').innerText : '',
    state: row ? row.className : '',
  });
}, 50);
"""


class Slowed:
    """A method with a rest after each of its steps."""

    def __init__(self, key):
        self.method = load_method(key)
        self.rest = STEP_SECONDS if key == "null_space" else 0.0

    def run(self, *args, **options):
        for step in self.method.run(*args, **options):
            yield step
            time.sleep(self.rest)


def noise():
    return np.random.default_rng(0).integers(0, 255, (SIDE, SIDE)).astype(np.uint8)


@pytest.fixture(scope="module")
def address(serve, tmp_path_factory):
    """The page, on a machine that has seen one such run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("READINGROOM_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(runs, "load_method", Slowed)
        patch.setattr(job_queue, "QUEUES", {})
        settings_room.get_settings.cache_clear()
        import_networks()
        image = from_array(noise().astype(np.float32) / 255)
        for key in ("null_space", "pseudo_label"):
            estimate_seconds(image, key)
        assert list(compare(image, [Request("null_space", PARAMS)]))[-1].outcome
        page = build(settings_room.get_settings())
        options = {**page.launch_options, "run_history": False, "footer_links": []}
        yield serve(page.blocks, *page.routers, **options)
    settings_room.get_settings.cache_clear()


@pytest.fixture(scope="module")
def visitors(browser, address):
    """The pages of four people who have an image open and one method ticked."""
    with ExitStack() as stack:
        pages = [stack.enter_context(open_page(browser)) for _ in range(4)]
        for page in pages:
            visit(page, address)
            upload(page, "noise.png", png(noise()))
            page.wait_for_function("document.querySelector('#facts').innerText.includes('noise')")
            tick(page, "null_space")
            set_fold(page, "null_space")
            page.fill("#set-null_space-sigma :is(input, textarea)", str(PARAMS["sigma"]))
        yield pages


@pytest.fixture
def people(visitors):
    """Everybody is about to run something that nobody has run before."""
    for page in visitors:
        page.fill("#seed input", str(next(SEEDS)))
        page.wait_for_selector("#run:not([disabled])")
        page.evaluate(WATCH)
    return visitors


@pytest.fixture
def device():
    """A run of nobody's that holds the device until it leaves."""
    with job_queue.device_queue("cpu").join() as ticket:
        assert ticket.wait(60)
        yield ticket


def press_run_in_turn(pages):
    """Everybody presses Run, each once the one before is in line."""
    for place, page in enumerate(pages, 1):
        page.click("#run")
        ahead(page, place)


def state(page, *states):
    choices = ", ".join(f'[data-method="null_space"].{each}' for each in states)
    page.wait_for_selector(choices)


def ahead(page, count):
    page.wait_for_selector(f'#progress .in-line[data-ahead="{count}"]')


def seconds(text):
    """The seconds in "starts in about 35 s"."""
    if "under" in text:
        return 0.5
    number, unit = text.split()[-2:]
    return float(number) * {"s": 1, "min": 60}[unit]


def test_four_people_are_shown_a_falling_place_and_an_honest_time(people, device):
    press_run_in_turn(people)
    assert "the CPU" in people[3].inner_text("#estimate")
    assert "4 runs ahead of yours" in people[3].inner_text("#progress")
    device.leave()
    for page in people:
        state(page, "done")
    for place, page in enumerate(people, 1):
        seen = page.evaluate("window.seen")
        waits = [each for each in seen if each["ahead"]]
        assert list(dict.fromkeys(each["ahead"] for each in waits)) == list(range(place, 0, -1))
        began = next(each["at"] for each in seen if each["at"] > waits[-1]["at"])
        told = [each for each in waits if each["time"]]
        errors = [abs(seconds(each["time"]) - (began - each["at"])) for each in told]
        if place > 1:
            assert len(told) > 5
            assert np.median(errors) < 1.5 + 0.5 * (began - told[0]["at"])
        assert page.problems == []


def test_a_page_answers_while_it_waits_and_another_image_leaves_the_line(people, device):
    first = people[0]
    press_run_in_turn([first])
    tab(first, "Method cards")
    first.wait_for_selector("#card :is(h1, h2)")
    tab(first, "Side by side")
    ahead(first, 1)
    choose_sample(first, "real_mr_small")
    first.wait_for_selector(".in-line", state="detached")
    device.leave()
    free()


def test_stop_and_a_closed_tab_leave_the_line_and_filters_pass_it(people, device):
    first, second, third, fourth = people
    press_run_in_turn(people)
    second.click("#stop")
    state(second, "stopped")
    second.wait_for_selector("#run:not([disabled])")
    assert second.locator(".in-line").count() == 0
    ahead(fourth, 3)
    third.context.close()
    ahead(fourth, 2)
    tick(second, "clahe")
    second.click("#run")
    second.wait_for_selector('[data-method="clahe"].done')
    device.leave()
    for page in (first, fourth):
        state(page, "done")
    free()


def free():
    """Wait until nobody uses the device or stands in line."""
    for _ in range(100):
        if job_queue.device_queue("cpu").newcomer() is None:
            return
        time.sleep(0.1)
    pytest.fail("somebody still holds the device")
