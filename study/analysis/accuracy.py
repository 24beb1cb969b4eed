"""Sensitivity and specificity of a question that is held against the truth of the cases.

Answers above the middle of the scale or line, or yes, call a case positive; they are the first
main ones.
"""

from __future__ import annotations

from dataclasses import dataclass

from study.analysis.areas import score_panel, with_truth
from study.analysis.dataset import Dataset
from study.analysis.scores import AnalysisOptions
from study.domain.errors import StatisticsError
from study.domain.questions import Question
from study.stats.mrmc.accuracy import Accuracy, accuracy


@dataclass(frozen=True)
class AccuracyResult:
    """Accuracy of the readers with each method.

    Parameters
    ----------
    cutoff : int
        Answers from here up call a case positive.
    unknown : int
        Cases without a truth, which are left out.
    found : Accuracy or None
    reason : str
        Why there is none.
    """

    cutoff: int
    unknown: int
    found: Accuracy | None
    reason: str = ""


def accuracy_result(
    data: Dataset, question: Question, options: AnalysisOptions
) -> AccuracyResult | None:
    """Sensitivity and specificity.

    None where the question or the study has no truth, or the question no middle: a number may be
    large in any range.
    """
    if not question.truth or not any(case.truth for case in data.cases):
        return None
    if question.minimum == question.maximum:
        return None
    cutoff, panel = question.positive_from, score_panel(data, question)
    if panel is None:
        return AccuracyResult(cutoff, 0, None, "there are no ratings")
    known, positive = with_truth(data, panel.items)
    unknown = int((~known).sum())
    try:
        found = accuracy(
            panel.with_items(known), positive.tolist(), cutoff, options.random, level=options.level
        )
    except StatisticsError as error:
        return AccuracyResult(cutoff, unknown, None, str(error))
    return AccuracyResult(cutoff, unknown, found)
