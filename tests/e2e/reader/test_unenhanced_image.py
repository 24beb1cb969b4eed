"""The unenhanced image beside a single image, and the windows of the protocol, in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from study.domain.questions import CATALOG
from study.domain.terms import Shown
from study.storage.models import InteractionEvent
from tests.support.keyboard_reader import LIGHT, KeyboardReader
from tests.support.open_study import QUICK, Small, small_study
from tests.support.served_study import served

pytestmark = pytest.mark.e2e
STUDY = QUICK.with_(
    presentation=Shown.SINGLE, questions=CATALOG[:1], readers=1, training=0, dummies=0, repeats=0,
    nulls=0, ask_blinding=False, show_original=True, windows=("lung", "full"),
)  # fmt: skip
LABELS = """() => [...document.querySelectorAll(
    '.dk-images .rr-panel:not([hidden]) .rr-label')].map(
    (one) => one.textContent)"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    study = small_study(tmp_path_factory.mktemp("beside") / "s", STUDY, cases=1)
    yield study
    study.store.close()


def test_it_is_on_the_left_and_has_the_window_and_place_of_the_other(
    page: Any, small: Small
) -> None:
    with served(small.store) as root:
        reader = KeyboardReader(page, small, root).join(until="pair").wait_for_pair()
        assert page.evaluate(LABELS) == ["Unenhanced image (not rated)", "Image"]
        page.keyboard.down("Space")
        page.wait_for_timeout(100)
        assert page.evaluate(LABELS) == ["Image", "Unenhanced image (not rated)"]
        page.keyboard.up("Space")
        offered = "() => [...document.querySelectorAll('.dk-tools option')].map((o) => o.text)"
        assert page.evaluate(offered) == ["Custom", "Lung", "Full range"]
        assert page.evaluate(f"{LIGHT}.levels") == [-5217, 18788]
        reader.press("v")
        page.wait_for_timeout(600)
        looks = f"{LIGHT}.panels.slice(0, 2).map((one) => one.image.look === {LIGHT}.look)"
        assert page.evaluate(looks) == [True, True]
        assert page.evaluate(f"{LIGHT}.levels") == [0, 65535]
        # One answer, and the next image: the unenhanced one is not asked about.
        reader.answer("4")
        assert page.evaluate(LABELS) == ["Unenhanced image (not rated)", "Image"]
        assert page.evaluate(f"{LIGHT}.levels") == [-5217, 18788]
    with small.store.read() as rows:
        events = rows.execute(select(InteractionEvent.kind, InteractionEvent.payload)).all()
    assert ("window", "0 65535 Full range") in [tuple(one) for one in events]
    assert page.problems == []
