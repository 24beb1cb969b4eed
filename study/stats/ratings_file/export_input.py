"""Reads the ratings.csv of an export with the rules of the analysis it comes from.

Of each reader, case and method the first main rating counts, and hidden repeats are second readings
of the rating they repeat. Preferences are coded by method: an item is a case under two methods, -1
stands for the first of them in alphabetical order and 1 for the second.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from study.domain.errors import StatisticsError
from study.stats.ratings_file.cell_values import CellValues, ExtraValues
from study.stats.scale import Scale
from study.stats.table import RatingRow
from study.stats.table_file import TextTable

MARKS = frozenset(
    ("reader", "case", "patient", "pair", "role", "repeat_of", "question", "side", "left", "right",
     "method", "value", "counts_for_kappa", "excluded")
)  # fmt: skip
"""Columns by which an export is recognised."""


def is_export(names: Collection[str]) -> bool:
    """Whether a table with these columns is the ratings.csv of an export."""
    return set(names) >= MARKS


def exported_rows(
    table: TextTable, question: str, scale: Scale | None, columns: Mapping[str, str]
) -> tuple[list[RatingRow], list[str]]:
    """The ratings of one question that count, hidden repeats as replicate 2, and remarks.

    `columns` names those of the method, the cluster, the truth and the metric, which may be added.

    Raises
    ------
    StatisticsError
        There are several questions and none is chosen, there is no such question, or a value is
        not a number.
    """
    code = chosen_question(table, question, "question")
    lines = [(number, cells) for number, cells in table.mappings() if cells["question"] == code]
    counted = [(number, cells) for number, cells in lines if not cells["excluded"]]
    first = {
        (cells["pair"], cells["method"])
        for _, cells in counted
        if cells["role"] == "main" and (cells["side"] == "pair" or cells["counts_for_kappa"] == "1")
    }
    values = CellValues(table, ["value"], scale)
    extras = ExtraValues(table, columns["truth"], columns["metric"])
    names = (columns["method"], columns["cluster"])
    rows = [
        _row(cells, number, (values, extras), replicate, names)
        for number, cells, replicate in _readings(counted, first)
    ]
    notes = [f"question {code} of an export; hidden repeats are second readings"]
    if len(lines) > len(counted):
        notes.append(f"{len(lines) - len(counted)} excluded rows are left out")
    if len(counted) > len(rows):
        notes.append(
            f"{len(counted) - len(rows)} rows are left out: training, dummies, identical pairs, "
            "and later ratings of an image"
        )
    return rows, notes


def chosen_question(table: TextTable, wanted: str, column: str) -> str:
    """The code of the question to take, from those in a column.

    Raises
    ------
    StatisticsError
        There is no such question, or several and none is chosen.
    """
    codes = list(dict.fromkeys(cells[column] for _, cells in table.mappings()))
    if wanted and wanted not in codes:
        raise StatisticsError(
            f"{table.name} has no question {wanted!r}: choose from {', '.join(codes)}"
        )
    if not wanted and len(codes) > 1:
        raise StatisticsError(
            f"{table.name} has {len(codes)} questions: choose one, --question {codes[0]}; the "
            f"others are {', '.join(codes[1:])}"
        )
    return wanted or next(iter(codes), "")


def _readings(
    counted: list[tuple[int, dict[str, str]]], first: Collection[tuple[str, str]]
) -> Iterator[tuple[int, dict[str, str], int]]:
    """The lines that count, and whether each is the first or the second reading."""
    for number, cells in counted:
        if (cells["pair"], cells["method"]) in first:
            yield number, cells, 1
        elif cells["role"] == "repeat" and (cells["repeat_of"], cells["method"]) in first:
            yield number, cells, 2


def _row(
    cells: dict[str, str],
    line: int,
    readers: tuple[CellValues, ExtraValues],
    replicate: int,
    names: tuple[str, str],
) -> RatingRow:
    values, extras = readers
    try:
        value, more = values.read(cells["value"]), extras.read(cells)
    except StatisticsError as error:
        raise StatisticsError(f"line {line}: {error}") from error
    item = cells["case"]
    if cells["side"] == "pair":
        first, second = sorted((cells["left"], cells["right"]))
        item = f"{item} {first}/{second}"
        if value is not None and cells["left"] != first:
            value = 0.0 - value
    method, cluster = (cells[name] for name in names)
    return RatingRow(item, cells["reader"], value, cluster, method, replicate, line, **more)
