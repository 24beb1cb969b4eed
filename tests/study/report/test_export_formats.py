"""Exports for other programs: Parquet, iMRMC, a codebook to read, and tables of the report."""

from __future__ import annotations

import csv
import io
import json
import re
import tracemalloc
import zipfile
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from pyarrow import parquet

from study.analysis.dataset import Dataset
from study.analysis.results import analyse
from study.analysis.scores import first_ratings
from study.domain.errors import StatisticsError
from study.report import document, export, render, workbook
from study.report.cells import Cell, Table
from study.report.codebook import codebook
from study.report.export_files import ExportFile, csv_file, json_file, parquet_file
from study.report.export_tables import Column, ExportTable, in_parts, tables
from study.report.latex_tables import latex
from study.report.table_files import table_files
from tests.support.simulated_datasets import SMALL, dataset, unblind

NAMES = {"M1": "TV, strong", "M2": "Restormer", "M3": "N0: 5"}
GROUPS = {"M1": "filter", "M2": "neural network", "M3": "neural network"}


@pytest.fixture(scope="module")
def data() -> Dataset:
    return dataset(cases=4, read={"R04": 12})


def of(files: tuple[ExportFile, ...], name: str) -> ExportFile:
    return next(one for one in files if one.name == name)


def test_parquet_has_the_values_of_the_csv_with_types(data: Dataset) -> None:
    plain = {one.name: one for one in export.files(data, export.ExportFormat.PLAIN)}
    typed = {one.name: one for one in export.files(data, export.ExportFormat.PARQUET)}
    wanted = {name.replace(".csv", ".parquet") for name in plain if name.endswith(".csv")}
    assert {name for name in typed if name.endswith(".parquet")} == wanted
    frame = parquet.read_table(io.BytesIO(typed["ratings.parquet"].content))
    rows = list(csv.DictReader(io.StringIO(plain["ratings.csv"].text)))
    assert frame.num_rows == len(rows) == len(data.observations)
    found = frame.to_pydict()
    for name in ("reader", "method", "missing"):
        assert found[name] == [row[name] or None for row in rows]
    assert found["value"] == [float(row["value"]) if row["value"] else None for row in rows]
    assert found["counts_for_kappa"] == [int(row["counts_for_kappa"]) for row in rows]
    times = [
        None if one is None else f"{one:%Y-%m-%dT%H:%M:%S.%fZ}" for one in found["answered_at"]
    ]
    assert times == [row["answered_at"] or None for row in rows]
    assert str(frame.schema.field("answered_at").type) == "timestamp[us, tz=UTC]"
    described = frame.schema.field("seconds").metadata
    assert described[b"unit"] == b"s"
    assert b"visible" in described[b"meaning"]
    assert of(export.files(data, export.ExportFormat.PARQUET), "ratings.parquet").content == (
        typed["ratings.parquet"].content
    )


def test_parquet_of_a_table_without_rows_has_its_columns(data: Dataset) -> None:
    empty = next(one for one in tables(data) if one.file == "displays.csv")
    read = parquet.read_table(io.BytesIO(parquet_file(empty).content))
    assert read.column_names == [column.name for column in empty.columns]
    assert read.num_rows == 0


def test_empty_cells_are_those_that_the_codebook_says(data: Dataset) -> None:
    named = unblind(data, NAMES, GROUPS)
    for sheet in tables(replace(named, observations=tuple(named.ordered()))):
        rows = list(sheet.rows())
        for place, column in enumerate(sheet.columns):
            if any(row[place] in (None, "") for row in rows):
                assert column.missing, f"{sheet.file} {column.name}"
    listed = list(csv.DictReader(io.StringIO(csv_file(codebook(tables(data)), "utf-8").text)))
    (value,) = (row for row in listed if row["column"] == "value")
    assert "cannot judge" in next(row for row in listed if row["column"] == "missing")["values"]
    assert value["missing"].startswith("no answer")
    assert {row["unit"] for row in listed if row["column"] == "seconds"} == {"s"}


def test_the_readable_codebook_has_every_column(data: Dataset) -> None:
    text = of(export.files(data), "codebook.txt").text
    assert max(map(len, text.splitlines())) <= 100
    for sheet in tables(data):
        _, found = text.split(f"\n{sheet.file}\n", 1)
        for column in sheet.columns:
            assert f"\n{column.name} ({column.type}" in found
    assert "seconds (number, in s): Time that the pair was visible. Empty: no answer." in text


def confident(data: Dataset) -> Dataset:
    """With a question that is a confidence, and a truth of all cases but the last."""
    questions = tuple(replace(q, truth=q.code == "quality") for q in data.protocol.questions)
    truths = ("yes", "no", "no", "")
    cases = tuple(replace(c, truth=t) for c, t in zip(data.cases, truths, strict=True))
    return replace(data, protocol=data.protocol.with_(questions=questions), cases=cases)


