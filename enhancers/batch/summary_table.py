"""The table of a batch: one row a result, as ``summary.csv``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, fields
from enum import StrEnum


class Status(StrEnum):
    """What became of a result, or of a file that gave none."""

    DONE = "done"
    KEPT = "kept"
    FAILED = "failed"
    SKIPPED = "skipped"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class SummaryRow:
    """One line of the summary.

    Parameters
    ----------
    file : str
        Below the folder of the images, with forward slashes.
    slice : int or None
        Of a file that has several.
    method : str
        Its key; empty where the file itself could not be used.
    status : Status
    seconds : float or None
        Wall time of the run.
    calls : int or None
        Evaluations of the network.
    device : str
        In words.
    result : str
        The file of the result, below the folder of the results.
    sha256 : str
        Of that file.
    message : str
        What went wrong, or what is to be known about the result.
    """

    file: str
    slice: int | None
    method: str
    status: Status
    seconds: float | None = None
    calls: int | None = None
    device: str = ""
    result: str = ""
    sha256: str = ""
    message: str = ""


def as_csv(rows: Iterable[SummaryRow]) -> str:
    """The rows as CSV; a text that a spreadsheet would run as a formula gets an apostrophe."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = [field.name for field in fields(SummaryRow)]
    writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(getattr(row, name)) for name in names])
    return buffer.getvalue()


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    # A name may hold bytes that are no text, or line breaks that would look like another row.
    text = text.encode("utf-8", "backslashreplace").decode().replace("\n", "\\n")
    text = text.replace("\r", "\\r")
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) else text
