"""Exports: complete, explained, masked, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import stat
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from sqlalchemy import select

from study.analysis.comparison import main_choices
from study.analysis.dataset import Dataset
from study.analysis.records import DO_NOT_KNOW, CommentRecord, GuessRecord
from study.analysis.scores import first_ratings, ratings_table
from study.domain.errors import BlindingError, StatisticsError
from study.domain.screens import Display
from study.domain.terms import Role, Status
from study.planning.lifecycle import close_study, unblind
from study.report import export
from study.stats.ratings_file.choices_input import read_choices, read_guesses
from study.stats.ratings_file.csv_input import ColumnChoice, read_ratings
from study.stats.reliability.inter_reader import reliability
from study.stats.scale import Scale
from study.stats.table import tabulate
from study.storage.models import (
    AuditEvent,
    DisplayCheck,
    InteractionEvent,
    Presentation,
    ReadingSession,
)
from tests.support.read_study import Played, play
from tests.support.simulated_datasets import dataset
from tests.support.simulated_datasets import unblind as named

DISPLAY = Display(
    seen=(True, True, False), ends_seen=True, dim_room=False, width=1400, height=900,
    screen_width=2560, screen_height=1440, colour_depth=24, ratio=1.5, carry_on=True,
)  # fmt: skip
NAMES = {"M1": "=TV", "M2": "Restormer", "M3": "Guided diffusion"}
GROUPS = {"M1": "filter", "M2": "neural network", "M3": "neural network"}
Table = list[dict[str, str]]


@pytest.fixture(scope="module")
def data() -> Dataset:
    return dataset(cases=4, read={"R04": 12})


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    made = play(tmp_path_factory.mktemp("export"), close=False)
    with made.store.write() as session:
        pairs = session.scalars(
            select(Presentation.id)
            .join(ReadingSession)
            .where(ReadingSession.reader_id == made.reader("R01"), ReadingSession.number == 1)
            .order_by(Presentation.position)
        ).all()
        for pair, kind, payload, at in (
            (pairs[1], "zoom", "2.5", 900),
            (pairs[1], "window", "=0.1 0.8", 300),
        ):
            session.add(
                InteractionEvent(presentation_id=pair, kind=kind, payload=payload, at_ms=at)
            )
        detail = {**asdict(DISPLAY), "device": {"id": "0123456789abcdef", "screen": "x"}}
        for detail_json in (json.dumps(detail), json.dumps({DisplayCheck.SKIPPED: True})):
            session.add(
                DisplayCheck(reader_id=made.reader("R01"), passed=False, detail_json=detail_json)
            )
    yield made
    made.store.close()


def tables(data: Dataset) -> dict[str, Table]:
    return {
        file.name: list(csv.DictReader(io.StringIO(file.text)))
        for file in export.files(data)
        if file.name.endswith(".csv")
    }


def test_the_long_table_has_one_row_for_each_cell_of_the_plan(data: Dataset) -> None:
    rows = tables(data)["ratings.csv"]
    assert len(rows) == len(data.observations)
    for row in rows:
        assert bool(row["value"]) != bool(row["missing"])
        assert (row["method"] == "") == (row["side"] == "pair")
        assert row["method"] in ("", row["left"], row["right"])


def test_values_and_flags_are_those_of_the_data(data: Dataset) -> None:
    rows = tables(data)["ratings.csv"]
    given = {(seen.pair, seen.question, seen.side): seen for seen in data.observations}
    side = {"left": 0, "right": 1, "pair": 2}
    for row in rows:
        seen = given[row["pair"], row["question"], side[row["side"]]]
        assert row["value"] == ("" if seen.value is None else str(seen.value))
        assert row["role"] == seen.role.value
    first = Counter(
        (row["reader"], row["case"], row["method"], row["question"])
        for row in rows
        if row["counts_for_kappa"] == "1"
    )
    assert set(first.values()) == {1}
    assert len(first) == 4 * 4 * 3 * 2
    assert all(row["role"] == Role.MAIN for row in rows if row["counts_for_kappa"] == "1")


def test_the_order_of_rows_is_that_of_the_showing(data: Dataset) -> None:
    rows = tables(data)["ratings.csv"]
    order = [(row["reader"], int(row["session"]), int(row["position"])) for row in rows]
    assert order == sorted(order)
    methods = [row["method"] for row in rows if row["method"]]
    assert methods != sorted(methods)


def test_the_codebook_explains_every_column_of_every_table(data: Dataset) -> None:
    for one in (data, named(data, NAMES, GROUPS)):
        found = tables(one)
        explained = [(row["file"], row["column"]) for row in found["codebook.csv"]]
        there = [
            (file.name, column)
            for file in export.files(one)
            if file.name.endswith(".csv") and file.name != "codebook.csv"
            for column in next(csv.reader(io.StringIO(file.text)))
        ]
        assert explained == there
        assert all(row["meaning"] for row in found["codebook.csv"])


def test_masked_exports_have_no_names(played: Played) -> None:
    with pytest.raises(BlindingError, match="only after it is closed"):
        export.make(played.store, played.store.folder / "no", actor="ana")
    close_study(played.store, actor="coordinator")
    written = export.make(played.store, played.key_path.parent / "masked", actor="ana")
    key = played.key
    for path in written:
        text = path.read_text("utf-8")
        # Names of two letters would be found in words.
        assert not any(name in text for name in key.secret_strings() if len(name) > 3), path.name
        assert not any(identifier in text for identifier in key.methods), path.name
        assert not any(identifier in text for identifier in key.cases), path.name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    unblind(played.store, key, actor="ana", second="bob")
    export.make(played.store, played.key_path.parent / "named", actor="ana", key=key)
    text = (played.key_path.parent / "named" / "methods.csv").read_text("utf-8")
    assert all(name in text for name in ("restormer", "dncnn", "clean"))
    with played.store.read() as session:
        logged = session.scalars(
            select(AuditEvent.detail).where(AuditEvent.action == "export")
        ).all()
    assert [one.partition(",")[0] for one in logged] == ["methods masked", "methods named"]


def test_names_are_columns_of_their_own_after_unblinding(data: Dataset) -> None:
    found = tables(named(data, NAMES, GROUPS))
    assert "method_name" not in tables(data)["ratings.csv"][0]
    names = {row["method"]: row["method_name"] for row in found["ratings.csv"] if row["method"]}
    assert names == {"M1": "'=TV", "M2": "Restormer", "M3": "Guided diffusion"}


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "＝", "＋"])
def test_text_that_a_spreadsheet_would_run_is_quoted(data: Dataset, start: str) -> None:
    text = start + 'HYPERLINK("http://x"),a\nb'
    found = tables(replace(data, comments=(CommentRecord("R01", "R01-1-001", text, ""),)))
    assert found["comments.csv"][0]["comment"] == "'" + text


def test_what_follows_a_semicolon_is_no_formula_either(data: Dataset) -> None:
    record = CommentRecord("R01", "R01-1-001", "seen;=1+1", "")
    found = tables(replace(data, comments=(record,)))
    assert found["comments.csv"][0]["comment"] == "seen;'=1+1"


def test_negative_numbers_stay_numbers(data: Dataset) -> None:
    values = {row["value"] for row in tables(data)["ratings.csv"] if row["side"] == "pair"}
    assert "-1" in values


def test_the_json_is_whole_and_plain(data: Dataset) -> None:
    text = next(file.text for file in export.files(data) if file.name == "study.json")
    found = json.loads(text)
    assert len(found["observations"]) == len(data.observations)
    assert found["protocol"]["title"] == data.protocol.title
    assert found["observations"][0]["role"] in {role.value for role in Role}
    assert found["study"]["seed_sha256"] == data.study.seed_sha256


def test_an_export_goes_into_an_empty_folder_only(data: Dataset, tmp_path: Path) -> None:
    export.write(data, tmp_path / "new")
    with pytest.raises(StatisticsError, match="not empty: give a new folder"):
        export.write(data, tmp_path / "new")
    (tmp_path / "file").write_text("x")
    with pytest.raises(StatisticsError, match="cannot be written"):
        export.write(data, tmp_path / "file")


def test_the_bundle_has_all_files_and_the_same_bytes_each_time(data: Dataset) -> None:
    first = export.bundle(data)
    assert first == export.bundle(replace(data, observations=tuple(reversed(data.observations))))
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert archive.namelist() == [file.name for file in export.files(data)]
        assert archive.read("ratings.csv") == export.files(data)[0].content


def test_displays_and_events_are_exported(played: Played, tmp_path: Path) -> None:
    if played.store.status() is Status.OPEN:
        close_study(played.store, actor="coordinator")
    export.make(played.store, tmp_path / "all", actor="ana")
    with (tmp_path / "all" / "displays.csv").open(encoding="utf-8-sig", newline="") as file:
        (check,) = csv.DictReader(file)
    assert (check["reader"], check["passed"], check["device"]) == ("R01", "0", "01234567")
    assert (check["patches_seen"], check["patches"], check["ratio"]) == ("2", "3", "1.5")
    with (tmp_path / "all" / "events.csv").open(encoding="utf-8-sig", newline="") as file:
        events = list(csv.DictReader(file))
    assert [(one["at_ms"], one["kind"], one["payload"]) for one in events] == [
        ("300", "window", "'=0.1 0.8"),
        ("900", "zoom", "2.5"),
    ]
    assert {one["pair"] for one in events} == {"R01-1-001"}


def test_csv_has_a_byte_order_mark_for_excel_unless_it_is_plain(data: Dataset) -> None:
    accented = replace(data, comments=(CommentRecord("R01", "R01-1-001", "Müde", ""),))
    marked = {one.name: one for one in export.files(accented)}
    plain = {one.name: one for one in export.files(accented, export.ExportFormat.PLAIN)}
    assert marked.keys() == plain.keys()
    for name, file in marked.items():
        assert file.text == plain[name].text
        assert file.content.startswith(b"\xef\xbb\xbf") == name.endswith(".csv")
        assert not plain[name].content.startswith(b"\xef\xbb\xbf")
    assert "Müde".encode() in marked["comments.csv"].content


def test_a_workbook_has_every_table_with_numbers_and_text_that_is_no_formula(
    data: Dataset,
) -> None:
    text = '=HYPERLINK("http://x")\n<b>&\x07'
    commented = replace(data, comments=(CommentRecord("R01", "R01-1-001", text, ""),))
    book, text_of_codebook, everything = export.files(commented, export.ExportFormat.XLSX)
    assert (book.name, everything.name) == ("study.xlsx", "study.json")
    assert text_of_codebook.name == "codebook.txt"
    assert export.files(commented, export.ExportFormat.XLSX)[0].content == book.content
    main = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(io.BytesIO(book.content)) as archive:
        assert archive.testzip() is None
        names = [
            sheet.attrib["name"]
            for sheet in ElementTree.fromstring(archive.read("xl/workbook.xml")).iter(
                f"{main}sheet"
            )
        ]
        sheets = {
            name: ElementTree.fromstring(archive.read(f"xl/worksheets/sheet{number}.xml"))
            for number, name in enumerate(names, 1)
        }
    assert [f"{name}.csv" for name in names] == list(tables(commented))
    assert not list(sheets["comments"].iter(f"{main}f"))
    cells = {
        name: [
            [cell.findtext(f"{main}v") or cell.findtext(f"{main}is/{main}t") or "" for cell in row]
            for row in sheet.iter(f"{main}row")
        ]
        for name, sheet in sheets.items()
    }
    assert cells["comments"][1][2] == '=HYPERLINK("http://x")\n<b>&\ufffd'
    for name in ("ratings", "readers", "codebook"):
        head, *rows = cells[name]
        assert [dict(zip(head, row, strict=True)) for row in rows] == tables(commented)[
            f"{name}.csv"
        ]


@pytest.mark.parametrize("form", list(export.ExportFormat)[:2])
def test_statistics_read_an_export_as_the_analysis_does(
    data: Dataset, tmp_path: Path, form: export.ExportFormat
) -> None:
    path = export.write(data, tmp_path / "out", form)[0]
    scale = Scale.span(1, 5)
    read = read_ratings(path, scale, ColumnChoice(question="quality"))
    firsts = [row for row in read.rows if row.replicate == 1]
    assert len(firsts) == len(first_ratings(data, data.criteria[0]))
    for mask in data.masks:
        table = tabulate([row for row in firsts if row.method == mask], scale)
        found = reliability(table, resamples=0)
        expected = reliability(ratings_table(data, data.criteria[0], mask), resamples=0)
        assert [one.value for one in found.icc] == pytest.approx([e.value for e in expected.icc])
        assert set(table.clusters) <= {case.patient for case in data.cases}
    repeats = {
        (obs.reader, obs.case, obs.method)
        for obs in data.observations
        if obs.role is Role.REPEAT and obs.question == "quality"
    }
    seconds = {(row.rater, row.item, row.method) for row in read.rows if row.replicate == 2}
    assert seconds
    assert seconds <= repeats
    with pytest.raises(StatisticsError, match="3 questions: choose one, --question quality"):
        read_ratings(path)


def test_exported_preferences_are_read_by_method_not_by_side(data: Dataset, tmp_path: Path) -> None:
    path = export.write(data, tmp_path / "out")[0]
    rows = read_ratings(path, None, ColumnChoice(question="preference")).rows
    given = {(row.rater, row.item): row.value for row in rows if row.replicate == 1}
    for obs in data.observations:
        if obs.question == "preference" and obs.role is Role.MAIN:
            first, second = sorted((obs.left, obs.right))
            value = obs.value if obs.left == first or obs.value is None else -obs.value
            assert given[obs.reader, f"{obs.case} {first}/{second}"] == value
    # No preference is 0 on either side, not -0, which the scale would print.
    assert "-0.0" not in {str(value) for value in given.values()}


def test_statistics_read_preferences_and_guesses_of_an_export(
    data: Dataset, tmp_path: Path
) -> None:
    guesses = (GuessRecord("R01", "M1", "filter"), GuessRecord("R02", "M2", DO_NOT_KNOW))
    asked = replace(data, guesses=guesses)
    paths = {path.name: path for path in export.write(asked, tmp_path / "out")}
    choices, notes = read_choices(paths["ratings.csv"])
    assert tuple(choice for choice in choices if not choice.null) == main_choices(
        data, next(one for one in data.protocol.questions if one.code == "preference")
    )
    assert "question preference of an export" in notes
    read, notes = read_guesses(paths["guesses.csv"])
    assert [one.guess for one in read] == ["filter", None]
    shown = "group" if data.unblinded else "method"
    assert notes == (f"the column {shown} is what was shown, guess what was guessed",)
