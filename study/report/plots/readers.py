"""Plots of the readers: their means, pairwise agreement, and drift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from study.domain.formatting import DASH, decimal
from study.report.plots.canvas import (
    HIGH,
    INK,
    LINE,
    MIDDLE,
    QUIET,
    READERS,
    WIDTH,
    canvas,
    fit_axes,
    reader_style,
    shorten,
    text_on,
)
from study.stats.estimate import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class ReaderMeans:
    """One reader's mean score of each method; None without ratings."""

    label: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, eq=False)
class KappaMatrix:
    """Kappa of every pair of readers, a symmetric matrix; NaN where undefined."""

    title: str
    labels: tuple[str, ...]
    values: Floats


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
) -> str:
    """Each reader's means joined by a line across the methods, and their overall mean, as SVG."""
    with canvas(3.1, name) as (figure, finished):
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
        under = [f"{shorten(m)}\n{y}" for m, y in zip(methods, below, strict=True)]
        axes.set_xticks(at, under)
        axes.set_xlim(-0.35, len(methods) - 0.65)
        axes.set_ylim(ends[0] - 0.15, ends[1] + 0.15)
        axes.set_yticks(range(ends[0], ends[1] + 1))
        axes.set_ylabel("Mean score")
        axes.grid(axis="y", color=LINE, lw=0.6)
        axes.set_axisbelow(True)
        axes.legend(
            loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, ncols=1 + len(lines) // 16
        )
        fit_axes(figure, axes, right=0.95 * (1 + len(lines) // 16), bottom=0.45)
    return finished()


def heat_maps(matrices: Sequence[KappaMatrix], name: str) -> str:
    """Pairwise kappa of the readers, one map per method, as SVG; colours run from 0 to 1."""
    rows = -(-len(matrices) // 4)
    columns = -(-len(matrices) // rows)
    side = min(WIDTH / columns, 2.4)
    with canvas(rows * side - 0.1, name) as (figure, finished):
        for number, matrix in enumerate(matrices):
            row, column = divmod(number, columns)
            box = (
                (column * side + 0.45) / WIDTH,
                1 - (row * side + 0.3 + side - 0.65) / (rows * side - 0.1),
                (side - 0.65) / WIDTH,
                (side - 0.65) / (rows * side - 0.1),
            )
            _heat_map(figure.add_axes(box), matrix, side - 0.65)
    return finished()


def drift(drifts: Sequence[ScoreDrift], limit: float, name: str) -> str:
    """Each reader's scores over the study as dots with the fitted line, as SVG."""
    columns = min(max(len(drifts), 1), 5)
    rows = -(-len(drifts) // columns)
    height = rows * 1.5 + 0.22
    with canvas(height, name) as (figure, finished):
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
    return finished()


def _heat_map(axes: Axes, matrix: KappaMatrix, inches: float) -> None:
    count = len(matrix.labels)
    # A value takes 3 times its size, in points of 1/72 inch, and a label as much.
    size = min(8.0, 20 * inches / max(count, 1))
    shown = np.clip(matrix.values, 0, 1)
    pale, deep = np.array(MIDDLE), np.array(HIGH) * 0.8
    for i in range(count):
        for j in range(count):
            if i == j:
                continue
            value = shown[i, j]
            known = np.isfinite(value)
            colour = tuple(pale + (deep - pale) * float(value)) if known else "none"
            axes.fill([j, j + 1, j + 1, j], [i, i, i + 1, i + 1], color=colour, lw=0)
            if size >= 5:
                text = decimal(matrix.values[i, j]) if known else DASH
                axes.text(
                    j + 0.5, i + 0.5, text, ha="center", va="center_baseline",
                    color=text_on(colour) if known else QUIET, fontsize=size,
                )  # fmt: skip
    labels = [shorten(label, 8) for label in matrix.labels]
    axes.set_xticks(
        np.arange(count) + 0.5, labels, fontsize=max(size, 5), rotation=90 if count > 6 else 0
    )
    axes.set_yticks(np.arange(count) + 0.5, labels, fontsize=max(size, 5))
    axes.set_xlim(0, count)
    axes.set_ylim(count, 0)
    axes.tick_params(length=0)
    axes.set_title(shorten(matrix.title, 26), pad=4)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _drift_axes(axes: Axes, one: ScoreDrift, limit: float, number: int, first: bool) -> None:
    colour = READERS[number % len(READERS)]
    axes.axhline(0, color=LINE, lw=0.8)
    axes.plot(one.places + 1, one.scores, ls="", marker="o", ms=2.6, mew=0, color=colour, alpha=0.5)
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
