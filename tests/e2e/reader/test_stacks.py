"""Stacks of slices in a real browser: scrolled together by wheel, keys and slider, and drawn on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import select

from enhancers.display import window_u8
from study.storage.models import InteractionEvent, RatingEvent
from tests.support.keyboard_reader import LIGHT, KeyboardReader, current
from tests.support.kind_answers import PER_IMAGE
from tests.support.leak_checks import two_images
from tests.support.open_study import QUICK, SIZE, small_study, texture
from tests.support.served_study import served

pytestmark = pytest.mark.e2e
SLICES = 12
PAINTED = """[...document.querySelectorAll('.dk-images .rr-panel')].slice(0, 2).map((node) => {
    const { width, height, context } = node.rrPanel.image;
    return Array.from(context.getImageData(0, 0, width, height).data).filter((_, i) => i % 4 === 0);
})"""
"""The gray levels of both images as the page has windowed them, in their own size."""
DRAWN = tuple(one for one in PER_IMAGE if one.kind == "length")


def stack(case: int, method: int) -> NDArray[np.float32]:
    return np.stack([texture(100 * case + place, method) for place in range(SLICES)])


class Stacks:
    """What a reader sees of the first pair."""

    def __init__(self, reader: KeyboardReader) -> None:
        self.reader, self.page = reader, reader.page
        token = current(reader.small, "R01")
        self.frozen = [
            np.frombuffer(reader.small.pixels[one], "<u2").reshape(SLICES, SIZE, SIZE)
            for one in two_images(reader.small.store, token)
        ]

    def shows(self, number: int) -> None:
        """Both images show this slice, in the window of the light box, and say so."""
        place = f"{number} / {SLICES}"
        levels = self.reader.light()["levels"]
        for painted, frozen in zip(self.page.evaluate(PAINTED), self.frozen, strict=True):
            wanted = window_u8(frozen[number - 1], *levels)
            assert np.array_equal(np.reshape(painted, (SIZE, SIZE)), wanted), number
        assert self.page.locator(".rr-caption").all_text_contents() == [place] * 2
        slider = self.page.get_by_role("slider", name="Slice")
        assert slider.get_attribute("aria-valuetext") == place

    def scroll(self) -> None:
        """By wheel, page keys and slider; the position stays, and Ctrl zooms."""
        page, before = self.page, self.reader.light()["view"]
        self.shows(7)
        page.mouse.move(300, 250)
        page.mouse.wheel(0, 100)
        page.mouse.wheel(0, 100)
        self.shows(9)
        self.reader.press("Shift+PageUp", "PageUp", "v")
        page.get_by_role("slider", name="Slice").press("ArrowDown")
        page.evaluate("document.activeElement.blur()")
        self.shows(4)
        assert self.reader.light()["view"] == before
        page.keyboard.down("Control")
        page.mouse.wheel(0, -100)
        page.keyboard.up("Control")
        assert self.reader.light()["view"]["zoom"] > before["zoom"]

    def draw(self) -> None:
        """A line is on the slice of its first point, also where the reader scrolls meanwhile."""
        page, press = self.page, self.reader.press
        state, marks = page.locator(".dk-drawn").first, page.locator(".dk-marks circle")
        press("d", "PageDown", "ArrowRight", "d")
        assert state.inner_text().endswith(", slice 4")
        press("End")
        self.shows(SLICES)
        assert marks.count() == 0
        state.click()
        self.shows(4)
        assert marks.count() > 0
        page.locator(".dk-cell").nth(1).click(position={"x": 4, "y": 4})
        press("Home", "d", *["ArrowLeft"] * 3, "d")


def test_slices_scroll_together_and_a_drawing_stays_on_its_own(page: Any, tmp_path: Path) -> None:
    protocol = QUICK.with_(questions=DRAWN, readers=1, feedback=False)
    small = small_study(tmp_path / "s", protocol, cases=2, pixels=stack)
    with served(small.store) as root:
        reader = KeyboardReader(page, small, root).join(until="pair").wait_for_pair()
        seen = Stacks(reader)
        seen.scroll()
        seen.draw()
        # The end of a movement is noted.
        page.wait_for_timeout(450)
        reader.press("Enter")
        page.wait_for_function(f"() => {LIGHT}.slice === {SLICES // 2}")
        reader.wait_for_pair()
    with small.store.read() as session:
        texts = session.scalars(select(RatingEvent.value_text).order_by(RatingEvent.slot)).all()
        noted = session.execute(select(InteractionEvent.kind, InteractionEvent.payload)).all()
    assert [json.loads(text)["slice"] for text in texts] == [4, 1]
    assert ("scroll", "1") in [tuple(one) for one in noted]
    small.store.close()
