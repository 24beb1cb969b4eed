"""A visitor of the demonstration in a real browser: six pairs by keys, then the report."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from fastapi import FastAPI

from study.demo.site import DemoSite
from study.server.standalone import address, bind
from tests.e2e.conftest import open_page

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    demonstration = DemoSite(tmp_path_factory.mktemp("house") / "demo")
    app = FastAPI()
    app.mount("/demo", demonstration)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    with bind("127.0.0.1", 0) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.02)
        yield address(listening)
        server.should_exit = True
        thread.join(20)
    demonstration.close()


def press(page, desk, key: str, answers: int) -> None:
    """Press a key until there are so many answers: keys are off until both images are drawn."""
    chosen = desk.locator("[role=radio][aria-checked=true]")
    for _ in range(100):
        page.keyboard.press(key)
        page.wait_for_timeout(60)
        if chosen.count() == answers:
            return
    raise AssertionError(f"{key} is not taken as answer {answers}")


def test_six_pairs_are_read_with_keys_and_the_report_appears(browser, root: str) -> None:
    with open_page(browser) as page:
        page.set_viewport_size({"width": 1280, "height": 800})
        page.goto(f"{root}/demo/")
        page.click("button")
        desk = page.frame_locator("iframe")
        desk.get_by_text("Start reading").click()
        for done in range(6):
            desk.get_by_text(f"{done + 1} of 6").wait_for()
            for answers, key in enumerate(("2", "3", "4", "5", "ArrowLeft"), 1):
                press(page, desk, key, answers)
            page.keyboard.press("Enter")
        page.locator(".links").wait_for(state="visible")
        report = page.frame_locator("iframe")
        report.get_by_text("Demonstration, not a study").wait_for()
        report.locator("#reproducibility .notes").wait_for(state="attached")
        # How many figures there are depends on the answers: sides are random.
        figures = report.locator("figure.picture")
        assert figures.count() == figures.locator("svg").count() >= 12
        assert report.get_by_text("of 30 pairs read").count() == 1
        assert page.problems == []
        assert all(asked.startswith((root, "data:", "blob:")) for asked in page.asked)
