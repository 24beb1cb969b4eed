"""The summary table of a batch, ``summary.csv``: one row per result."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, fields
from enum import StrEnum

from enhancers.spreadsheet_text import without_formulas


class Status(StrEnum):
    """Status of a result, or of a file without one."""

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
        Path relative to the folder of the images, with forward slashes.
    slice : int or None
        None for a file with a single slice.
    method : str
        The method's key; empty where the file itself could not be used.
    status : Status
    seconds : float or None
        Wall time of the run.
    calls : int or None
        Evaluations of the network.
    device : str
        Description of the device.
    result : str
        Path of the result, relative to the folder of the results.
    sha256 : str
        SHA-256 of the result's file.
    message : str
        The error, or warnings and notes about the result.
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
    """The rows as CSV; an apostrophe precedes text that a spreadsheet would run as a formula."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = [field.name for field in fields(SummaryRow)]
    writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(getattr(row, name)) for name in names])
    return buffer.getvalue()


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    # A file name may hold undecodable bytes, or line breaks that would look like another row.
    text = text.encode("utf-8", "backslashreplace").decode().replace("\n", "\\n")
    text = text.replace("\r", "\\r")
    return without_formulas(text)
