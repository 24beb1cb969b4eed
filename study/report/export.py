"""Exports: one long table of ratings with its companions, as CSV and JSON, and a codebook.

Methods are M1, M2, ... until the study is unblinded; names are then added in columns of their own.
Rows are in the order of readers and of what they were shown, which says nothing about methods.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from study.analysis.collect import collect
from study.analysis.dataset import MISSING, Dataset, Observation
from study.analysis.scores import first_ratings
from study.domain.errors import StatisticsError
from study.domain.protocol import LEFT, RIGHT, Role
from study.stats.estimate import to_json
from study.storage.hash_chain import audit
from study.storage.key_file import Key
from study.storage.store import Store

SIDES = {LEFT: "left", RIGHT: "right"}
Cell = str | int | float | bool | None


@dataclass(frozen=True)
class Column:
    """A column of a table, as the codebook explains it."""

    name: str
    type: str
    meaning: str
    values: str = ""


@dataclass(frozen=True)
class ExportTable:
    """A table with its columns."""

    file: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class ExportFile:
    """One file of an export."""

    name: str
    text: str


def make(store: Store, folder: Path, *, actor: str, key: Key | None = None) -> tuple[Path, ...]:
    """Export a closed study into a new folder and log it.

    Parameters
    ----------
    store : Store
    folder : Path
        New or empty.
    actor : str
        Who asks for it.
    key : Key, optional
        Names of the methods, for a study that is unblinded.

    Raises
    ------
    BlindingError
        The study is not closed, or names are asked for before it is unblinded.
    KeyFileError
        The key is of another study.
    StatisticsError
        The folder holds something already, or cannot be written.
    """
    data = collect(store, key)
    written = write(data, folder)
    log(store, data, actor)
    return written


def files(data: Dataset) -> tuple[ExportFile, ...]:
    """All files of an export; the same data give the same bytes."""
    ordered = replace(data, observations=tuple(data.ordered()))
    sheets = (_ratings(data), _methods(data), _readers(data), _cases(data), _comments(data))
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
        The folder holds something already, or cannot be written.
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
    """Note in the audit trail that an export left the house."""
    words = "methods named" if data.unblinded else "methods masked"
    with store.write() as session:
        audit(session, actor, "export", target=data.study.code, detail=f"{words}, {data.digest}")


def _ratings(data: Dataset) -> ExportTable:
    codes = ", ".join(question.code for question in data.protocol.questions)
    columns = (
        Column("reader", "text", "Code of the reader."),
        Column("case", "text", "Random label of the case."),
        Column("patient", "text", "Random label of the patient, the cluster of the bootstrap."),
        Column("session", "integer", "0 training, 1 main, 2 repeats after a washout."),
        Column("position", "integer", "Place in the session."),
        Column("pair", "text", "Label of the pair in the reader's plan."),
        Column("role", "text", "Why the pair was shown.", ", ".join(Role)),
        Column("repeat_of", "text", "For a repeat: the pair that is shown again."),
        Column("question", "text", "Code of the question.", codes),
        Column("side", "text", "What was rated.", "left, right, pair"),
        Column("left", "text", "Method on the left."),
        Column("right", "text", "Method on the right."),
        Column("method", "text", "Method that was rated; empty for a preference."),
        Column("value", "integer", "The answer.", _scales(data)),
        Column("missing", "text", "Why there is no value.", ", ".join(MISSING)),
        Column("counts_for_kappa", "integer",
               "1: the first main rating of reader, case and method.", "0, 1"),
        Column("revision", "integer", "0 no answer, 1 first answer, more: corrected."),
        Column("seconds", "number", "How long the pair was visible."),
        Column("answered_at", "time", "When it was stored, UTC, ISO 8601."),
        Column("excluded", "text", "Code of the rule that leaves the row out of all analyses."),
        *([Column("method_name", "text", "Name of the method.")] if data.unblinded else []),
    )  # fmt: skip
    first = {
        (seen.pair, seen.question, seen.side)
        for question in data.criteria
        for seen in first_ratings(data, question)
    }
    names = {one.mask: one.name for one in data.methods}
    rows = []
    for seen in data.ordered():
        key = (seen.pair, seen.question, seen.side)
        extra = (names.get(seen.method, ""),) if data.unblinded else ()
        rows.append((*_rating(seen, key in first), *extra))
    return ExportTable("ratings.csv", columns, tuple(rows))


def _rating(seen: Observation, first: bool) -> tuple[Cell, ...]:
    return (
        seen.reader, seen.case, seen.patient, seen.session, seen.position, seen.pair,
        seen.role.value, seen.repeat_of, seen.question, SIDES.get(seen.side, "pair"), seen.left,
        seen.right, seen.method, seen.value, seen.missing, first, seen.revision, seen.seconds,
        seen.at, seen.excluded,
    )  # fmt: skip


def _scales(data: Dataset) -> str:
    found = []
    for question in data.protocol.questions:
        words = question.anchors or ("",) * len(question.scale)
        points = (
            f"{point} {word}".strip() for point, word in zip(question.scale, words, strict=True)
        )
        found.append(f"{question.code}: {', '.join(points)}")
    return "; ".join(found)


def _methods(data: Dataset) -> ExportTable:
    columns: tuple[Column, ...] = (
        Column("method", "text", "The code in the other tables."),
        Column("kind", "text", "What its images are for.", "test, reference, anchor"),
    )
    rows: list[tuple[Cell, ...]] = [(one.mask, one.kind.value) for one in data.methods]
    if data.unblinded:
        columns += (
            Column("name", "text", "From the key file."),
            Column("group", "text", "Right answer to the blinding question."),
            Column("parameters", "text", "How its images were made."),
        )
        rows = [
            (
                *row,
                one.name,
                one.group,
                "; ".join(f"{name}={value}" for name, value in one.parameters),
            )
            for row, one in zip(rows, data.methods, strict=True)
        ]
    return ExportTable("methods.csv", columns, tuple(rows))


def _readers(data: Dataset) -> ExportTable:
    columns = (
        Column("reader", "text", "Code of the reader."),
        Column("state", "text", "Whether the reader is analysed.",
               "included, withdrawn, excluded, never joined"),
        Column("specialty", "text", "As the reader answered."),
        Column("experience_years", "integer", "As the reader answered."),
        Column("simulated", "integer", "1: a program, not a person.", "0, 1"),
        Column("display_check", "text", "Check of the screen.", "passed, failed, not done"),
        Column("planned", "integer", "Main pairs of the plan."),
        Column("read", "integer", "Main pairs that were answered."),
        Column("corrections", "integer", "Pairs that were corrected with a reason."),
        Column("started_at", "time", "Start of the first session, UTC."),
        Column("finished_at", "time", "End of the last finished session, UTC."),
    )  # fmt: skip
    rows = tuple(
        (
            one.code, one.state, one.specialty, one.experience_years, one.simulated,
            one.display_check, one.planned, one.read, one.corrections, one.started_at,
            one.finished_at,
        )
        for one in data.readers
    )  # fmt: skip
    return ExportTable("readers.csv", columns, rows)


def _cases(data: Dataset) -> ExportTable:
    columns = (
        Column("case", "text", "Random label of the case; its name is in the key file."),
        Column("patient", "text", "Random label of the patient."),
        Column("modality", "text", "DICOM code of the modality."),
        Column("training", "integer", "1: for training and warm-up only.", "0, 1"),
    )
    rows = tuple((one.case, one.patient, one.modality, one.training) for one in data.cases)
    return ExportTable("cases.csv", columns, rows)


def _comments(data: Dataset) -> ExportTable:
    columns = (
        Column("reader", "text", "Code of the reader."),
        Column("pair", "text", "Label of the pair in the reader's plan."),
        Column("comment", "text", "What the reader wrote; may hold anything."),
        Column("written_at", "time", "When it was stored, UTC."),
    )
    rows = tuple((one.reader, one.pair, one.text, one.at) for one in data.comments)
    return ExportTable("comments.csv", columns, rows)


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
            # A spreadsheet would run this text as a formula.
            yield f"'{cell}"
        else:
            yield cell
