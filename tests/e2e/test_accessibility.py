"""The compare page for screen readers and the keyboard: names, states, and axe-core's rules."""

import pytest

from enhancers import settings as settings_room
from enhancers.registry import METHODS
from enhancers.ui import build, layout

pytestmark = [pytest.mark.e2e, pytest.mark.exhaustive]

TABS = (
    layout.SIDE, layout.SLIDER, layout.DIFFERENCE, layout.METRICS_TAB, layout.PROVENANCE,
    layout.CARDS, layout.EVIDENCE, layout.NETWORKS, layout.STUDY,
)  # fmt: skip


@pytest.fixture(scope="module")
def visited(shared_page, serve):
    """The page with an image and two results."""
    built = build(settings_room.read_settings())
    options = {**built.launch_options, "run_history": False, "footer_links": []}
    page = shared_page
    page.goto(serve(built.blocks, *built.routers, **options))
    page.wait_for_selector("#viewer .rr")
    page.click('[data-sample="real_ct_spine"]')
    page.wait_for_selector('[data-sample="real_ct_spine"][aria-pressed="true"]')
    for method in METHODS:
        page.set_checked(f"#choose-{method.key} input", method.key in ("tv", "clahe"))
    page.click("#run")
    page.wait_for_selector("#progress a.download.all")
    return page


def findings(page):
    """What axe-core calls serious or critical, a line each."""
    from axe_playwright_python.sync_playwright import Axe

    return [
        f"{one['id']}: {node['target']} {node['html'][:120]}"
        for one in Axe().run(page).response["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def open_tab(page, name):
    page.get_by_role("tab", name=name, exact=True).click()
    page.get_by_role("tab", name=name, exact=True, selected=True).wait_for()
    page.wait_for_timeout(700)


@pytest.mark.parametrize("name", TABS)
def test_no_tab_has_a_serious_finding(visited, name):
    open_tab(visited, name)
    assert findings(visited) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_hovered_run_has_contrast_in_both_themes(visited, theme):
    open_tab(visited, layout.SIDE)
    if visited.evaluate("document.body.classList.contains('dark')") != (theme == "dark"):
        visited.click("[data-theme-toggle]")
    visited.hover("#run")
    assert findings(visited) == []


def test_folds_have_names_and_say_whether_they_are_open(visited):
    for method in METHODS:
        fold = visited.get_by_role("button", name=f"Parameters of {method.label}", exact=True)
        assert fold.get_attribute("aria-expanded") == "false", method.key
    fold.click()
    visited.wait_for_function(
        "fold => fold.getAttribute('aria-expanded') === 'true'", arg=fold.element_handle()
    )
    fold.click()


def test_uploads_and_records_have_names(visited):
    visited.locator("#truth-fold > button").click()
    name = "Ground truth image: click to upload, or drop a file"
    visited.get_by_role("button", name=name).wait_for()
    visited.locator("#truth-fold > button").click()
    visited.get_by_role("button", name="Image files: click to upload").wait_for()
    open_tab(visited, layout.PROVENANCE)
    visited.get_by_role("region", name="How each result was made").wait_for()


def test_arrow_keys_choose_a_tab(visited):
    open_tab(visited, layout.SIDE)
    visited.get_by_role("tab", name=layout.SIDE, exact=True).focus()
    for key, name in (
        ("ArrowRight", layout.SLIDER), ("End", layout.STUDY), ("ArrowRight", layout.SIDE),
        ("ArrowLeft", layout.STUDY), ("Home", layout.SIDE),
    ):  # fmt: skip
        visited.keyboard.press(key)
        chosen = visited.get_by_role("tab", name=name, exact=True, selected=True)
        chosen.wait_for()
        assert visited.evaluate("document.activeElement.textContent").strip() == name


def test_the_first_key_skips_to_the_images(visited):
    visited.reload()
    visited.wait_for_selector("#viewer .rr")
    visited.keyboard.press("Tab")
    link = visited.get_by_role("link", name="Skip to the images")
    assert link.evaluate("link => link === document.activeElement")
    # It slides in.
    shown = "link => link.getBoundingClientRect().y >= 0"
    visited.wait_for_function(shown, arg=link.element_handle())
    visited.keyboard.press("Enter")
    visited.wait_for_function("document.activeElement.id === 'stage'")
