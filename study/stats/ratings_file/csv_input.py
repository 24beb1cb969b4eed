"""Reads ratings from a table of text, in long form, in wide form, or as this program exports them.

Errors name the line.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

from study.domain.errors import StatisticsError
from study.stats.ratings_file.cell_values import CellValues, ExtraValues
from study.stats.ratings_file.export_input import chosen_question, exported_rows, is_export
from study.stats.scale import Scale
from study.stats.table import RatingRow
from study.stats.table_file import TextTable, alike_names, read_table, whole_number_of

COLUMNS = {
    "item": ("item", "case"),
    "rater": ("rater", "reader"),
    "value": ("value", "rating", "score"),
    "cluster": ("cluster", "patient"),
    "method": ("method",),
    "replicate": ("replicate",),
    "question": ("question",),
    "truth": ("truth",),
    "metric": ("metric",),
}
"""Names by which a column is known."""
SMALLEST = 1e-6
"""Tables of smaller numbers only are refused."""
REQUIRED = ("item", "rater", "value")
EXTRAS = ("truth", "metric")


@dataclass(frozen=True)
class ColumnChoice:
    """Names of columns, where a table does not use the usual ones.

    Parameters
    ----------
    item, rater, value, method, cluster : str
        Name of the column; empty for the usual names.
    question : str
        The question to take, one of those in the column named question.
    truth : str
        Column that says whether an item is positive.
    metric : str
        Column of an objective metric of the image.
    """

    item: str = ""
    rater: str = ""
    value: str = ""
    method: str = ""
    cluster: str = ""
    question: str = ""
    truth: str = ""
    metric: str = ""

    @property
    def fits_export(self) -> bool:
        """Whether items, raters and values are in their usual columns."""
        return not (self.item or self.rater or self.value)


@dataclass(frozen=True)
class RatingTable:
    """Ratings with remarks on how they were read.

    Parameters
    ----------
    rows : tuple of RatingRow
    notes : tuple of str
        What was left out, and names that look like one name written in two ways.
    """

    rows: tuple[RatingRow, ...]
    notes: tuple[str, ...] = ()


def read_rows(
    path: Path, scale: Scale | None = None, columns: ColumnChoice | None = None
) -> tuple[RatingRow, ...]:
    """The ratings of `read_ratings`, without its remarks."""
    return read_ratings(path, scale, columns).rows


def read_ratings(
    path: Path, scale: Scale | None = None, columns: ColumnChoice | None = None
) -> RatingTable:
    """Ratings from a table of text, of any encoding and separator that `read_table` knows.

    In long form it has the columns item (or case), rater (or reader) and value; optional are
    cluster or patient, method, question, replicate (1, 2, ...), truth (1 for positive) and metric.
    In wide form it has an item and a column for each rater. The ratings.csv of an export is read as
    its analysis does.

    Parameters
    ----------
    path : Path
    scale : Scale, optional
        Named categories need it, which gives their order.
    columns : ColumnChoice, optional
        Names of columns, and the question, where they are not the usual ones.

    Raises
    ------
    StatisticsError
        The file cannot be read, lacks a column, has no ratings, or a line is wrong.
    """
    chosen = columns or ColumnChoice()
    usual = [name for names in COLUMNS.values() for name in names]
    table = read_table(path, likely=[*usual, *(name.lower() for name in astuple(chosen) if name)])
    if not table.header:
        raise StatisticsError(f"{path} is empty: it needs the columns {', '.join(REQUIRED)}")
    if is_export(table.names) and chosen.fits_export:
        extras = {kind: _find(table, kind, chosen) for kind in ("method", "cluster", *EXTRAS)}
        rows, notes = exported_rows(table, chosen.question, scale, extras)
    else:
        rows, notes = _TableReader(table, chosen, scale).read()
    if not rows:
        raise StatisticsError(f"{path} has no ratings below its header")
    if all(row.value is None for row in rows):
        raise StatisticsError(f"{path} has {len(rows)} rows and all their ratings are missing")
    for kind in ("value", "metric"):
        largest = max((abs(getattr(row, kind) or 0.0) for row in rows), default=0.0)
        if 0 < largest < SMALLEST:
            raise StatisticsError(
                f"{path}: no {kind} is larger than {largest:g}, and such small numbers are taken "
                "as rounding errors: write them in a smaller unit"
            )
    return RatingTable(tuple(rows), (*notes, *alike(rows)))


def alike(rows: Iterable[RatingRow]) -> tuple[str, ...]:
    """A warning for each set of names that may be one name written in several ways."""
    rows = list(rows)
    found = (
        alike_names(f"{kind}s", [getattr(row, kind) for row in rows])
        for kind in ("item", "rater", "method", "cluster")
    )
    return tuple(f"warning: {words}" for warnings in found for words in warnings)


def _find(table: TextTable, kind: str, chosen: ColumnChoice) -> str:
    """The column of a kind; empty if there is none."""
    wanted = "" if kind == "question" else getattr(chosen, kind, "").strip()
    if not wanted:
        return next((name for name in COLUMNS[kind] if name in table.names), "")
    if wanted.lower() not in table.names:
        raise StatisticsError(
            f"{table.name} has no column {wanted!r} for --{kind}: it has {', '.join(table.header)}"
        )
    return wanted.lower()


class _TableReader:
    """Reads a table in long or in wide form."""

    def __init__(self, table: TextTable, chosen: ColumnChoice, scale: Scale | None) -> None:
        self.table, self.question = table, chosen.question
        self.column = {kind: _find(table, kind, chosen) for kind in COLUMNS}
        self.written = dict(zip(table.names, table.header, strict=True))
        self.raters = self._raters()
        lacking = [kind for kind in REQUIRED if not self.column[kind]]
        if lacking and not self.raters:
            raise StatisticsError(
                f"{table.name} lacks the column {' and '.join(lacking)}: it needs "
                f"{', '.join(REQUIRED)}, or an item and one column for each rater, and has "
                f"{', '.join(table.header)}. Say which column is which: --{lacking[0]} NAME"
            )
        self.values = CellValues(table, self.raters or [self.column["value"]], scale)
        self.extras = ExtraValues(table, self.column["truth"], self.column["metric"])

    def _raters(self) -> list[str]:
        """The columns that are raters in a wide table; empty for a long one."""
        if not self.column["item"] or self.column["rater"] or self.column["value"]:
            return []
        used = set(self.column.values())
        return [name for name in self.table.names if name and name not in used]

    def read(self) -> tuple[list[RatingRow], list[str]]:
        """All rows, and remarks."""
        notes = []
        if self.raters:
            names = ", ".join(self.written[name] for name in self.raters)
            notes.append(f"the columns {names} are raters")
        code, asked = "", self.column["question"]
        if asked:
            code = chosen_question(self.table, self.question, asked)
        elif self.question:
            raise StatisticsError(
                f"{self.table.name} has no column named question: leave --question out"
            )
        least = max(
            (place for place, name in enumerate(self.table.names) if name in self._needed()),
            default=0,
        )
        rows = []
        for line, (number, cells) in zip(self.table.lines, self.table.mappings(), strict=True):
            if asked and cells[asked] != code:
                continue
            try:
                if len(line.cells) <= least:
                    raise StatisticsError(
                        f"{len(line.cells)} cells, but the header has {len(self.table.header)}"
                    )
                rows += self._rows(cells, number)
            except StatisticsError as error:
                raise StatisticsError(f"{self.table.name}, line {number}: {error}") from error
        return rows, notes

    def _needed(self) -> set[str]:
        return {self.column[kind] for kind in REQUIRED if self.column[kind]}

    def _rows(self, cells: dict[str, str], number: int) -> list[RatingRow]:
        """The ratings of a line: one, or in a wide table one for each rater."""
        item = cells[self.column["item"]]
        if not item:
            raise StatisticsError("the item is empty")
        given = {name: cells[name] for name in self.raters}
        if not self.raters:
            rater = cells[self.column["rater"]]
            if not rater:
                raise StatisticsError("the rater is empty")
            given = {rater: cells[self.column["value"]]}
        return [
            RatingRow(
                item=item,
                rater=self.written[rater] if self.raters else rater,
                value=self.values.read(text),
                cluster=cells.get(self.column["cluster"], ""),
                method=cells.get(self.column["method"], ""),
                replicate=_replicate(cells.get(self.column["replicate"], "1")),
                line=number,
                **self.extras.read(cells),
            )
            for rater, text in given.items()
        ]


def _replicate(text: str) -> int:
    number = whole_number_of(text)
    if not number:
        raise StatisticsError(f"the replicate {text!r} is not an integer of at least 1")
    return number
