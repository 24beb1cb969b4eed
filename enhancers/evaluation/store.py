"""The rows of a run on the disk, one JSON line each, found again by all that determines them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from enhancers.files import append_lines, complete_lines, open_to_append

ROWS = "rows.jsonl"


@dataclass(frozen=True)
class Measured:
    """What one candidate reached on one image with one seed.

    Parameters
    ----------
    scores : mapping of measure to value
        None where it is not defined.
    spectrum : tuple of float
        Noise power by frequency, empty unless the protocol has spectra.
    calls : int
        Network evaluations.
    seconds : float
    notes : tuple of str
        What the method told.
    """

    scores: Mapping[str, float | None]
    spectrum: tuple[float, ...] = ()
    calls: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ResultRow:
    """One row of the table: who, on what, and what came of it; `error` where nothing did."""

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


class RowStore:
    """Rows by the digest of all that determines them; they are only ever added.

    A line that an interruption cut short is ignored, and its row is computed again.
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
        """Keep a row; it is on the disk when this returns."""
        scores = {key: _plain(value) for key, value in measured.scores.items()}
        line = {
            "digest": digest,
            "scores": scores,
            "spectrum": list(measured.spectrum),
            "calls": measured.calls,
            "seconds": round(measured.seconds, 4),
            "notes": list(measured.notes),
        }
        text = f"{json.dumps(line, ensure_ascii=False, allow_nan=False)}\n".encode()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open_to_append(self.path) as file:
            append_lines(file, [text])
        self._read(text)

    def _read(self, line: bytes) -> None:
        try:
            plain = json.loads(line)
            scores = {str(key): _value(value) for key, value in plain["scores"].items()}
            self._rows[str(plain["digest"])] = Measured(
                scores,
                tuple(float(value) for value in plain["spectrum"]),
                int(plain["calls"]),
                float(plain["seconds"]),
                tuple(str(note) for note in plain["notes"]),
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            return


def _plain(value: float | None) -> float | str | None:
    """JSON has no number for infinity, which the PSNR of equal images is."""
    if value is None or math.isnan(value):
        return None
    return float(value) if math.isfinite(value) else str(float(value))


def _value(value: float | str | None) -> float | None:
    return None if value is None else float(value)
