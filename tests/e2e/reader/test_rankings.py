"""Rankings in a real browser: ranks by keyboard and mouse, and what the page must not show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from study.domain.question_kinds import IMAGE_SLOTS
from study.storage.models import Presentation, RatingEvent
from study.storage.models import Question as QuestionRow
from tests.support.keyboard_reader import READY, KeyboardReader
from tests.support.open_study import Small, small_study
from tests.support.rankings import NOISE, OVERALL, RANKED
from tests.support.served_study import served

pytestmark = pytest.mark.e2e
STUDY = RANKED.with_(
    readers=5, training=0, dummies=0, repeats=0, ask_blinding=False, questions=(OVERALL, NOISE)
)
STAGES = """() => [...document.querySelectorAll('.dk-images .rr-panel:not([hidden])')].map(
    (one) => one.querySelector('.rr-stage').getBoundingClientRect().toJSON())"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    study = small_study(tmp_path_factory.mktemp("ranked") / "s", STUDY, cases=2)
    yield study
    study.store.close()


@pytest.fixture(scope="module")
def root(small: Small) -> Iterator[str]:
    with served(small.store) as address:
        yield address


@pytest.fixture
def seat(page: Any, small: Small, root: str, code: str) -> KeyboardReader:
    """A reader at the first ranking."""
    return KeyboardReader(page, small, root).join(code, until="pair").wait_for_pair()


def chosen(page: Any) -> list[str]:
    """The rank of each image by each question, empty where there is none."""
    return list(
        page.evaluate(
            """() => [...document.querySelectorAll('.dk-kind-ranking')].map((cell) => {
                const one = cell.querySelector('[aria-checked="true"] .dk-key');
                return one ? one.textContent : '';
            })"""
        )
    )


def stored(small: Small, code: str) -> dict[str, list[int]]:
    """The ranks that a reader gave, by question and slot."""
    with small.store.read() as session:
        rows = session.execute(
            select(QuestionRow.code, RatingEvent.slot, RatingEvent.value_num)
            .join(QuestionRow, QuestionRow.id == RatingEvent.question_id)
            .join(Presentation, Presentation.id == RatingEvent.presentation_id)
            .where(RatingEvent.actor_id == small.reader(code))
            .order_by(RatingEvent.slot)
        ).all()
    found: dict[str, list[int]] = {}
    for question, slot, value in rows:
        assert slot in IMAGE_SLOTS
        found.setdefault(question, []).append(int(value))
    return found


def test_digits_rank_image_after_image_and_a_rank_is_given_once(
    seat: KeyboardReader, small: Small, code: str
) -> None:
    page = seat.page
    page.keyboard.type("3112")
    # The second 1 took the rank from image 2, which is marked again at the end.
    assert chosen(page)[:4] == ["3", "", "1", "2"]
    page.keyboard.type("4")
    assert chosen(page)[:4] == ["3", "4", "1", "2"]
    # Ties are possible in the second question.
    page.keyboard.type("1124")
    assert chosen(page) == ["3", "4", "1", "2", "1", "1", "2", "4"]
    page.keyboard.press("Enter")
    page.wait_for_selector(READY)
    page.wait_for_function("() => !document.querySelector('[aria-checked=\"true\"]')")
    assert stored(small, code) == {"overall": [3, 4, 1, 2], "noise": [1, 1, 2, 4]}
    assert page.problems == []


def test_the_mouse_ranks_too(seat: KeyboardReader, small: Small, code: str) -> None:
    page = seat.page
    for place, rank in enumerate((2, 1, 4, 3)):
        for row in (0, 4):
            cell = page.locator(".dk-kind-ranking").nth(row + place)
            cell.get_by_role("radio", name=str(rank)).click()
    page.get_by_role("button", name="Next images").click()
    page.wait_for_function("() => !document.querySelector('[aria-checked=\"true\"]')")
    assert stored(small, code) == {"overall": [2, 1, 4, 3], "noise": [2, 1, 4, 3]}


@pytest.mark.parametrize("window", [(1280, 720), (1920, 1080)])
def test_images_have_one_size_and_everything_is_on_the_screen(
    page: Any, small: Small, root: str, code: str, window: tuple[int, int]
) -> None:
    page.set_viewport_size({"width": window[0], "height": window[1]})
    KeyboardReader(page, small, root).join(code, until="pair").wait_for_pair()
    boxes = page.evaluate(STAGES)
    assert len(boxes) == 4
    sizes = {(round(box["width"]), round(box["height"])) for box in boxes}
    assert len({width for width, _ in sizes}) == len({height for _, height in sizes}) == 1
    assert min(boxes[0]["width"], boxes[0]["height"]) >= 0.22 * window[0]
    assert all(box["right"] <= window[0] and box["bottom"] <= window[1] for box in boxes)
    for button in page.locator(".dk-kind-ranking .dk-point, .dk-go").all():
        box = button.bounding_box()
        assert box is not None
        assert box["width"] >= 24
        assert box["height"] >= 24
        assert box["x"] + box["width"] <= window[0]
        assert box["y"] + box["height"] <= window[1]


def test_held_space_moves_every_image_on(seat: KeyboardReader) -> None:
    page = seat.page
    labels = ".dk-images .rr-panel:not([hidden]) .rr-label"
    assert page.locator(labels).all_inner_texts() == [f"Image {place}" for place in (1, 2, 3, 4)]
    page.keyboard.down(" ")
    page.wait_for_function(f"() => document.querySelector('{labels}').textContent === 'Image 2'")
    page.wait_for_function(f"() => document.querySelector('{labels}').textContent === 'Image 3'")
    page.keyboard.up(" ")
    page.wait_for_function(f"() => document.querySelector('{labels}').textContent === 'Image 1'")
    assert page.problems == []
