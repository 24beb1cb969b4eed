"""Everything that was measured, and what follows from it for a method or two."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from benchmarks.spine.measure import Truth, value_of
from benchmarks.spine.settings import FUSED, SHIPPED
from enhancers.evaluation.statistics import Interval, Pair, compare
from enhancers.evaluation.store import ResultRow
from study.stats.comparison.bland_altman import BlandAltman, bland_altman

CURVES = {"thoracic": "uca_t", "lumbar": "uca_l"}


class Angle(NamedTuple):
    """An angle of a volume along its true direction: NaN where it was not measured.

    So a curve that was found on the other side is negative.
    """

    case: str
    subject: str
    measured: float
    true: float


@dataclass(frozen=True)
class Found:
    """Everything that was measured.

    Parameters
    ----------
    rows : tuple of ResultRow
        Without errors; a candidate is a key that `published.label` reads.
    truths : mapping of case to Truth
    networks : mapping
        Of ``training.json`` of the networks.
    rival : str
        How the supervised U-Net was trained.
    """

    rows: tuple[ResultRow, ...]
    truths: Mapping[str, Truth]
    networks: Mapping[str, Any]
    rival: str

    def of(self, key: str) -> list[ResultRow]:
        """The rows of a method."""
        return [row for row in self.rows if row.candidate == key]

    def values(self, key: str, measure: str) -> dict[str, float]:
        """Finite figures of a method by volume."""
        found = {row.case: value_of(row, measure) for row in self.of(key)}
        return {case: value for case, value in found.items() if math.isfinite(value)}

    def mean(self, key: str, measure: str) -> float:
        """Over the volumes; NaN for none."""
        return float(np.mean(list(self.values(key, measure).values()) or [math.nan]))

    def ahead(self, key: str, other: str, measure: str) -> Interval | None:
        """The mean difference of two methods, and its interval with subjects as independent."""
        theirs = self.values(other, measure)
        paired = compare([
            Pair("", self.truths[case].subject, value, theirs[case])
            for case, value in self.values(key, measure).items()
            if case in theirs
        ])  # fmt: skip
        return None if paired is None else paired.by_subject

    def angles(self, key: str, curve: str) -> list[Angle]:
        """The angles of a curve, a key of `CURVES`."""
        name = CURVES[curve] + ("_given" if key == FUSED else "")
        found = []
        for row in self.of(SHIPPED if key == FUSED else key):
            truth = self.truths[row.case]
            true = float(getattr(truth.curves, curve))
            measured = math.copysign(1.0, true) * value_of(row, name)
            found.append(Angle(row.case, truth.subject, measured, abs(true)))
        return found

    def errors(self, key: str) -> dict[tuple[str, str], float]:
        """The absolute error of the angles that were measured, by volume and curve."""
        return {
            (one.case, curve): abs(one.measured - one.true)
            for curve in CURVES
            for one in self.angles(key, curve)
            if math.isfinite(one.measured)
        }

    def angle_error(self, key: str) -> float:
        """The mean absolute error in degrees over both curves."""
        return float(np.mean(list(self.errors(key).values()) or [math.nan]))

    def angle_ahead(self, key: str, other: str) -> Interval | None:
        """By how much smaller the absolute error of the first is, where both measured."""
        ours, theirs = self.errors(key), self.errors(other)
        paired = compare([
            Pair("", self.truths[place[0]].subject, theirs[place], error)
            for place, error in ours.items()
            if place in theirs
        ])  # fmt: skip
        return None if paired is None else paired.by_subject

    def unmeasured(self, key: str) -> tuple[int, int]:
        """How many angles could not be measured, and of how many."""
        every = [one for curve in CURVES for one in self.angles(key, curve)]
        return sum(math.isnan(one.measured) for one in every), len(every)

    def agreement(self, key: str, curve: str) -> BlandAltman | None:
        """Of measured and true angles; None without any."""
        known = [one for one in self.angles(key, curve) if math.isfinite(one.measured)]
        if not known:
            return None
        scores = np.array([[one.measured, one.true] for one in known])
        return bland_altman("measured", "true", scores, [one.subject for one in known])

    @property
    def candidates(self) -> list[str]:
        """The methods, in their order."""
        return list(dict.fromkeys(row.candidate for row in self.rows))
