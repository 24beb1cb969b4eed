"""Kinds that compare methods, or relate their scores to a truth or a metric."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from study.domain.errors import StatisticsError
from study.stats.comparison.bland_altman import bland_altman
from study.stats.comparison.methods import compare_methods, friedman
from study.stats.comparison.one_way import one_way_anova
from study.stats.kinds.results import Entries, KindOptions
from study.stats.models.metric_regression import metric_regression
from study.stats.models.ordinal_scores import ordinal_scores
from study.stats.mrmc.accuracy import accuracy
from study.stats.mrmc.figures import mean_scores, roc_areas, vgc
from study.stats.mrmc.obuchowski_rockette import obuchowski_rockette
from study.stats.mrmc.two_samples import Covariance
from study.stats.multiple_testing import correct
from study.stats.panel import Panel, panel_of
from study.stats.reliability.differences import agreement_differences
from study.stats.table import RatingRow

Kind = Callable[[Sequence[RatingRow], KindOptions], Entries]


def _paired(rows: Sequence[RatingRow], options: KindOptions) -> Entries:
    return vars(compare_methods(panel_of(rows), random=options.random))


def _friedman(rows: Sequence[RatingRow], _: KindOptions) -> Entries:
    return vars(friedman(panel_of(rows)))


def _sign(rows: Sequence[RatingRow], options: KindOptions) -> Entries:
    found = compare_methods(panel_of(rows), random=options.random).pairs
    corrected = correct([pair.sign_test.p for pair in found])
    return {
        f"{pair.first} and {pair.second}": {
            "higher": pair.higher,
            "lower": pair.lower,
            "equal": pair.equal,
            "above": pair.above,
            "sign_test": pair.sign_test,
            "corrected": in_family,
        }
        for pair, in_family in zip(found, corrected, strict=True)
    }


def _anova(rows: Sequence[RatingRow], _: KindOptions) -> Entries:
    groups: dict[str, list[float]] = {}
    for row in rows:
        if row.value is not None:
            groups.setdefault(row.method or row.rater, []).append(row.value)
    return vars(one_way_anova({name: np.array(values) for name, values in groups.items()}))


def _mrmc(rows: Sequence[RatingRow], options: KindOptions) -> Entries:
    return vars(obuchowski_rockette(mean_scores(_panel(rows)), options.random))


def _vgc(rows: Sequence[RatingRow], options: KindOptions) -> Entries:
    panel = _panel(rows)
    found = [
        vgc(panel, second, first, options.random)
        for first, second in combinations(panel.methods, 2)
    ]
    return {"pairs": found, "corrected": correct([each.test.p for each in found])}


def _roc(rows: Sequence[RatingRow], options: KindOptions) -> Entries:
    panel, positive = _with_truth(rows)
    return {
        how.value: obuchowski_rockette(roc_areas(panel, positive, how), options.random)
        for how in Covariance
    }


def _accuracy(rows: Sequence[RatingRow], options: KindOptions) -> Entries:
    panel, positive = _with_truth(rows, least=1)
    if options.cutoff is None:
        used = sorted({row.value for row in rows if row.value is not None})
        if not set(used) <= {0.0, 1.0}:
            raise StatisticsError(
                f"the ratings {', '.join(f'{value:g}' for value in used[:8])} need a cut-off: say "
                "from which score up a case is called positive, as --cutoff 3"
            )
    cutoff = 1.0 if options.cutoff is None else options.cutoff
    return vars(accuracy(panel, positive, cutoff, options.random))


def _ordinal(rows: Sequence[RatingRow], _: KindOptions) -> Entries:
    return vars(ordinal_scores(rows))


def _regression(rows: Sequence[RatingRow], _: KindOptions) -> Entries:
    found = vars(metric_regression(rows))
    return {key: value for key, value in found.items() if value not in (None, "")}


def _bland_altman(rows: Sequence[RatingRow], options: KindOptions) -> Entries:
    """Of methods, averaged over the readers who rated both; without methods of raters."""
    panel = panel_of(rows)
    intervals = options.intervals
    return {
        f"{first} and {second}": bland_altman(
            first, second, panel.means_of_both(first, second), panel.clusters,
            resamples=intervals["resamples"], seed=intervals["seed"],
        )
        for first, second in combinations(_several(panel), 2)
    }  # fmt: skip


def _difference(rows: Sequence[RatingRow], options: KindOptions) -> Entries:
    return {"pairs": agreement_differences(_panel(rows), **options.intervals)}


def _panel(rows: Sequence[RatingRow], least: int = 2) -> Panel:
    """The scores by item, reader and method."""
    if not any(row.method for row in rows) and least > 1:
        raise StatisticsError(
            "the ratings name no method, and this compares methods: name their column with --method"
        )
    rows = [row for row in rows if row.value is not None]
    panel = panel_of(rows) if any(row.method for row in rows) else _one_method(rows)
    _several(panel, least)
    return panel


def _one_method(rows: Sequence[RatingRow]) -> Panel:
    return panel_of([replace(row, method="all") for row in rows])


def _several(panel: Panel, least: int = 2) -> tuple[str, ...]:
    if len(panel.methods) < least:
        raise StatisticsError(
            f"a comparison needs two methods, got {', '.join(panel.methods) or 'none'}"
        )
    return panel.methods


def _with_truth(rows: Sequence[RatingRow], least: int = 2) -> tuple[Panel, list[bool]]:
    """The panel, and whether each of its items is positive."""
    truth: dict[str, bool] = {}
    for row in rows:
        if row.truth is None:
            raise StatisticsError(
                f"{row.place}: item {row.item!r} has no truth: name a column of 0 and 1 with "
                "--truth"
            )
        if truth.setdefault(row.item, row.truth) != row.truth:
            raise StatisticsError(
                f"{row.place}: item {row.item!r} is {'positive' if row.truth else 'negative'} by "
                "its truth, but before it was not: give each item one truth"
            )
    panel = _panel(rows, least)
    return panel, [truth[item] for item in panel.items]


COMPARING: Mapping[str, Kind] = {
    "paired": _paired,
    "friedman": _friedman,
    "sign": _sign,
    "mrmc": _mrmc,
    "vgc": _vgc,
    "roc": _roc,
    "accuracy": _accuracy,
    "ordinal": _ordinal,
    "difference": _difference,
    "bland-altman": _bland_altman,
    "anova": _anova,
    "regression": _regression,
}
"""Kinds by name."""
