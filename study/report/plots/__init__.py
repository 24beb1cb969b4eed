"""Figures of a study as inline SVG: the same numbers give the same bytes."""

from __future__ import annotations

from study.report.plots.bars import LikertRow, PreferenceRow, likert, preferences
from study.report.plots.readers import (
    KappaMatrix,
    ReaderMeans,
    ScoreDrift,
    drift,
    heat_maps,
    slopes,
)

__all__ = [
    "KappaMatrix",
    "LikertRow",
    "PreferenceRow",
    "ReaderMeans",
    "ScoreDrift",
    "drift",
    "heat_maps",
    "likert",
    "preferences",
    "slopes",
]
