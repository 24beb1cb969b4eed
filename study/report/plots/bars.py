"""Stacked bars: ratings at each point of a scale, and preferences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from study.report.plots.canvas import (
    HIGH,
    LINE,
    LOW,
    MIDDLE,
    QUIET,
    Plot,
    fit_axes,
    scale_colours,
    shorten,
    text_on,
    text_width,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class LikertRow:
    """A method's number of ratings at each point of the scale, and of missing ones."""

    label: str
    counts: tuple[int, ...]
    missing: int


@dataclass(frozen=True)
class PreferenceRow:
    """Preferences in one pair of methods: counts for the first, neither, the second."""

    first: str
    second: str
    counts: tuple[int, int, int]


def likert(rows: Sequence[LikertRow], anchors: Sequence[str], name: str) -> Plot:
    """Stacked bars of shares, one per method, with counts and a legend of the scale."""

    def paint(figure: Figure) -> None:
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        colours = scale_colours(len(anchors))
        for place, row in enumerate(rows):
            _likert_bar(axes, len(rows) - 1 - place, row, colours)
        axes.set_yticks(range(len(rows)), [wrapped(row.label, 30) for row in reversed(rows)])
        axes.set_xlim(0, 100)
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.set_xticks(range(0, 101, 25), [f"{share}%" for share in range(0, 101, 25)])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        _legend(axes, colours, anchors)
        fit_axes(figure, axes, top=0.36)

    return Plot(name, 0.34 * len(rows) + 0.85, paint)


def preferences(rows: Sequence[PreferenceRow], name: str) -> Plot:
    """Stacked bars of the preferences between the names of the two methods."""

    def paint(figure: Figure) -> None:
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        other = axes.twinx()
        places = range(len(rows) - 1, -1, -1)
        for place, row in zip(places, rows, strict=True):
            _stacked_bar(axes, place, row.counts, (HIGH, MIDDLE, LOW))
        for side, labels in (
            (axes, [wrapped(row.first, 22) for row in rows]),
            (other, [wrapped(row.second, 22) for row in rows]),
        ):
            side.set_yticks(list(places), labels)
            side.set_ylim(-0.6, len(rows) - 0.4)
            side.tick_params(axis="y", length=0)
            side.spines[["left", "bottom"]].set_visible(False)
        axes.set_xlim(0, 100)
        axes.axvline(50, color=LINE, lw=0.8, zorder=0)
        axes.set_xticks([0, 50, 100], ["0%", "50%", "100%"])
        right = text_width(*(wrapped(row.second, 22) for row in rows))
        fit_axes(figure, axes, right=max(0.55, right))
        other.set_position(axes.get_position())

    return Plot(name, 0.34 * max(len(rows), 1) + 0.4, paint)


def _likert_bar(axes: Axes, place: int, row: LikertRow, colours: Sequence[Any]) -> None:
    _stacked_bar(axes, place, row.counts, colours)
    note = f"n = {sum(row.counts)}" + (f", {row.missing} missing" if row.missing else "")
    axes.text(101, place, note, va="center_baseline", color=QUIET, fontsize=8)


def _stacked_bar(axes: Axes, row: int, counts: Sequence[int], colours: Sequence[Any]) -> None:
    """Draw one bar of 100 %, with the counts in it where there is room."""
    start = 0.0
    for count, colour in zip(counts, colours, strict=True):
        if not count:
            continue
        share = 100 * count / sum(counts)
        axes.barh(row, share, left=start, height=0.72, color=colour, edgecolor="none")
        if share >= 3.5:
            axes.text(
                start + share / 2, row, str(count), ha="center", va="center_baseline",
                color=text_on(colour), fontsize=8,
            )  # fmt: skip
        start += share


def _legend(axes: Axes, colours: Sequence[Any], anchors: Sequence[str]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(color=colour) for colour in colours]
    axes.legend(
        handles, [shorten(text, 18) for text in anchors], loc="lower left",
        bbox_to_anchor=(0.0, 1.0), ncols=len(anchors), frameon=False, handlelength=1.1,
        handleheight=1.1, handletextpad=0.5, columnspacing=1.4, borderaxespad=0.2,
    )  # fmt: skip