def test_imrmc_has_a_line_for_each_truth_and_each_first_score(data: Dataset) -> None:
    made = confident(unblind(data, NAMES, GROUPS))
    text = of(export.files(made), "quality.imrmc").text
    head, _, body = text.partition("BEGIN DATA:\n")
    counts = dict(
        line.split(": ") for line in head.splitlines() if line[:2] in ("NR", "NM", "N0", "N1")
    )
    assert counts == {"NR": "4", "N0": "2", "N1": "1", "NM": "3"}
    lines = [line.split(",") for line in body.splitlines()]
    assert {len(line) for line in lines} == {4}
    truths = {case: truth for reader, case, method, truth in lines if reader == "-1"}
    assert truths == {"C001": "1", "C002": "0", "C003": "0"}
    scores = {(r, c, m): float(v) for r, c, m, v in lines if r != "-1"}
    question = made.protocol.question("quality")
    assert scores == {
        (obs.reader, obs.case, obs.method): obs.value
        for obs in first_ratings(made, question)
        if obs.value is not None and obs.case != "C004"
    }
    assert len(lines) == len(scores) + 3


def test_imrmc_needs_the_truth_which_the_key_file_has(data: Dataset) -> None:
    asked = confident(data)
    blind = replace(asked, cases=data.cases)
    assert not [one.name for one in export.files(blind) if one.name.endswith("imrmc")]
    assert not [one.name for one in export.files(data) if one.name.endswith("imrmc")]


