"""Rankings: ranks of each method, concordance of the readers, and strengths of the methods.

A ranking counts once for each reader and case: the first main one. Tied images share the mean of
their ranks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from study.analysis.comparison import ScoreComparison, compare_scores
from study.analysis.dataset import Dataset, Observation
from study.analysis.reader_consistency import repeats
from study.analysis.scores import (
    AnalysisOptions,
    MethodAnswers,
    MissingCount,
    answers_by_method,
    first_ratings,
)
from study.domain.errors import StatisticsError
from study.domain.questions import Analysed, Question
from study.domain.terms import MethodKind
from study.stats.comparison.bradley_terry import BradleyTerryFit, bradley_terry
from study.stats.comparison.methods import Friedman, friedman
from study.stats.comparison.rankings import (
    Concordance,
    Ranking,
    concordance,
    implied_choices,
    mean_ranks,
)
from study.stats.estimate import Estimate
from study.stats.intervals import mean_estimate
from study.stats.panel import panel_of
from study.stats.reliability.intra_reader import RepeatReliability
from study.stats.table import RatingRow

ALL_READERS = "all readers"


@dataclass(frozen=True)
class RankSummary:
    """The ranks of one method.

    Parameters
    ----------
    method : str
        Its mask.
    n : int
        Number of ranks.
    missing : tuple of MissingCount
    counts : tuple of int
        How often it was given each rank, from 1.
    panels : tuple of int
        How often it was shown in each panel, of the rankings that were given.
    mean : Estimate
        Mean rank, with its interval for what is random.
    """

    method: str
    n: int
    missing: tuple[MissingCount, ...]
    counts: tuple[int, ...]
    panels: tuple[int, ...]
    mean: Estimate


@dataclass(frozen=True)
class RankingResult:
    """All results of one ranking question.

    Parameters
    ----------
    question : str
        Its code.
    primary : bool
        Whether it is the question of the primary analysis.
    summaries : tuple of RankSummary
        Of every method.
    concordance : tuple of (str, Concordance)
        Of all readers, then of each specialty with two readers and more, where there are several.
    friedman : Friedman
        On the mean ranks of patients.
    strengths : BradleyTerryFit or None
        From the pairs that the rankings imply; None with fewer than two methods.
    comparison : ScoreComparison
        Differences in ranks, positive where the first method is better.
    panels : tuple of Estimate
        Mean rank in each panel, with readers as the sample: equal ones where the place has no
        effect.
    repeats : tuple of RepeatReliability
        Hidden repeats: each reader, then all; empty if none were read.
    """

    question: str
    primary: bool
    summaries: tuple[RankSummary, ...]
    concordance: tuple[tuple[str, Concordance], ...]
    friedman: Friedman
    strengths: BradleyTerryFit | None
    comparison: ScoreComparison
    panels: tuple[Estimate, ...]
    repeats: tuple[RepeatReliability, ...]


def rankings(data: Dataset, options: AnalysisOptions) -> tuple[RankingResult, ...]:
    """The results of every question whose answers are ranks."""
    return tuple(_ranking(data, one, options) for one in data.asked(Analysed.RANKS))


def _ranking(data: Dataset, question: Question, options: AnalysisOptions) -> RankingResult:
    first = first_ratings(data, question)
    given = given_rankings(first)
    try:
        strengths = bradley_terry(implied_choices(given), **options.inference)
    except StatisticsError:
        strengths = None
    means = mean_ranks(given, data.masks, options.random, options.level)
    return RankingResult(
        question=question.code,
        primary=question.primary,
        summaries=tuple(
            _summary(data, question, own, mean)
            for own, mean in zip(answers_by_method(data, question), means, strict=True)
        ),
        concordance=tuple(
            (
                name,
                concordance([one for one in given if one.reader in readers], **options.inference),
            )
            for name, readers in _groups(data)
        ),
        friedman=_friedman(data, given),
        strengths=strengths,
        comparison=compare_scores(data, question, options),
        panels=tuple(_panels(data, question, first, options.level)),
        repeats=repeats(data, question, options),
    )


def given_rankings(observations: Iterable[Observation]) -> list[Ranking]:
    """The rankings that were given, each from the observations of its images."""
    shown: dict[tuple[str, str], list[Observation]] = defaultdict(list)
    for obs in observations:
        if obs.value is not None:
            shown[obs.reader, obs.pair].append(obs)
    return [
        Ranking(
            own[0].case, reader, tuple(obs.method for obs in own),
            tuple(float(obs.value or 0) for obs in own), own[0].patient,
        )
        for (reader, _), own in shown.items()
    ]  # fmt: skip


def _groups(data: Dataset) -> list[tuple[str, set[str]]]:
    """All readers, and those of each specialty where there are several."""
    by_specialty: dict[str, set[str]] = defaultdict(set)
    for one in data.readers:
        if one.code in data.included_readers:
            by_specialty[one.specialty.strip().casefold()].add(one.code)
    groups = [(ALL_READERS, set(data.included_readers))]
    if len(by_specialty) > 1:
        groups += [(name, own) for name, own in sorted(by_specialty.items()) if name and own]
    return groups


def _friedman(data: Dataset, given: Iterable[Ranking]) -> Friedman:
    """Friedman's test on means of patients: cases of a patient are taken together.

    Anchors are left out: they are worse on purpose.
    """
    compared = [one.mask for one in data.methods if one.kind is not MethodKind.ANCHOR]
    ranks: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for one in given:
        for method, rank in zip(one.methods, one.midranks, strict=True):
            if method in compared:
                ranks[one.group, one.reader, method].append(rank)
    rows = [
        RatingRow(patient, reader, float(np.mean(own)), patient, method)
        for (patient, reader, method), own in ranks.items()
    ]
    return friedman(panel_of(rows).with_methods(compared))


def _summary(data: Dataset, question: Question, own: MethodAnswers, mean: Estimate) -> RankSummary:
    return RankSummary(
        method=own.method,
        n=len(own.given),
        missing=own.missing,
        counts=tuple(own.values.count(rank) for rank in question.scale),
        panels=tuple(
            sum(obs.panel == place for obs in own.given) for place in range(data.protocol.images)
        ),
        mean=mean,
    )


def _panels(
    data: Dataset, question: Question, first: Iterable[Observation], level: float
) -> Iterable[Estimate]:
    first = list(first)
    bounds = (1.0, float(question.maximum))
    for place in range(data.protocol.images):
        means = []
        for reader in data.included_readers:
            own = [o.value for o in first if o.reader == reader and o.panel == place]
            known = [value for value in own if value is not None]
            if known:
                means.append(float(np.mean(known)))
        yield mean_estimate(
            f"Image {place + 1}",
            np.array(means, np.float64),
            "readers as the sample",
            level,
            bounds,
        )
