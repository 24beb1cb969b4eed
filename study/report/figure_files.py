"""Every figure of a report as files: SVG, PNG of 300 dots per inch, and the captions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO

from study.report.cells import Figure
from study.report.export_files import ExportFile, text_file
from study.report.plots import Plot

CAPTIONS = "captions.txt"


def figure_files(figures: Sequence[Figure]) -> tuple[ExportFile, ...]:
    """Two files of each figure, drawn when they are written; the same figures give the same bytes.

    The file of captions numbers the figures as the report does.
    """
    captions = "".join(
        f"Figure {number}, {one.plot.name}: {one.caption}\n"
        for number, one in enumerate(figures, start=1)
    )
    drawn = (file for one in figures for file in (_svg(one.plot), _png(one.plot)))
    return (*drawn, text_file(CAPTIONS, captions.encode("utf-8", "replace").decode()))


def _svg(plot: Plot) -> ExportFile:
    def write(target: IO[bytes]) -> None:
        target.write(plot.svg().encode("utf-8", "replace"))

    return ExportFile(f"{plot.name}.svg", write)


def _png(plot: Plot) -> ExportFile:
    def write(target: IO[bytes]) -> None:
        target.write(plot.png())

    return ExportFile(f"{plot.name}.png", write)
