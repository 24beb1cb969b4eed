"""The figures of the report: from results to the plots that draw them."""

from __future__ import annotations

from collections.abc import Sequence

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
from study.stats.estimate import Floats

MOST_IN_ONE = 6
"""Readers whose agreement is shown for each method."""


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
    means = _means(data, question)
    if not np.isfinite(means).any():
        return None
    readers = [
        plots.ReaderMeans(reader, tuple(None if np.isnan(one) else float(one) for one in row))
        for reader, row in zip(data.included_readers, means, strict=True)
    ]
    methods = [context.method(mask) for mask in data.masks]
    limits = (question.minimum, question.maximum)
    name = context.question_name(result.question)
    return Figure(
        plots.slopes(readers, methods, limits, f"slopes-{result.question}"),
        f"{name}: mean of each reader for each method. The thick line is the mean of the readers.",
        f"Mean {name} of each method, a line for each reader",
    )


def kappa_maps(context: ReportContext, result: CriterionResult) -> list[Figure]:
    """Quadratic-weighted kappa of every pair of readers.

    Up to `MOST_IN_ONE` readers have a map for each method. More have one of all methods, and their
    means over the other readers for each method, so that every number is legible.
    """
    found = [one for one in result.agreement if one.pairwise is not None]
    if not found:
        return []
    name = context.question_name(result.question)
    readers = found[0].pairwise.raters if found[0].pairwise else ()
    few = len(readers) <= MOST_IN_ONE
    kappas = "quadratic-weighted Cohen’s κ of"
    depth = "The deeper the blue, the more they agree. A dash is an undefined value."
    maps = Figure(
        plots.square_grids(
            [_kappa_grid(context, one) for one in (found if few else found[-1:])],
            f"pairs-{result.question}",
        ),
        f"{name}: {kappas} every pair of readers{'' if few else ', all methods'}. {depth}",
        f"Agreement of each pair of readers about {name}",
    )
    if few:
        return [maps]
    means = np.stack([_mean_kappas(one, readers) for one in found], axis=1)
    titles = tuple(context.method(one.method) for one in found)
    grid = plots.NumberGrid("", readers, titles, means)
    return [
        maps,
        Figure(
            plots.number_grid(grid, f"kappas-{result.question}"),
            f"{name}: mean {kappas} each reader with the others, by method. {depth}",
            f"Mean agreement of each reader with the others about {name}, by method",
        ),
    ]


def reader_means(context: ReportContext, result: CriterionResult) -> Figure | None:
    """Mean score of every reader for every method, as numbers; None without a rating."""
    data, question = context.data, context.question(result.question)
    values = _means(data, question)
    if not np.isfinite(values).any():
        return None
    name = context.question_name(result.question)
    grid = plots.NumberGrid(
        "", data.included_readers, tuple(context.method(mask) for mask in data.masks), values,
        (question.minimum, question.maximum),
    )  # fmt: skip
    return Figure(
        plots.number_grid(grid, f"means-{result.question}"),
        f"{name}: mean of each reader for each method, on the scale from {question.minimum} to "
        f"{question.maximum}.",
        f"Table of the mean {name} of each reader and method, coloured",
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
    shown = (plots.block_means(one.places, one.scores)[1] for one in drifts)
    largest = max(float(np.abs(scores).max(initial=0)) for scores in shown)
    name = context.question_name(found.question)
    order = "in the order read" + (" in each session" if context.data.protocol.crossover else "")
    return Figure(
        plots.drift(drifts, max(1.25, largest + 0.25), f"drift-{found.question}"),
        f"Drift of {name}: each reader’s main ratings minus the reader’s mean of the same method, "
        f"{order}, and the fitted line; a dot may be the mean of several in a row. "
        "In the titles: change along the line.",
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


def _means(data: Dataset, question: Question) -> Floats:
    """Mean of the first ratings, shape (readers, methods); NaN without any."""
    readers, shape = data.included_readers, (len(data.included_readers), len(data.masks))
    total, number = np.zeros(shape), np.zeros(shape)
    rows = {reader: place for place, reader in enumerate(readers)}
    columns = {mask: place for place, mask in enumerate(data.masks)}
    for one in first_ratings(data, question):
        if one.value is not None and one.reader in rows:
            total[rows[one.reader], columns[one.method]] += one.value
            number[rows[one.reader], columns[one.method]] += 1
    means: Floats = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    return means


def _kappa_grid(context: ReportContext, one: MethodAgreement) -> plots.NumberGrid:
    assert one.pairwise is not None
    readers = one.pairwise.raters
    values = _kappa_matrix(one, readers)
    return plots.NumberGrid(context.method(one.method), readers, readers, values, diagonal=False)


def _kappa_matrix(one: MethodAgreement, readers: Sequence[str]) -> Floats:
    """Kappa of every pair of readers, a symmetric matrix; NaN where undefined."""
    values = np.full((len(readers), len(readers)), np.nan)
    places = {reader: place for place, reader in enumerate(readers)}
    for pair in one.pairwise.pairs if one.pairwise else ():
        if pair.kappa.value is not None and {pair.first, pair.second} <= set(readers):
            i, j = places[pair.first], places[pair.second]
            values[i, j] = values[j, i] = pair.kappa.value
    return values


def _mean_kappas(one: MethodAgreement, readers: Sequence[str]) -> Floats:
    """Mean kappa of each reader with the others; NaN without any."""
    matrix = _kappa_matrix(one, readers)
    known = np.isfinite(matrix)
    number = known.sum(axis=1)
    sums = np.where(known, matrix, 0.0).sum(axis=1)
    means: Floats = np.where(number > 0, sums / np.maximum(number, 1), np.nan)
    return means


def _drift_title(reader: str, change: float | None) -> str:
    if change is None:
        return f"{reader}: no slope"
    written = decimal(change)
    sign = "+" if written[0] != MINUS and float(written) else ""
    return f"{reader}: {sign}{written}"
