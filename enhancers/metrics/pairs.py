"""Scores of many pairs of images, as one table with a row for each."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from enhancers.metrics import METRICS, Score
from enhancers.metrics.files import as_json
from enhancers.spreadsheet_text import without_formulas


@dataclass(frozen=True)
class PairScores:
    """The scores of an image against its reference, or why there are none.

    Parameters
    ----------
    image, reference : str
        Names of the files; no reference is empty.
    scores : sequence of Score
    error : str
    """

    image: str
    reference: str
    scores: Sequence[Score] = ()
    error: str = ""

    def as_json(self) -> dict[str, Any]:
        """The row as JSON types; the metrics as of one image."""
        found: dict[str, Any] = {"image": self.image, "reference": self.reference}
        return found | ({"error": self.error} if self.error else {"metrics": as_json(self.scores)})


def as_csv(rows: Iterable[PairScores]) -> str:
    """The rows as CSV: image, reference, a column for each metric by its key, error.

    Values have full precision; an undefined one is empty and an infinite one ``inf``.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    keys = [metric.key for metric in METRICS]
    writer.writerow(["image", "reference", *keys, "error"])
    for row in rows:
        values = {one.key: one.value for one in row.scores if one.value is not None}
        cells = [repr(values[key]) if key in values else "" for key in keys]
        names = (_cell(row.image), _cell(row.reference))
        writer.writerow([*names, *cells, _cell(row.error)])
    return text.getvalue()


def _cell(text: str) -> str:
    """A text in one line, which no spreadsheet runs; names may hold bytes that are no text."""
    plain = text.encode("utf-8", "backslashreplace").decode()
    return without_formulas(plain.replace("\n", "\\n").replace("\r", "\\r"))
