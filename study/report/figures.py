"""The figures of a report: from results to what `study.report.plots` draws."""

from __future__ import annotations

import numpy as np

from study.analysis.comparison import Preferences
from study.analysis.dataset import Dataset
from study.analysis.reader_consistency import ReaderDrift, residuals
from study.analysis.results import CriterionResult
from study.analysis.scores import MethodAgreement, first_ratings
from study.domain.protocol import Question
from study.report import plots
from study.report.context import ReportContext, heading
from study.report.formatting import MINUS, number
from study.report.markup import Html, picture


def likert(sheet: ReportContext, result: CriterionResult) -> Html:
    """How often each point of the scale was given."""
    question = sheet.question(result.question)
    bars = [
        plots.Bar(
            sheet.method(one.method), one.scores.counts, sum(gap.count for gap in one.missing)
        )
        for one in result.summaries
    ]
    svg = plots.likert(bars, _anchors(question), f"likert-{result.question}")
    name = heading(question)
    caption = sheet.figure(
        f"{name}: share of the first ratings at each point of the scale, and their number."
    )
    return picture(svg, caption, f"Stacked bars of the ratings of {name} for each method")


def slopes(sheet: ReportContext, result: CriterionResult) -> Html:
    """Every reader's mean of each method."""
    data, question = sheet.data, sheet.question(result.question)
    lines = [
        plots.Line(reader, tuple(_mean(data, question, reader, mask) for mask in data.masks))
        for reader in data.included_readers
    ]
    svg = plots.slopes(
        lines,
        [sheet.method(mask) for mask in data.masks],
        (question.minimum, question.maximum),
        f"slopes-{result.question}",
    )
    name = heading(question)
    caption = sheet.figure(
        f"{name}: mean of each reader for each method. The thick line is the mean of the readers."
    )
    return picture(svg, caption, f"Mean {name} of each method, a line for each reader")


def heat_maps(sheet: ReportContext, result: CriterionResult) -> Html:
    """Quadratic kappa of every pair of readers."""
    squares = [_square(sheet, one) for one in result.agreement if one.pairwise is not None]
    if not squares:
        return Html("")
    svg = plots.heat_maps(squares, f"pairs-{result.question}")
    name = heading(sheet.question(result.question))
    caption = sheet.figure(
        f"{name}: quadratic-weighted Cohen’s κ of every pair of readers; the deeper the blue, the "
        "more they agree. A dash is an undefined value."
    )
    return picture(svg, caption, f"Agreement of each pair of readers about {name}")


def drift(sheet: ReportContext, found: ReaderDrift) -> Html:
    """Scores of each reader over the reading."""
    question = sheet.question(found.question)
    tracks = []
    for slope in found.by_reader:
        places, apart = residuals(sheet.data, question, slope.name)
        whole = float(np.ptp(places)) if places.size else 0.0
        each = slope.value / whole if slope.value is not None and whole else None
        tracks.append(plots.Track(_slope_title(slope.name, slope.value), places, apart, each))
    if not tracks:
        return Html("")
    widest = max((float(np.abs(one.apart).max(initial=0)) for one in tracks), default=1.0)
    svg = plots.drift(tracks, max(1.25, widest + 0.25), f"drift-{found.question}")
    caption = sheet.figure(
        f"Drift of {heading(question)}: each reader’s main ratings less the reader’s mean of the "
        f"same method, in the order read, and the fitted line. In the titles: change along it."
    )
    return picture(svg, caption, f"Ratings of {heading(question)} over time, one plot a reader")


def preferences(sheet: ReportContext, found: Preferences) -> Html:
    """What was preferred in every pair of methods."""
    rows = [
        plots.Split(
            sheet.method(one.first), sheet.method(one.second), (one.wins, one.ties, one.losses)
        )
        for one in found.pairs
    ]
    svg = plots.splits(rows, "preferences")
    caption = sheet.figure(
        "Preferences in the main pairs: answers for the method on the left of the row, for "
        "neither, and for the method on its right."
    )
    return picture(svg, caption, "Stacked bars of the preferences in each pair of methods")


def _anchors(question: Question) -> list[str]:
    words = question.anchors or ("",) * len(question.scale)
    return [f"{point} {word}".strip() for point, word in zip(question.scale, words, strict=True)]


def _mean(data: Dataset, question: Question, reader: str, mask: str) -> float | None:
    values = [
        seen.value
        for seen in first_ratings(data, question)
        if seen.reader == reader and seen.method == mask and seen.value is not None
    ]
    return float(np.mean(values)) if values else None


def _square(sheet: ReportContext, one: MethodAgreement) -> plots.Square:
    assert one.pairwise is not None
    readers = one.pairwise.raters
    values = np.full((len(readers), len(readers)), np.nan)
    for pair in one.pairwise.pairs:
        if pair.kappa.value is not None:
            i, j = readers.index(pair.first), readers.index(pair.second)
            values[i, j] = values[j, i] = pair.kappa.value
    return plots.Square(sheet.method(one.method), readers, values)


def _slope_title(reader: str, change: float | None) -> str:
    if change is None:
        return f"{reader}: no slope"
    written = number(change)
    return f"{reader}: {'+' if written[0] != MINUS and float(written) else ''}{written}"
