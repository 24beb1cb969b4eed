"""Tables, their cells and figures, as data for the templates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from study.domain.formatting import DASH, capitalised, decimal, p_value, percent
from study.report.plots import Plot
from study.stats.estimate import Estimate, Interval, PValue

LONG = 12
"""Rows of a table from which it is set closely."""


@dataclass(frozen=True)
class Cell:
    """The content of a table cell.

    Parameters
    ----------
    text : str
    detail : str
        Shown smaller, on a second line: an interval or quartiles.
    note : str
        A reason, printed as a footnote of the table.
    undefined : bool
        Whether the text stands for a missing value.
    flag : str
        A warning about the value.
    """

    text: str = ""
    detail: str = ""
    note: str = ""
    undefined: bool = False
    flag: str = ""


Content = str | Cell
Row = Sequence[Content]


@dataclass(frozen=True)
class Table:
    """A table; its number is assigned when it is rendered.

    Parameters
    ----------
    caption : str
    head : sequence of (str or sequence of str)
        Column headings; several strings are lines of one heading.
    rows : sequence of sequence of (str or Cell)
        The first cell of a row is its heading.
    text_columns : tuple of int
        Columns of text, aligned left; the others hold numbers, aligned right.
    remark : str
        A paragraph below the table.
    """

    caption: str
    head: Sequence[str | Sequence[str]]
    rows: Sequence[Row]
    text_columns: tuple[int, ...] = (0,)
    remark: str = ""

    @property
    def heads(self) -> list[str]:
        """The column headings, each in one line."""
        return [name if isinstance(name, str) else " ".join(name) for name in self.head]

    @property
    def sides(self) -> list[str]:
        """The alignment of each column: left or right."""
        return [
            "left" if place in self.text_columns else "right" for place in range(len(self.head))
        ]

    @property
    def notes(self) -> list[tuple[str, str]]:
        """The footnotes as (letter, sentence); equal reasons share one."""
        return [(self.letter(note), capitalised(note)) for note in self._reasons()]

    @property
    def long(self) -> bool:
        """Whether rows are many and have room for their intervals in one line."""
        wide = max(
            (
                sum(isinstance(cell, Cell) and bool(cell.detail) for cell in row)
                for row in self.rows
            ),
            default=0,
        )
        return len(self.rows) > LONG and wide <= 2

    def letter(self, note: str) -> str:
        """The letter of a footnote: a to z, then a26, a27, ..."""
        place = self._reasons().index(note)
        return chr(ord("a") + place) if place < 26 else f"a{place}"

    def _reasons(self) -> list[str]:
        cells = (cell for row in self.rows for cell in row if isinstance(cell, Cell))
        return list(dict.fromkeys(cell.note for cell in cells if cell.note))


def plain(content: Content) -> str:
    """A cell as text; a reason follows in square brackets, as there are no footnotes."""
    if isinstance(content, str):
        return content
    note = f"[{content.note}]" if content.note else ""
    return " ".join(part for part in (content.text, content.detail, content.flag, note) if part)


def joined(content: Cell, escaped: Callable[[str], str], note: str) -> str:
    """The parts of a cell in a line, with the letter of its footnote after the text."""
    parts = (escaped(content.text) + note, escaped(content.detail), escaped(content.flag))
    return " ".join(part for part in parts if part)


@dataclass(frozen=True)
class Figure:
    """A plot with its caption; `alternative` describes it to a screen reader."""

    plot: Plot
    caption: str
    alternative: str

    @property
    def svg(self) -> str:
        """The plot as part of a page."""
        return self.plot.inline()


def capped(table: Table, file: str, most: int = 100) -> Table:
    """A list that is no longer than `most`, and how many more rows a file of the export has."""
    more = len(table.rows) - most
    if more <= 0:
        return table
    note = f"{more} more rows are in {file} of the export."
    return replace(table, rows=table.rows[:most], remark=f"{table.remark} {note}".strip())


def undefined(reason: str | None) -> Cell:
    """The word "undefined", with the reason as a footnote."""
    return Cell("undefined", note=reason or "", undefined=True)


def value(estimate: Estimate, digits: int = 2) -> Content:
    """The value of an estimate, without its interval."""
    if estimate.value is None:
        return undefined(estimate.reason)
    return decimal(estimate.value, digits)


def limits(interval: Interval | Estimate, *, share: bool = False) -> str:
    """The ends of an interval, such as "0.32 to 0.54"; empty where it is undefined."""
    if interval.low is None or interval.high is None:
        return ""
    if share:
        return f"{percent(interval.low)} to {percent(interval.high)}"
    return f"{decimal(interval.low)} to {decimal(interval.high)}"


def with_interval(estimate: Estimate, *, share: bool = False) -> Content:
    """Value and interval, such as 0.43 (0.32 to 0.54); a footnote says why either is missing."""
    if estimate.value is None:
        return undefined(estimate.reason)
    text = percent(estimate.value) if share else decimal(estimate.value)
    ends = limits(estimate, share=share)
    if not ends:
        return Cell(text, note=estimate.reason or "no interval is computed")
    return Cell(text, detail=f"({ends})")


def share_with_interval(estimate: Estimate) -> Content:
    """A proportion and its interval as percentages."""
    return with_interval(estimate, share=True)


def with_bootstrap(estimate: Estimate, *, share: bool = False) -> Content:
    """A value with its bootstrap interval in place of the other one."""
    ends = estimate.bootstrap
    if ends is None:
        return with_interval(estimate, share=share)
    changed = replace(estimate, low=ends.low, high=ends.high, reason=ends.reason or estimate.reason)
    return with_interval(changed, share=share)


def interval_alone(estimate: Estimate, *, share: bool = False) -> Content:
    """The interval that takes items as independent; a dash where there is none."""
    return Cell(detail=limits(estimate, share=share)) if limits(estimate) else DASH


def tested(test: PValue) -> Content:
    """The p value of a test."""
    return undefined(test.reason) if test.p is None else p_value(test.p)
