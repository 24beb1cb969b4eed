"""The plots of a chapter. They show numbers only, so that no image of a user is published."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.evidence.results import Plot
from benchmarks.small_png import small_png
from enhancers.evaluation import plots
from enhancers.evaluation.protocol import Condition, Protocol
from enhancers.evaluation.store import ResultRow
from enhancers.evaluation.summary import Summary

COLOURS = 32
"""Number of colours of the pictures, which makes the files three times smaller."""
TEXTS = {
    "scores": "the score of every image, and the means",
    "differences": "paired differences with 95 % intervals",
    "calls": "mean quality against network calls",
    "spectra": "noise power by frequency",
}
"""Alternative texts of the figures of `enhancers.evaluation.plots`, by kind."""


def draw(
    folder: Path, prefix: str, rows: Sequence[ResultRow], summary: Summary
) -> tuple[Plot, ...]:
    """Draw the figures of a chapter as ``prefix-condition-kind.png``."""
    import matplotlib as mpl

    wanted = _wanted(summary.protocol)
    conditions = {one.key: one for one in summary.protocol.conditions}
    found = []
    with mpl.rc_context(plots.STYLE):
        for name, figure in plots.figures(rows, summary):
            condition, _, kind = name.rpartition("-")
            if kind in wanted:
                file = f"{prefix}-{name}.png"
                (folder / file).write_bytes(small_png(figure, plots.DPI, COLOURS))
                found.append(Plot(file, _text(conditions[condition], kind), condition))
    return tuple(found)


def _wanted(protocol: Protocol) -> tuple[str, ...]:
    if protocol.against_calls:
        return ("calls",)
    return ("scores", "differences", *(("spectra",) if protocol.spectra else ()))


def _text(condition: Condition, kind: str) -> str:
    return f"{condition.label}: {TEXTS[kind]}"
