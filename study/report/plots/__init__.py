"""Figures of a study as inline SVG: the same numbers give the same bytes."""

from __future__ import annotations

from study.report.plots.bars import Bar, Split, likert, splits
from study.report.plots.readers import Line, Square, Track, drift, heat_maps, slopes

__all__ = [
    "Bar",
    "Line",
    "Split",
    "Square",
    "Track",
    "drift",
    "heat_maps",
    "likert",
    "slopes",
    "splits",
]
