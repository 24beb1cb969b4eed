"""The codebook of an export: what every column of every table means, as a table and as text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from study.report.export_tables import Column, ExportTable, in_parts

_WIDTH = 100


def codebook(sheets: Sequence[ExportTable]) -> ExportTable:
    """A row for each column of some tables."""
    names = ("file", "column", "type", "unit", "meaning", "values", "missing")
    rows = [
        (sheet.file, one.name, one.type, one.unit, one.meaning, one.values, one.missing)
        for sheet in sheets
        for one in sheet.columns
    ]
    return ExportTable(
        "codebook.csv", tuple(Column(name, "text", "") for name in names), lambda: in_parts(rows)
    )


def codebook_text(title: str, sheets: Sequence[ExportTable]) -> str:
    """The same to read: a paragraph for each column."""
    parts = [f"Codebook of the export of {' '.join(title.split())}", ""]
    for sheet in sheets:
        parts += [sheet.file, "-" * len(sheet.file)]
        for column in sheet.columns:
            parts += textwrap.wrap(
                " ".join(_sentences(column)), _WIDTH, subsequent_indent="    ",
                break_long_words=False, break_on_hyphens=False,
            )  # fmt: skip
        parts.append("")
    return "\n".join(parts)


def _sentences(column: Column) -> Iterator[str]:
    unit = f", in {column.unit}" if column.unit else ""
    yield f"{column.name} ({column.type}{unit}):"
    yield column.meaning
    if column.values:
        yield f"Values: {' '.join(column.values.split())}."
    yield f"Empty: {column.missing}." if column.missing else "Never empty."
