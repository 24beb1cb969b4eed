"""Results stored as PNG, and a sheet of the worst result of each method."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from enhancers.evaluation.measures import fit, measure
from enhancers.evaluation.problem import Degraded, TestImage
from enhancers.image import Pixels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from enhancers.evaluation.store import ResultRow
    from enhancers.evaluation.summary import Summary

SHEET = 7
"""Largest number of methods on a sheet."""
ERROR = 0.25
"""Error, of [0, 1], that a sheet shows as white."""


def place(folder: Path, row: ResultRow) -> Path:
    """The path of a row's picture, named after the condition, the image and the method."""
    return folder / row.condition / _name(row.case) / f"{_name(row.candidate)}.png"


def _name(text: str) -> str:
    plain = re.sub(r"[^\w.=@-]+", "_", text)[:80]
    if plain == text:
        return plain
    # Names that differ only in characters that a path cannot hold must not share a file.
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{plain}-{digest[:8]}"


def stored(folder: Path | None, row: ResultRow) -> bool:
    """Whether the picture of a row exists."""
    return folder is not None and place(folder, row).is_file()


def store(
    folder: Path, row: ResultRow, case: TestImage, degraded: Degraded, pixels: Pixels
) -> None:
    """Store a result, its truth and its input as 16-bit PNG."""
    from enhancers.save import save_png16

    own = place(folder, row)
    own.parent.mkdir(parents=True, exist_ok=True)
    save_png16(own.with_name("truth.png"), case.truth)
    save_png16(own.with_name("degraded.png"), degraded.pixels)
    save_png16(own, pixels)


def failures(
    folder: Path, condition: str, rows: Sequence[ResultRow], summary: Summary
) -> Figure | None:
    """A sheet with the worst image of every method: truth, input, result, error.

    Worst is by the first measure of the protocol that the method has. None where no picture is
    stored.
    """
    worst = [
        (label, key, found)
        for candidate, label in {o.candidate: o.label for o in summary.of(condition)}.items()
        for key, found in [_worst(folder, condition, candidate, rows, summary)]
        if found is not None
    ][:SHEET]
    return _sheet(folder, worst) if worst else None


def _worst(
    folder: Path, condition: str, candidate: str, rows: Sequence[ResultRow], summary: Summary
) -> tuple[str, ResultRow | None]:
    own = [
        row
        for row in rows
        if (row.condition, row.candidate, row.seed) == (condition, candidate, 0)
        and stored(folder, row)
    ]
    for key in summary.protocol.measures:
        rated = [(value, row) for row in own if (value := row.measured.scores.get(key)) is not None]
        direction = measure(key).direction
        if rated and direction != "none":
            worst = min if direction == "up" else max
            return key, worst(rated, key=lambda pair: pair[0])[1]
    return "", None


def _sheet(folder: Path, worst: Sequence[tuple[str, str, ResultRow]]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.6, 0.5 + 2.0 * len(worst)), layout="constrained")
    axes = figure.subplots(len(worst), 4, squeeze=False)
    for line, (label, key, row) in zip(axes, worst, strict=True):
        own = place(folder, row)
        truth, given, result = (
            _read(path) for path in (own.with_name("truth.png"), own.with_name("degraded.png"), own)
        )
        score = row.measured.scores[key]
        # The error that the score measures: after the fit, where the measure has one.
        judged = fit(result, truth).pixels if measure(key).fitted else result
        for panel, pixels, high in zip(
            line,
            (truth, given, result, np.abs(judged - truth)),
            (1.0, 1.0, 1.0, ERROR),
            strict=True,
        ):
            panel.imshow(pixels, cmap="gray", vmin=0.0, vmax=high, interpolation="nearest")
            panel.set_xticks([])
            panel.set_yticks([])
        line[0].set_ylabel(row.case[:24], fontsize=7)
        line[2].set_title(f"{label}\n{measure(key).label} {score:.4g}", fontsize=7)
    for panel, title in zip(axes[0], ("truth", "given", "", f"error to {ERROR:g}"), strict=True):
        if title:
            panel.set_title(title, fontsize=8)
    return figure


def _read(path: Path) -> Pixels:
    from enhancers.save import read_png16

    return (read_png16(path.read_bytes()) / np.float32(65535)).astype(np.float32)
