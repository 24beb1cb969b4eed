"""Every kind of question from the first screen of a reader to the report and the export."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from study.analysis import analyse
from study.analysis.collect import cases_of, collect
from study.analysis.dataset import Dataset
from study.domain.protocol import Protocol
from study.domain.terms import Role, Shown
from study.planning.lifecycle import close_study
from study.planning.progress_report import progress_report
from study.report import export
from study.report.page import render
from study.storage.integrity import verify
from study.storage.key import Key, KeyCase
from study.storage.models import Item, Presentation, RatingEvent
from tests.support.http_visitor import Visitor, error
from tests.support.kind_answers import COMPARED, PER_IMAGE, answer
from tests.support.open_study import Small, methods_of, small_study
from tests.support.tampering import refusal

SINGLE = Protocol(
    title="Every kind", presentation=Shown.SINGLE, questions=PER_IMAGE, readers=2, training=0,
    dummies=1, repeats=3, nulls=0, repeat_distance=4, ask_blinding=False,
)  # fmt: skip
PAIRS = Protocol(
    title="Every kind of pairs", questions=(PER_IMAGE[8], PER_IMAGE[3], COMPARED), readers=2,
    training=0, dummies=0, repeats=2, nulls=1, repeat_distance=2, ask_blinding=False,
)  # fmt: skip
ERRORS = (0.5, 1.5, 3.0, 6.0)


def read(small: Small, code: str) -> list[dict[str, Any]]:
    """Let a simulated reader answer everything; what was sent, with its case and methods."""
    visitor = Visitor(small).join(code)
    visitor.sit_down()
    given, sent = visitor.pair(), []
    while given["pair"] is not None and given["screen"]["kind"] == "pair":
        token = given["pair"]["token"]
        with small.store.read() as session:
            shown = session.scalars(
                select(Item.case_key).join(Presentation).where(Presentation.token == token)
            ).one()
        methods = methods_of(small.store, token)
        answers = []
        for question in small.store.protocol().questions:
            for slot in small.store.protocol().slots(question):
                place = small.methods.index(methods[slot % 2])
                rng = np.random.default_rng([int(code[1:]), visitor.keys, place, slot])
                value = answer(question, rng, int(shown[1:]), ERRORS[place])
                if question.of_pair:
                    better = small.methods.index(methods[0]) < small.methods.index(methods[1])
                    value = 0 if methods[0] == methods[1] else -2 if better else 2
                answers.append({"question": question.code, "slot": slot, "value": value})
        sent.append({"case": shown, "answers": answers, "methods": methods})
        message = visitor.rating(given, answers=answers)
        answered = visitor.post("rate", message)
        assert answered.status_code == 200, answered.text
        given = answered.json()
    return sent


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    study = small_study(tmp_path_factory.mktemp("single") / "s", SINGLE)
    for code in study.readers:
        read(study, code)
    yield study
    study.store.close()


@pytest.fixture(scope="module")
def data(single: Small) -> Dataset:
    close_study(single.store, actor="coordinator")
    return collect(single.store)


def table(data: Dataset, name: str) -> list[dict[str, str]]:
    """The rows of a table of the export."""
    text = next(one for one in export.files(data) if one.name == name).text
    return list(csv.DictReader(io.StringIO(text)))


def test_answers_of_every_kind_are_chained_and_cannot_be_changed(
    single: Small, data: Dataset
) -> None:
    verdict = verify(single.store)
    # The plan of this study was written by the test itself.
    assert [one[:8] for one in verdict.problems] == ["The plan"]
    assert "never changed" in refusal(single.store, "UPDATE rating_event SET value_text = '{}'")


def test_an_answer_of_any_kind_is_no_missing_one(single: Small) -> None:
    readers = progress_report(single.store).readers
    assert [one.missing for one in readers] == [0, 0]
    assert all(one.answers > 0 for one in readers)


def test_what_was_drawn_is_measured_and_exported(data: Dataset) -> None:
    rows = [row for row in table(data, "ratings.csv") if row["role"] == "main"]
    assert len(rows) == 2 * 16 * len(PER_IMAGE)
    for row in rows:
        case = int(row["case"][1:])
        content = json.loads(row["answer"]) if row["answer"] else None
        if row["question"] == "cobb":
            assert content is not None
            assert [len(point) for point in content["points"]] == [2] * 4
            assert abs(float(row["value"]) - 10 * case) < 5 * ERRORS[3]
            assert row["unit"] == "°"
        if row["question"] == "box":
            assert content is not None
            (left, top), (right, bottom) = content["points"]
            wanted = np.pi / 4 * (right - left) * (bottom - top) * 0.7 * 0.7
            assert float(row["value"]) == pytest.approx(wanted)
            assert row["unit"] == "mm²"
        if row["question"] == "remark":
            assert content == {"text": f"=case {case}" if case % 2 else ""}
            assert (row["value"], row["missing"]) == ("", "")
        if row["question"] in {"tip", "width"}:
            assert content is not None
            assert all(0 <= one <= 64 for point in content["points"] for one in point)
        if row["question"] in {"quality", "line", "lesion", "artefact", "sure"}:
            assert content is None
            assert row["value"].isdigit()
    columns = [row for row in table(data, "codebook.csv") if "ratings.csv" in row.values()]
    book = {row["column"]: row for row in columns}
    assert "points [x, y] in pixels of the image" in book["answer"]["meaning"]
    assert "cobb: the angle between two lines" in book["value"]["values"]
    assert "artefact: 1 none, 2 blur, 3 noise" in book["value"]["values"]
    assert all("remark" not in row["question"] or "<" not in row["answer"] for row in rows)


def test_the_report_has_a_section_for_each_kind(data: Dataset) -> None:
    analysis = analyse(data, resamples=20)
    assert [one.question for one in analysis.criteria] == ["quality", "sure"]
    measured = {one.question: one for one in analysis.measures}
    assert list(measured) == ["line", "count", "width", "cobb", "region", "box"]
    assert [one.question for one in analysis.categories] == ["lesion", "artefact"]
    cobb = measured["cobb"]
    assert cobb.units == ("°",)
    # The error of the readers grows with the method, so that they agree less.
    sems = {
        method: one.sem_agreement.value for method, one in cobb.reliability if method in data.masks
    }
    kinds = {one.mask: one.kind.value for one in data.methods}
    reference = next(mask for mask, kind in kinds.items() if kind == "reference")
    anchor = next(mask for mask, kind in kinds.items() if kind == "anchor")
    assert (sems[reference] or 0) < (sems[anchor] or 0)
    assert cobb.repeats[-1].pairs == 6
    lesion = analysis.categories[0]
    assert sum(lesion.shares[0].counts) == lesion.shares[0].n == 8
    assert lesion.comparison is not None
    assert analysis.categories[1].comparison is None
    html = render(data, analysis)
    for name in ("measure-cobb", "measure-line", "category-lesion", "category-artefact"):
        assert f'<section id="{name}">' in html
    assert "measure-remark" not in html
    assert "=case" not in html


def test_a_comparison_is_one_of_methods_and_drawings_are_of_each_image(tmp_path: Path) -> None:
    small = small_study(tmp_path / "s", PAIRS, cases=2)
    for code in small.readers:
        read(small, code)
    close_study(small.store, actor="coordinator")
    data = collect(small.store)
    main = [one for one in data.observations if one.role is Role.MAIN]
    assert {one.side for one in main if one.question == "cobb"} == {0, 1}
    found = analyse(data, resamples=20)
    preferences = found.preferences
    assert preferences is not None
    order = {one.mask: place for place, one in enumerate(data.methods)}
    for rate, step in zip(preferences.pairs, preferences.steps, strict=True):
        wins = {rate.wins, rate.losses}
        assert wins == {0, rate.answered}
        assert step.value == (2.0 if rate.wins else -2.0)
    assert len(order) == 4
    assert found.preference_repeats[-1].exact.value == 1
    html = render(data, found)
    assert "Mean step for the first" in html
    assert "seven steps from left (-3) to right (3); each pair" in html
    small.store.close()


def test_a_correction_comes_with_what_was_drawn_before(tmp_path: Path) -> None:
    small = small_study(tmp_path / "s", SINGLE.with_(repeats=0), cases=1)
    visitor = Visitor(small).join()
    given = visitor.sit_down().pair()
    rng = np.random.default_rng(1)
    answers = [
        {"question": one.code, "slot": 0, "value": answer(one, rng, 3, 1.0)} for one in PER_IMAGE
    ]
    assert visitor.post("rate", visitor.rating(given, answers=answers)).status_code == 200
    again = visitor.pair("previous")["pair"]
    shown = {one["question"]: one["value"] for one in again["answers"]}
    for one in answers:
        value: Any = one["value"]
        assert (
            np.allclose(shown[one["question"]], value, atol=1e-3)
            if isinstance(value, list)
            else shown[one["question"]] == value
        )
    small.store.close()


WRONG: list[tuple[str, Any]] = [
    ("cobb", [[1, 1], [2, 2], [3, 3]]),
    ("cobb", [[1, 1], [2, 2], [3, 3], [64.1, 3]]),
    ("cobb", 45),
    ("count", 25),
    ("count", "12"),
    ("remark", "x" * 201),
    ("remark", 7),
    ("remark", None),
    ("line", 50.5),
    ("lesion", True),
    ("region", [[1, 1], [9, 9], [9, 1], [1, 9]]),
    ("tip", [[1, 1, 1]]),
]


def test_an_answer_that_is_not_possible_is_refused_whole(tmp_path: Path) -> None:
    small = small_study(tmp_path / "s", SINGLE.with_(repeats=0), cases=1)
    visitor = Visitor(small).join()
    given = visitor.sit_down().pair()
    rng = np.random.default_rng(1)
    answers = [
        {"question": one.code, "slot": 0, "value": answer(one, rng, 3, 1.0)} for one in PER_IMAGE
    ]
    for code, value in WRONG:
        wrong = [{**one, "value": value} if one["question"] == code else one for one in answers]
        refused = visitor.post("rate", visitor.rating(given, answers=wrong))
        assert error(refused) in {"answers", "request"}, (code, value)
    with small.store.read() as session:
        assert session.scalars(select(RatingEvent)).all() == []
    assert visitor.post("rate", visitor.rating(given, answers=answers)).status_code == 200
    small.store.close()


def test_no_truth_and_no_other_name_of_the_design_is_on_the_page(tmp_path: Path) -> None:
    small = small_study(tmp_path / "s", SINGLE.with_(repeats=0), cases=1)
    text = json.dumps(Visitor(small).join().sit_down().pair())
    assert '"sure"' in text
    assert "truth" not in text
    small.store.close()


def test_the_truth_of_cases_comes_out_with_the_names_alone(single: Small, data: Dataset) -> None:
    assert {row["truth"] for row in table(data, "cases.csv")} == {""}
    with single.store.read() as session:
        items = session.scalars(select(Item.id).order_by(Item.case_key)).all()
    truth = dict(zip(items, ("yes", "no", "yes", "no", ""), strict=True))
    key = Key(
        Path("key.json"), single.store.study_id, bytes(32), cases={
            one: KeyCase(f"case {place}", "patient", (), truth[one])
            for place, one in enumerate(items)
        },
    )  # fmt: skip
    with single.store.read() as session:
        found = cases_of(session, single.store.study_id, key)
    assert [one.truth for one in found] == list(truth.values())
    named = replace(data, cases=found)
    assert [row["truth"] for row in table(named, "cases.csv")] == list(truth.values())
    # What is analysed is the same before and after unblinding.
    assert named.digest == data.digest
    [asked] = [one for one in data.protocol.questions if one.truth]
    assert asked.code == "sure"
