"""A study of rankings, from the first screen of a reader to the report."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from study.analysis import analyse
from study.analysis.collect import collect
from study.analysis.dataset import Dataset
from study.domain.question_kinds import IMAGE_SLOTS
from study.domain.terms import Role
from study.planning.lifecycle import close_study
from study.planning.progress_report import progress_report
from study.report import export
from study.report.page import render
from study.storage.integrity import verify
from study.storage.models import RatingEvent
from tests.support.http_visitor import Visitor, count, error
from tests.support.open_study import SIZE, Small, small_study
from tests.support.rankings import NOISE, OVERALL, RANKED, answers_to, read
from tests.support.tampering import refusal

SHOWN = 1 + 1 + 4 + 2


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Small]:
    study = small_study(tmp_path / "s", RANKED)
    yield study
    study.store.close()


@pytest.fixture(scope="module")
def ranked(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Small, list[dict[str, Any]]]]:
    study = small_study(tmp_path_factory.mktemp("ranked") / "s", RANKED)
    sent = [one for code in study.readers for one in read(study, code)]
    yield study, sent
    study.store.close()


@pytest.fixture(scope="module")
def data(ranked: tuple[Small, list[dict[str, Any]]]) -> Dataset:
    close_study(ranked[0].store, actor="coordinator")
    return collect(ranked[0].store)


def test_all_images_come_at_once_and_their_length_is_the_same_for_every_order(small: Small) -> None:
    visitor = Visitor(small).join()
    given = visitor.sit_down().pair()
    assert given["pair"]["plate"]["images"] == 4
    pixels = visitor.pixels(given["pair"]["ticket"])
    assert len(pixels) == 4 * SIZE * SIZE * 2
    step = SIZE * SIZE * 2
    parts = [pixels[start : start + step] for start in range(0, len(pixels), step)]
    assert len(set(parts)) == 4
    assert set(parts) <= set(small.pixels.values())
    # What the page gets says how many images there are, and nothing that differs between them.
    assert set(given["pair"]["plate"]) == {
        "width", "height", "channels", "images", "window", "grid", "units", "presets", "spacing",
        "aspect", "original", "slices",
    }  # fmt: skip


def test_ties_and_missing_ranks_are_refused(small: Small) -> None:
    visitor = Visitor(small).join()
    given = visitor.sit_down().pair()
    good = answers_to(small, given["pair"]["token"], 5)
    ranks = {(one["question"], one["slot"]): one for one in good}

    def sent(changed: dict[tuple[str, int], Any]) -> Any:
        answers = [{**one, "value": changed.get(key, one["value"])} for key, one in ranks.items()]
        return visitor.post("rate", visitor.rating(given, answers=answers))

    tied = {(OVERALL.code, IMAGE_SLOTS[1]): ranks[OVERALL.code, 0]["value"]}
    beyond = {(NOISE.code, 0): 5}
    nothing = {(OVERALL.code, 0): None}
    for wrong in (tied, beyond, nothing):
        assert error(sent(wrong)) == "answers"
    assert error(visitor.post("rate", visitor.rating(given, answers=good[1:]))) == "answers"
    # Slot 2 is the pair, of which there is none.
    moved = [{**one, "slot": 2} if one["slot"] == 3 else one for one in good]
    assert error(visitor.post("rate", visitor.rating(given, answers=moved))) == "answers"
    assert count(small, RatingEvent) == 0
    after = sent({}).json()
    assert after["feedback"] is not None
    assert len(after["feedback"]) == 4
    assert count(small, RatingEvent) == 8


def test_a_ranking_can_be_corrected(small: Small) -> None:
    visitor = Visitor(small).join()
    given = visitor.sit_down().pair()
    first = answers_to(small, given["pair"]["token"], 5)
    visitor.post("rate", visitor.rating(given, answers=first))
    previous = visitor.pair("previous")
    stored = {(one["question"], one["slot"]): one["value"] for one in previous["pair"]["answers"]}
    assert stored == {(one["question"], one["slot"]): one["value"] for one in first}
    best = next(one for one in first if one["question"] == "overall" and one["value"] == 1)
    last = next(one for one in first if one["question"] == "overall" and one["value"] == 4)
    turned = [
        {**one, "value": {1: 4, 4: 1}[one["value"]]} if one in (best, last) else one
        for one in first
    ]
    message = visitor.rating(previous, answers=turned, reason="I had exchanged them")
    assert visitor.post("correct", message).status_code == 200


def test_slots_are_those_of_the_images(small: Small) -> None:
    assert "presentation_slot" in refusal(
        small.store,
        "INSERT INTO presentation_slot SELECT presentation_id, 2, stimulus_id "
        "FROM presentation_slot WHERE slot = 0",
    )


def test_from_the_first_screen_to_the_report(
    ranked: tuple[Small, list[dict[str, Any]]], data: Dataset
) -> None:
    small, sent = ranked
    assert [one.missing for one in progress_report(small.store).readers] == [0, 0]
    # The plan of this study was written by the test itself.
    assert [one[:8] for one in verify(small.store).problems] == ["The plan"]
    assert len({(one.reader, one.pair) for one in data.observations}) == 2 * SHOWN
    mains = [one for one in data.observations if one.role is Role.MAIN]
    assert len(mains) == 2 * 4 * 4 * 2
    assert len({(one.reader, one.case, one.method, one.question) for one in mains}) == len(mains)
    masks = {one: obs for obs in data.observations for one in obs.shown}
    assert len(masks) == 4
    stored = [
        (obs.question, obs.panel, obs.value)
        for obs in sorted(data.observations, key=lambda o: (o.reader, o.when))
    ]
    given = [
        (answer["question"], IMAGE_SLOTS.index(answer["slot"]), answer["value"])
        for one in sent
        for answer in one["answers"]
    ]
    assert sorted(stored) == sorted(given)


def test_ranks_go_with_their_methods(
    ranked: tuple[Small, list[dict[str, Any]]], data: Dataset
) -> None:
    small, sent = ranked
    means: dict[str, list[float]] = {method: [] for method in small.methods}
    for one in sent:
        for answer in one["answers"]:
            if answer["question"] == "overall":
                method = one["methods"][IMAGE_SLOTS.index(answer["slot"])]
                means[method].append(answer["value"])
    analysis = analyse(data, resamples=40)
    overall, noise = analysis.rankings
    order = sorted(overall.summaries, key=lambda one: one.mean.value or 0)
    # The reference is best and the anchor worst, as the simulated readers see them.
    kinds = {one.mask: one.kind.value for one in data.methods}
    assert [kinds[one.method] for one in order] == ["reference", "test", "test", "anchor"]
    assert sum(one.mean.value or 0 for one in overall.summaries) == pytest.approx(10)
    assert sum(one.mean.value or 0 for one in noise.summaries) == pytest.approx(10)
    assert all(sum(one.counts) == one.n == 8 for one in overall.summaries)
    assert all(max(one.panels) - min(one.panels) <= 2 for one in overall.summaries)
    assert overall.strengths is not None
    best, worst = (overall.strengths.of(order[place].method).value for place in (0, -1))
    assert best is None or worst is None or best > worst
    name, everyone = overall.concordance[0]
    assert name == "all readers"
    assert everyone.kendall_w.value is not None
    assert everyone.kendall_w.value > 0.6
    assert overall.comparison.comparisons is not None
    first = overall.comparison.comparisons.pairs[0]
    gained = first.inference.difference.value or 0
    by_mask = {one.method: one.mean.value or 0 for one in overall.summaries}
    assert gained == pytest.approx(by_mask[first.second] - by_mask[first.first])
    assert analysis.preferences is None
    assert analysis.conduct.sides == ()
    assert overall.repeats[-1].pairs == 2 * 2 * 4


def test_report_and_export(data: Dataset) -> None:
    html = render(data, analyse(data, resamples=20))
    text = re.sub(r"<style>.*?</style>|<svg.*?</svg>|<[^>]+>", " ", html, flags=re.S)
    assert "in blinded rankings of 4 images with randomised places and order" in text
    assert "Kendall’s W" in text
    assert "ties were not allowed" in text
    assert "Mean rank in this place" in text
    for word in ("on the left", "Preferences", "identical pair", "main pair", "null pair", "Sides"):
        assert word not in text, word
    content = next(one for one in export.files(data) if one.name == "ratings.csv").text
    rows = list(csv.DictReader(io.StringIO(content)))
    assert len(rows) == len(data.observations)
    for row in rows:
        shown = [row["left"], row["right"], *row["others"].split()]
        assert len(set(shown)) == 4
        assert shown[int(row["side"]) - 1] == row["method"]


def test_the_scripts_beside_the_export_give_the_primary_result(
    data: Dataset, tmp_path: Path
) -> None:
    kinds = {one.kind.value: one.mask for one in data.methods}
    tested = next(one.mask for one in data.methods if one.kind.value == "test")
    declared = replace(data, protocol=data.protocol.with_(primary_pair=(kinds["anchor"], tested)))
    found = analyse(declared, resamples=0).primary
    assert found is not None
    assert found.estimate.value is not None
    # The anchor is worse: it gains a negative number of ranks.
    assert found.estimate.value < 0
    export.write(declared, tmp_path / "out")
    for command in (
        [sys.executable, "-I", str(tmp_path / "out" / "primary_analysis.py")],
        ["Rscript", "--vanilla", str(tmp_path / "out" / "primary_analysis.R")],
    ):
        if shutil.which(command[0]) is None:
            continue
        printed = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/")
        lines = dict(line.split(": ", 1) for line in printed.stdout.splitlines()[2:])
        assert float(lines["value"]) == pytest.approx(found.estimate.value)
        assert float(lines["low"]) == pytest.approx(found.estimate.low)
