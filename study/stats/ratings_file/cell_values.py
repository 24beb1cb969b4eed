"""Scores from the cells of a table: numbers, categories, and words for a missing rating."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from study.domain.errors import StatisticsError
from study.stats.scale import MISSING_WORDS, Scale
from study.stats.table_file import NUMBER, TextTable, number_of

WITH_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?", re.ASCII)
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
            return self.scale.score_of(text)
        if text.lower() in MISSING_WORDS:
            return None
        score = number_of(text)
        if score is None:
            raise StatisticsError(_no_number(text))
        return score


def _no_number(text: str) -> str:
    """Why a text is not a number, and what to do."""
    plain = unicodedata.normalize("NFKC", text)
    if plain != text and number_of(plain) is not None:
        return f"the value {text!r} is not written in the digits 0 to 9: write {plain}"
    if text.lower().lstrip("+-") in ("inf", "infinity", "∞") or NUMBER.fullmatch(text):
        return f"the value {text!r} is not finite"
    if text.startswith("#"):
        return f"the value {text!r} is an error of the spreadsheet: correct the cell or empty it"
    return (
        f"the value {text!r} is not a number. Named categories need an order: declare them with "
        "--scale, as poor,fair,good"
    )
