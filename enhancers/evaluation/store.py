"""The rows of a run as JSON lines, stored by a digest of everything that determines them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import PlainSerializer, TypeAdapter, ValidationError

from enhancers.files import append_lines, complete_lines, open_to_append

ROWS = "rows.jsonl"


@dataclass(frozen=True)
class Measured:
    """The measurements of one method on one image with one seed.

    Parameters
    ----------
    scores : mapping of measure to value
        None where the measure is not defined.
    spectrum : tuple of float
        Noise power by frequency; empty unless the protocol has spectra.
    calls : int
        Network calls.
    seconds : float
        Wall time.
    notes : tuple of str
        Notes of the method.
    """

    scores: Mapping[str, float | None]
    spectrum: tuple[float, ...] = ()
    calls: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ResultRow:
    """One row of the table: a method on an image, and its measurements or its error."""

    condition: str
    case: str
    group: str
    subject: str
    level: float
    candidate: str
    family: str
    label: str
    seed: int
    measured: Measured = field(default_factory=lambda: Measured({}))
    error: str = ""
    fresh: bool = False


def _json_score(value: float | None) -> float | str | None:
    """JSON has no number for infinity, which the PSNR of equal images is."""
    if value is None or math.isnan(value):
        return None
    return value if math.isfinite(value) else str(value)


@dataclass(frozen=True)
class _Line:
    """A row as it is stored."""

    digest: str
    scores: dict[str, Annotated[float | None, PlainSerializer(_json_score)]]
    spectrum: tuple[float, ...]
    calls: int
    seconds: float
    notes: tuple[str, ...]


_LINE = TypeAdapter(_Line)


class RowStore:
    """The rows below a folder by the digest of everything that determines them.

    A row is never changed. One that an interruption cut short is computed again.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / ROWS
        self._rows: dict[str, Measured] = {}
        for line in complete_lines(self.path):
            self._read(line)

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, digest: str) -> Measured | None:
        """The row with this digest, if there is one."""
        return self._rows.get(digest)

    def put(self, digest: str, measured: Measured) -> None:
        """Store a row; it is on the disk when this returns."""
        scores = {key: None if value is None else float(value)
                  for key, value in measured.scores.items()}  # fmt: skip
        line = _Line(digest, scores, measured.spectrum, measured.calls,
                     round(measured.seconds, 4), measured.notes)  # fmt: skip
        text = _LINE.dump_json(line) + b"\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open_to_append(self.path) as file:
            append_lines(file, [text])
        self._read(text)

    def _read(self, text: bytes) -> None:
        try:
            line = _LINE.validate_json(text)
        except ValidationError:
            return
        self._rows[line.digest] = Measured(
            line.scores, line.spectrum, line.calls, line.seconds, line.notes
        )
