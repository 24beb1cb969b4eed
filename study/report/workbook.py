"""Tables as an Excel workbook (Office Open XML, ECMA-376), with text that is never a formula."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from typing import IO
from xml.sax.saxutils import escape, quoteattr

from study.domain.errors import StatisticsError
from study.report.export_files import ExportFile
from study.report.export_tables import Cell, ExportTable

MOST_ROWS = 1_048_576
MOST_CHARACTERS = 32_767
"""Limits of a sheet and of a cell."""
_TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_STYLES = (
    f'<styleSheet {_MAIN}><fonts count="2"><font/><font><b/></font></fonts>'
    '<fills count="1"><fill/></fills><borders count="1"><border/></borders>'
    '<cellStyleXfs count="1"><xf/></cellStyleXfs>'
    '<cellXfs count="2"><xf/><xf fontId="1" applyFont="1"/></cellXfs></styleSheet>'
)
"""The second cell format, for headings, is bold."""


def workbook(name: str, sheets: Sequence[ExportTable]) -> ExportFile:
    """A workbook with a sheet for each table; the same tables give the same bytes.

    It is written row by row. Writing it raises StatisticsError where a table has more rows than a
    sheet can hold.
    """
    return ExportFile(name, lambda target: _write(target, sheets))


def _write(target: IO[bytes], sheets: Sequence[ExportTable]) -> None:
    names = [sheet.file.partition(".")[0] for sheet in sheets]
    numbers = range(1, len(sheets) + 1)
    parts: dict[str, Iterable[str]] = {
        "[Content_Types].xml": [_content_types(numbers)],
        "_rels/.rels": [_relationships([("officeDocument", "xl/workbook.xml")])],
        "xl/workbook.xml": [_book(names)],
        "xl/_rels/workbook.xml.rels": [
            _relationships(
                [*(("worksheet", f"worksheets/sheet{n}.xml") for n in numbers),
                 ("styles", "styles.xml")]
            )
        ],
        "xl/styles.xml": [_STYLES],
    }  # fmt: skip
    for number, sheet in zip(numbers, sheets, strict=True):
        parts[f"xl/worksheets/sheet{number}.xml"] = _sheet(sheet)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, texts in parts.items():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w") as part:
                part.write(_HEAD.encode())
                for text in texts:
                    part.write(text.encode())


def _content_types(numbers: Sequence[int]) -> str:
    sheets = "".join(
        f'<Override PartName="/xl/worksheets/sheet{number}.xml" '
        f'ContentType="{_TYPES}.worksheet+xml"/>'
        for number in numbers
    )
    return (
        f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Override PartName="/xl/workbook.xml" '
        f'ContentType="{_TYPES}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_TYPES}.styles+xml"/>{sheets}</Types>'
    )


def _relationships(entries: Sequence[tuple[str, str]]) -> str:
    rows = "".join(
        f'<Relationship Id="rId{number}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(entries, start=1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{rows}</Relationships>'


def _book(names: Sequence[str]) -> str:
    sheets = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{number}" r:id="rId{number}"/>'
        for number, name in enumerate(names, start=1)
    )
    return f'<workbook {_MAIN} xmlns:r="{_OFFICE}"><sheets>{sheets}</sheets></workbook>'


def _sheet(sheet: ExportTable) -> Iterator[str]:
    yield f'<worksheet {_MAIN}><sheetViews><sheetView workbookViewId="0">'
    yield '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
    yield "</sheetView></sheetViews><sheetData>"
    yield _row([column.name for column in sheet.columns], ' s="1"')
    for number, row in enumerate(sheet.rows(), start=2):
        if number > MOST_ROWS:
            raise StatisticsError(
                f"{sheet.file} has more rows than the {MOST_ROWS} that an Excel sheet can hold: "
                "export as CSV or Parquet."
            )
        yield _row(row)
    yield "</sheetData></worksheet>"


def _row(cells: Sequence[Cell], style: str = "") -> str:
    return f"<row>{''.join(_cell(cell, style) for cell in cells)}</row>"


def _cell(cell: Cell, style: str) -> str:
    if cell is None or cell == "":
        return "<c/>"
    if isinstance(cell, str):
        text = escape(_ILLEGAL.sub("�", cell)[:MOST_CHARACTERS])
        return f'<c t="inlineStr"{style}><is><t xml:space="preserve">{text}</t></is></c>'
    return f"<c><v>{int(cell) if isinstance(cell, bool) else cell!r}</v></c>"
