"""The files of an export: CSV, JSON and Parquet, written row by row."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import lru_cache
from itertools import repeat
from operator import attrgetter
from typing import IO, Any

from enhancers.spreadsheet_text import without_formulas
from study.analysis.column_text import Texts, is_shared, json_texts, laid_out, number_texts
from study.analysis.dataset import Dataset
from study.report.export_tables import Cell, Column, ExportTable, in_parts
from study.stats.estimate import to_json, to_plain

_ROWS, _RECORDS = 20_000, 1000
"""Rows of Parquet, and records of JSON, that are held at a time."""


@dataclass(frozen=True)
class ExportFile:
    """A file of the export.

    Parameters
    ----------
    name : str
    write : callable
        Writes the content to a binary file; the same bytes at each call.
    """

    name: str
    write: Callable[[IO[bytes]], None]

    @property
    def content(self) -> bytes:
        """All bytes at once."""
        target = io.BytesIO()
        self.write(target)
        return target.getvalue()

    @property
    def text(self) -> str:
        """The content of a text file, without a byte order mark."""
        return self.content.decode("utf-8-sig")


def text_file(name: str, text: str) -> ExportFile:
    """A text in UTF-8."""
    return ExportFile(name, lambda target: _put(target, text.encode()))


def csv_file(sheet: ExportTable, encoding: str) -> ExportFile:
    """A table as CSV; no cell is a formula to a spreadsheet."""

    def write(target: IO[bytes]) -> None:
        target.write(_lines([[column.name] for column in sheet.columns]).encode(encoding))
        for columns in sheet.parts():
            target.write(_lines(columns).encode())

    return ExportFile(sheet.file, write)


def json_file(name: str, data: Dataset) -> ExportFile:
    """All data as JSON."""
    return ExportFile(name, lambda target: _write_json(target, data))


def parquet_file(sheet: ExportTable) -> ExportFile:
    """A table as Parquet, with the meaning of each column in its field; empty cells are null."""
    name = f"{sheet.file.partition('.')[0]}.parquet"
    return ExportFile(name, lambda target: _write_parquet(target, sheet))


def _put(target: IO[bytes], content: bytes) -> None:
    target.write(content)


def _lines(columns: Sequence[Sequence[Cell]]) -> str:
    """Rows of a table as CSV."""
    layout = f"{','.join(repeat('%s', len(columns)))}\n"
    return "".join(laid_out(layout, list(map(_written, columns)), len(columns[0])))


def _written(column: Sequence[Cell]) -> Texts:
    """The cells of a column as CSV has them."""
    if is_shared(column):
        return _cell(column[0])
    if set(map(type, column)) == {str}:
        return map(_text, column)
    return number_texts(column, "") or map(_cell, column)


def _cell(cell: Cell) -> str:
    if isinstance(cell, str):
        return _text(cell)
    return "" if cell is None else str(int(cell) if isinstance(cell, bool) else cell)


_PLAIN = re.compile(r"[^\W_][\w .:-]*")
"""Texts that are no formulas and that CSV has as they are."""


@lru_cache(maxsize=4096)
def _text(text: str) -> str:
    """A text as the writer of CSV has it between other cells."""
    if _PLAIN.fullmatch(text):
        return text
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow((without_formulas(text), ""))
    return line.getvalue()[:-2]


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=to_plain)


def _write_json(target: IO[bytes], data: Dataset) -> None:
    for number, field in enumerate(fields(data)):
        target.write(f"{',' if number else '{'}\n{_ENCODER.encode(field.name)}: ".encode())
        value = getattr(data, field.name)
        if isinstance(value, tuple):
            for part in _records(value):
                target.write(part.encode())
        else:
            target.write(to_json(value).encode())
    target.write(b"\n}\n")


def _records(records: Sequence[Any]) -> Iterator[str]:
    """The JSON of records of one kind, in pieces."""
    if not records:
        yield "[]"
        return
    plain = isinstance(records[0], tuple)
    names = records[0]._fields if plain else [field.name for field in fields(records[0])]
    values = attrgetter(*names)
    layout = f"{{{', '.join(f'{_ENCODER.encode(name)}: %s' for name in names)}}}"
    for start in range(0, len(records), _RECORDS):
        piece = records[start : start + _RECORDS]
        text = _piece(layout, piece if plain else list(map(values, piece)))
        yield f"{',' if start else '['}\n{text}"
    yield "\n]"


def _piece(layout: str, piece: Sequence[tuple[Any, ...]]) -> str:
    texts = [json_texts(column, _ENCODER) for column in zip(*piece, strict=True)]
    return ", ".join(laid_out(layout, texts, len(piece)))


def _write_parquet(target: IO[bytes], sheet: ExportTable) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    types = {
        "text": pa.string(), "integer": pa.int64(), "number": pa.float64(),
        "time": pa.timestamp("us", "UTC"),
    }  # fmt: skip
    schema = pa.schema(
        [pa.field(one.name, types[one.type], metadata=_described(one)) for one in sheet.columns]
    )
    # Parquet is written with seeks, which a file in an archive does not have.
    written = io.BytesIO()
    with parquet.ParquetWriter(written, schema) as writer:
        for part in in_parts(sheet.rows(), _ROWS):
            columns = [
                pa.array([_typed(cell, one.type) for cell in cells], types[one.type])
                for cells, one in zip(part, sheet.columns, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    target.write(written.getbuffer())


def _described(column: Column) -> dict[str, str]:
    known = {
        "meaning": column.meaning, "values": column.values, "unit": column.unit,
        "missing": column.missing,
    }  # fmt: skip
    return {name: text for name, text in known.items() if text}


def _typed(cell: Cell, kind: str) -> object:
    """A cell as Parquet has it."""
    if cell is None or cell == "":
        return None
    if kind == "time":
        return datetime.fromisoformat(str(cell))
    if kind == "text":
        return str(cell)
    return float(cell) if kind == "number" else int(cell)
