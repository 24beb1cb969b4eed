"""Answers of yes or no, or of one of several: their shares, and the agreement of the readers."""

from __future__ import annotations

from dataclasses import dataclass

from study.analysis.accuracy import AccuracyResult, accuracy_result
from study.analysis.comparison import ScoreComparison, compare_scores
from study.analysis.dataset import Dataset
from study.analysis.reader_consistency import repeats
from study.analysis.scores import (
    ALL_METHODS,
    AnalysisOptions,
    MethodAnswers,
    MissingCount,
    answers_by_method,
    ratings_table,
)
from study.domain.questions import Analysed, Question, QuestionKind
from study.stats.agreement.coefficients import Agreement, fleiss_kappa, gwet_ac, raw_agreement
from study.stats.estimate import Estimate
from study.stats.intervals import proportion
from study.stats.reliability.intra_reader import RepeatReliability


@dataclass(frozen=True)
class CategoryShares:
    """How often each category was chosen for the images of one method.

    Parameters
    ----------
    method : str
        Its mask.
    n : int
    missing : tuple of MissingCount
    counts : tuple of int
    shares : tuple of Estimate
        With Wilson's intervals.
    """

    method: str
    n: int
    missing: tuple[MissingCount, ...]
    counts: tuple[int, ...]
    shares: tuple[Estimate, ...]


@dataclass(frozen=True)
class CategoryAgreement:
    """Agreement of the readers on the images of one method, or of all.

    Parameters
    ----------
    method : str
        Its mask, or `ALL_METHODS`.
    items, readers : int
    raw, kappa, ac1 : Agreement
        Raw agreement, Fleiss' kappa and Gwet's AC1.
    """

    method: str
    items: int
    readers: int
    raw: Agreement
    kappa: Agreement
    ac1: Agreement


@dataclass(frozen=True)
class CategoryResult:
    """All results of one question with categories.

    Parameters
    ----------
    question : str
        Its code.
    primary : bool
        Whether it is the question of the primary analysis.
    shares : tuple of CategoryShares
    agreement : tuple of CategoryAgreement
        For every method, then for all images of all methods.
    comparison : ScoreComparison or None
        Of the shares of yes; None for categories without an order.
    repeats : tuple of RepeatReliability
        Hidden repeats: each reader, then all; empty if none were read.
    accuracy : AccuracyResult or None
        None without a truth, and for categories without an order.
    """

    question: str
    primary: bool
    shares: tuple[CategoryShares, ...]
    agreement: tuple[CategoryAgreement, ...]
    comparison: ScoreComparison | None
    repeats: tuple[RepeatReliability, ...]
    accuracy: AccuracyResult | None


def categories(data: Dataset, options: AnalysisOptions) -> tuple[CategoryResult, ...]:
    """The results of every question whose answers are categories."""
    return tuple(_result(data, one, options) for one in data.asked(Analysed.CATEGORIES))


def _result(data: Dataset, question: Question, options: AnalysisOptions) -> CategoryResult:
    ordered = question.kind is QuestionKind.YES_NO
    return CategoryResult(
        question=question.code,
        primary=question.primary,
        shares=tuple(
            _shares(question, own, options.level) for own in answers_by_method(data, question)
        ),
        agreement=tuple(
            _agreement(data, question, method, options) for method in (*data.masks, ALL_METHODS)
        ),
        comparison=compare_scores(data, question, options) if ordered else None,
        repeats=repeats(data, question, options),
        accuracy=accuracy_result(data, question, options) if ordered else None,
    )


def _shares(question: Question, own: MethodAnswers, level: float) -> CategoryShares:
    n, counts = len(own.given), tuple(own.values.count(point) for point in question.scale)
    shares = tuple(proportion(own.method, count, n, level) for count in counts)
    return CategoryShares(own.method, n, own.missing, counts, shares)


def _agreement(
    data: Dataset, question: Question, method: str, options: AnalysisOptions
) -> CategoryAgreement:
    table = ratings_table(data, question, method)
    present = table.present()
    how = options.inference
    return CategoryAgreement(
        method,
        len(present.items),
        len(present.raters),
        raw_agreement(table, **how),
        fleiss_kappa(table, **how),
        gwet_ac(table, **how),
    )
