"""Single images in a real browser: angles drawn by mouse and keyboard, and every other widget."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from study.domain.protocol import Protocol
from study.domain.terms import Shown
from study.storage.models import Presentation, RatingEvent
from study.storage.models import Question as QuestionRow
from tests.support.keyboard_reader import READY, KeyboardReader
from tests.support.kind_answers import PER_IMAGE
from tests.support.open_study import Small, small_study
from tests.support.served_study import served

pytestmark = pytest.mark.e2e
KINDS = {one.code: one for one in PER_IMAGE}
SINGLE = Protocol(
    title="Angles", presentation=Shown.SINGLE, readers=4, training=0, dummies=0, repeats=0, nulls=0,
    ask_blinding=False, questions=(replace(KINDS["cobb"], show_value=True), KINDS["lesion"]),
)  # fmt: skip
PLACE = """([x, y]) => {
    const light = document.querySelector('.dk-images').rrLight;
    const corner = light.panels[0].stage.getBoundingClientRect();
    const [across, down] = light.toStage([x, y]);
    return [corner.left + across / light.ratio, corner.top + down / light.ratio];
}"""
"""A point of the image as a point of the window."""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    study = small_study(tmp_path_factory.mktemp("angles") / "s", SINGLE, cases=1)
    yield study
    study.store.close()


@pytest.fixture(scope="module")
def root(small: Small) -> Iterator[str]:
    with served(small.store) as address:
        yield address


@pytest.fixture
def seat(page: Any, small: Small, root: str, code: str) -> KeyboardReader:
    """A reader at the first image."""
    return KeyboardReader(page, small, root).join(code, until="pair").wait_for_pair()


def drag(page: Any, start: tuple[float, float], end: tuple[float, float], **how: Any) -> None:
    """Press the mouse on a point of the image and release it on another."""
    page.mouse.move(*page.evaluate(PLACE, list(start)))
    page.mouse.down(**how)
    page.mouse.move(*page.evaluate(PLACE, list(end)), steps=4)
    page.mouse.up(**how)


def drawn(page: Any) -> str:
    """What the widget says of the drawing."""
    return str(page.locator(".dk-drawn").first.inner_text())


def stored(small: Small, code: str, question: str) -> list[Any]:
    """What a reader has answered to a question, in order."""
    with small.store.read() as session:
        rows = session.execute(
            select(RatingEvent.value_num, RatingEvent.value_text)
            .join(QuestionRow, QuestionRow.id == RatingEvent.question_id)
            .join(Presentation, Presentation.id == RatingEvent.presentation_id)
            .where(QuestionRow.code == question, RatingEvent.actor_id == small.reader(code))
            .order_by(RatingEvent.seq)
        ).all()
    return [number if text is None else json.loads(text) for number, text in rows]


def test_an_angle_is_drawn_with_the_mouse_adjusted_and_stored(
    seat: KeyboardReader, small: Small, code: str
) -> None:
    page = seat.page
    assert drawn(page) == "0 of 4 points"
    drag(page, (10, 20), (50, 20))
    assert drawn(page) == "2 of 4 points"
    seat.press("u", "u")
    assert drawn(page) == "0 of 4 points"
    drag(page, (10, 20), (50, 20))
    # Zoom and position are kept, and the points are those of the image all the same.
    seat.press("+", "+")
    page.mouse.click(*page.evaluate(PLACE, [20, 40]))
    page.mouse.click(*page.evaluate(PLACE, [40, 40]))
    assert drawn(page) == "Drawn: 0.0°"
    drag(page, (40, 40), (40, 60))
    seat.press("r")
    assert drawn(page) == "Drawn: 45.0°"
    window = page.evaluate("document.querySelector('.dk-images').rrLight.levels")
    drag(page, (30, 10), (50, 10), button="right")
    assert page.evaluate("document.querySelector('.dk-images').rrLight.levels") != window
    assert drawn(page) == "Drawn: 45.0°"
    seat.answer("1")
    [content] = stored(small, code, "cobb")
    wanted = [[10, 20], [50, 20], [20, 40], [40, 60]]
    for point, other in zip(content["points"], wanted, strict=True):
        assert point == pytest.approx(other, abs=0.3)
    seat.press("Backspace")
    page.wait_for_selector(".dk-reading.dk-correcting[aria-busy=false]")
    assert drawn(page) == "Drawn: 45.0°"
    page.locator(".dk-dock input.dk-words-in").last.fill("slipped")
    page.keyboard.press("Enter")
    drag(page, (40, 60), (20, 60))
    assert drawn(page) == "Drawn: 90.0°"
    seat.press("Enter")
    page.wait_for_selector(".dk-reading:not(.dk-correcting)[aria-busy=false]")
    assert len(stored(small, code, "cobb")) == 2


def test_an_angle_is_drawn_with_the_keyboard_alone(
    seat: KeyboardReader, small: Small, code: str
) -> None:
    page = seat.page
    seat.press(*["ArrowLeft"] * 8, "d", *["ArrowRight"] * 16, "d")
    assert drawn(page) == "2 of 4 points"
    seat.press(*["ArrowUp"] * 6, "d", *["ArrowLeft"] * 8, *["ArrowDown"] * 8, "d")
    assert drawn(page) == "Drawn: 45.0°"
    seat.answer("0")
    [content] = stored(small, code, "cobb")
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = content["points"]
    assert (bx - ax, by - ay, dx - cx, dy - cy) == (16, 0, -8, 8)
    assert stored(small, code, "lesion") == [0.0]


def test_every_widget_takes_an_answer_and_has_no_serious_finding(page: Any, tmp_path: Path) -> None:
    from axe_playwright_python.sync_playwright import Axe

    single = SINGLE.with_(questions=PER_IMAGE, language="de", readers=1)
    small = small_study(tmp_path / "s", single, cases=1)
    page.set_viewport_size({"width": 1280, "height": 720})
    with served(small.store) as root:
        seat = KeyboardReader(page, small, root).join("R01", until="pair").wait_for_pair()
        seat.press("1", "0", "PageUp", "Home", "ArrowRight", "ArrowRight")
        assert page.locator(".dk-line-in").get_attribute("aria-valuetext") == "2"
        page.locator(".dk-kind-number input").fill("25")
        assert page.locator(".dk-kind-number input").get_attribute("aria-invalid") == "true"
        page.locator(".dk-kind-number input").fill("12,5")
        page.keyboard.press("Enter")
        seat.press("1", "3")
        page.locator(".dk-kind-text input").fill("dwn u e 5")
        page.keyboard.press("Enter")
        page.mouse.click(*page.evaluate(PLACE, [30, 30]))
        drag(page, (5, 5), (25, 5))
        drag(page, (5, 50), (25, 50))
        drag(page, (40, 50), (60, 55))
        for x, y in ((40, 10), (60, 10), (60, 30)):
            page.mouse.click(*page.evaluate(PLACE, [x, y]))
        seat.press("e")
        drag(page, (10, 15), (25, 40))
        seat.press("6")
        assert page.locator(".dk-marked").count() == 0
        serious = [
            f"{one['id']}: {node['html'][:120]}"
            for one in Axe().run(page).response["violations"]
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]
        assert serious == []
        inner = page.evaluate(
            "[innerHeight, document.querySelector('.dk-dock').getBoundingClientRect().bottom]"
        )
        assert inner[1] <= inner[0]
        seat.press("Enter")
        page.wait_for_function("document.querySelector('.dk-count').textContent.startsWith('2 ')")
        page.wait_for_selector(READY)
        found = {one.code: stored(small, "R01", one.code) for one in PER_IMAGE}
    assert {code: values for code, values in found.items() if not isinstance(values[0], dict)} == {
        "quality": [10.0], "line": [2.0], "lesion": [1.0], "artefact": [3.0], "sure": [6.0],
    }  # fmt: skip
    assert found["count"] == [{"number": 12.5}]
    assert found["remark"] == [{"text": "dwn u e 5"}]
    sizes = {
        code: len(found[code][0]["points"]) for code in ("tip", "width", "cobb", "region", "box")
    }
    assert sizes == {"tip": 1, "width": 2, "cobb": 4, "region": 3, "box": 2}
    small.store.close()
