"""Two methods on the same items: the test for what is random, and tests that ignore it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from study.domain.inference import Random
from study.stats.estimate import LEVEL, Estimate, Floats, PValue, round_to_digits
from study.stats.intervals import proportion, t_interval
from study.stats.random_effects import RandomEffectsTest, random_effects_test

EXACT_UP_TO = 50
"""Most differences for which the distribution over all sign permutations is computed."""
CONSTANT = "all differences are equal"
FEW = "fewer than two items"


@dataclass(frozen=True)
class ReaderDifference:
    """One reader's mean difference between two methods."""

    reader: str
    n: int
    mean: float


@dataclass(frozen=True)
class PairedComparison:
    """Two methods on the same items.

    Parameters
    ----------
    first, second : str
        Differences are first minus second.
    n : int
        Items with both.
    inference : RandomEffectsTest
        Difference, interval and test for what is random.
    difference : Estimate
        Mean of the items, with a t interval that takes items as independent and readers as fixed.
    effect : Estimate
        dz, that mean divided by the standard deviation of the differences.
    t_test, wilcoxon, sign_test : PValue
        Paired t, Wilcoxon signed-rank (Pratt) and sign test, of items that are taken as
        independent.
    above : Estimate
        Share of the unequal items with the first higher, with its Wilson interval.
    higher, lower, equal : int
        Items with the first higher, lower, or equal.
    by_reader : tuple of ReaderDifference
        Mean difference of each reader.
    """

    first: str
    second: str
    n: int
    inference: RandomEffectsTest
    difference: Estimate
    effect: Estimate
    t_test: PValue
    wilcoxon: PValue
    sign_test: PValue
    above: Estimate
    higher: int
    lower: int
    equal: int
    by_reader: tuple[ReaderDifference, ...] = ()


def compare_pair(
    first: str,
    second: str,
    differences: Floats,
    clusters: Sequence[str] | None = None,
    *,
    readers: Sequence[str] = (),
    random: Random = Random.BOTH,
    span: float = math.inf,
    level: float = LEVEL,
) -> PairedComparison:
    """Tests of the differences between two methods.

    Parameters
    ----------
    first, second : str
        Names of the methods.
    differences : ndarray, shape (items, readers) or (items,)
        First minus second; NaN where one of the two is missing.
    clusters : sequence of str, optional
        Patient of each item; by default every item is one.
    readers : sequence of str
        Their names; empty if they have none.
    random : Random
        What the inference takes as random.
    span : float
        Largest possible difference: the length of the scale.
    level : float
        Confidence level.
    """
    by_reader = differences if differences.ndim == 2 else differences[:, None]
    groups = [str(i) for i in range(len(by_reader))] if clusters is None else list(clusters)
    averages = mean_of_readers(by_reader)
    values = round_to_digits(averages[~np.isnan(averages)])
    higher, lower = int((values > 0).sum()), int((values < 0).sum())
    above = proportion(f"Share of unequal items with {first} higher", higher, higher + lower, level)
    return PairedComparison(
        first=first,
        second=second,
        n=values.size,
        inference=random_effects_test(by_reader, groups, random, span=span, level=level),
        difference=_mean_difference(values, span, level),
        effect=_effect(values, level),
        t_test=_t_test(values),
        wilcoxon=_wilcoxon(values),
        sign_test=_sign_test(higher, lower, values.size),
        above=above if above.defined else replace(above, reason="no item is unequal"),
        higher=higher,
        lower=lower,
        equal=values.size - higher - lower,
        by_reader=tuple(_of_readers(readers, by_reader)),
    )


def mean_of_readers(by_reader: Floats) -> Floats:
    """Mean over the readers with a value, shape (items,); NaN without any."""
    there = ~np.isnan(by_reader)
    count = there.sum(axis=1)
    total = np.where(there, by_reader, 0.0).sum(axis=1)
    mean: Floats = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean


def _of_readers(readers: Sequence[str], differences: Floats) -> Iterator[ReaderDifference]:
    for reader, column in zip(readers, differences.T, strict=False):
        rated = column[~np.isnan(column)]
        if rated.size and reader:
            yield ReaderDifference(reader, rated.size, float(rated.mean()))


def _mean_difference(values: Floats, span: float, level: float) -> Estimate:
    name, n = "Mean difference", values.size
    if not n:
        return Estimate(name, None, "t interval", 0, level=level, reason="no item has both methods")
    mean = float(values.mean())
    # The standard deviation of equal differences is exactly zero, without a rounding error.
    se = (float(values.std(ddof=1)) if np.ptp(values) else 0.0) / math.sqrt(n) if n > 1 else None
    ends = t_interval(mean, se, n - 1, level, (-span, span))
    return Estimate(name, mean, ends.method, n, se, ends.low, ends.high, level, ends.reason)


def _t_test(values: Floats) -> PValue:
    name, method, n = "Paired t", "two-sided", values.size
    if n < 2:
        return PValue(name, None, method, n, reason=FEW)
    if not np.ptp(values):
        return PValue(name, None, method, n, df=n - 1, reason=CONSTANT)
    found = stats.ttest_1samp(values, 0.0)
    return PValue(name, float(found.pvalue), method, n, float(found.statistic), n - 1)


def _effect(values: Floats, level: float) -> Estimate:
    name, method, n = "dz", "mean difference over its standard deviation", values.size
    if n < 2 or not np.ptp(values):
        reason = FEW if n < 2 else CONSTANT
        return Estimate(name, None, method, n, level=level, reason=reason)
    value = float(values.mean() / values.std(ddof=1))
    return Estimate(name, value, method, n, level=level, reason="no interval is computed")


def _wilcoxon(values: Floats) -> PValue:
    name, n = "Wilcoxon signed ranks", values.size
    zeros, exact = int((values == 0).sum()), n <= EXACT_UP_TO
    method = f"zero_method pratt: {zeros} zeros ranked, then dropped; "
    method += "exact" if exact else "normal approximation"
    if n < 2 or zeros == n:
        reason = FEW if n < 2 else "all differences are zero"
        return PValue(name, None, method, n, reason=reason)
    if exact:
        p, statistic = _sign_permutations(values)
        return PValue(name, p, method, n, statistic)
    found = stats.wilcoxon(values, zero_method="pratt", correction=False, method="approx")
    return PValue(name, float(found.pvalue), method, n, float(found.statistic))


def _sign_permutations(values: Floats) -> tuple[float, float]:
    """Exact two-sided p value of the signed ranks, and the smaller rank sum, over all 2^n signs.

    The distribution of the sum is built rank by rank; ties and zeros, which scipy's exact test
    does not allow, make ranks of halves.
    """
    doubled = np.rint(2 * stats.rankdata(np.abs(values))[values != 0]).astype(np.int64)
    above = int(doubled[values[values != 0] > 0].sum())
    ways = np.zeros(doubled.sum() + 1)
    ways[0] = 1.0
    for rank in doubled:
        ways[rank:] = (ways[rank:] + ways[:-rank]) / 2
        ways[:rank] /= 2
    tail = min(float(ways[: above + 1].sum()), float(ways[above:].sum()))
    return min(1.0, 2 * tail), min(above, int(doubled.sum()) - above) / 2


def _sign_test(higher: int, lower: int, n: int) -> PValue:
    name, method = "Sign test", "exact binomial; equal items left out"
    if not higher + lower:
        return PValue(name, None, method, n, reason="no item is unequal")
    p = float(stats.binomtest(higher, higher + lower).pvalue)
    return PValue(name, p, method, higher + lower, float(higher))
