"""Measures of each method: numbers, places on a line, lengths, angles and areas.

The first main measurement of each reader, case and method counts, as for scores.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from study.analysis.accuracy import AccuracyResult, accuracy_result
from study.analysis.areas import RocResults, roc_results
from study.analysis.comparison import ScoreComparison, compare_scores
from study.analysis.dataset import Dataset
from study.analysis.limits import method_limits, repeat_limits
from study.analysis.reader_consistency import repeats
from study.analysis.scores import (
    ALL_METHODS,
    AnalysisOptions,
    MethodAnswers,
    MissingCount,
    answers_by_method,
    ratings_table,
)
from study.domain.questions import Analysed, Question
from study.stats.comparison.bland_altman import BlandAltman
from study.stats.reliability.inter_reader import Reliability, reliability
from study.stats.reliability.intra_reader import RepeatReliability


@dataclass(frozen=True)
class MeasureSummary:
    """The measurements of one method.

    Parameters
    ----------
    method : str
        Its mask.
    n : int
    missing : tuple of MissingCount
    mean, sd, median, q1, q3, least, most : float or None
        None without measurements; the standard deviation needs two.
    """

    method: str
    n: int
    missing: tuple[MissingCount, ...]
    mean: float | None = None
    sd: float | None = None
    median: float | None = None
    q1: float | None = None
    q3: float | None = None
    least: float | None = None
    most: float | None = None


@dataclass(frozen=True)
class MeasureResult:
    """All results of one measure.

    Parameters
    ----------
    question : str
        Its code.
    primary : bool
        Whether it is the question of the primary analysis.
    units : tuple of str
        Units that occur; with several, the numbers of all are together and say little.
    summaries : tuple of MeasureSummary
        Of every method.
    reliability : tuple of (str, Reliability)
        Between readers, for every method, then for all images of all methods.
    comparison : ScoreComparison
    repeats : tuple of RepeatReliability
        Hidden repeats: each reader, then all; empty if none were read.
    limits : tuple of BlandAltman
        Limits of agreement of every method with the reference.
    repeat_limits : BlandAltman or None
        Of hidden repeats; None if none were read.
    roc : RocResults or None
        None without a truth.
    accuracy : AccuracyResult or None
        Of places on a line; None without a truth.
    """

    question: str
    primary: bool
    units: tuple[str, ...]
    summaries: tuple[MeasureSummary, ...]
    reliability: tuple[tuple[str, Reliability], ...]
    comparison: ScoreComparison
    repeats: tuple[RepeatReliability, ...]
    limits: tuple[BlandAltman, ...]
    repeat_limits: BlandAltman | None
    roc: RocResults | None
    accuracy: AccuracyResult | None


def measures(data: Dataset, options: AnalysisOptions) -> tuple[MeasureResult, ...]:
    """The results of every question whose answers are measures."""
    return tuple(_measure(data, one, options) for one in data.asked(Analysed.MEASURES))


def _measure(data: Dataset, question: Question, options: AnalysisOptions) -> MeasureResult:
    answers = answers_by_method(data, question)
    return MeasureResult(
        question=question.code,
        primary=question.primary,
        units=tuple(sorted({obs.unit for own in answers for obs in own.given})),
        summaries=tuple(map(_summary, answers)),
        reliability=tuple(
            (method, reliability(ratings_table(data, question, method), **options.inference))
            for method in (*data.masks, ALL_METHODS)
        ),
        comparison=compare_scores(data, question, options),
        repeats=repeats(data, question, options),
        limits=method_limits(data, question, options),
        repeat_limits=repeat_limits(data, question, options),
        roc=roc_results(data, question, options),
        accuracy=accuracy_result(data, question, options),
    )


def _summary(own: MethodAnswers) -> MeasureSummary:
    values = np.array(own.values, np.float64)
    if not values.size:
        return MeasureSummary(own.method, 0, own.missing)
    least, q1, median, q3, most = (float(one) for one in np.quantile(values, np.arange(5) / 4))
    sd = float(values.std(ddof=1)) if values.size > 1 else None
    mean = float(values.mean())
    return MeasureSummary(
        own.method, values.size, own.missing, mean, sd, median, q1, q3, least, most
    )
