"""Within-subject standard deviation of repeated measurements.

References
----------
J. M. Bland, D. G. Altman, "Measurement error", BMJ 312, 1996.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from study.stats.estimate import LEVEL, Estimate
from study.stats.reliability.inter_reader import MDC_FACTOR, deviation_interval
from study.stats.table import RatingRow

NO_REPEATS = "no subject was measured twice"


@dataclass(frozen=True)
class Repeatability:
    """Spread of repeated measurements of a subject.

    Parameters
    ----------
    subjects, measurements : int
        Subjects measured twice or more often, and their measurements.
    within_sd : Estimate
        Within-subject standard deviation: root of the pooled variance within subjects.
    coefficient : Estimate
        Repeatability coefficient, 1.96 sqrt(2) times that: below it lie 95 % of the differences of
        two measurements.
    variation : Estimate
        Within-subject coefficient of variation: the standard deviation over the mean.
    """

    subjects: int
    measurements: int
    within_sd: Estimate
    coefficient: Estimate
    variation: Estimate


def repeatability(
    measurements: Iterable[Sequence[float]], *, level: float = LEVEL
) -> Repeatability:
    """Within-subject standard deviation with its chi-square interval.

    Parameters
    ----------
    measurements : iterable of sequences of float
        Those of each subject; subjects with fewer than two do not count.
    level : float
    """
    groups = [np.asarray(each, dtype=np.float64) for each in measurements]
    groups = [each for each in groups if each.size > 1]
    number = sum(each.size for each in groups)
    base = Estimate(
        "Within-subject SD", None, "root of the pooled variance within subjects", len(groups),
        level=level, reason=NO_REPEATS,
    )  # fmt: skip
    variation = replace(base, name="Within-subject CV", method="within-subject SD over the mean")
    if not groups:
        return Repeatability(0, 0, base, replace(base, name="Repeatability coefficient"), variation)
    df = number - len(groups)
    squares = sum(float(((each - each.mean()) ** 2).sum()) for each in groups)
    value = math.sqrt(squares / df)
    ends = deviation_interval(value, df, level)
    found = replace(base, value=value).with_interval(ends)
    mean = float(np.concatenate(groups).mean())
    share = None if mean <= 0 else 1 / mean
    reason = "the mean is not positive" if share is None else ends.reason
    return Repeatability(
        len(groups),
        number,
        found,
        _times(found, MDC_FACTOR, "Repeatability coefficient", "1.96 sqrt(2) within-subject SD"),
        replace(variation, reason=reason) if share is None
        else _times(found, share, variation.name, variation.method),
    )  # fmt: skip


def subjects(rows: Iterable[RatingRow]) -> list[list[float]]:
    """The readings of each item by a rater with a method; of all raters where none repeats."""
    rows = [row for row in rows if row.value is not None]
    repeated = any(row.replicate > 1 for row in rows)
    found: dict[tuple[str, ...], list[float]] = {}
    for row in rows:
        key = (row.item, row.method, row.rater) if repeated else (row.item, row.method)
        found.setdefault(key, []).append(row.value or 0.0)
    return list(found.values())


def _times(sd: Estimate, factor: float, name: str, method: str) -> Estimate:
    def scaled(number: float | None) -> float | None:
        return None if number is None else factor * number

    ends = sd.method.partition("; ")[2]
    return replace(
        sd, name=name, value=scaled(sd.value), low=scaled(sd.low), high=scaled(sd.high),
        method=f"{method}; {ends}",
    )  # fmt: skip
