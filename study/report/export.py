"""Exports: tables of ratings and of everything around them, with a codebook and JSON.

Methods are M1, M2, ... until the study is unblinded; names are then added in separate columns.
Rows are in the order of readers and of pairs shown, which reveals nothing about methods.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

from study.analysis.collect import collect
from study.analysis.dataset import Dataset
from study.domain.errors import StatisticsError
from study.domain.without_gc import without_gc
from study.report.codebook import codebook, codebook_text
from study.report.export_files import ExportFile, csv_file, json_file, parquet_file, text_file
from study.report.export_tables import tables
from study.report.imrmc import imrmc_files
from study.report.primary_script import primary_scripts
from study.report.workbook import workbook
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
    PARQUET = "parquet"
    """A Parquet file for each table, with typed columns."""


@without_gc()
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
    sheets = tables(ordered)
    text = text_file("codebook.txt", codebook_text(data.study.code, sheets))
    sheets = (*sheets, codebook(sheets))
    if form is ExportFormat.XLSX:
        written: tuple[ExportFile, ...] = (workbook("study.xlsx", sheets),)
    elif form is ExportFormat.PARQUET:
        written = tuple(map(parquet_file, sheets))
    else:
        encoding = "utf-8-sig" if form is ExportFormat.CSV else "utf-8"
        written = (*(csv_file(one, encoding) for one in sheets), *primary_scripts(data))
    return (*written, text, json_file("study.json", ordered), *imrmc_files(data))


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
    return write_files(folder, (*files(data, form), *_head_files(data, head)))


def write_files(folder: Path, made: Iterable[ExportFile]) -> tuple[Path, ...]:
    """Write files that only their owner reads into a new or empty folder.

    Raises
    ------
    StatisticsError
        The folder is not empty, or cannot be written.
    """
    require_empty(folder)
    try:
        written = []
        for file in made:
            path = folder / file.name
            path.touch(mode=0o600)
            with path.open("wb") as target:
                file.write(target)
            written.append(path)
    except OSError as error:
        raise StatisticsError(f"{folder} cannot be written: {error.strerror}.") from None
    return tuple(written)


@without_gc()
def bundle(
    data: Dataset, head: ChainHead | None = None, form: ExportFormat = ExportFormat.CSV
) -> bytes:
    """An export as one zip file; the same data and chain head give the same bytes."""
    return zipped((*files(data, form), *_head_files(data, head)))


def zipped(made: Iterable[ExportFile]) -> bytes:
    """Files in one zip file; the same files give the same bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in made:
            entry = zipfile.ZipInfo(file.name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o600 << 16
            with archive.open(entry, "w", force_zip64=True) as part:
                file.write(part)
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
        yield text_file("chain_head.txt", text)
