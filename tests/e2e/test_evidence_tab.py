"""The tab "How good is it?" in a real browser."""

from contextlib import contextmanager
from urllib.parse import urlparse

import pytest

from enhancers import settings as settings_room
from enhancers.ui import build
from enhancers.ui.evidence_files import ROUTE
from tests.e2e.conftest import open_page
from tests.support.compare_browser import tab, visit
from tests.support.evidence_folder import write_folder

pytestmark = pytest.mark.e2e

TAB = "How good is it?"


@pytest.fixture(scope="module")
def address(serve, tmp_path_factory):
    """The page with a small folder of evidence."""
    folder = write_folder(tmp_path_factory.mktemp("evidence"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("READINGROOM_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        settings_room.get_settings.cache_clear()
        page = build(settings_room.get_settings(), evidence=folder)
        options = {**page.launch_options, "run_history": False, "footer_links": []}
        yield serve(page.blocks, *page.routers, **options)
    settings_room.get_settings.cache_clear()


@contextmanager
def tab_opened(browser, address):
    """A page of 1280 x 720 with the tab open; no script may fail, nothing leave the machine."""
    with open_page(browser) as page:
        said = []
        page.on("console", lambda message: said.append((message.type, message.text)))
        visit(page, address)
        assert page.locator("#how-good article").count() == 0
        assert asked_pictures(page) == []
        tab(page, TAB)
        page.wait_for_selector("#how-good article h2")
        yield page
        assert page.problems == []
        assert [text for kind, text in said if kind == "error"] == []
        assert {urlparse(url).hostname for url in page.asked if url.startswith("http")} == {
            "127.0.0.1"
        }


@pytest.fixture
def opened(browser, address):
    """A fresh page."""
    with tab_opened(browser, address) as page:
        yield page


@pytest.fixture(scope="module")
def visited(browser, address):
    """One page for several tests: loading it is the slow part."""
    with tab_opened(browser, address) as page:
        yield page


@pytest.fixture
def shared(visited):
    """The shared page with the first chapter in front, as it is opened."""
    visited.set_viewport_size({"width": 1280, "height": 720})
    visited.evaluate("location.hash = ''")
    visited.click(".evidence-contents [data-go=evidence]")
    assert shown(visited) == ["evidence"]
    return visited


def asked_pictures(page):
    return [urlparse(url).path.rsplit("/", 1)[1] for url in page.asked if ROUTE in url]


def go(page, title):
    page.locator(".evidence-contents").get_by_role("button", name=title, exact=True).click()


def shown(page):
    """Ids of the chapters that can be seen."""
    script = "all => all.filter(one => one.checkVisibility({contentVisibilityAuto: true}) " \
             "&& one.offsetHeight > 0).map(one => one.id)"  # fmt: skip
    return page.eval_on_selector_all("#how-good article", script)


def style(page, selector, name):
    return page.eval_on_selector(selector, f"one => getComputedStyle(one)['{name}']")


def test_a_chapter_is_chosen_and_its_pictures_come_then(opened):
    page = opened
    assert shown(page) == ["evidence"]
    assert "{{value}} ${1+1}" in page.inner_text("#evidence")
    assert page.inner_text("#evidence .verdict.missed") == "MISSED"
    assert style(page, "#evidence td.number", "textAlign") == "right"
    assert "tabular-nums" in style(page, "#evidence td.number", "fontVariantNumeric")
    assert asked_pictures(page) == []

    go(page, "Denoising")
    assert shown(page) == ["evidence--denoising"]
    current = page.locator(".evidence-contents [aria-current=true]")
    assert current.inner_text() == "Denoising"
    picture = page.locator("#evidence--denoising img").first
    picture.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('#evidence--denoising img').naturalWidth > 0")
    assert "differences.svg" in asked_pictures(page)
    assert style(page, ".evidence-picture", "backgroundColor") == "rgb(255, 255, 255)"

    tab(page, "Metrics")
    tab(page, TAB)
    page.wait_for_selector("#evidence--denoising h2")
    assert shown(page) == ["evidence--denoising"]
    page.get_by_role("button", name="Next").click()
    assert shown(page) == ["evidence--where-each-method-fails"]


def test_a_wide_table_scrolls_in_its_own_box(shared):
    page = shared
    go(page, "Denoising")
    box = "#evidence--denoising .evidence-table"
    assert page.eval_on_selector(box, "one => one.scrollWidth > one.clientWidth")
    assert page.eval_on_selector("#stage", "one => one.scrollWidth <= one.clientWidth")
    name = page.locator(f"{box} tbody th").first
    before = name.bounding_box()["x"]
    page.eval_on_selector(box, "one => { one.scrollLeft = 9999; }")
    assert page.eval_on_selector(box, "one => one.scrollLeft > 0")
    assert name.bounding_box()["x"] == pytest.approx(before, abs=1.5)
    page.wait_for_selector(f"{box}:not(.more)")


def test_links_lead_to_chapters_and_commands_are_copied(shared):
    page = shared
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("link", name="the figures").click()
    assert shown(page) == ["benchmarks"]
    go(page, "Denoising")
    page.locator("#evidence--denoising [data-copy]").click()
    page.wait_for_selector("#evidence--denoising [data-copy]:text('Copied')")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == "python -m benchmarks evidence --data DIR --only denoise"
    go(page, "Segmentation of enhanced images")
    assert "This has not been measured on this machine yet" in page.inner_text("#segmentation")


def test_the_browsers_search_opens_the_chapter_it_finds(shared):
    page = shared
    # Going to a fragment reveals what is hidden just as a search in the page does.
    page.evaluate("location.hash = 'benchmarks--memory'")
    page.wait_for_selector("#benchmarks:not([hidden])")
    assert shown(page) == ["benchmarks"]


def test_a_narrow_page_chooses_from_a_list_and_does_not_scroll_sideways(shared):
    page = shared
    page.set_viewport_size({"width": 390, "height": 844})
    choice = page.get_by_label("Chapter", exact=True)
    choice.select_option(label="Denoising")
    assert shown(page) == ["evidence--denoising"]
    assert not page.locator(".evidence-contents ol").first.is_visible()
    width = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    assert page.evaluate(width)
    page.set_viewport_size({"width": 1440, "height": 900})
    assert not choice.is_visible()
    assert page.evaluate(width)


def test_a_picture_that_is_opened_by_itself_runs_nothing(page, address):
    page.goto(f"{address}/{ROUTE}differences.svg")
    assert page.title() != "ran"
    assert page.locator("rect").count() == 1
