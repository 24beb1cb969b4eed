"""Scores from the cells of a table: numbers, categories, and words for a missing rating."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TypedDict

from study.domain.errors import StatisticsError
from study.stats.scale import MISSING_WORDS, Scale
from study.stats.table_file import LARGEST_NUMBER, NUMBER, TextTable, number_of

WITH_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?", re.ASCII)
LABELLED = re.compile(r"([+-]?\d+)(?:\s*[-–=:.)]\s*|\s+)[^\W\d].*")
"""A point of a scale with its meaning, such as "4 good" or "4 = good"."""
POSITIVE = frozenset(("yes", "true", "positive", "pos", "present", "abnormal", "diseased", "+"))
NEGATIVE = frozenset(("no", "false", "negative", "neg", "absent", "normal", "healthy"))
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)


class CellValues:
    """Reads the cells of some columns, with the decimal mark that all of them use.

    Parameters
    ----------
    table : TextTable
    columns : sequence of str
        Names in small letters of the columns that hold scores.
    scale : Scale, optional
        Gives named categories their scores.

    Raises
    ------
    StatisticsError
        Both decimal points and decimal commas are used, or commas may be either decimal marks or
        separate thousands.
    """

    def __init__(self, table: TextTable, columns: Sequence[str], scale: Scale | None) -> None:
        self.scale = scale
        labels = scale.labels if scale is not None else ()
        lines: dict[str, int] = {}
        for number, cells in table.mappings():
            for name in columns:
                lines.setdefault(cells[name], number)
        found = [text for text in lines if text not in labels]
        with_comma = [text for text in found if WITH_COMMA.fullmatch(text)]
        with_point = [text for text in found if "." in text and number_of(text) is not None]
        self.decimal_comma = bool(with_comma)
        if with_comma and with_point:
            first, second = with_comma[0], with_point[0]
            raise StatisticsError(
                f"{table.name}: {first!r} (line {lines[first]}) has a decimal comma and "
                f"{second!r} (line {lines[second]}) a decimal point: write all numbers alike"
            )
        grouped = all(THOUSANDS.fullmatch(text) for text in with_comma)
        if with_comma and grouped and table.delimiter == ",":
            text = with_comma[0]
            raise StatisticsError(
                f"{table.name}, line {lines[text]}: {text!r} may be {text.replace(',', '')} or "
                f"{text.replace(',', '.')}: write numbers without a comma"
            )

    def read(self, text: str) -> float | None:
        """The score of a cell; None for a missing rating.

        Raises
        ------
        StatisticsError
            The cell is neither a number nor on the scale.
        """
        if self.decimal_comma and WITH_COMMA.fullmatch(text):
            text = text.replace(",", ".")
        if self.scale is not None:
            return self._on_scale(self.scale, text)
        if text.lower() in MISSING_WORDS:
            return None
        score = number_of(text)
        if score is None:
            raise StatisticsError(_no_number(text))
        return score

    def _on_scale(self, scale: Scale, text: str) -> float | None:
        """The score of a cell on a declared scale, also one written with its meaning: "4 good"."""
        labelled = LABELLED.fullmatch(text)
        if labelled and text not in scale.labels and labelled[1] in scale.labels:
            text = labelled[1]
        alike = [label for label in scale.labels if label.casefold() == text.casefold()]
        return scale.score_of(alike[0] if len(alike) == 1 else text)


class ExtraValues:
    """Truth and metric of a line, from the columns that hold them.

    Parameters
    ----------
    table : TextTable
    truth, metric : str
        Names in small letters of the columns; empty where there is none.
    """

    def __init__(self, table: TextTable, truth: str, metric: str) -> None:
        self.truth, self.metric = truth, metric
        self.values = CellValues(table, [metric] if metric else [], None)

    def read(self, cells: Mapping[str, str]) -> Extras:
        """Truth and metric of a line.

        Raises
        ------
        StatisticsError
            The truth is neither positive nor negative, or the metric is not a number.
        """
        found = Extras(truth=None, metric=None)
        if self.truth:
            found["truth"] = _truth(cells[self.truth])
        if self.metric:
            found["metric"] = self.values.read(cells[self.metric])
        return found


class Extras(TypedDict):
    """Truth and metric, as fields of a row."""

    truth: bool | None
    metric: float | None


def _truth(text: str) -> bool | None:
    plain = text.lower()
    number = number_of(text)
    if plain in POSITIVE or number == 1:
        return True
    if plain in NEGATIVE or number == 0:
        return False
    if plain in MISSING_WORDS:
        return None
    raise StatisticsError(
        f"the truth {text!r} is neither positive nor negative: write 1 for positive and 0 for "
        "negative"
    )


def _no_number(text: str) -> str:
    """Why a text is not a number, and what to do."""
    plain = unicodedata.normalize("NFKC", text)
    if plain != text and number_of(plain) is not None:
        return f"the value {text!r} is not written in the digits 0 to 9: write {plain}"
    if NUMBER.fullmatch(text):
        return f"the value {text!r} is too large: numbers go up to {LARGEST_NUMBER:g}"
    if text.lower().lstrip("+-") in ("inf", "infinity", "∞"):
        return f"the value {text!r} is not finite"
    if text.startswith("#"):
        return f"the value {text!r} is an error of the spreadsheet: correct the cell or empty it"
    return (
        f"the value {text!r} is not a number. Named categories need an order: declare them with "
        "--scale, as poor,fair,good"
    )
