"""Comparison of methods: paired tests in one family, and Friedman's test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy import stats

from study.domain.errors import StatisticsError
from study.domain.formatting import plural
from study.domain.inference import Random
from study.stats.comparison.paired import FEW, PairedComparison, compare_pair
from study.stats.estimate import LEVEL, Estimate, PValue
from study.stats.multiple_testing import ALPHA, CorrectedPValue, TestFamily, correct, family
from study.stats.panel import Panel


@dataclass(frozen=True)
class Comparisons:
    """All planned pairs of methods, corrected as one family.

    Parameters
    ----------
    family : TestFamily
        The planned pairs and the divisor.
    pairs : tuple of PairedComparison
        In the planned order.
    inference, t_test, wilcoxon : tuple of CorrectedPValue
        Corrected p values, one for each pair: of the test for what is random, and of those that
        take items as independent.
    """

    family: TestFamily
    pairs: tuple[PairedComparison, ...]
    inference: tuple[CorrectedPValue, ...]
    t_test: tuple[CorrectedPValue, ...]
    wilcoxon: tuple[CorrectedPValue, ...]

    def with_data(self) -> Comparisons:
        """The pairs that share an item; the corrections still count all planned ones."""
        kept = [place for place, pair in enumerate(self.pairs) if pair.n]
        return replace(
            self,
            pairs=tuple(self.pairs[place] for place in kept),
            inference=tuple(self.inference[place] for place in kept),
            t_test=tuple(self.t_test[place] for place in kept),
            wilcoxon=tuple(self.wilcoxon[place] for place in kept),
        )


@dataclass(frozen=True)
class Friedman:
    """Friedman's test of several methods, with Kendall's W."""

    methods: tuple[str, ...]
    test: PValue
    kendall_w: Estimate
    mean_ranks: tuple[float, ...]


def compare_methods(
    panel: Panel,
    control: str | None = None,
    *,
    declared: Sequence[tuple[str, str]] = (),
    span: float = math.inf,
    alpha: float = ALPHA,
    random: Random = Random.BOTH,
    level: float = LEVEL,
) -> Comparisons:
    """Tests of the planned pairs of methods.

    The difference of an item is averaged over the readers who rated both methods on it.

    Parameters
    ----------
    panel : Panel
    control : str, optional
        Plan every method against this one.
    declared : sequence of (str, str)
        Plan these pairs only. Without them and without a control, all pairs are planned.
    span : float
        Largest possible difference: the length of the scale.
    alpha : float
        Family-wise error rate.
    random : Random
        What the tests take as random; without readers, items alone.
    level : float
        Confidence level.

    Raises
    ------
    StatisticsError
        There are fewer than two methods, or a planned one is not among them.
    """
    planned, words = _planned(panel, control, declared)
    random = random if any(panel.readers) else Random.CASES
    pairs = tuple(
        compare_pair(
            first,
            second,
            panel.differences(first, second),
            panel.clusters,
            readers=panel.readers,
            random=random,
            span=span,
            level=level,
        )
        for first, second in planned
    )
    return Comparisons(
        family(words, len(planned), alpha),
        pairs,
        correct([pair.inference.test.p for pair in pairs]),
        correct([pair.t_test.p for pair in pairs]),
        correct([pair.wilcoxon.p for pair in pairs]),
    )


def _planned(
    panel: Panel, control: str | None, declared: Sequence[tuple[str, str]]
) -> tuple[list[tuple[str, str]], str]:
    """The planned pairs, and the family in words."""
    methods = panel.methods
    if len(methods) < 2:
        raise StatisticsError(f"a comparison needs two methods, got {', '.join(methods) or 'none'}")
    if declared:
        return list(declared), f"{plural(len(declared), 'declared pair')} of methods"
    if control is None:
        pairs = list(combinations(methods, 2))
        every = "all " if len(pairs) > 1 else ""
        return pairs, f"{every}{plural(len(pairs), 'pair')} of {len(methods)} methods"
    panel.place(control)
    pairs = [(method, control) for method in methods if method != control]
    return pairs, f"{plural(len(pairs), 'method')} against {control}"


def friedman(panel: Panel) -> Friedman:
    """Friedman's test on the items with all methods, averaged over readers.

    References
    ----------
    M. Friedman, "The use of ranks to avoid the assumption of normality", Journal of the American
    Statistical Association 32(200), 1937; corrected for ties. M. G. Kendall, B. Babington Smith,
    "The problem of m rankings", Annals of Mathematical Statistics 10(3), 1939.
    """
    scores = panel.complete_means()
    n, k = scores.shape
    method = "chi-square, corrected for ties"
    test = PValue("Friedman", None, method, n, df=max(k - 1, 0), reason=FEW)
    w = Estimate("Kendall's W", None, "Friedman's chi-square over n (k - 1)", n, reason=FEW)
    ranks = stats.rankdata(scores, axis=1) if scores.size else np.empty((0, k))
    means = tuple(float(mean) for mean in ranks.mean(axis=0)) if n else ()
    reason = None
    if k < 3:
        reason = f"{k} methods: it needs three, two are compared by the paired tests"
    elif n < 2:
        reason = FEW
    elif not np.ptp(scores, axis=1).any():
        reason = "no variation: the methods are equal on every item"
    if reason is not None:
        return Friedman(
            panel.methods, replace(test, reason=reason), replace(w, reason=reason), means
        )
    found = stats.friedmanchisquare(*scores.T)
    chi2 = float(found.statistic)
    return Friedman(
        panel.methods,
        PValue(test.name, float(found.pvalue), method, n, chi2, k - 1),
        Estimate(w.name, chi2 / (n * (k - 1)), w.method, n, reason="no interval is computed"),
        means,
    )
