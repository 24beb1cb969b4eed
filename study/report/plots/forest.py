"""Forest plots: estimates with their intervals, one in a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from study.report.plots.canvas import (
    INK,
    LINE,
    QUIET,
    READERS,
    WIDTH,
    Plot,
    text_width,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW = 0.25
"""Inches of a row."""


@dataclass(frozen=True)
class ForestRow:
    """An estimate; the ends of its interval are None where it has none.

    Parameters
    ----------
    label : str
    value, low, high : float or None
    text : str
        Value and interval as they are written beside it.
    """

    label: str
    value: float | None
    low: float | None
    high: float | None
    text: str


def forest(
    rows: Sequence[ForestRow],
    axis: str,
    name: str,
    *,
    none: float = 0.0,
    margins: Sequence[float] = (),
) -> Plot:
    """Squares with their intervals, the numbers beside them.

    Parameters
    ----------
    rows : sequence of ForestRow
        From top to bottom.
    axis : str
        What the estimates are.
    name : str
    none : float
        The value that means no difference, a vertical line.
    margins : sequence of float
        Margins of non-inferiority or equivalence, dashed lines.
    """
    labels = [wrapped(row.label, 34) for row in rows]
    step = ROW if all("\n" not in label for label in labels) else 0.36
    height = step * max(len(rows), 1) + 0.62
    left = max(0.55, text_width(*labels))
    right = max(1.2, text_width(*(row.text for row in rows)))
    low, high = _range(rows, (none, *margins))

    def paint(figure: Figure) -> None:
        axes = figure.add_axes(
            (left / WIDTH, 0.52 / height, (WIDTH - left - right) / WIDTH, 1 - 0.57 / height)
        )
        axes.axvline(none, color=INK, lw=0.8, zorder=1)
        for margin in margins:
            axes.axvline(margin, color=READERS[1], lw=1.1, ls=(0, (4, 2)), zorder=1)
        axes.set_xlim(low, high)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        for place, row in enumerate(rows):
            if place % 2 == 0 and len(rows) > 8:
                axes.axhspan(place - 0.5, place + 0.5, color=LINE, alpha=0.18, lw=0, zorder=0)
            _row(axes, place, row, (low, high))
            axes.text(
                1.02, place, row.text, transform=axes.get_yaxis_transform(), fontsize=8,
                va="center_baseline", ha="left",
            )  # fmt: skip
        axes.set_yticks(range(len(rows)), labels)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(axis)

    return Plot(name, height, paint)


def _row(axes: Axes, place: int, row: ForestRow, ends: tuple[float, float]) -> None:
    """A square with whiskers; an end beyond the axis is an arrow."""
    if row.value is None:
        axes.text(ends[0], place, " undefined", va="center_baseline", color=QUIET, fontsize=8)
        return
    if row.low is not None and row.high is not None:
        inside = [max(row.low, ends[0]), min(row.high, ends[1])]
        axes.plot(inside, [place, place], color=INK, lw=1.3, solid_capstyle="butt", zorder=2)
        for end, beyond, arrow in (
            (row.low, row.low < ends[0], "<"), (row.high, row.high > ends[1], ">"),
        ):  # fmt: skip
            at = float(np.clip(end, *ends))
            axes.plot(at, place, marker=arrow if beyond else "|", ms=5, color=INK, clip_on=False)
    axes.plot(row.value, place, marker="s", ms=5.5, color=READERS[0], mec="none", zorder=3)


def _usual(widths: Sequence[float]) -> float:
    """The width of an interval that is not far out."""
    return float(np.quantile(widths, 0.25, method="lower")) if widths else 0.0


def _range(rows: Sequence[ForestRow], fixed: Sequence[float]) -> tuple[float, float]:
    """Limits of the axis: all values, and their intervals unless these are far out."""
    values = [row.value for row in rows if row.value is not None]
    least, most = min((*values, *fixed)), max((*values, *fixed))
    widths = [row.high - row.low for row in rows if row.low is not None and row.high is not None]
    room = max(most - least, _usual(widths)) or 1.0
    lows = [row.low for row in rows if row.low is not None and row.low > least - 1.5 * room]
    highs = [row.high for row in rows if row.high is not None and row.high < most + 1.5 * room]
    low, high = min((*lows, least)), max((*highs, most))
    if low == high:
        return low - 1, high + 1
    return low - 0.04 * (high - low), high + 0.04 * (high - low)
