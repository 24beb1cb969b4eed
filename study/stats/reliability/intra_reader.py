"""Intra-reader reliability: the same item read twice or more often.

References
----------
SEM of repeats: J. M. Bland, D. G. Altman, "Measurement error", BMJ 312, 1996.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from typing import Unpack

import numpy as np

from study.domain.errors import StatisticsError
from study.stats.estimate import LEVEL, Estimate, Floats
from study.stats.intervals import RandomOptions, mean_estimate, proportion
from study.stats.reliability.inter_reader import FLAG_BELOW, NO_VARIATION, deviation_interval, mdc95
from study.stats.reliability.repeat_resamples import RepeatResamples
from study.stats.reliability.repeat_strata import Stratum, pooled_icc, pooled_kappa
from study.stats.scale import Scale
from study.stats.table import RatingRow, Ratings, clusters_of
from study.stats.two_way_bootstrap import (
    AT_END,
    FISHER_Z,
    LOG,
    LOG_ODDS,
    PLAIN,
)

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
        Items read twice or more often, counted for each reader.
    items : int
        Different items among them.
    kappa : Estimate
        Quadratic-weighted kappa of the readings, with the chance agreement within reader and
        method: with one of each Cohen's of two readings, Conger's of more.
    icc : Estimate
        ICC(A,1) of the readings, from the variances within reader and method.
    exact, within_one : Estimate
        Share of items whose readings are all equal, or at most one category apart.
    shift : Estimate
        Mean of the last reading minus the first.
    mad : Estimate
        Mean absolute difference of two readings of an item.
    sem : Estimate
        Standard error of measurement within items; for two readings sqrt(sum d² / 2n).
    mdc95 : Estimate
        Minimal detectable change at 95 %, 1.96 sqrt(2) SEM.
    flagged : bool or None
        Whether the ICC is below `FLAG_BELOW`; None if it is undefined.
    """

    rater: str
    pairs: int
    items: int
    kappa: Estimate
    icc: Estimate
    exact: Estimate
    within_one: Estimate
    shift: Estimate
    mad: Estimate
    sem: Estimate
    mdc95: Estimate
    flagged: bool | None


def repeat_tables(
    rows: Sequence[RatingRow], scale: Scale | None = None
) -> dict[str, tuple[Ratings, ...]]:
    """For each rater and each method, the items with two readings or more.

    The readings are columns in the order of the replicates; missing ones do not count.

    Raises
    ------
    StatisticsError
        An item has two readings of the same replicate.
    """
    if scale is None:
        scale = Scale.derived(row.value for row in rows if row.value is not None)
    readings: dict[str, dict[str, dict[str, dict[int, RatingRow]]]] = {}
    for row in rows:
        of_method = readings.setdefault(row.rater, {}).setdefault(row.method, {})
        of_item = of_method.setdefault(row.item, {})
        if row.replicate in of_item:
            raise StatisticsError(
                f"{row.place}: item {row.item!r} has replicate {row.replicate} by rater "
                f"{row.rater!r} already, in {of_item[row.replicate].place}: number its readings "
                "1, 2, ..."
            )
        of_item[row.replicate] = row
    return {
        rater: tuple(_repeated(of_method, scale) for of_method in methods.values())
        for rater, methods in readings.items()
    }


def repeat_reliability(
    rater: str,
    tables: Sequence[Ratings],
    readers: Sequence[str] = (),
    **options: Unpack[RandomOptions],
) -> RepeatReliability:
    """Reliability of repeats within each of some tables, such as those of `repeat_tables`.

    Parameters
    ----------
    rater : str
    tables : sequence of Ratings
    readers : sequence of str
        Reader of each table; without them all are of one, and patients alone are drawn.
    **options
        See `RandomOptions`.
    """
    level = options.get("level", LEVEL)
    repeated = _stack(tables)
    count, scale, rows = len(repeated.items), repeated.scale, np.arange(len(repeated.items))
    rated = repeated.codes >= 0
    first = rated.argmax(axis=1)
    last = rated.shape[1] - 1 - rated[:, ::-1].argmax(axis=1)
    shifts = repeated.scores[rows, last] - repeated.scores[rows, first]
    ranks = np.where(rated, repeated.codes, repeated.codes[rows, first][:, None])
    steps = np.ptp(ranks, axis=1) if count else np.empty(0)
    apart = _mean_differences(repeated.scores)
    drawn = RepeatResamples.of(tables, readers or [rater] * len(tables), options)
    icc, kappa = _within_strata(tables, drawn, level)
    within = proportion("Within one category", int((steps <= 1).sum()), count, level)
    if not scale.declared:
        within = Estimate(
            within.name, None, within.method, count, level=level, reason="no scale was declared"
        )
    sem, span = _sem(repeated, level), scale.length
    which = "second" if rated.shape[1] <= 2 else "last"
    number = rated.sum(axis=1)
    squares = np.nansum((repeated.scores - _row_means(repeated.scores)[:, None]) ** 2, axis=1)
    once = np.ones(count)
    exact = proportion("Exact agreement", int((steps == 0).sum()), count, level)
    shift = mean_estimate(
        "Shift", shifts, f"mean of {which} minus first reading", level, (-span, span)
    )
    mad = mean_estimate("MAD", apart, "mean absolute difference", level, (0.0, span))
    sem = drawn.ratio(sem, squares, number - 1.0, LOG, root=True)
    return RepeatReliability(
        rater=rater,
        pairs=count,
        items=len(set(repeated.items)),
        kappa=kappa,
        icc=icc,
        exact=drawn.ratio(exact, steps == 0, once, LOG_ODDS),
        within_one=drawn.ratio(within, steps <= 1, once, LOG_ODDS),
        shift=drawn.ratio(shift, shifts, once, PLAIN),
        mad=drawn.ratio(mad, apart, once, LOG),
        sem=sem,
        mdc95=mdc95(sem),
        flagged=None if icc.value is None else icc.value < FLAG_BELOW,
    )


