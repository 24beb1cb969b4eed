"""Exports: complete, explained, masked, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import stat
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from study.analysis.dataset import Dataset
from study.analysis.records import CommentRecord
from study.domain.errors import BlindingError, StatisticsError
from study.domain.protocol import Role
from study.planning.lifecycle import close_study, unblind
from study.report import export
from study.storage.models import AuditEvent
from tests.support.read_study import Played, play
from tests.support.simulated_datasets import dataset
from tests.support.simulated_datasets import unblind as named

NAMES = {"M1": "=TV", "M2": "Restormer", "M3": "Guided diffusion"}
GROUPS = {"M1": "filter", "M2": "neural network", "M3": "neural network"}
Table = list[dict[str, str]]


@pytest.fixture(scope="module")
def data() -> Dataset:
    return dataset(cases=4, read={"R04": 12})


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    made = play(tmp_path_factory.mktemp("export"), close=False)
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


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_text_that_a_spreadsheet_would_run_is_quoted(data: Dataset, start: str) -> None:
    text = start + 'HYPERLINK("http://x"),a\nb'
    found = tables(replace(data, comments=(CommentRecord("R01", "R01-1-001", text, ""),)))
    assert found["comments.csv"][0]["comment"] == "'" + text


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
        assert archive.read("ratings.csv").decode() == export.files(data)[0].text
