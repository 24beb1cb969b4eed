"""Plots of the readers: their means and their drift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from study.domain.formatting import decimal
from study.report.plots.canvas import (
    INK,
    LINE,
    READERS,
    WIDTH,
    Plot,
    fit_axes,
    reader_style,
    shorten,
    wrapped,
)
from study.stats.estimate import Floats

DOTS = 60
"""Most dots of a reader's drift; where there are more ratings, a dot is the mean of a block."""

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class ReaderMeans:
    """One reader's mean score of each method; None without ratings."""

    label: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, eq=False)
class ScoreDrift:
    """One reader's scores in the order read, minus the reader's mean of each method."""

    title: str
    places: Floats
    scores: Floats
    slope: float | None
    """Change of the score per pair."""


def slopes(
    lines: Sequence[ReaderMeans], methods: Sequence[str], ends: tuple[int, int], name: str
) -> Plot:
    """Each reader's means joined by a line across the methods, and their overall mean."""
    right = 0.95 * (1 + len(lines) // 16)
    # As many characters as fit between two methods.
    wide = max(int((WIDTH - right - 0.8) / max(len(methods), 1) / 0.076) - 1, 6)
    deepest = max((wrapped(one, wide, 3).count("\n") + 2 for one in methods), default=2)
    bottom = 0.16 + 0.145 * deepest

    def paint(figure: Figure) -> None:
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        at = np.arange(len(methods))
        table = np.full((len(lines), len(methods)), np.nan)
        for number, line in enumerate(lines):
            table[number] = [np.nan if v is None else v for v in line.values]
        for number, line in enumerate(lines):
            axes.plot(
                at, table[number], label=shorten(line.label, 14), lw=1.3, **reader_style(number)
            )
        counted = np.isfinite(table).sum(axis=0)
        mean = np.where(counted > 0, np.nansum(table, axis=0) / np.maximum(counted, 1), np.nan)
        axes.plot(at, mean, color=INK, lw=2.6, marker="o", ms=6, label="mean", zorder=9)
        below = [f"mean {decimal(y)}" if np.isfinite(y) else "no ratings" for y in mean]
        under = [f"{wrapped(m, wide, 3)}\n{y}" for m, y in zip(methods, below, strict=True)]
        axes.set_xticks(at, under, fontsize=7.5)
        axes.set_xlim(-0.35, len(methods) - 0.65)
        axes.set_ylim(ends[0] - 0.15, ends[1] + 0.15)
        axes.set_yticks(range(ends[0], ends[1] + 1))
        axes.set_ylabel("Mean score")
        axes.grid(axis="y", color=LINE, lw=0.6)
        axes.set_axisbelow(True)
        axes.legend(
            loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, ncols=1 + len(lines) // 16
        )
        fit_axes(figure, axes, right=right, bottom=bottom)

    return Plot(name, 2.65 + bottom, paint)


def drift(drifts: Sequence[ScoreDrift], limit: float, name: str) -> Plot:
    """Each reader's scores over the study as dots with the fitted line."""
    columns = min(max(len(drifts), 1), 5)
    rows = -(-len(drifts) // columns)
    height = rows * 1.5 + 0.22

    def paint(figure: Figure) -> None:
        for number, one in enumerate(drifts):
            row, column = divmod(number, columns)
            width = (WIDTH - 0.55) / columns
            axes = figure.add_axes(
                (
                    (0.5 + column * width) / WIDTH,
                    (height - (row + 1) * 1.5 + 0.22) / height,
                    (width - 0.16) / WIDTH,
                    1.08 / height,
                )
            )
            _drift_axes(axes, one, limit, number, column == 0)
        figure.text(0.5, 0.02, "Main pair of the reader, in the order read", ha="center")

    return Plot(name, height, paint)


def block_means(places: Floats, scores: Floats, most: int = DOTS) -> tuple[Floats, Floats]:
    """Means of places and scores over blocks of ratings that follow each other, at most so many."""
    order = np.argsort(places, kind="stable")
    size = -(-order.size // most) or 1
    starts = np.arange(0, order.size, size)
    if not order.size:
        return places, scores
    counts = np.diff(np.append(starts, order.size))
    return (
        np.add.reduceat(places[order], starts) / counts,
        np.add.reduceat(scores[order], starts) / counts,
    )


def _drift_axes(axes: Axes, one: ScoreDrift, limit: float, number: int, first: bool) -> None:
    colour = READERS[number % len(READERS)]
    axes.axhline(0, color=LINE, lw=0.8)
    places, scores = block_means(one.places, one.scores)
    axes.plot(places + 1, scores, ls="", marker="o", ms=2.8, mew=0, color=colour, alpha=0.6)
    if one.slope is not None and one.places.size:
        ends = np.array([one.places.min(), one.places.max()])
        fitted = float(one.scores.mean()) + one.slope * (ends - float(one.places.mean()))
        axes.plot(ends + 1, fitted, color=INK, lw=1.6)
    axes.set_ylim(-limit, limit)
    axes.set_xlim(0, max(float(one.places.max(initial=0)) + 2, 4))
    axes.set_title(shorten(one.title, 22), pad=3)
    axes.locator_params(axis="x", nbins=4, integer=True, prune="upper")
    axes.locator_params(axis="y", nbins=5, integer=True)
    if first:
        axes.set_ylabel("Score − mean")
    else:
        axes.tick_params(labelleft=False)
