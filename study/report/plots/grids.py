"""Heat maps with a number in every cell: readers by readers, and readers by methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from study.domain.formatting import DASH, decimal
from study.report.plots.canvas import (
    HIGH,
    MIDDLE,
    QUIET,
    WIDTH,
    Plot,
    shorten,
    text_on,
    text_width,
    wrapped,
)
from study.stats.estimate import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMALLEST = 6.0
"""Points of a number that is legible in print."""


@dataclass(frozen=True, eq=False)
class NumberGrid:
    """A table of numbers that are shown as colours too.

    Parameters
    ----------
    title : str
    rows, columns : tuple of str
    values : ndarray, shape (rows, columns)
        NaN where undefined.
    ends : (float, float)
        Values of the palest and the deepest colour.
    diagonal : bool
        Whether the diagonal has cells.
    """

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: Floats
    ends: tuple[float, float] = (0.0, 1.0)
    diagonal: bool = True


def square_grids(grids: Sequence[NumberGrid], name: str) -> Plot:
    """Grids of readers by readers beside each other, as many in a row as stay legible."""
    most = max((len(grid.rows) for grid in grids), default=1)
    # A cell must be 2.7 times as wide as its number is high.
    least = 0.65 + most * SMALLEST * 2.7 / 72
    columns = min(max(int(WIDTH / least), 1), len(grids), 4)
    rows = -(-len(grids) // columns)
    side = min(WIDTH / columns, 2.4 if most < 7 else 0.65 + most * 0.32, 8.0)
    height = rows * side - 0.1

    def paint(figure: Figure) -> None:
        for number, grid in enumerate(grids):
            row, column = divmod(number, columns)
            box = (
                (column * side + 0.45) / WIDTH,
                1 - (row * side + 0.3 + side - 0.65) / height,
                (side - 0.65) / WIDTH,
                (side - 0.65) / height,
            )
            _draw(figure.add_axes(box), grid, side - 0.65, side - 0.65)

    return Plot(name, height, paint)


def number_grid(grid: NumberGrid, name: str) -> Plot:
    """One grid as wide as the page, its columns labelled above."""
    columns = max(len(grid.columns), 1)
    labels = [shorten(row, 20) for row in grid.rows]
    left = max(0.55, text_width(*labels))
    width = min(WIDTH - left - 0.1, columns * 1.3)
    heads = [wrapped(head, max(int(width / columns / 0.083), 4), 3) for head in grid.columns]
    top = 0.15 + 0.15 * max((head.count("\n") + 1 for head in heads), default=1)
    inside = max(len(grid.rows), 1) * 0.26
    height = inside + top + 0.1

    def paint(figure: Figure) -> None:
        axes = figure.add_axes((left / WIDTH, 0.05 / height, width / WIDTH, inside / height))
        _draw(axes, grid, width, inside)
        axes.xaxis.tick_top()
        axes.set_xticks(np.arange(columns) + 0.5, heads, fontsize=8, rotation=0)
        axes.set_yticks(np.arange(len(labels)) + 0.5, labels, fontsize=8)
        axes.tick_params(length=0)

    return Plot(name, height, paint)


def _draw(axes: Axes, grid: NumberGrid, width: float, height: float) -> None:
    """Coloured cells with their numbers, in axes of a size in inches."""
    rows, columns = grid.values.shape
    # A value takes 2.6 times its size, in points of 1/72 inch.
    size = min(8.0, 72 * width / max(columns, 1) / 2.6, 72 * height / max(rows, 1) / 1.4)
    low, high = grid.ends
    pale, deep = np.array(MIDDLE), np.array(HIGH) * 0.8
    for i, j in np.ndindex(rows, columns):
        if i == j and not grid.diagonal:
            continue
        value = float(grid.values[i, j])
        known = bool(np.isfinite(value))
        share = float(np.clip((value - low) / (high - low), 0, 1)) if known else 0.0
        colour = tuple(pale + (deep - pale) * share)
        if known:
            axes.fill([j, j + 1, j + 1, j], [i, i, i + 1, i + 1], color=colour, lw=0)
        axes.text(
            j + 0.5, i + 0.5, decimal(value) if known else DASH, ha="center",
            va="center_baseline", color=text_on(colour) if known else QUIET, fontsize=size,
        )  # fmt: skip
    axes.set_xticks(
        np.arange(columns) + 0.5, [shorten(label, 8) for label in grid.columns],
        fontsize=max(size, 5), rotation=90 if columns > 6 else 0,
    )  # fmt: skip
    axes.set_yticks(
        np.arange(rows) + 0.5, [shorten(label, 8) for label in grid.rows], fontsize=max(size, 5)
    )
    axes.set_xlim(0, max(columns, 1))
    axes.set_ylim(max(rows, 1), 0)
    axes.tick_params(length=0)
    axes.set_title(shorten(grid.title, 34), pad=4)
    for spine in axes.spines.values():
        spine.set_visible(False)
