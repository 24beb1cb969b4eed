"""A study of single images, from the first screen of a reader to the report."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from benchmarks.study_load.http_reader import HttpReader
from study.accounts.readers import invite
from study.analysis import analyse
from study.analysis.collect import collect
from study.demo.reader_model import ReaderModel
from study.demo.simulated_readers import SimulatedReader
from study.domain.protocol import Protocol
from study.domain.questions import CATALOG
from study.domain.screens import ScreenKind
from study.domain.terms import Role, Shown
from study.planning.lifecycle import close_study
from study.report import export
from study.report.page import render
from tests.support.http_visitor import Visitor, app_of, error
from tests.support.open_study import SIZE, Small, small_study

SINGLE = Protocol(
    title="One at a time", presentation=Shown.SINGLE, questions=CATALOG[:2], readers=2, training=2,
    dummies=1, repeats=3, nulls=0, repeat_distance=4,
)  # fmt: skip
IMAGES = 2 + 1 + 4 * 4 + 3


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Small]:
    study = small_study(tmp_path / "s", SINGLE)
    yield study
    study.store.close()


def read(small: Small, code: str) -> None:
    """Let a simulated reader read everything over HTTP."""
    worth = dict(zip(small.methods, (4.5, 3.5, 2.5, 1.5), strict=True))
    judge = SimulatedReader(small.store, ReaderModel(code, worth, seed=3, noise=0.3, spread=0.4))
    client: httpx.Client = TestClient(
        app_of(small), base_url="http://study", follow_redirects=False
    )
    reader = HttpReader(client, judge)
    reader.join(invite(small.store, code, actor="coordinator").path)
    assert reader.read() is ScreenKind.DONE


def test_one_image_is_sent_and_one_answer_to_each_question_is_taken(small: Small) -> None:
    visitor = Visitor(small).join()
    given = visitor.sit_down().pair()
    assert given["pair"]["plate"]["images"] == 1
    assert given["pair"]["plate"]["original"] is False
    answer = visitor.get(f"pixels/{given['pair']['ticket']}")
    assert len(answer.content) == SIZE * SIZE * 2
    assert answer.content in small.pixels.values()
    token, codes = (
        given["pair"]["token"],
        [one["code"] for one in given["screen"]["body"]["questions"]],
    )
    one = {"token": token, "key": "0123456789abcdef"}
    left = [{"question": code, "slot": 0, "value": 3} for code in codes]
    right = [{"question": code, "slot": 1, "value": 3} for code in codes]
    assert error(visitor.post("rate", {**one, "answers": left + right})) == "answers"
    assert error(visitor.post("rate", {**one, "answers": right})) == "answers"
    after = visitor.post("rate", {**one, "answers": left}).json()
    assert after["feedback"] is not None
    assert len(after["feedback"]) == 1


def test_from_the_first_screen_to_the_report(small: Small) -> None:
    for code in small.readers:
        read(small, code)
    close_study(small.store, actor="coordinator")
    data = collect(small.store)
    assert len({(one.reader, one.pair) for one in data.observations}) == 2 * IMAGES
    assert {one.right for one in data.observations} == {""}
    mains = [one for one in data.observations if one.role is Role.MAIN]
    assert len({(one.reader, one.case, one.method, one.question) for one in mains}) == len(mains)
    analysis = analyse(data, resamples=20)
    quality = analysis.criteria[0]
    masks = {one.method: one.scores.mean for one in quality.summaries}
    assert len(masks) == 4
    assert len({one for one in masks.values() if one is not None}) == 4
    assert quality.comparison.comparisons is not None
    assert quality.context == ()
    assert quality.repeats[-1].pairs == 6
    assert analysis.preferences is None
    conduct = analysis.conduct
    assert (conduct.sides, conduct.side_scores, conduct.null_scores) == ((), (), ())
    assert sum(map(sum, conduct.order.counts)) == 2 * 16
    html = render(data, analysis)
    text = re.sub(r"<style>.*?</style>|<svg.*?</svg>|<[^>]+>", " ", html, flags=re.S)
    assert "Every image was shown alone." in text
    assert "in blinded single images in randomised order" in text
    for word in ("on the left", "Preferences", "identical pair", "main pair", "null pair", "sides"):
        assert word not in text, word
    ratings = next(one for one in export.files(data) if one.name == "ratings.csv").text
    assert len(ratings.splitlines()) == 1 + len(data.observations)
