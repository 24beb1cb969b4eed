"""Sensitivity and specificity of readers with each method, and McNemar's test of two methods.

References
----------
Q. McNemar, "Note on the sampling error of the difference between correlated proportions or
percentages", Psychometrika 12(2), 1947.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from study.domain.errors import StatisticsError
from study.domain.inference import Random
from study.stats.comparison.preference import even_test
from study.stats.estimate import LEVEL, Estimate, Floats, PValue
from study.stats.intervals import clustered_proportion
from study.stats.mrmc.figures import proportions
from study.stats.mrmc.obuchowski_rockette import MrmcResult, obuchowski_rockette
from study.stats.multiple_testing import CorrectedPValue, correct
from study.stats.panel import Panel

EXACT = "exact binomial on cases in which the methods differ"


@dataclass(frozen=True)
class ReaderAccuracy:
    """Sensitivity and specificity of one reader with one method.

    Parameters
    ----------
    method, reader : str
    sensitivity, specificity : Estimate
        With intervals that take the cases of a patient together (see `clustered_proportion`).
    true_positive, false_negative, true_negative, false_positive : int
        Numbers of cases.
    """

    method: str
    reader: str
    sensitivity: Estimate
    specificity: Estimate
    true_positive: int
    false_negative: int
    true_negative: int
    false_positive: int


@dataclass(frozen=True)
class McNemar:
    """McNemar's test of two methods for one reader.

    Parameters
    ----------
    first, second, reader : str
    only_first, only_second : int
        Cases that are correct with one method only.
    test : PValue
        Exact; the statistic is `only_first`.
    """

    first: str
    second: str
    reader: str
    only_first: int
    only_second: int
    test: PValue


@dataclass(frozen=True)
class Accuracy:
    """Accuracy of binary readings.

    Parameters
    ----------
    cutoff : float
        Scores from here up are positive.
    positive, negative : int
        Numbers of cases.
    readers : tuple of ReaderAccuracy
    sensitivity, specificity : MrmcResult or None
        Comparison of the methods; None with one method.
    mcnemar : tuple of McNemar
        Every pair of methods and reader, over all cases.
    corrected : tuple of CorrectedPValue
        Their p values, corrected as one family.
    """

    cutoff: float
    positive: int
    negative: int
    readers: tuple[ReaderAccuracy, ...]
    sensitivity: MrmcResult | None
    specificity: MrmcResult | None
    mcnemar: tuple[McNemar, ...]
    corrected: tuple[CorrectedPValue, ...]


def accuracy(
    panel: Panel,
    positive: Sequence[bool],
    cutoff: float,
    random: Random = Random.BOTH,
    *,
    level: float = LEVEL,
) -> Accuracy:
    """Sensitivity, specificity and their comparison between methods.

    Parameters
    ----------
    panel : Panel
    positive : sequence of bool
        Truth of each item of the panel.
    cutoff : float
        Scores from here up call a case positive.
    random : Random
        What the comparison takes as random.
    level : float

    Raises
    ------
    StatisticsError
        There is no positive or no negative case.
    """
    truth = np.asarray(positive, dtype=bool)
    if truth.all() or not truth.any():
        raise StatisticsError(
            f"all {truth.size} cases are {'positive' if truth.all() else 'negative'} by their "
            "truth: sensitivity and specificity need cases of both"
        )
    called = replace(panel, scores=_called(panel.scores, cutoff))
    several = len(panel.methods) > 1
    right = replace(panel, scores=np.where(np.isnan(called.scores), np.nan,
                                           called.scores == truth[:, None, None]))  # fmt: skip
    tests = tuple(_mcnemar(right)) if several else ()

    def compared(name: str, cases: NDArray[np.bool_]) -> MrmcResult | None:
        if not several:
            return None
        return obuchowski_rockette(proportions(right, cases.tolist(), name), random, level=level)

    return Accuracy(
        cutoff,
        int(truth.sum()),
        int((~truth).sum()),
        tuple(_of_readers(right, truth, level)),
        compared("Sensitivity", truth),
        compared("Specificity", ~truth),
        tests,
        correct([one.test.p for one in tests]),
    )  # fmt: skip


def mcnemar_test(only_first: int, only_second: int) -> PValue:
    """The exact test of two counts of cases in which one of two methods alone is correct."""
    found = replace(even_test("McNemar", only_first, only_second), method=EXACT)
    if found.p is None:
        return replace(found, reason="the methods are correct in the same cases")
    return found


def _called(scores: Floats, cutoff: float) -> Floats:
    called: Floats = np.where(np.isnan(scores), np.nan, scores >= cutoff)
    return called


def _of_readers(right: Panel, truth: NDArray[np.bool_], level: float) -> list[ReaderAccuracy]:
    found = []
    for (place, method), (column, reader) in (
        (one, other) for one in enumerate(right.methods) for other in enumerate(right.readers)
    ):
        shares: list[Estimate] = []
        counts: list[int] = []
        for name, of in (("Sensitivity", truth), ("Specificity", ~truth)):
            scores = right.scores[:, column, place]
            rated = np.flatnonzero(of & ~np.isnan(scores))
            given = (scores[rated] == 1).tolist()
            patients = [right.clusters[item] for item in rated]
            shares.append(clustered_proportion(name, given, patients, level))
            counts += [sum(given), len(given) - sum(given)]
        sensitivity, specificity = shares
        found.append(ReaderAccuracy(method, reader, sensitivity, specificity, *counts))
    return found


def _mcnemar(right: Panel) -> list[McNemar]:
    found = []
    for (first, one), (second, other) in combinations(enumerate(right.methods), 2):
        for column, reader in enumerate(right.readers):
            a, b = right.scores[:, column, first], right.scores[:, column, second]
            only_first, only_second = (
                int(((a == 1) & (b == 0)).sum()),
                int(((a == 0) & (b == 1)).sum()),
            )
            test = mcnemar_test(only_first, only_second)
            found.append(McNemar(one, other, reader, only_first, only_second, test))
    return found
