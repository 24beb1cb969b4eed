"""Reporting checklists: every item, filled from the data, with its gaps."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from study.analysis import Dataset, analyse
from study.domain.formatting import DASH
from study.domain.questions import Question, QuestionKind
from study.report import render
from study.report.cells import Cell, Table
from study.report.checklist_facts import facts
from study.report.checklists import CHECKLISTS, CLAIM, GRRAS, STARD_AI, checklists
from study.report.context import ReportContext
from study.report.page import document
from study.report.table_files import table_files
from tests.support.simulated_datasets import dataset, unblind

NAMES = {"M1": "Median filter", "M2": "Restormer", "M3": "Guided diffusion"}


@pytest.fixture(scope="module")
def data() -> Dataset:
    return dataset(cases=4, read={"R04": 5})


@pytest.fixture(scope="module")
def context(data: Dataset) -> ReportContext:
    return ReportContext(data, analyse(data, resamples=20))


@pytest.fixture(scope="module")
def tables(context: ReportContext) -> dict[str, Table]:
    return tables_of(context)


def tables_of(context: ReportContext) -> dict[str, Table]:
    found = checklists(context).values["tables"]
    assert isinstance(found, list)
    return {one.name: table for one, table in zip(CHECKLISTS, found, strict=True)}


def rows(table: Table) -> dict[str, tuple[str, str]]:
    """What the study says and what the authors have to, by number of the item."""
    return {
        str(row[0]): (str(row[2]), row[3].text if isinstance(row[3], Cell) else str(row[3]))
        for row in table.rows
    }


def test_every_item_is_there_once() -> None:
    assert [one.number for one in GRRAS.items] == [str(n) for n in range(1, 16)]
    assert [one.number for one in CLAIM.items] == [str(n) for n in range(1, 45)]
    # Of the 40 items, five have parts: 48 in all.
    parts = {"15": "abcd", "16": "abc", "17": "ab", "26": "ab", "40": "ab"}
    assert [one.number for one in STARD_AI.items] == [
        f"{n}{part}" for n in range(1, 41) for part in parts.get(str(n), ("",))
    ]


def test_every_fact_that_an_item_names_exists(context: ReportContext) -> None:
    known = facts(context)
    for checklist in CHECKLISTS:
        for item in checklist.items:
            assert set(item.facts) <= set(known), item
            assert item.facts or item.gap, item


def test_items_say_the_numbers_of_this_study(data: Dataset, tables: dict[str, Table]) -> None:
    grras = rows(tables["GRRAS"])
    said, gap = grras["11"]
    mains = [one for one in data.observations if one.role == "main"]
    missing = sum(bool(one.missing) for one in mains)
    assert "4 readers analysed." in said
    assert "4 cases of 3 patients (MR 4)." in said
    assert f"{len(mains)} answers planned, {missing} missing." in said
    assert "not read" in said
    assert gap == DASH
    assert "Fleiss’ κ" in grras["13"][0]
    assert "randomised" in grras["8"][0]
    assert "clinical information" in grras["8"][1].lower()
    assert "Specialty: Thoracic radiology 1" in grras["12"][0]


def test_gaps_are_shown_and_counted(tables: dict[str, Table]) -> None:
    for table in tables.values():
        found = rows(table).values()
        whole = sum(gap == DASH for _, gap in found)
        part = sum(DASH not in (gap, said) for said, gap in found)
        left = sum(gap != DASH and said == DASH for said, gap in found)
        assert f"{len(table.rows)} items: {whole} answered by this report, {part} in part, " in (
            table.caption
        )
        assert f"{left} left to the authors" in table.caption
        assert left > 0
        assert all(said != DASH or gap != DASH for said, gap in found)
        for row in table.rows:
            assert row[3] == DASH or (isinstance(row[3], Cell) and row[3].undefined)
    assert rows(tables["GRRAS"])["5"] == (DASH, "Background")
    assert rows(tables["CLAIM"])["44"][0] == DASH


def test_without_a_truth_accuracy_is_a_gap(tables: dict[str, Table]) -> None:
    said, gap = rows(tables["STARD-AI"])["31"]
    assert said == DASH
    assert gap == "Not assessed: the study has no truth of its cases"


def test_with_a_truth_the_areas_are_named() -> None:
    data = dataset(cases=4)
    sure = replace(data.protocol.questions[0], truth=True)
    questions = (sure, *data.protocol.questions[1:])
    cases = tuple(
        replace(one, truth="yes" if place % 2 else "no") for place, one in enumerate(data.cases)
    )
    known = unblind(
        replace(data, protocol=data.protocol.with_(questions=questions), cases=cases),
        NAMES, dict.fromkeys(NAMES, "filter"),
    )  # fmt: skip
    found = analyse(known, resamples=20)
    said = rows(tables_of(ReportContext(known, found))["STARD-AI"])
    assert "ROC area, Overall image quality: M1 Median filter" in said["31"][0]
    assert "Sensitivity and specificity, Overall image quality: M1 Median filter" in said["31"][0]
    assert "2 positive, 2 negative" in said["16a"][0]
    assert "call a case positive: from 4 (good) up" in said["15c"][0]
    assert said["30"][1] == said["15c"][1] == DASH
    html = render(known, found)
    assert "Receiver operating characteristic" in html
    shown = re.findall(r"<td>mean of readers</td>.*?</tr>", html)
    assert len(shown) == len(known.methods)
    assert "McNemar’s exact test" in html
    made = document(known, found)
    tables = [one.text for one in table_files("t", made.tables)]
    assert any("True positive" in text and "mean of readers" in text for text in tables)
    assert "have no truth that this report knows" not in html


def test_a_place_on_a_line_is_held_against_the_truth_too() -> None:
    data = dataset(cases=4)
    line = Question("quality", "How sure?", QuestionKind.VAS, 0, 100, truth=True, primary=True,
                    anchors=("not at all", "certain"))  # fmt: skip
    seen = tuple(
        one
        if one.question != "quality" or one.value is None
        else one._replace(value=20 * one.value)
        for one in data.observations
    )
    cases = tuple(
        replace(one, truth="yes" if place % 2 else "no") for place, one in enumerate(data.cases)
    )
    protocol = data.protocol.with_(questions=(line, *data.protocol.questions[1:]))
    known = unblind(
        replace(data, protocol=protocol, cases=cases, observations=seen),
        NAMES, dict.fromkeys(NAMES, "filter"),
    )  # fmt: skip
    found = analyse(known, resamples=20)
    said = rows(tables_of(ReportContext(known, found))["STARD-AI"])
    assert "ROC area, How sure?: M1 Median filter" in said["31"][0]
    assert "positive: from 51 up, on the line from 0 to 100" in said["15c"][0]
    html = render(known, found)
    assert "Confidences were compared with the truth of the cases" in html
    section = html[html.index('id="measure-quality"') :]
    assert "Receiver operating characteristic" in section
    assert len(re.findall(r"<td>mean of readers</td>", section)) == len(known.methods)


def test_simulated_readers_and_exclusions_are_said(data: Dataset) -> None:
    people = tuple(replace(one, simulated=True) for one in data.readers)
    gone = replace(people[0], code="R05", state="withdrawn")
    changed = replace(data, readers=(*people, gone))
    said = facts(ReportContext(changed, analyse(changed, resamples=0)))
    assert said["readers"] == "4 readers analysed (1 withdrew); 4 of them simulated by a program."
    assert said["expertise"] == ""


def test_the_checklists_are_in_the_report(context: ReportContext) -> None:
    html = render(context.data, context.analysis)
    for checklist in CHECKLISTS:
        assert f"{checklist.name} {checklist.year}, {len(checklist.items)} items:" in html
    assert html.count("To be stated by the authors") == len(CHECKLISTS)
    assert "have no truth that this report knows" in html
