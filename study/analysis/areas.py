"""Areas under curves: visual grading characteristics against a reference, and ROC with a truth.

Scores are the first main ratings, as everywhere. Curves are means over readers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from study.analysis.dataset import Dataset
from study.analysis.scores import AnalysisOptions, score_rows
from study.domain.errors import StatisticsError
from study.domain.questions import Question
from study.domain.terms import MethodKind
from study.stats.estimate import Floats
from study.stats.mrmc.figures import Vgc, reader_samples, roc_areas, vgc
from study.stats.mrmc.mean_curve import mean_curve
from study.stats.mrmc.obuchowski_rockette import MrmcResult, obuchowski_rockette
from study.stats.mrmc.two_samples import TwoSamples
from study.stats.multiple_testing import CorrectedPValue, correct
from study.stats.panel import Panel, panel_of

POSITIVE = "yes"


@dataclass(frozen=True)
class VgcResults:
    """Every method against the reference.

    Parameters
    ----------
    reference : str
        Its mask.
    areas : tuple of Vgc
        Of each other method with ratings.
    corrected : tuple of CorrectedPValue
        Their p values, corrected as one family.
    """

    reference: str
    areas: tuple[Vgc, ...]
    corrected: tuple[CorrectedPValue, ...]


@dataclass(frozen=True)
class RocResults:
    """Areas under the ROC curves of a confidence or measure, held against the truth of the cases.

    Parameters
    ----------
    positive, negative : int
        Numbers of cases by their truth.
    unknown : int
        Cases without a truth, which are left out.
    areas : MrmcResult or None
    reason : str
        Why there are none.
    """

    positive: int
    negative: int
    unknown: int
    areas: MrmcResult | None
    reason: str = ""


def reference_method(data: Dataset) -> str:
    """What methods are held against: the control, else the only hidden reference, else the first.

    Empty with fewer than two methods.
    """
    if len(data.methods) < 2:
        return ""
    if data.protocol.control:
        return data.protocol.control
    hidden = [one.mask for one in data.methods if one.kind is MethodKind.REFERENCE]
    return hidden[0] if len(hidden) == 1 else data.masks[0]


def vgc_results(data: Dataset, question: Question, options: AnalysisOptions) -> VgcResults | None:
    """VGC areas of a criterion; None without ratings of the reference and of another method."""
    panel, reference = score_panel(data, question), reference_method(data)
    if panel is None or reference not in panel.methods or len(panel.methods) < 2:
        return None
    found = tuple(
        vgc(panel, method, reference, options.random, level=options.level)
        for method in panel.methods
        if method != reference
    )
    return VgcResults(reference, found, correct([one.test.p for one in found]))


def vgc_curve(panel: Panel, method: str, reference: str) -> tuple[Floats, Floats]:
    """Mean curve of the readers; x is of the reference."""
    return mean_curve([sample for _, sample in reader_samples(panel, method, reference)])


def roc_results(data: Dataset, question: Question, options: AnalysisOptions) -> RocResults | None:
    """ROC areas of scores or measures; None where the question or the study has no truth."""
    if not question.truth or not any(case.truth for case in data.cases):
        return None
    panel = score_panel(data, question)
    rated = () if panel is None else panel.items
    known, positive = with_truth(data, rated)
    counts = (int(positive.sum()), int((~positive).sum()), int((~known).sum()))
    if panel is None:
        return RocResults(*counts, None, "there are no ratings")
    if len(panel.methods) < 2:
        return RocResults(*counts, None, "a comparison needs two methods")
    try:
        figures = roc_areas(panel.with_items(known), positive.tolist())
    except StatisticsError as error:
        return RocResults(*counts, None, str(error))
    return RocResults(*counts, obuchowski_rockette(figures, options.random, level=options.level))


def roc_curve(data: Dataset, panel: Panel, method: str) -> tuple[Floats, Floats]:
    """Mean curve of the readers; x is the false-positive fraction."""
    known, positive = with_truth(data, panel.items)
    scores = panel.scores[known][:, :, panel.place(method)]
    none = np.zeros(0, dtype=np.int64)
    samples = []
    for column in scores.T:
        low, high = (column[one & ~np.isnan(column)] for one in (~positive, positive))
        samples.append(TwoSamples(low, high, none, none))
    return mean_curve(samples)


def score_panel(data: Dataset, question: Question) -> Panel | None:
    """First ratings by case, reader and method; None without any."""
    rows = [row for row in score_rows(data, question) if row.value is not None]
    if not rows:
        return None
    panel = panel_of(rows)
    return panel.with_methods([mask for mask in data.masks if mask in panel.methods])


def with_truth(data: Dataset, items: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Which items have a truth, and of those which are positive."""
    truth = {case.case: case.truth for case in data.cases}
    found = [truth.get(item, "") for item in items]
    known = np.array([bool(one) for one in found], dtype=bool)
    positive = np.array([one == POSITIVE for one in found if one], dtype=bool)
    return known, positive
