"""Bland-Altman plots: differences of two readings against their means, with limits of agreement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from study.domain.formatting import decimal
from study.report.plots.canvas import INK, LINE, READERS, WIDTH, Plot, wrapped
from study.stats.comparison.bland_altman import BlandAltman
from study.stats.estimate import Estimate, Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 300
"""Most dots of a plot; more are merged on a grid that becomes coarser."""
DOT, LARGEST = 2.6, 11.0
"""Points: the dot of one reading, and the largest; areas grow with the readings."""


@dataclass(frozen=True, eq=False)
class DifferencePanel:
    """Readings of two kinds with their limits of agreement."""

    title: str
    means: Floats
    differences: Floats
    limits: BlandAltman


def difference_panels(
    panels: Sequence[DifferencePanel], labels: tuple[str, str], name: str
) -> Plot:
    """One Bland-Altman plot beside the other, on the same axes.

    Parameters
    ----------
    panels : sequence of DifferencePanel
    labels : (str, str)
        Of the axes.
    name : str
    """
    columns = min(len(panels), 3) or 1
    rows = -(-len(panels) // columns)
    tall, wide = (2.5, (WIDTH - 0.6) / columns) if columns > 1 else (3.4, 6.0)
    height = rows * tall + 0.3
    x_ends, y_ends = _ends(panels)

    def paint(figure: Figure) -> None:
        for number, panel in enumerate(panels):
            row, column = divmod(number, columns)
            axes = figure.add_axes(
                (
                    (0.6 + column * wide) / WIDTH,
                    (height - (row + 1) * tall + 0.2) / height,
                    (wide - 0.62) / WIDTH,
                    (tall - 0.55) / height,
                )
            )
            axes.set_xlim(*x_ends)
            axes.set_ylim(*y_ends)
            _panel(axes, panel)
            if column == 0:
                axes.set_ylabel(labels[1])
            else:
                axes.tick_params(labelleft=False)
        figure.text((0.6 + columns * wide / 2 - 0.3) / WIDTH, 0.04 / height, labels[0], ha="center")

    return Plot(name, height, paint)


def merged(x: Floats, y: Floats, most: int = MOST) -> tuple[Floats, Floats, Floats]:
    """At most so many dots: places and the readings at each; exact where there are few."""
    points = np.stack([x, y], axis=1)
    found, counts = np.unique(points, axis=0, return_counts=True)
    cells = 64
    span = np.where(np.ptp(points, axis=0) > 0, np.ptp(points, axis=0), 1.0) if len(points) else 1.0
    while len(found) > most and cells > 1:
        step = span / cells
        found, counts = np.unique(np.round(points / step) * step, axis=0, return_counts=True)
        cells = cells * 3 // 4
    return found[:, 0], found[:, 1], counts.astype(np.float64)


def _panel(axes: Axes, panel: DifferencePanel) -> None:
    limits = panel.limits
    axes.axhline(0, color=LINE, lw=0.8, zorder=1)
    for estimate, colour, style in (
        (limits.bias, READERS[0], "-"),
        (limits.lower, READERS[1], (0, (4, 2))),
        (limits.upper, READERS[1], (0, (4, 2))),
    ):
        _level(axes, estimate, colour, style)
    x, y, counts = merged(panel.means, panel.differences)
    sizes = np.sqrt(counts)
    sizes *= min(DOT, LARGEST / max(float(sizes.max(initial=1.0)), 1.0))
    sizes = np.maximum(np.round(2 * sizes) / 2, 1.5)
    for size in np.unique(sizes):
        at = sizes == size
        axes.plot(x[at], y[at], ls="", marker="o", ms=size, mew=0, color=INK, alpha=0.45)
    axes.set_title(wrapped(panel.title, 40), pad=4)
    axes.locator_params(axis="x", nbins=5)
    axes.locator_params(axis="y", nbins=6)


def _level(axes: Axes, estimate: Estimate, colour: str, style: object) -> None:
    """A line at a value with a band of its interval, and the value at its right end."""
    if estimate.value is None:
        return
    if estimate.low is not None and estimate.high is not None:
        axes.axhspan(estimate.low, estimate.high, color=colour, alpha=0.14, lw=0, zorder=0)
    axes.axhline(estimate.value, color=colour, lw=1.3, ls=style, zorder=2)
    axes.text(
        1.015, estimate.value, decimal(estimate.value), transform=axes.get_yaxis_transform(),
        va="center_baseline", fontsize=7.5, color=colour,
    )  # fmt: skip


def _ends(
    panels: Sequence[DifferencePanel],
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Limits of both axes that hold all dots, limits and their intervals."""
    heights: list[float] = [0.0]
    places: list[float] = []
    for panel in panels:
        places += panel.means.tolist()
        heights += panel.differences.tolist()
        for one in (panel.limits.lower, panel.limits.bias, panel.limits.upper):
            heights += [end for end in (one.value, one.low, one.high) if end is not None]
    return _padded(places or [0.0]), _padded(heights)


def _padded(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = 0.05 * (high - low) or 0.5
    return low - room, high + room
