"""Bland-Altman limits of agreement: of methods on a measure, and of repeated readings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from study.analysis.areas import reference_method, score_panel
from study.analysis.dataset import Dataset
from study.analysis.reader_consistency import repeated_pairs
from study.analysis.scores import AnalysisOptions
from study.domain.questions import Question
from study.stats.comparison.bland_altman import BlandAltman, bland_altman
from study.stats.estimate import Floats

FIRST, SECOND = "first reading", "second reading"


@dataclass(frozen=True, eq=False)
class TwoReadings:
    """Two readings of the same items.

    Parameters
    ----------
    first, second : str
        What they are; the limits are of first minus second.
    values : ndarray, shape (items, 2)
        NaN where missing.
    patients : tuple of str
        Patient of each item.
    """

    first: str
    second: str
    values: Floats
    patients: tuple[str, ...]

    @property
    def complete(self) -> Floats:
        """Items with both readings, shape (items, 2)."""
        return self.values[~np.isnan(self.values).any(axis=1)]


def method_readings(data: Dataset, question: Question) -> tuple[TwoReadings, ...]:
    """Every method with the reference: means over the readers who measured a case with both."""
    panel, reference = score_panel(data, question), reference_method(data)
    if panel is None or reference not in panel.methods:
        return ()
    return tuple(
        TwoReadings(method, reference, panel.means_of_both(method, reference), panel.clusters)
        for method in panel.methods
        if method != reference
    )


def repeat_readings(data: Dataset, question: Question) -> TwoReadings | None:
    """Hidden repeats of all readers and the main readings they repeat; None without any."""
    pairs = [
        (second, first)
        for first, second in repeated_pairs(data, question)
        if first.value is not None and second.value is not None
    ]
    if not pairs:
        return None
    values = np.array([[second.value, first.value] for second, first in pairs], np.float64)
    return TwoReadings(SECOND, FIRST, values, tuple(first.patient for _, first in pairs))


def limits_of(readings: TwoReadings, options: AnalysisOptions) -> BlandAltman:
    """Limits of agreement of two readings."""
    return bland_altman(
        readings.first, readings.second, readings.values, readings.patients, **options.intervals
    )


def method_limits(
    data: Dataset, question: Question, options: AnalysisOptions
) -> tuple[BlandAltman, ...]:
    """Limits of agreement of every method with the reference."""
    return tuple(limits_of(one, options) for one in method_readings(data, question))


def repeat_limits(
    data: Dataset, question: Question, options: AnalysisOptions
) -> BlandAltman | None:
    """Limits of agreement of repeated readings."""
    readings = repeat_readings(data, question)
    return None if readings is None else limits_of(readings, options)