class _Cells(HTMLParser):
    """The rows of the tables of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.styles = Counter[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        self.styles[tag] += any(name == "style" for name, _ in attrs)

    def handle_data(self, text: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += text


def test_all_tables_of_a_report_are_files(data: Dataset) -> None:
    analysis = analyse(data, resamples=20)
    made = document(data, analysis)
    assert made.html == render(data, analysis)
    assert made.html.count("<b>Table ") == len(made.tables) > 5
    files = tuple(table_files("A & B", made.tables))
    assert [one.name for one in files[2:]] == [
        f"table-{number:02d}.csv" for number in range(1, len(made.tables) + 1)
    ]
    for number, table in enumerate(made.tables, start=1):
        assert f"<b>Table {number}. </b>{table.caption[:20]}" in made.html.replace("&#39;", "'")
        rows = list(csv.reader(io.StringIO(of(files, f"table-{number:02d}.csv").text)))
        assert {len(row) for row in rows} == {len(table.head)}
        assert len(rows) == len(table.rows) + 1
    pasted = of(files, "tables.html").text
    page = _Cells()
    page.feed(pasted)
    assert len(page.rows) == sum(len(one.rows) + 1 for one in made.tables)
    assert page.styles["td"] + page.styles["th"] == sum(map(len, page.rows))
    assert "<style" not in pasted
    assert "class=" not in pasted
    written = of(files, "tables.tex").text
    tall = written.count(r"\begin{longtable}")
    assert tall >= 3
    for end in (r"\begin{table}", r"\end{tabular}"):
        assert written.count(end) == len(made.tables) - tall
    for rule in (r"\toprule", r"\midrule"):
        assert written.count(rule) == len(made.tables) + tall
    assert written.count(r"\bottomrule") == written.count(r"\caption{") == len(made.tables)
    # Letters beyond those that LaTeX reads as text would stop it.
    known = "–—“”‘’…" + "".join(map(chr, range(0xC0, 0x180)))
    assert {letter for letter in written if not letter.isascii()} <= set(known)


def test_labels_in_latex_are_read_as_they_were_written() -> None:
    hostile = "50 % & more_x #1 {a} \\b ~^ <é> µ κ"
    escaped = (
        r"50 \% \& more\_x \#1 \{a\} \textbackslash{}b \textasciitilde{}\textasciicircum{} "
        r"\textless{}é\textgreater{} $\mu$ $\kappa$"
    )
    quoted, read = (
        '`a` "b" -- c---d',
        (r"\textasciigrave{}a\textasciigrave{} \textquotedbl{}b\textquotedbl{} -{}- c-{}-{}-d"),
    )
    unseen = "e\u0301 a\tb\r\nc\u202ed\x07 [日]"
    table = Table(hostile, ["[x]", "*y"], [(hostile, quoted), (unseen, "")], remark=hostile)
    written = latex("a\n\\b", [table])
    assert written.startswith("% Tables of: a \\b\n% In the preamble")
    assert rf"\caption{{{escaped}}}" in written
    assert rf"\par\footnotesize {escaped}" in written
    # A bracket or an asterisk after a rule or the end of a row would be taken as its argument.
    assert "\n{[x]} & {*y} \\\\\n" in written
    assert f"\n{escaped} & {read} \\\\\n" in written
    assert "\né a b cd  [日] &  \\\\\n" in written
    assert "For the letters 日 LaTeX needs a font" in written


def test_wide_tables_fit_the_line_and_tall_ones_are_broken() -> None:
    sentence = "word " * 40
    wide = Table("c", ["Item", "Said", "Gap"], [("1", sentence, sentence)] * 2,
                 text_columns=(0, 1, 2))  # fmt: skip
    written = latex("t", [wide, replace(wide, rows=wide.rows * 9)])
    shares = [float(one) for one in re.findall(r"dimexpr([\d.]+)", written)]
    assert sum(shares[:3]) == pytest.approx(1, abs=1e-3)
    assert shares[0] < 0.12
    assert shares[1] == shares[2] > 0.4
    assert written.count(r"\begin{tabular}") == written.count(r"\begin{longtable}") == 1
    assert written.index(r"\endhead") < written.index(r"\endfoot") < written.rindex("word")
    # Many columns of numbers: smaller letters, and a place to break after each word.
    many = Table("c", ["Method", *["Mean"] * 9], [("M1", *["0.13 (−0.38 to 0.58)"] * 9)])
    assert r"\centering\scriptsize" in latex("t", [many])
    plain = latex("t", [Table("c", ["Method", "n"], [("M1", "3")])])
    assert r"\centering\small" in plain
    assert r"\begin{tabular}{lr}" in plain


def test_special_characters_are_escaped() -> None:
    table = Table(
        "50 % of A & B_1", ["Method", ["n", "(all)"]],
        [("[x] <b>~^\\{}$#", Cell("=1", "(0 to 1)", "no data")), ("κ ≥ 2", "−3")],
        remark="A remark with 100 %",
    )  # fmt: skip
    files = tuple(table_files("t", [table]))
    written = of(files, "tables.tex").text
    assert r"\caption{50 \% of A \& B\_1}" in written
    assert r"\begin{tabular}{lr}" in written
    row = (
        r"{[x] \textless{}b\textgreater{}\textasciitilde{}\textasciicircum{}"
        r"\textbackslash{}\{\}\$\#} & =1\textsuperscript{a} (0 to 1) \\"
    )
    assert row in written
    assert r"$\kappa$ $\geq$ 2 & $-$3 \\" in written
    assert r"\textsuperscript{a}~No data" in written
    assert r"A remark with 100 \%" in written
    html = of(files, "tables.html").text
    assert "[x] &lt;b&gt;" in html
    assert "=1<sup>a</sup> (0 to 1)" in html
    assert "n<br>(all)" in html
    rows = list(csv.reader(io.StringIO(of(files, "table-01.csv").text)))
    assert rows == [
        ["Method", "n (all)"],
        ["[x] <b>~^\\{}$#", "'=1 (0 to 1) [no data]"],
        ["κ ≥ 2", "−3"],
    ]


def long_table(rows: int) -> ExportTable:
    columns = (Column("reader", "text", "x"), Column("value", "number", "x"))
    return ExportTable(
        "long.csv", columns, lambda: in_parts((f"R{n % 7}", n * 1.5) for n in range(rows))
    )


class _Nowhere(io.RawIOBase):
    """A file that keeps nothing."""

    def __init__(self) -> None:
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, content):
        self.size += len(content)
        return len(content)


def peak(write) -> tuple[int, int]:
    """Most bytes that are held while a file is written, and its size."""
    target = _Nowhere()
    tracemalloc.start()
    try:
        write(target)
        return tracemalloc.get_traced_memory()[1], target.size
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["csv", "xlsx", "zip"])
def test_a_long_table_is_written_without_being_held(kind: str) -> None:
    def made(rows: int) -> ExportFile:
        sheet = long_table(rows)
        if kind == "xlsx":
            return workbook.workbook("x.xlsx", [sheet])
        return csv_file(sheet, "utf-8")

    def write(rows: int):
        if kind == "zip":
            return lambda target: target.write(export.zipped([made(rows)]))
        return made(rows).write

    small, _ = peak(write(25_000))
    large, size = peak(write(75_000))
    assert size > 100_000
    assert large < 1.5 * small + (300_000 if kind == "zip" else 0)


def test_the_json_of_many_records_is_written_without_being_held() -> None:
    data = dataset(SMALL, cases=2)
    few = replace(data, observations=data.observations * 10)
    many = replace(data, observations=few.observations * 10)
    assert json_file("x", few).content  # Imports and caches are made.
    small, _ = peak(json_file("x", few).write)
    large, _ = peak(json_file("x", many).write)
    assert large < 1.5 * small
    assert len(json.loads(json_file("x", many).text)["observations"]) == len(many.observations)


def test_a_sheet_that_excel_cannot_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "MOST_ROWS", 10)
    assert workbook.workbook("x.xlsx", [long_table(9)]).content
    with pytest.raises(StatisticsError, match=r"more rows than the 10 .* as CSV or Parquet"):
        assert workbook.workbook("x.xlsx", [long_table(10)]).content


def test_a_bundle_of_parquet_opens(data: Dataset) -> None:
    with zipfile.ZipFile(
        io.BytesIO(export.bundle(data, None, export.ExportFormat.PARQUET))
    ) as zipped:
        assert zipped.testzip() is None
        read = parquet.read_table(io.BytesIO(zipped.read("ratings.parquet")))
    assert np.isclose(
        np.nanmean(read["seconds"].to_numpy()),
        np.nanmean([obs.seconds for obs in data.observations if obs.seconds is not None]),
    )
