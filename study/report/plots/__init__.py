"""Figures of a study: SVG in the page, SVG and PNG files; the same numbers give the same bytes."""

from __future__ import annotations

from study.report.plots.bars import LikertRow, PreferenceRow, likert, preferences
from study.report.plots.canvas import Plot
from study.report.plots.curves import AreaCurve, area_curves
from study.report.plots.differences import DifferencePanel, difference_panels
from study.report.plots.forest import ForestRow, forest
from study.report.plots.grids import NumberGrid, number_grid, square_grids
from study.report.plots.readers import ReaderMeans, ScoreDrift, block_means, drift, slopes

__all__ = [
    "AreaCurve",
    "DifferencePanel",
    "ForestRow",
    "LikertRow",
    "NumberGrid",
    "Plot",
    "PreferenceRow",
    "ReaderMeans",
    "ScoreDrift",
    "area_curves",
    "block_means",
    "difference_panels",
    "drift",
    "forest",
    "likert",
    "number_grid",
    "preferences",
    "slopes",
    "square_grids",
]
