"""The tables of a report as files: CSV, HTML to paste into a text processor, and LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from html import escape

from enhancers.spreadsheet_text import without_formulas
from study.report.cells import Content, Table, joined, plain
from study.report.export_files import ExportFile, text_file
from study.report.latex_tables import latex

_LINE = "1px solid black"


def table_files(title: str, tables: Sequence[Table]) -> Iterator[ExportFile]:
    """The numbered tables of a report: one file of HTML, one of LaTeX, and CSV for each table.

    Parameters
    ----------
    title : str
        Of the report.
    tables : sequence of Table
        In the order of their numbers.
    """
    yield text_file("tables.html", _html(title, tables))
    yield text_file("tables.tex", latex(title, tables))
    for number, table in enumerate(tables, start=1):
        yield text_file(f"table-{number:02d}.csv", _csv(table))


def _csv(table: Table) -> str:
    """With a byte order mark, by which Excel knows UTF-8."""
    text = io.StringIO()
    rows = [table.heads, *(map(plain, row) for row in table.rows)]
    csv.writer(text, lineterminator="\n").writerows(map(without_formulas, row) for row in rows)
    return "\ufeff" + text.getvalue()


def _html(title: str, tables: Sequence[Table]) -> str:
    """A document whose tables keep rules and alignment when they are pasted elsewhere."""
    parts = [
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}: tables</title></head>\n"
        '<body style="font-family: serif; font-size: 10pt">'
    ]
    for number, table in enumerate(tables, start=1):
        parts += [
            f"<p><b>Table {number}.</b> {escape(table.caption)}</p>",
            '<table style="border-collapse: collapse; border-top: 2px solid black; '
            'border-bottom: 2px solid black">',
        ]
        head = [
            escape(name) if isinstance(name, str) else "<br>".join(map(escape, name))
            for name in table.head
        ]
        parts.append(_html_row(head, table, "th", f"; border-bottom: {_LINE}"))
        parts += [
            _html_row([_html_cell(cell, table) for cell in row], table, "td", "")
            for row in table.rows
        ]
        parts.append("</table>")
        notes = " ".join(
            f"<sup>{letter}</sup>&nbsp;{escape(sentence)}" for letter, sentence in table.notes
        )
        parts += [f"<p>{one}</p>" for one in (notes, escape(table.remark)) if one]
    return "\n".join((*parts, "</body></html>")) + "\n"


def _html_row(cells: Sequence[str], table: Table, tag: str, style: str) -> str:
    written = "".join(
        f'<{tag} style="padding: 2px 6px; vertical-align: top; text-align: {side}{style}">'
        f"{cell}</{tag}>"
        for cell, side in zip(cells, table.sides, strict=True)
    )
    return f"<tr>{written}</tr>"


def _html_cell(content: Content, table: Table) -> str:
    if isinstance(content, str):
        return escape(content)
    note = f"<sup>{table.letter(content.note)}</sup>" if content.note else ""
    return joined(content, escape, note)