def _within_strata(
    tables: Sequence[Ratings], drawn: RepeatResamples, level: float
) -> tuple[Estimate, Estimate]:
    """ICC(A,1) and quadratic kappa within the tables, with intervals over what is random."""
    strata = drawn.strata(tables)
    count = sum(one.size for one in strata)
    found = []
    for name, formula, method in (
        ("ICC(A,1)", pooled_icc, "variance components"),
        ("Quadratic kappa", pooled_kappa, "chance agreement"),
    ):
        words = f"{method} within reader and method"
        base = Estimate(name, None, words, count, level=level, reason=NO_REPEATS)
        if not strata:
            found.append(base)
            continue
        statistic, cells = partial(formula, strata), drawn.cells
        once = statistic(np.ones((1, len(cells.patients))))
        value = float(once(np.ones((1, len(cells.order))))[0])
        if math.isnan(value):
            found.append(replace(base, reason=_undefined(strata)))
            continue
        base = replace(base, value=value, reason="no interval is computed")
        if drawn.resamples is not None and abs(value) < 1:
            draws = drawn.resamples.draws(statistic, sum(one.entries for one in strata))
            base = base.with_interval(drawn.resamples.interval(value, draws, level, FISHER_Z))
        elif drawn.resamples is not None:
            agree = "all readings agree, which leaves no interval"
            base = replace(base, reason=agree if value > 0 else AT_END)
        found.append(base)
    return found[0], found[1]


def _undefined(strata: Sequence[Stratum]) -> str:
    """Why neither variances nor chance agreement within strata are known."""
    if all(one.size < 2 for one in strata):
        return "no reader has read two items of one method twice"
    return NO_VARIATION


def all_repeats(
    rows: Sequence[RatingRow],
    scale: Scale | None = None,
    **options: Unpack[RandomOptions],
) -> tuple[RepeatReliability, ...]:
    """The reliability of every rater, and last of all raters pooled."""
    tables = repeat_tables(rows, scale)
    if not tables:
        raise StatisticsError("there are no ratings")
    named = [(rater, table) for rater, of_rater in tables.items() for table in of_rater]
    readers, everyone = [rater for rater, _ in named], [table for _, table in named]
    return (
        *(repeat_reliability(rater, found, **options) for rater, found in tables.items()),
        repeat_reliability(POOLED, everyone, readers, **options),
    )


def _repeated(of_rater: dict[str, dict[int, RatingRow]], scale: Scale) -> Ratings:
    given = {
        item: {number: row for number, row in of_item.items() if row.value is not None}
        for item, of_item in of_rater.items()
    }
    kept = {item: readings for item, readings in given.items() if len(readings) > 1}
    numbers = sorted({number for readings in kept.values() for number in readings}) or [1, 2]
    scores = np.full((len(kept), len(numbers)), np.nan)
    for place, readings in enumerate(kept.values()):
        for number, row in readings.items():
            scores[place, numbers.index(number)] = row.value
    rows = (row for readings in kept.values() for row in readings.values())
    columns = tuple(f"reading {number}" for number in numbers)
    return Ratings(tuple(kept), columns, scores, scale, clusters_of(rows, kept))


def _stack(parts: Sequence[Ratings]) -> Ratings:
    """Tables as one, with as many columns as the widest."""
    columns = max((part.raters for part in parts), key=len)
    gaps = [np.full((len(part.items), len(columns) - len(part.raters)), np.nan) for part in parts]
    return Ratings(
        tuple(item for part in parts for item in part.items),
        columns,
        np.concatenate(
            [np.hstack([part.scores, gap]) for part, gap in zip(parts, gaps, strict=True)]
        ),
        parts[0].scale,
        tuple(cluster for part in parts for cluster in part.clusters),
    )


def _mean_differences(scores: Floats) -> Floats:
    """Mean absolute difference of all pairs of readings of each item, at least one."""
    apart = [
        np.abs(scores[:, i] - scores[:, j]) for i, j in combinations(range(scores.shape[1]), 2)
    ]
    total, number = np.nansum(apart, axis=0), (~np.isnan(apart)).sum(axis=0)
    means: Floats = total / number
    return means


def _sem(repeated: Ratings, level: float) -> Estimate:
    twice = len(repeated.raters) == 2
    method = "sqrt(sum d² / 2n)" if twice else "root of the pooled variance within items"
    count = len(repeated.items)
    base = Estimate("SEM (repeats)", None, method, count, level=level, reason=NO_REPEATS)
    if not count:
        return base
    number = (~np.isnan(repeated.scores)).sum(axis=1)
    squares = np.nansum((repeated.scores - _row_means(repeated.scores)[:, None]) ** 2)
    df = int((number - 1).sum())
    value = math.sqrt(float(squares) / df)
    return replace(base, value=value).with_interval(deviation_interval(value, df, level))


def _row_means(scores: Floats) -> Floats:
    """Mean of each row without missing scores; every row has one."""
    means: Floats = np.nansum(scores, axis=1) / (~np.isnan(scores)).sum(axis=1)
    return means
