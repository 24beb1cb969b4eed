"""The figures of the report: from results to the plots that draw them."""

from __future__ import annotations

import numpy as np

from study.analysis.comparison import PreferenceResults
from study.analysis.dataset import Dataset
from study.analysis.reader_consistency import ReaderDrift, residuals
from study.analysis.results import CriterionResult
from study.analysis.scores import MethodAgreement, first_ratings
from study.domain.formatting import MINUS, decimal
from study.domain.questions import Question
from study.report import plots
from study.report.cells import Figure
from study.report.context import ReportContext
from study.report.overview import scale_points


def likert(context: ReportContext, result: CriterionResult) -> Figure:
    """Stacked bars of the ratings at each point of the scale, by method."""
    rows = [
        plots.LikertRow(
            context.method(one.method), one.scores.counts, sum(gap.count for gap in one.missing)
        )
        for one in result.summaries
    ]
    points = scale_points(context.question(result.question))
    name = context.question_name(result.question)
    return Figure(
        plots.likert(rows, points, f"likert-{result.question}"),
        f"{name}: share of the first ratings at each point of the scale, and their number.",
        f"Stacked bars of the ratings of {name} for each method",
    )


def slopes(context: ReportContext, result: CriterionResult) -> Figure | None:
    """Lines of each reader's means across the methods; None without a rating."""
    data, question = context.data, context.question(result.question)
    readers = [
        plots.ReaderMeans(reader, tuple(_mean(data, question, reader, mask) for mask in data.masks))
        for reader in data.included_readers
    ]
    if not any(mean is not None for reader in readers for mean in reader.values):
        return None
    methods = [context.method(mask) for mask in data.masks]
    limits = (question.minimum, question.maximum)
    name = context.question_name(result.question)
    return Figure(
        plots.slopes(readers, methods, limits, f"slopes-{result.question}"),
        f"{name}: mean of each reader for each method. The thick line is the mean of the readers.",
        f"Mean {name} of each method, a line for each reader",
    )


def heat_maps(context: ReportContext, result: CriterionResult) -> Figure | None:
    """Quadratic-weighted kappa of every pair of readers, one map per method."""
    matrices = [_kappa_matrix(context, one) for one in result.agreement if one.pairwise is not None]
    if not matrices:
        return None
    name = context.question_name(result.question)
    return Figure(
        plots.heat_maps(matrices, f"pairs-{result.question}"),
        f"{name}: quadratic-weighted Cohen’s κ of every pair of readers; the deeper the blue, the "
        "more they agree. A dash is an undefined value.",
        f"Agreement of each pair of readers about {name}",
    )


def drift(context: ReportContext, found: ReaderDrift) -> Figure | None:
    """Each reader's scores minus the mean of the method, in the order read."""
    question = context.question(found.question)
    drifts = []
    for change in found.by_reader:
        places, scores = residuals(context.data, question, change.name)
        length = float(np.ptp(places)) if places.size else 0.0
        slope = change.value / length if change.value is not None and length else None
        title = _drift_title(change.name, change.value)
        drifts.append(plots.ScoreDrift(title, places, scores, slope))
    if not drifts:
        return None
    largest = max(float(np.abs(one.scores).max(initial=0)) for one in drifts)
    name = context.question_name(found.question)
    return Figure(
        plots.drift(drifts, max(1.25, largest + 0.25), f"drift-{found.question}"),
        f"Drift of {name}: each reader’s main ratings minus the reader’s mean of the same method, "
        "in the order read, and the fitted line. In the titles: change along it.",
        f"Ratings of {name} over time, one plot per reader",
    )


def preferences(context: ReportContext, found: PreferenceResults) -> Figure:
    """Stacked bars of the preferences in every pair of methods."""
    rows = [
        plots.PreferenceRow(
            context.method(one.first), context.method(one.second), (one.wins, one.ties, one.losses)
        )
        for one in found.pairs
        if one.answered
    ]
    return Figure(
        plots.preferences(rows, "preferences"),
        "Preferences in the main pairs: answers for the method on the left of the row, for "
        "neither, and for the method on its right.",
        "Stacked bars of the preferences in each pair of methods",
    )


def _mean(data: Dataset, question: Question, reader: str, mask: str) -> float | None:
    values = [
        one.value
        for one in first_ratings(data, question)
        if one.reader == reader and one.method == mask and one.value is not None
    ]
    return float(np.mean(values)) if values else None


def _kappa_matrix(context: ReportContext, one: MethodAgreement) -> plots.KappaMatrix:
    assert one.pairwise is not None
    readers = one.pairwise.raters
    values = np.full((len(readers), len(readers)), np.nan)
    for pair in one.pairwise.pairs:
        if pair.kappa.value is not None:
            i, j = readers.index(pair.first), readers.index(pair.second)
            values[i, j] = values[j, i] = pair.kappa.value
    return plots.KappaMatrix(context.method(one.method), readers, values)


def _drift_title(reader: str, change: float | None) -> str:
    if change is None:
        return f"{reader}: no slope"
    written = decimal(change)
    sign = "+" if written[0] != MINUS and float(written) else ""
    return f"{reader}: {sign}{written}"
