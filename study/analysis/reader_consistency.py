"""How steady each reader was: hidden repeats, and drift over the reading."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from study.analysis.dataset import Dataset, Observation, row_of, scale_of
from study.analysis.scores import AnalysisOptions
from study.domain.protocol import PAIR, Question, Role
from study.stats.estimate import Estimate, Floats
from study.stats.intervals import mean_estimate, t_interval
from study.stats.intra_reader import RepeatReliability, all_repeats
from study.stats.scale import Scale
from study.stats.table import RatingRow

LEAST = 3
"""Ratings that a reader's slope needs."""


@dataclass(frozen=True)
class ReaderDrift:
    """Whether scores changed with the place of the pair in the reader's main pairs.

    Parameters
    ----------
    question : str
        Code of the criterion.
    by_reader : tuple of Estimate
        Change of each reader's scores from the first to the last main pair along the fitted line,
        the methods' own means taken out.
    mean : Estimate
        Their mean, with readers as the sample.
    """

    question: str
    by_reader: tuple[Estimate, ...]
    mean: Estimate


def repeats(
    data: Dataset, question: Question, options: AnalysisOptions
) -> tuple[RepeatReliability, ...]:
    """Hidden repeats against the main pairs they repeat: every reader, then all together.

    For the preference, values are turned so that they are about methods, not sides.
    """
    again = {
        (seen.reader, seen.repeat_of, _subject(seen)): seen
        for seen in data.counted(question.code, Role.REPEAT)
    }
    rows = []
    for seen in data.counted(question.code, Role.MAIN):
        second = again.get((seen.reader, seen.pair, _subject(seen)))
        if second is not None:
            item = f"{seen.pair} {_subject(seen)}"
            rows += [_about_methods(seen, item, 1), _about_methods(second, item, 2)]
    if not rows:
        return ()
    scale = Scale.span(-1, 1) if question.slots == (PAIR,) else scale_of(question)
    return all_repeats(rows, scale, **options.keywords)


def drift(data: Dataset, question: Question, level: float) -> ReaderDrift:
    """Slopes of the scores over the main pairs, one reader at a time."""
    slopes = []
    for reader in data.included_readers:
        when, apart = residuals(data, question, reader)
        slopes.append(_slope(reader, when, apart, level))
    known = np.array([one.value for one in slopes if one.value is not None], np.float64)
    name = "Mean change"
    return ReaderDrift(
        question.code, tuple(slopes), mean_estimate(name, known, "readers as the sample", level)
    )


def residuals(data: Dataset, question: Question, reader: str) -> tuple[Floats, Floats]:
    """Place among the reader's main pairs, and score less the reader's mean of that method."""
    seen = [
        one
        for one in data.counted(question.code, Role.MAIN)
        if one.reader == reader and one.value is not None
    ]
    order = {when: place for place, when in enumerate(sorted({one.when for one in seen}))}
    means: dict[str, float] = {}
    for mask in {one.method for one in seen}:
        values = [one.value for one in seen if one.method == mask and one.value is not None]
        means[mask] = float(np.mean(values))
    places = np.array([order[one.when] for one in seen], np.float64)
    apart = np.array([(one.value or 0) - means[one.method] for one in seen], np.float64)
    return places, apart


def _slope(reader: str, when: Floats, apart: Floats, level: float) -> Estimate:
    method, n = "least squares; its interval takes ratings as independent", when.size
    base = Estimate(reader, None, method, n, level=level, reason=f"fewer than {LEAST} ratings")
    if n < LEAST:
        return base
    x, y = when - when.mean(), apart - apart.mean()
    spread = float((x**2).sum())
    if not spread:
        return replace(base, reason="all ratings are of one pair")
    slope = float((x * y).sum()) / spread
    left = float(((y - slope * x) ** 2).sum())
    whole = float(np.ptp(when))
    change, se = whole * slope, whole * math.sqrt(left / (n - 2) / spread)
    ends = t_interval(change, se, n - 2, level)
    return replace(base, value=change, se=se, low=ends.low, high=ends.high, reason=ends.reason)


def _subject(seen: Observation) -> str:
    """What a value is about: a method, or the two methods whatever their sides."""
    return seen.method or " ".join(sorted((seen.left, seen.right)))


def _about_methods(seen: Observation, item: str, replicate: int) -> RatingRow:
    row = row_of(seen, item, replicate=replicate)
    turned = seen.side == PAIR and seen.left > seen.right and row.value is not None
    return replace(row, value=-(row.value or 0.0)) if turned else row
