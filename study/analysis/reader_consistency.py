"""Consistency of each reader: hidden repeats, and drift over the reading."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from study.analysis.dataset import Dataset, Observation, difference_bounds, row_of
from study.analysis.scores import AnalysisOptions
from study.domain.questions import PAIR, Question
from study.domain.terms import Role
from study.stats.estimate import Estimate, Floats
from study.stats.intervals import mean_estimate, t_interval
from study.stats.reliability.intra_reader import RepeatReliability, all_repeats
from study.stats.table import RatingRow

LEAST = 3
"""Fewest ratings for a reader's slope."""


@dataclass(frozen=True)
class ReaderDrift:
    """Change of scores with the position of the pair among the reader's main pairs.

    Parameters
    ----------
    question : str
        Code of the criterion.
    by_reader : tuple of Estimate
        Change of each reader's scores from the first to the last main pair along the fitted line,
        after subtracting the reader's mean of each method.
    mean : Estimate
        Mean change, with readers as the sample.
    """

    question: str
    by_reader: tuple[Estimate, ...]
    mean: Estimate


def repeats(
    data: Dataset, question: Question, options: AnalysisOptions
) -> tuple[RepeatReliability, ...]:
    """Reliability of hidden repeats against the main pairs they repeat: each reader, then all.

    Preferences are recoded by method instead of side.
    """
    rows = []
    for first, second in repeated_pairs(data, question):
        item = f"{first.pair} {_subject(first)}"
        rows += [_row_by_method(first, item, 1), _row_by_method(second, item, 2)]
    if not rows:
        return ()
    return all_repeats(rows, data.scale(question), **options.inference)


def repeated_pairs(
    data: Dataset, question: Question
) -> tuple[tuple[Observation, Observation], ...]:
    """Main answers that were repeated, each with its hidden repeat."""
    again = {
        (obs.reader, obs.repeat_of, _subject(obs)): obs
        for obs in data.counted(question.code, Role.REPEAT)
    }
    mains = data.counted(question.code, Role.MAIN)
    both = ((obs, again.get((obs.reader, obs.pair, _subject(obs)))) for obs in mains)
    return tuple((first, second) for first, second in both if second is not None)


def drift(data: Dataset, question: Question, level: float) -> ReaderDrift:
    """Slopes of the scores over the main pairs, by reader."""
    slopes, bounds = [], difference_bounds(question)
    for reader in data.included_readers:
        when, residual = residuals(data, question, reader)
        slopes.append(_slope(reader, when, residual, level, bounds))
    known = np.array([one.value for one in slopes if one.value is not None], np.float64)
    name = "Mean change"
    mean = mean_estimate(name, known, "readers as the sample", level, bounds)
    return ReaderDrift(question.code, tuple(slopes), mean)


def residuals(data: Dataset, question: Question, reader: str) -> tuple[Floats, Floats]:
    """Positions among the reader's main pairs, and scores minus the reader's method means.

    In a crossover, whose sessions have one method each, positions are counted in each session.
    """
    obs = [one for one in data.counted(question.code, Role.MAIN, reader) if one.value is not None]
    begun: Counter[int] = Counter()
    order = {}
    for when in sorted({one.when for one in obs}):
        session = when[0] if data.protocol.crossover else 0
        order[when] = begun[session]
        begun[session] += 1
    means: dict[str, float] = {}
    for mask in {one.method for one in obs}:
        values = [one.value for one in obs if one.method == mask and one.value is not None]
        means[mask] = float(np.mean(values))
    places = np.array([order[one.when] for one in obs], np.float64)
    residual = np.array([(one.value or 0) - means[one.method] for one in obs], np.float64)
    return places, residual


def _slope(
    reader: str, when: Floats, residual: Floats, level: float, bounds: tuple[float, float]
) -> Estimate:
    method, n = "least squares; its interval takes ratings as independent", when.size
    base = Estimate(reader, None, method, n, level=level, reason=f"fewer than {LEAST} ratings")
    if n < LEAST:
        return base
    x, y = when - when.mean(), residual - residual.mean()
    spread = float((x**2).sum())
    if not spread:
        return replace(base, reason="all ratings are of one pair")
    slope = float((x * y).sum()) / spread
    left = float(((y - slope * x) ** 2).sum())
    length = float(np.ptp(when))
    change, se = length * slope, length * math.sqrt(left / (n - 2) / spread)
    ends = t_interval(change, se, n - 2, level, bounds)
    return replace(base, value=change, se=se, low=ends.low, high=ends.high, reason=ends.reason)


def _subject(obs: Observation) -> str:
    """The method that a value rates, or the two methods of a preference in sorted order."""
    return obs.method or " ".join(sorted((obs.left, obs.right)))


def _row_by_method(obs: Observation, item: str, replicate: int) -> RatingRow:
    row = row_of(obs, item, method=_subject(obs), replicate=replicate)
    turned = obs.side == PAIR and obs.left > obs.right and row.value is not None
    return replace(row, value=-(row.value or 0.0)) if turned else row
