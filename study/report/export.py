"""Exports: tables of ratings and of everything around them, with a codebook and JSON.

Methods are M1, M2, ... until the study is unblinded; names are then added in separate columns.
Rows are in the order of readers and of pairs shown, which reveals nothing about methods.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from enhancers.spreadsheet_text import without_formulas
from study.analysis.collect import collect
from study.analysis.dataset import Dataset
from study.domain.errors import StatisticsError
from study.report.export_tables import Cell, Column, ExportTable, tables
from study.report.workbook import workbook
from study.stats.estimate import to_json
from study.storage.hash_chain import ChainHead, audit
from study.storage.key import Key
from study.storage.signature import SigningKey, sign_chain
from study.storage.store import Store

XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class ExportFormat(StrEnum):
    """How the tables are written."""

    CSV = "csv"
    """CSV with a byte order mark, by which Excel on Windows knows UTF-8."""
    PLAIN = "plain"
    """CSV without it, for programs that take the mark for a letter."""
    XLSX = "xlsx"
    """One Excel workbook, with a sheet for each table."""


@dataclass(frozen=True)
class ExportFile:
    """A file of the export."""

    name: str
    content: bytes

    @property
    def text(self) -> str:
        """The content of a text file, without a byte order mark."""
        return self.content.decode("utf-8-sig")


def make(
    store: Store,
    folder: Path,
    *,
    actor: str,
    key: Key | None = None,
    form: ExportFormat = ExportFormat.CSV,
    signing_key: SigningKey | None = None,
) -> tuple[Path, ...]:
    """Export a closed study into a new folder, with its chain head, and log the export.

    Parameters
    ----------
    store : Store
    folder : Path
        New or empty.
    actor : str
        Account that requests it.
    key : Key, optional
        Names of the methods, for a study that is unblinded.
    form : ExportFormat
    signing_key : SigningKey, optional
        Signs the chain head.

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
    require_empty(folder)
    head = log(store, data, actor, signing_key)
    return write(data, folder, form, head)


def files(data: Dataset, form: ExportFormat = ExportFormat.CSV) -> tuple[ExportFile, ...]:
    """All files of an export; the same data give the same bytes."""
    ordered = replace(data, observations=tuple(data.ordered()))
    sheets = tables(data)
    sheets = (*sheets, _codebook(sheets))
    everything = ExportFile("study.json", (to_json(ordered) + "\n").encode())
    if form is ExportFormat.XLSX:
        return (ExportFile("study.xlsx", workbook(sheets)), everything)
    encoding = "utf-8-sig" if form is ExportFormat.CSV else "utf-8"
    return (*(ExportFile(one.file, _csv(one).encode(encoding)) for one in sheets), everything)


def require_empty(folder: Path) -> None:
    """Make a folder for an export.

    Raises
    ------
    StatisticsError
        The folder is not empty, or cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise StatisticsError(f"{folder} is not empty: give a new folder for the export.")
    except OSError as error:
        raise StatisticsError(f"{folder} cannot be written: {error.strerror}.") from None


def write(
    data: Dataset,
    folder: Path,
    form: ExportFormat = ExportFormat.CSV,
    head: ChainHead | None = None,
) -> tuple[Path, ...]:
    """Write an export into a new or empty folder, with the chain head.

    Raises
    ------
    StatisticsError
        The folder is not empty, or cannot be written.
    """
    require_empty(folder)
    try:
        written = []
        for file in (*files(data, form), *_head_files(data, head)):
            path = folder / file.name
            path.touch(mode=0o600)
            path.write_bytes(file.content)
            written.append(path)
    except OSError as error:
        raise StatisticsError(f"{folder} cannot be written: {error.strerror}.") from None
    return tuple(written)


def bundle(data: Dataset, head: ChainHead | None = None) -> bytes:
    """An export as one zip file; the same data and chain head give the same bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in (*files(data), *_head_files(data, head)):
            entry = zipfile.ZipInfo(file.name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o600 << 16
            archive.writestr(entry, file.content)
    return target.getvalue()


def log(
    store: Store, data: Dataset, actor: str, signing_key: SigningKey | None = None
) -> ChainHead:
    """Record the export in the audit trail, and return the chain head.

    Nothing is recorded of a study on a disk that is read-only.
    """
    if not store.read_only:
        words = "methods named" if data.unblinded else "methods masked"
        detail = f"{words}, {data.digest}"
        with store.write() as session:
            audit(session, actor, "export", target=data.study.code, detail=detail)
            if signing_key is not None:
                sign_chain(session, signing_key, actor)
    return store.chain_head()


def _head_files(data: Dataset, head: ChainHead | None) -> Iterator[ExportFile]:
    if head is not None:
        text = (
            f"Chain head {head}\nof the study {data.study.code} at this export. A copy of it that "
            "is kept apart from the study\nproves everything that was stored before:\n"
            f"python -m study verify DIR --head {head}\n"
        )
        yield ExportFile("chain_head.txt", text.encode())


def _codebook(sheets: Iterable[ExportTable]) -> ExportTable:
    columns = tuple(
        Column(name, "text", "") for name in ("file", "column", "type", "meaning", "values")
    )
    rows = tuple(
        (sheet.file, column.name, column.type, column.meaning, column.values)
        for sheet in sheets
        for column in sheet.columns
    )
    return ExportTable("codebook.csv", columns, rows)


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
        else:
            yield without_formulas(cell) if isinstance(cell, str) else cell
