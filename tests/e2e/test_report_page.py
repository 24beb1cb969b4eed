"""The report in a browser: it asks for nothing, fits the window, follows light and dark."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.analysis import analyse
from study.report import render
from tests.e2e.conftest import open_page
from tests.support.simulated_datasets import dataset

pytestmark = pytest.mark.e2e
STRENGTHS = {"M1": 2.6, "M2": 3.2, "M3": 4.1, "M4": 3.6}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    data = dataset(cases=6, strengths=STRENGTHS)
    path: Path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render(data, analyse(data, resamples=40)), encoding="utf-8")
    return path.as_uri()


@pytest.mark.parametrize("width", [1280, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_fits_and_asks_for_nothing(browser, address, width: int, scheme: str) -> None:
    with open_page(browser, color_scheme=scheme) as page:
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(address)
        assert page.asked == [address]
        assert (said, page.problems) == ([], [])
        assert page.evaluate("document.documentElement.scrollWidth") == width
        cut = page.evaluate(
            "[...document.querySelectorAll('.scroll')]"
            ".filter(box => box.scrollWidth > box.clientWidth + 1).length"
        )
        assert cut == 0
        assert page.locator("svg").count() == 2 * 7 + 3


def test_text_stands_out_from_its_ground_in_both_themes(browser, address) -> None:
    for scheme in ("light", "dark"):
        with open_page(browser, color_scheme=scheme) as page:
            page.goto(address)
            tones = page.evaluate(
                """() => {
                    const tone = (color) => {
                        const [r, g, b] = color.match(/\\d+/g).map(Number);
                        return 0.3 * r + 0.59 * g + 0.11 * b;
                    };
                    const ground = tone(getComputedStyle(document.body).backgroundColor);
                    return [...document.querySelectorAll('p, td, th, svg text')].map(
                        (found) => Math.abs(tone(
                            found instanceof SVGElement ? getComputedStyle(found).fill
                                : getComputedStyle(found).color) - ground)
                    ).sort((a, b) => a - b);
                }"""
            )
            # Numbers inside coloured bars have the bar as their ground, not the page.
            assert tones[len(tones) // 4] > 90


def test_printed_it_is_black_on_white_and_tables_and_figures_are_not_cut(browser, address) -> None:
    with open_page(browser, color_scheme="dark") as page:
        page.goto(address)
        page.emulate_media(media="print")
        # A4 without its margins, in CSS pixels.
        page.set_viewport_size({"width": 703, "height": 1016})
        found = page.evaluate(
            """() => {
                const style = (one) => getComputedStyle(one);
                const figures = [...document.querySelectorAll('figure')];
                const boxes = [...document.querySelectorAll('.scroll')];
                return {
                    colours: [style(document.body).color, style(document.body).backgroundColor],
                    cut: figures.filter((one) => style(one).breakInside !== 'avoid').length,
                    tall: figures.filter((one) => one.matches('.picture')
                        && one.getBoundingClientRect().height > 1016).length,
                    wide: boxes.filter((one) => one.scrollWidth > one.clientWidth + 1).length,
                    contents: style(document.querySelector('nav')).display,
                };
            }"""
        )
        assert found == {
            "colours": ["rgb(0, 0, 0)", "rgb(255, 255, 255)"], "cut": 0, "tall": 0, "wide": 0,
            "contents": "none",
        }  # fmt: skip


def test_a_link_of_the_contents_leads_to_its_section(browser, address) -> None:
    with open_page(browser) as page:
        page.goto(address)
        page.click("nav a[href='#preferences']")
        page.wait_for_function(
            "Math.abs(document.querySelector('#preferences').getBoundingClientRect().top) < 40"
        )
