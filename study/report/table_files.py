"""The tables of a report as files: CSV, HTML to paste into a text processor, and LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from html import escape

from enhancers.spreadsheet_text import without_formulas
from study.report.cells import Cell, Content, Table
from study.report.export_files import ExportFile, text_file

_LINE = "1px solid black"
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "\n": " ",
    "\u00a0": "~",
    "−": "$-$", "×": r"$\times$", "±": r"$\pm$", "≤": r"$\leq$", "≥": r"$\geq$", "·": r"$\cdot$",
    "°": r"\textdegree{}", "²": r"$^2$", "α": r"$\alpha$", "β": r"$\beta$", "κ": r"$\kappa$",
    "χ": r"$\chi$", "σ": r"$\sigma$", "τ": r"$\tau$", "ρ": r"$\rho$", "Δ": r"$\Delta$",
    "√": r"$\surd$", "→": r"$\rightarrow$",
}  # fmt: skip
"""What LaTeX would take for a command, or has no letter for; other letters it reads as UTF-8."""


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
    yield text_file("tables.tex", _latex(title, tables))
    for number, table in enumerate(tables, start=1):
        yield text_file(f"table-{number:02d}.csv", _csv(table))


def _csv(table: Table) -> str:
    """With a byte order mark, by which Excel knows UTF-8."""
    text = io.StringIO()
    rows = [_head(table, " "), *(map(_plain, row) for row in table.rows)]
    csv.writer(text, lineterminator="\n").writerows(map(without_formulas, row) for row in rows)
    return "\ufeff" + text.getvalue()


def _head(table: Table, between: str) -> list[str]:
    return [name if isinstance(name, str) else between.join(name) for name in table.head]


def _plain(content: Content) -> str:
    """A cell as text; a reason follows in square brackets, as there are no footnotes."""
    if isinstance(content, str):
        return content
    note = f"[{content.note}]" if content.note else ""
    return " ".join(part for part in (content.text, content.detail, content.flag, note) if part)


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
        for cell, side in zip(cells, _sides(table, len(cells)), strict=True)
    )
    return f"<tr>{written}</tr>"


def _sides(table: Table, count: int) -> list[str]:
    return ["left" if place in table.text_columns else "right" for place in range(count)]


def _html_cell(content: Content, table: Table) -> str:
    if isinstance(content, str):
        return escape(content)
    note = f"<sup>{table.letter(content.note)}</sup>" if content.note else ""
    return _joined(content, escape, note)


def _joined(content: Cell, escaped: Callable[[str], str], note: str) -> str:
    parts = (escaped(content.text) + note, escaped(content.detail), escaped(content.flag))
    return " ".join(part for part in parts if part)


def _latex(title: str, tables: Sequence[Table]) -> str:
    parts = [
        f"% Tables of: {' '.join(title.split())}",
        r"% In the preamble: \usepackage{booktabs}. Wide tables need \resizebox or landscape.",
    ]
    for number, table in enumerate(tables, start=1):
        columns = "".join(side[0] for side in _sides(table, len(table.head)))
        parts += [
            "",
            r"\begin{table}[htbp]",
            rf"\caption{{{_tex(table.caption)}}}",
            rf"\label{{tab:report-{number}}}",
            r"\centering\small",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(map(_tex, _head(table, " "))) + r" \\",
            r"\midrule",
            *(" & ".join(_tex_cell(cell, table) for cell in row) + r" \\" for row in table.rows),
            r"\bottomrule",
            r"\end{tabular}",
            *(rf"\par\footnotesize \textsuperscript{{{letter}}}~{_tex(sentence)}"
              for letter, sentence in table.notes),
            *([rf"\par\footnotesize {_tex(table.remark)}"] if table.remark else []),
            r"\end{table}",
        ]  # fmt: skip
    return "\n".join(parts) + "\n"


def _tex(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in text)


def _tex_cell(content: Content, table: Table) -> str:
    # A bracket after the end of a row would be its argument.
    if isinstance(content, str):
        written = _tex(content)
    else:
        letter = table.letter(content.note) if content.note else ""
        note = rf"\textsuperscript{{{letter}}}" if letter else ""
        written = _joined(content, _tex, note)
    return f"{{{written}}}" if written.startswith(("[", "*")) else written
