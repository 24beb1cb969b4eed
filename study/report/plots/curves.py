"""Curves of two distributions against each other: VGC and ROC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from study.report.plots.canvas import INK, LINE, WIDTH, Plot, reader_style, wrapped
from study.stats.estimate import Floats

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIDE = 4.0
"""Inches of the square."""
CORNERS = 300
"""Most corners of a curve that are drawn."""


@dataclass(frozen=True, eq=False)
class AreaCurve:
    """A curve from (0, 0) to (1, 1).

    Parameters
    ----------
    label : str
    x, y : ndarray
    text : str
        Its area with the interval, as written.
    """

    label: str
    x: Floats
    y: Floats
    text: str


def area_curves(
    curves: Sequence[AreaCurve], labels: tuple[str, str], name: str, legend: str
) -> Plot:
    """Curves in one square, with their areas in the legend.

    Parameters
    ----------
    curves : sequence of AreaCurve
    labels : (str, str)
        Of the axes.
    name : str
    legend : str
        Title of the legend.
    """
    height = max(SIDE + 0.6, 0.38 * len(curves) + 0.6)

    def paint(figure: Figure) -> None:
        axes = figure.add_axes(
            (0.65 / WIDTH, (height - SIDE - 0.1) / height, SIDE / WIDTH, SIDE / height)
        )
        axes.plot([0, 1], [0, 1], color=LINE, lw=0.9)
        for number, curve in enumerate(curves):
            style = reader_style(number) | {"marker": ""}
            written = f"{wrapped(curve.label, 38)}\n{curve.text}"
            drawn = np.linspace(0, curve.x.size - 1, min(curve.x.size, CORNERS)).round().astype(int)
            axes.plot(curve.x[drawn], curve.y[drawn], lw=1.6, label=written, **style)
        axes.set_xlim(-0.01, 1.01)
        axes.set_ylim(-0.01, 1.01)
        axes.set_aspect("equal")
        axes.set_xlabel(labels[0])
        axes.set_ylabel(labels[1])
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
        axes.legend(
            loc="upper left", bbox_to_anchor=(1.04, 1.0), frameon=False, title=legend,
            handlelength=2.6, labelspacing=0.6, borderaxespad=0.0, alignment="left",
            labelcolor=INK,
        )  # fmt: skip

    return Plot(name, height, paint)
