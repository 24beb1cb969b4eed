"""The files of an export: CSV, JSON and Parquet, written row by row."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import lru_cache
from itertools import islice
from json.encoder import encode_basestring
from operator import attrgetter
from types import NoneType
from typing import IO, Any, cast

from enhancers.spreadsheet_text import without_formulas
from study.analysis.dataset import Dataset
from study.report.export_tables import Cell, Column, ExportTable
from study.stats.estimate import to_json, to_plain

_ROWS, _RECORDS = 20_000, 1000
"""Rows of a table, and records of JSON, that are held at a time."""


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
        target.write(_lines([[column.name for column in sheet.columns]]).encode(encoding))
        for rows in _parts(sheet):
            target.write(_lines(rows).encode())

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


def _parts(sheet: ExportTable) -> Iterator[list[Sequence[Cell]]]:
    rows = iter(sheet.rows())
    while part := list(islice(rows, _ROWS)):
        yield part


def _lines(rows: Sequence[Sequence[Cell]]) -> str:
    text = io.StringIO()
    columns = map(_written, zip(*rows, strict=True))
    csv.writer(text, lineterminator="\n").writerows(zip(*columns, strict=True))
    return text.getvalue()


def _written(column: Sequence[Cell]) -> Iterable[Cell]:
    """The cells of a column as CSV has them."""
    kinds = set(map(type, column))
    if kinds <= _NUMBERS:
        return column
    if kinds == {str}:
        return map(without_formulas, cast("Sequence[str]", column))
    return [
        without_formulas(cell)
        if isinstance(cell, str)
        else int(cell)
        if isinstance(cell, bool)
        else cell
        for cell in column
    ]


_NUMBERS = frozenset((int, float, NoneType))


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
    first, plain = records[0], isinstance(records[0], tuple)
    names = first._fields if plain else [field.name for field in fields(first)]
    values = attrgetter(*names)
    layout = f"{{{', '.join(f'{_ENCODER.encode(name)}: %s' for name in names)}}}"
    for start in range(0, len(records), _RECORDS):
        piece = records[start : start + _RECORDS]
        columns = zip(*(piece if plain else map(values, piece)), strict=True)
        encoded = zip(*map(_encoded, columns), strict=True)
        yield f"{',' if start else '['}\n{', '.join(map(layout.__mod__, encoded))}"
    yield "\n]"


def _encoded(column: Sequence[object]) -> Iterable[str]:
    """JSON of the values of a field, as the encoder writes them."""
    kinds = set(map(type, column))
    if kinds == {str}:
        return map(_text, column)
    return map(repr if kinds == {int} else _value, column)


def _value(value: object) -> str:
    if isinstance(value, str):
        return _text(value)
    if value is None:
        return "null"
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return repr(value)
    return "[]" if value == () else _ENCODER.encode(value)


_text = lru_cache(maxsize=4096)(encode_basestring)


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
        for rows in _parts(sheet):
            columns = [
                pa.array([_typed(cell, one.type) for cell in cells], types[one.type])
                for cells, one in zip(zip(*rows, strict=True), sheet.columns, strict=True)
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
