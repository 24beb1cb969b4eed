"""Intra-reader reliability: the same item read twice.

References
----------
SEM of repeats: J. M. Bland, D. G. Altman, "Measurement error", BMJ 312, 1996.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Unpack

import numpy as np

from study.domain.errors import StatisticsError
from study.stats.cohen import cohen_kappa
from study.stats.estimate import LEVEL, Estimate, Floats
from study.stats.intervals import RESAMPLES, IntervalOptions, mean_estimate, proportion
from study.stats.reliability import FLAG_BELOW, deviation_interval, mdc95, reliability
from study.stats.scale import Scale
from study.stats.table import RatingRow, Ratings, clusters_of

READINGS = ("first reading", "second reading")
POOLED = "all readers"
NO_REPEATS = "no item was read twice"


@dataclass(frozen=True)
class RepeatReliability:
    """Intra-reader reliability of one reader, or of all readers pooled.

    Parameters
    ----------
    rater : str
        The reader's name, or `POOLED`.
    pairs : int
        Items read twice.
    kappa : Estimate
        Quadratic-weighted Cohen's kappa of the two readings.
    icc : Estimate
        ICC(A,1) of the two readings.
    exact, within_one : Estimate
        Share of equal readings, and of readings at most one category apart.
    shift : Estimate
        Mean of the second reading minus the first.
    mad : Estimate
        Mean absolute difference.
    sem : Estimate
        Standard error of measurement, sqrt(sum d² / 2n).
    mdc95 : Estimate
        Minimal detectable change at 95 %, 1.96 sqrt(2) SEM.
    flagged : bool or None
        Whether the ICC is below `FLAG_BELOW`; None if it is undefined.
    """

    rater: str
    pairs: int
    kappa: Estimate
    icc: Estimate
    exact: Estimate
    within_one: Estimate
    shift: Estimate
    mad: Estimate
    sem: Estimate
    mdc95: Estimate
    flagged: bool | None


def repeat_tables(rows: Sequence[RatingRow], scale: Scale | None = None) -> dict[str, Ratings]:
    """For each rater, the items read twice, with first and second reading as columns.

    Items with a single or a missing reading are left out.

    Raises
    ------
    StatisticsError
        An item has a third reading, or two of the same replicate.
    """
    if scale is None:
        scale = Scale.derived(row.value for row in rows if row.value is not None)
    readings: dict[str, dict[str, dict[int, RatingRow]]] = {}
    for row in rows:
        of_item = readings.setdefault(row.rater, {}).setdefault(row.item, {})
        if row.replicate in of_item or row.replicate > 2:
            raise StatisticsError(
                f"{row.place}: replicate {row.replicate} of item {row.item!r} by rater "
                f"{row.rater!r} is one too many: an item has replicate 1 and 2"
            )
        of_item[row.replicate] = row
    return {rater: _pairs(of_rater, scale) for rater, of_rater in readings.items()}


def repeat_reliability(
    rater: str,
    pairs: Ratings,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> RepeatReliability:
    """Intra-reader reliability from one of the `repeat_tables`."""
    scores = pairs.complete().scores if pairs.items else np.empty((0, 2))
    differences = scores[:, 1] - scores[:, 0]
    steps = (
        np.abs(np.diff(pairs.complete().codes, axis=1)) if len(differences) else np.empty((0, 1))
    )
    count = len(differences)
    icc = reliability(pairs, resamples=resamples, seed=seed, level=level).form("A,1")
    within = proportion("Within one category", int((steps <= 1).sum()), count, level)
    if not pairs.scale.declared:
        within = Estimate(
            within.name, None, within.method, count, level=level, reason="no scale was declared"
        )
    sem, span = _sem(differences, level), pairs.scale.length
    return RepeatReliability(
        rater=rater,
        pairs=count,
        kappa=cohen_kappa(pairs, *READINGS, "quadratic", level=level),
        icc=icc,
        exact=proportion("Exact agreement", int((steps == 0).sum()), count, level),
        within_one=within,
        shift=mean_estimate(
            "Shift", differences, "mean of second minus first reading", level, (-span, span)
        ),
        mad=mean_estimate(
            "MAD", np.abs(differences), "mean absolute difference", level, (0.0, span)
        ),
        sem=sem,
        mdc95=mdc95(sem),
        flagged=None if icc.value is None else icc.value < FLAG_BELOW,
    )


def all_repeats(
    rows: Sequence[RatingRow],
    scale: Scale | None = None,
    **options: Unpack[IntervalOptions],
) -> tuple[RepeatReliability, ...]:
    """The reliability of every rater, and last of all raters pooled."""
    tables = repeat_tables(rows, scale)
    named = [*tables.items(), (POOLED, _stack(tables))]
    return tuple(repeat_reliability(rater, table, **options) for rater, table in named)


def _pairs(of_rater: dict[str, dict[int, RatingRow]], scale: Scale) -> Ratings:
    twice = {
        item: (of_item[1], of_item[2]) for item, of_item in of_rater.items() if len(of_item) == 2
    }
    kept = {
        item: both for item, both in twice.items() if all(row.value is not None for row in both)
    }
    scores = np.array([[row.value for row in both] for both in kept.values()], dtype=np.float64)
    rows: Iterable[RatingRow] = (row for both in kept.values() for row in both)
    return Ratings(
        tuple(kept), READINGS, scores.reshape(len(kept), 2), scale, clusters_of(rows, kept)
    )


def _stack(tables: dict[str, Ratings]) -> Ratings:
    if not tables:
        raise StatisticsError("there are no ratings")
    parts = list(tables.values())
    return Ratings(
        tuple(f"{rater}: {item}" for rater, table in tables.items() for item in table.items),
        READINGS,
        np.concatenate([part.scores for part in parts]),
        parts[0].scale,
        tuple(cluster for part in parts for cluster in part.clusters),
    )


def _sem(differences: Floats, level: float) -> Estimate:
    method, count = "sqrt(sum d² / 2n)", len(differences)
    base = Estimate("SEM (repeats)", None, method, count, level=level, reason=NO_REPEATS)
    if not count:
        return base
    value = math.sqrt(float((differences**2).sum()) / (2 * count))
    ends = deviation_interval(value, count, level)
    return replace(base, value=value).with_interval(ends)
