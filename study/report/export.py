"""Exports: tables of ratings, methods, readers, cases and comments, with a codebook and JSON.

Methods are M1, M2, ... until the study is unblinded; names are then added in separate columns.
Rows are in the order of readers and of pairs shown, which reveals nothing about methods.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from study.analysis.collect import collect
from study.analysis.dataset import Dataset
from study.domain.errors import StatisticsError
from study.report.export_tables import Cell, Column, ExportTable, tables
from study.stats.estimate import to_json
from study.storage.hash_chain import audit
from study.storage.key import Key
from study.storage.store import Store


@dataclass(frozen=True)
class ExportFile:
    """A file of the export."""

    name: str
    text: str


def make(store: Store, folder: Path, *, actor: str, key: Key | None = None) -> tuple[Path, ...]:
    """Export a closed study into a new folder and log the export.

    Parameters
    ----------
    store : Store
    folder : Path
        New or empty.
    actor : str
        Account that requests it.
    key : Key, optional
        Names of the methods, for a study that is unblinded.

    Raises
    ------
    BlindingError
        The study is not closed, or names are requested before it is unblinded.
    KeyFileError
        The key is of another study.
    StatisticsError
        The folder is not empty, or cannot be written.
    """
    data = collect(store, key)
    written = write(data, folder)
    log(store, data, actor)
    return written


def files(data: Dataset) -> tuple[ExportFile, ...]:
    """All files of an export; the same data give the same bytes."""
    ordered = replace(data, observations=tuple(data.ordered()))
    sheets = tables(data)
    return (
        *(ExportFile(sheet.file, _csv(sheet)) for sheet in sheets),
        ExportFile("codebook.csv", _codebook(sheets)),
        ExportFile("study.json", to_json(ordered) + "\n"),
    )


def write(data: Dataset, folder: Path) -> tuple[Path, ...]:
    """Write an export into a new or empty folder.

    Raises
    ------
    StatisticsError
        The folder is not empty, or cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise StatisticsError(f"{folder} is not empty: give a new folder for the export.")
        written = []
        for file in files(data):
            path = folder / file.name
            path.touch(mode=0o600)
            path.write_text(file.text, encoding="utf-8", newline="")
            written.append(path)
    except OSError as error:
        raise StatisticsError(f"{folder} cannot be written: {error.strerror}.") from None
    return tuple(written)


def bundle(data: Dataset) -> bytes:
    """An export as one zip file; the same data give the same bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files(data):
            entry = zipfile.ZipInfo(file.name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o600 << 16
            archive.writestr(entry, file.text)
    return target.getvalue()


def log(store: Store, data: Dataset, actor: str) -> None:
    """Record the export in the audit trail, unless the study is on a disk that is read-only."""
    if store.read_only:
        return
    words = "methods named" if data.unblinded else "methods masked"
    with store.write() as session:
        audit(session, actor, "export", target=data.study.code, detail=f"{words}, {data.digest}")


def _codebook(sheets: Iterable[ExportTable]) -> str:
    columns = tuple(
        Column(name, "text", "") for name in ("file", "column", "type", "meaning", "values")
    )
    rows = tuple(
        (sheet.file, column.name, column.type, column.meaning, column.values)
        for sheet in sheets
        for column in sheet.columns
    )
    return _csv(ExportTable("codebook.csv", columns, rows))


def _csv(sheet: ExportTable) -> str:
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow([column.name for column in sheet.columns])
    writer.writerows(_written(row) for row in sheet.rows)
    return target.getvalue()


def _written(row: Sequence[Cell]) -> Iterator[Cell]:
    for cell in row:
        if isinstance(cell, bool):
            yield int(cell)
        elif isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")):
            # A spreadsheet would evaluate this text as a formula.
            yield f"'{cell}"
        else:
            yield cell
