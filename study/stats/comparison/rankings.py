"""Rankings of the images of a case: mean ranks, concordance of readers, and the implied pairs.

Tied images share the mean of their ranks. Every ranking implies a preference in each pair of its
images, from which strengths follow (`study.stats.comparison.bradley_terry`).

References
----------
M. G. Kendall, B. Babington Smith, "The problem of m rankings", Annals of Mathematical Statistics
10(3), 1939: of m readers W = (1 + (m - 1) r) / m, with r the mean of Spearman's correlations of all
pairs of readers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Unpack

import numpy as np
from scipy import stats

from study.domain.formatting import plural
from study.domain.inference import Random
from study.stats.comparison.preference import Choice, Preference
from study.stats.estimate import LEVEL, Estimate, Floats
from study.stats.intervals import RESAMPLES, RandomOptions
from study.stats.random_effects import NO_VARIANCE, random_effects_test
from study.stats.two_way_bootstrap import FISHER_Z, TwoWayResamples
from study.stats.weighted_sums import Weighted

LEAST = 3
"""Methods that a correlation of ranks needs."""


@dataclass(frozen=True)
class Ranking:
    """The ranks that a reader gave to the images of a case.

    Parameters
    ----------
    item, reader : str
        Case and reader.
    methods : tuple of str
        In the order of the panels.
    ranks : tuple of float
        Of each method as it was given; 1 is the best, ties are equal numbers.
    cluster : str
        Patient of the case; if empty, the case is a cluster by itself.
    """

    item: str
    reader: str
    methods: tuple[str, ...]
    ranks: tuple[float, ...]
    cluster: str = ""

    @property
    def group(self) -> str:
        """Cluster of the bootstrap."""
        return self.cluster or f"item {self.item}"

    @property
    def midranks(self) -> tuple[float, ...]:
        """The ranks with the mean for images that are tied: 1, 1, 3 and 1, 1, 2 are 1.5, 1.5, 3."""
        return tuple(
            sum(other < rank for other in self.ranks) + (self.ranks.count(rank) + 1) / 2
            for rank in self.ranks
        )


@dataclass(frozen=True)
class Concordance:
    """How far readers agree in the order of the methods.

    Parameters
    ----------
    readers, items : int
        Readers with rankings, and cases that two of them ranked.
    correlation : Estimate
        Mean of Spearman's correlations of two readers on a case; 0 for random orders.
    kendall_w : Estimate
        Kendall's W from it; 1 / readers for random orders.
    """

    readers: int
    items: int
    correlation: Estimate
    kendall_w: Estimate


def worse_images(ranks: Floats, axis: int = -1) -> Floats:
    """Number of images of a ranking that are worse than each one, ties counted half.

    Parameters
    ----------
    ranks : ndarray
        1 is the best, ties are equal numbers.
    axis : int
        That of the images of a ranking.
    """
    worse: Floats = ranks.shape[axis] - stats.rankdata(ranks, axis=axis)
    return worse


def implied_choices(rankings: Sequence[Ranking]) -> tuple[Choice, ...]:
    """The preference in every pair of images of every ranking."""
    found = []
    for one in rankings:
        for (left, above), (right, below) in combinations(
            zip(one.methods, one.ranks, strict=True), 2
        ):
            preferred = Preference.LEFT if above < below else Preference.RIGHT
            preferred = Preference.TIE if above == below else preferred
            found.append(Choice(one.item, one.reader, left, right, preferred, one.cluster))
    return tuple(found)


def mean_ranks(
    rankings: Sequence[Ranking],
    methods: Sequence[str],
    random: Random = Random.BOTH,
    level: float = LEVEL,
) -> tuple[Estimate, ...]:
    """The mean rank of each method, over readers of their means over patients.

    The interval is that of a mean score in the form of Obuchowski and Rockette
    (`study.stats.random_effects`), for what is random.
    """
    items = {one.item: one.group for one in rankings}
    readers = sorted({one.reader for one in rankings})
    rows, columns = list(items), {reader: place for place, reader in enumerate(readers)}
    places = {item: place for place, item in enumerate(rows)}
    found = []
    for method in methods:
        ranks = np.full((len(rows), len(readers)), np.nan)
        for one in rankings:
            if method in one.methods:
                rank = one.midranks[one.methods.index(method)]
                ranks[places[one.item], columns[one.reader]] = rank
        found.append(_mean_rank(method, ranks, list(items.values()), random, level, rankings))
    return tuple(found)


def _mean_rank(
    method: str,
    ranks: Floats,
    clusters: Sequence[str],
    random: Random,
    level: float,
    rankings: Sequence[Ranking],
) -> Estimate:
    if not np.isfinite(ranks).any():
        return Estimate(method, None, "mean rank", 0, level=level, reason="it was not ranked")
    found = random_effects_test(ranks, clusters, random, level=level).difference
    if found.reason == NO_VARIANCE:
        found = replace(found, reason="the rank does not vary, which says nothing about precision")
    if found.low is None or found.high is None:
        return replace(found, name=method)
    last = float(max(len(one.methods) for one in rankings if method in one.methods))
    return replace(found, name=method, low=max(found.low, 1.0), high=min(found.high, last))


def concordance(rankings: Sequence[Ranking], **options: Unpack[RandomOptions]) -> Concordance:
    """Kendall's W of the readers, as a mean over cases.

    Readers are compared on cases of which both ranked the same methods. An order in which all
    images are tied has no correlation.

    Parameters
    ----------
    rankings : sequence of Ranking
    **options
        See `RandomOptions`.
    """
    readers = sorted({one.reader for one in rankings})
    pairs = list(combinations(range(len(readers)), 2))
    items, clusters, table = _correlations(rankings, readers, pairs)
    there = ~np.isnan(table)
    used, level = int(there.any(axis=1).sum()), options.get("level", LEVEL)
    method = "mean of Spearman's correlations of two readers"
    reason = f"{plural(len(readers), 'reader')}: no two of them ranked the same images apart"
    r = Estimate("Spearman's correlation", None, method, used, level=level, reason=reason)
    if not there.any():
        return Concordance(len(readers), 0, r, _kendall_w(r, len(readers)))
    first, second = (np.array(side) for side in zip(*pairs, strict=True))
    filled = np.where(there, table, 0.0)

    def statistic(of_items: Floats) -> Weighted:
        total, number = of_items @ filled, of_items @ there

        def mean(of_readers: Floats) -> Floats:
            weights = of_readers[:, first] * of_readers[:, second]
            means: Floats = (total * weights).sum(axis=1) / (number * weights).sum(axis=1)
            return means

        return mean

    value = float(statistic(np.ones((1, len(items))))(np.ones((1, len(readers))))[0])
    r = replace(r, value=value, reason="no bootstrap")
    if options.get("resamples", RESAMPLES):
        resamples = TwoWayResamples(
            len(readers), clusters, options.get("random", Random.BOTH),
            options.get("resamples", RESAMPLES), options.get("seed", 0), of_pairs=True,
        )  # fmt: skip
        draws = resamples.draws(statistic, len(items) * len(pairs))
        ends = resamples.interval(value, draws, level, FISHER_Z)
        r = replace(r, low=ends.low, high=ends.high, reason=ends.reason, method=ends.method)
    return Concordance(len(readers), used, r, _kendall_w(r, len(readers)))


def _kendall_w(r: Estimate, readers: int) -> Estimate:
    """W from the mean correlation, with the ends of its interval."""

    def of(one: float | None) -> float | None:
        return None if one is None else max(0.0, (1 + (readers - 1) * one) / readers)

    return replace(
        r, name="Kendall's W", value=of(r.value), low=of(r.low), high=of(r.high),
        method=f"(1 + (m - 1) r) / m of m readers; {r.method}",
    )  # fmt: skip


def _correlations(
    rankings: Sequence[Ranking], readers: Sequence[str], pairs: Sequence[tuple[int, int]]
) -> tuple[list[str], list[str], Floats]:
    """Items, their clusters, and Spearman's correlation of each pair of readers, NaN without."""
    items = {one.item: one.group for one in rankings}
    alike: dict[str, dict[frozenset[str], list[Ranking]]] = {item: {} for item in items}
    for one in rankings:
        if len(one.methods) >= LEAST:
            alike[one.item].setdefault(frozenset(one.methods), []).append(one)
    places = {reader: place for place, reader in enumerate(readers)}
    column = {pair: number for number, pair in enumerate(pairs)}
    table = np.full((len(items), len(pairs)), np.nan)
    for row, groups in enumerate(alike.values()):
        for group in groups.values():
            found = _spearman(group)
            for i, j in combinations(range(len(group)), 2):
                a, b = sorted((places[group[i].reader], places[group[j].reader]))
                table[row, column[a, b]] = found[i, j]
    return list(items), list(items.values()), table


def _spearman(rankings: Sequence[Ranking]) -> Floats:
    """Spearman's correlations of rankings of the same methods, NaN where all are tied."""
    order = sorted(rankings[0].methods)
    ranks = np.array([[one.midranks[one.methods.index(name)] for name in order]
                      for one in rankings])  # fmt: skip
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    length = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    unit = centred / np.where(length > 0, length, np.nan)
    correlations: Floats = unit @ unit.T
    return correlations
