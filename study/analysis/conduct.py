"""Conduct of the study: balance, identical pairs, times, missing answers and drift."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from study.analysis.comparison import choice_of, main_choices
from study.analysis.crossover import CrossoverConduct, crossover
from study.analysis.dataset import Dataset, Observation, difference_bounds
from study.analysis.reader_consistency import ReaderDrift, drift
from study.analysis.scores import MissingCount, missing_by_reason
from study.domain.questions import LEFT, Question
from study.domain.terms import Role
from study.stats.comparison.balance import (
    MethodPosition,
    OrderBalance,
    SideBalance,
    order_balance,
    side_balance,
)
from study.stats.comparison.preference import SideCheck, null_pairs, side_check
from study.stats.estimate import Estimate, Floats
from study.stats.intervals import mean_estimate, proportion


@dataclass(frozen=True)
class NullScores:
    """Scores of one criterion in pairs of identical images: share equal, and left minus right."""

    question: str
    pairs: int
    equal: Estimate
    shift: Estimate


@dataclass(frozen=True)
class ReaderConduct:
    """Times, missing answers and mean scores of one reader in the main pairs.

    Parameters
    ----------
    reader : str
        Code of the reader.
    seconds, q1, q3 : float or None
        Median time that a pair was visible, and its quartiles.
    missing : tuple of MissingCount
        Missing answers to all questions, by reason.
    means : tuple of (str, float or None)
        Mean score on each criterion.
    """

    reader: str
    seconds: float | None
    q1: float | None
    q3: float | None
    missing: tuple[MissingCount, ...]
    means: tuple[tuple[str, float | None], ...]


@dataclass(frozen=True)
class StudyConduct:
    """How the study was conducted.

    Parameters
    ----------
    readers : tuple of ReaderConduct
    sides : tuple of SideBalance
        Every pair of methods, in the main pairs that were read; none for single images.
    order : OrderBalance
        Times at which each method was shown.
    left_preferred : SideCheck or None
        Preferences of the main pairs by side; None without that question.
    side_scores : tuple of (str, Estimate)
        For each criterion, mean score on the left minus right, with readers as the sample; none
        for single images, and no `null_scores` either.
    null_preferences : SideCheck or None
        Preferences in identical pairs.
    null_scores : tuple of NullScores
    drift : tuple of ReaderDrift
    crossover : CrossoverConduct or None
        None for other designs.
    """

    readers: tuple[ReaderConduct, ...]
    sides: tuple[SideBalance, ...]
    order: OrderBalance
    left_preferred: SideCheck | None
    side_scores: tuple[tuple[str, Estimate], ...]
    null_preferences: SideCheck | None
    null_scores: tuple[NullScores, ...]
    drift: tuple[ReaderDrift, ...]
    crossover: CrossoverConduct | None = None


def conduct(data: Dataset, level: float) -> StudyConduct:
    """Summarise the conduct of the study from the pairs that were read."""
    shown = _pairs_shown(data)
    by_reader: dict[str, list[Observation]] = {}
    for obs in shown:
        by_reader.setdefault(obs.reader, []).append(obs)
    question = data.preference
    null_choices = (
        [choice_of(obs) for obs in data.counted(question.code, Role.NULL)] if question else []
    )
    sided = data.criteria if data.protocol.paired else ()
    return StudyConduct(
        readers=tuple(
            _reader(data, code, by_reader.get(code, ())) for code in data.included_readers
        ),
        sides=side_balance([choice_of(obs) for obs in shown if data.protocol.paired]),
        order=order_balance(list(_places(by_reader))),
        left_preferred=side_check(main_choices(data, question), level=level) if question else None,
        side_scores=tuple((q.code, _side_scores(data, q, level)) for q in sided),
        null_preferences=null_pairs(null_choices, level=level) if question else None,
        null_scores=tuple(_null_scores(data, q, level) for q in sided),
        drift=tuple(drift(data, q, level) for q in data.criteria),
        crossover=crossover(data, level),
    )


def _pairs_shown(data: Dataset) -> list[Observation]:
    """One observation for each main pair that was answered."""
    first: dict[tuple[str, str], Observation] = {}
    for question in data.protocol.questions:
        for obs in data.counted(question.code, Role.MAIN):
            if obs.revision:
                first.setdefault((obs.reader, obs.pair), obs)
    return list(first.values())


def _places(shown: Mapping[str, Sequence[Observation]]) -> Iterator[MethodPosition]:
    """The methods of each reader's pairs, numbered in the order read."""
    for reader in sorted(shown):
        for number, obs in enumerate(sorted(shown[reader], key=lambda s: s.when)):
            for mask in obs.shown:
                yield MethodPosition(reader, number, mask)


def _side_scores(data: Dataset, question: Question, level: float) -> Estimate:
    means = []
    for reader in data.included_readers:
        differences = _side_differences(data.counted(question.code, Role.MAIN, reader))
        if differences.size:
            means.append(float(differences.mean()))
    return mean_estimate(
        "Left minus right", np.array(means, np.float64), "readers as the sample", level,
        difference_bounds(question),
    )  # fmt: skip


def _null_scores(data: Dataset, question: Question, level: float) -> NullScores:
    differences = _side_differences(data.counted(question.code, Role.NULL))
    return NullScores(
        question.code,
        differences.size,
        proportion("Equal scores", int((differences == 0).sum()), differences.size, level),
        mean_estimate(
            "Left minus right", differences, "identical pairs as the sample", level,
            difference_bounds(question),
        ),
    )  # fmt: skip


def _side_differences(obs: Sequence[Observation]) -> Floats:
    """Score on the left minus score on the right, for every pair with both."""
    sides: dict[tuple[str, str], dict[int, float]] = {}
    for one in obs:
        if one.value is not None:
            sides.setdefault((one.reader, one.pair), {})[one.side] = one.value
    differences = [both[LEFT] - both[1 - LEFT] for both in sides.values() if len(both) == 2]
    return np.array(differences, np.float64)


def _reader(data: Dataset, code: str, shown: Sequence[Observation]) -> ReaderConduct:
    times = [one.seconds for one in shown if one.seconds is not None]
    quartiles = np.percentile(times, [25, 50, 75]).tolist() if times else [None] * 3
    answers = [
        obs
        for question in data.protocol.questions
        for obs in data.counted(question.code, Role.MAIN, code)
    ]
    means = []
    for question in data.criteria:
        own = data.counted(question.code, Role.MAIN, code)
        values = [obs.value for obs in own if obs.value is not None]
        means.append((question.code, float(np.mean(values)) if values else None))
    return ReaderConduct(
        code,
        quartiles[1],
        quartiles[0],
        quartiles[2],
        missing_by_reason(answers, data.missing_reasons),
        tuple(means),
    )
