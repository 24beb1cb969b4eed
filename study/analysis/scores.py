"""Scores of each method on one criterion, and the agreement and reliability of the readers.

In a paired design a reader rates an image once for each other method. The prespecified rule takes
the first main rating of reader x case x method; later ones are context repeats, which are reported
separately.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from study.analysis.dataset import Dataset, Observation, row_of
from study.domain.inference import Random
from study.domain.questions import Question
from study.domain.terms import Role
from study.stats.agreement.coefficients import Agreement, fleiss_kappa, gwet_ac, raw_agreement
from study.stats.agreement.cohen import PairwiseKappas, pairwise_kappas
from study.stats.agreement.krippendorff import krippendorff_alpha
from study.stats.comparison.rankings import worse_images
from study.stats.estimate import Estimate
from study.stats.intervals import IntervalOptions, RandomOptions
from study.stats.reliability.inter_reader import Reliability, reliability
from study.stats.reliability.intra_reader import RepeatReliability, all_repeats
from study.stats.summary import RatingSummary, mean_score, summarise
from study.stats.table import RatingRow, Ratings, from_matrix, tabulate

ALL_METHODS = "all methods"
"""Used instead of a mask where every image of every method is an item."""


@dataclass(frozen=True)
class AnalysisOptions:
    """Bootstrap samples, seed, confidence level and what is random.

    With the data they determine the result.
    """

    resamples: int
    seed: int
    level: float
    random: Random = Random.BOTH

    @property
    def intervals(self) -> IntervalOptions:
        """The options as keyword arguments of the statistics."""
        return IntervalOptions(resamples=self.resamples, seed=self.seed, level=self.level)

    @property
    def inference(self) -> RandomOptions:
        """The options of the statistics whose bootstrap draws readers too."""
        return RandomOptions(**self.intervals, random=self.random)


@dataclass(frozen=True)
class MissingCount:
    """Number of values missing for one reason."""

    reason: str
    count: int


@dataclass(frozen=True)
class MethodAnswers:
    """The first ratings of one method.

    Parameters
    ----------
    method : str
        Its mask.
    planned : int
        Number of planned first ratings.
    given : tuple of Observation
        Those with a value.
    missing : tuple of MissingCount
        The others, by reason.
    """

    method: str
    planned: int
    given: tuple[Observation, ...]
    missing: tuple[MissingCount, ...]

    @property
    def values(self) -> list[float]:
        """The values that were given."""
        return [obs.value for obs in self.given if obs.value is not None]


@dataclass(frozen=True)
class ScoreSummary:
    """The scores of one method.

    Parameters
    ----------
    method : str
        Its mask.
    planned : int
        Number of planned first ratings.
    missing : tuple of MissingCount
        Missing first ratings, by reason.
    scores : RatingSummary
        Description of the given first ratings.
    all_n, all_mean
        Number and mean of all main ratings, including context repeats.
    """

    method: str
    planned: int
    missing: tuple[MissingCount, ...]
    scores: RatingSummary
    all_n: int
    all_mean: float | None


@dataclass(frozen=True)
class MethodAgreement:
    """Agreement between readers on the images of one method, or of all methods.

    Parameters
    ----------
    method : str
        Its mask, or `ALL_METHODS`.
    items, readers : int
        Numbers of rated items and of readers.
    mean : Estimate
        Mean of the first ratings.
    raw, fleiss, quadratic, ac1, ac2, alpha : Agreement
        Raw agreement; Fleiss' kappa, unweighted and quadratic; Gwet's AC1 and quadratic AC2;
        Krippendorff's alpha for ordinal data.
    pairwise : PairwiseKappas or None
        Quadratic Cohen's kappa of every pair of readers; None with one reader.
    reliability : Reliability
        Intraclass correlations and measurement error between readers.
    """

    method: str
    items: int
    readers: int
    mean: Estimate
    raw: Agreement
    fleiss: Agreement
    quadratic: Agreement
    ac1: Agreement
    ac2: Agreement
    alpha: Agreement
    pairwise: PairwiseKappas | None
    reliability: Reliability


def main_ratings(data: Dataset, question: Question) -> tuple[Observation, ...]:
    """All main ratings without excluded ones, in the order shown to each reader."""
    return data.counted(question.code, Role.MAIN)


def first_ratings(data: Dataset, question: Question) -> tuple[Observation, ...]:
    """The first main rating of each reader x case x method, including missing ones."""
    return data.first_ratings(question.code)


def answers_by_method(data: Dataset, question: Question) -> tuple[MethodAnswers, ...]:
    """The first ratings of every method, in the order of masks."""
    chosen: dict[str, list[Observation]] = {mask: [] for mask in data.masks}
    for obs in first_ratings(data, question):
        chosen[obs.method].append(obs)
    return tuple(
        MethodAnswers(
            mask,
            len(own),
            tuple(obs for obs in own if obs.value is not None),
            missing_by_reason(own, data.missing_reasons),
        )
        for mask, own in chosen.items()
    )


def score_rows(data: Dataset, question: Question) -> list[RatingRow]:
    """First ratings with the case as item, in the order of masks, for comparing methods.

    Of a rank, the number of images that are worse, ties counted half: more is better, as in scores.
    """
    place = {mask: number for number, mask in enumerate(data.masks)}
    first = first_ratings(data, question)
    if question.ranks:
        first = _worse_images(first)
    found = sorted(first, key=lambda obs: place[obs.method])
    return [row_of(obs, obs.case, method=obs.method) for obs in found]


def _worse_images(ranked: Iterable[Observation]) -> tuple[Observation, ...]:
    by_ranking: dict[tuple[str, str], list[Observation]] = {}
    for obs in ranked:
        by_ranking.setdefault((obs.reader, obs.pair), []).append(obs)
    found = []
    for own in by_ranking.values():
        found += [obs for obs in own if obs.value is None]
        given = [obs for obs in own if obs.value is not None]
        worse = worse_images(np.array([obs.value for obs in given], np.float64))
        found += [
            obs._replace(value=float(number)) for obs, number in zip(given, worse, strict=True)
        ]
    return tuple(found)


def ratings_table(data: Dataset, question: Question, method: str) -> Ratings:
    """First ratings of a method as items x readers; for `ALL_METHODS` an item is an image.

    Items are in the order of their labels, readers in that of their codes.
    """
    chosen = [obs for obs in first_ratings(data, question) if method in (ALL_METHODS, obs.method)]
    scale = data.scale(question)
    readers = data.included_readers
    if not chosen:
        nothing = np.empty((0, len(readers)))
        return from_matrix(nothing, scale, items=(), raters=readers, clusters=())
    chosen.sort(key=lambda obs: (obs.reader, obs.case, obs.method))
    named = (
        (obs, f"{obs.case} {obs.method}" if method == ALL_METHODS else obs.case) for obs in chosen
    )
    return tabulate((row_of(obs, item) for obs, item in named), scale)


def summaries(data: Dataset, question: Question) -> tuple[ScoreSummary, ...]:
    """Describe the scores of every method."""
    by_method: dict[str, list[float]] = {}
    for obs in main_ratings(data, question):
        if obs.value is not None:
            by_method.setdefault(obs.method, []).append(obs.value)
    found = []
    for one in answers_by_method(data, question):
        values = by_method.get(one.method, [])
        found.append(
            ScoreSummary(
                one.method,
                one.planned,
                one.missing,
                summarise(ratings_table(data, question, one.method)),
                len(values),
                float(np.mean(values)) if values else None,
            )
        )
    return tuple(found)


def missing_by_reason(
    observations: Iterable[Observation], reasons: Sequence[str]
) -> tuple[MissingCount, ...]:
    """Number of missing values for each reason, including zeros."""
    counted = Counter(obs.missing for obs in observations if obs.missing)
    return tuple(MissingCount(reason, counted[reason]) for reason in reasons)


def agreement(
    data: Dataset, question: Question, method: str, options: AnalysisOptions
) -> MethodAgreement:
    """All coefficients for one method or `ALL_METHODS`, with their bootstrap intervals."""
    table = ratings_table(data, question, method)
    present = table.present()
    how = options.inference
    return MethodAgreement(
        method=method,
        items=len(present.items),
        readers=len(present.raters),
        mean=mean_score(table, **how),
        raw=raw_agreement(table, **how),
        fleiss=fleiss_kappa(table, **how),
        quadratic=fleiss_kappa(table, "quadratic", **how),
        ac1=gwet_ac(table, **how),
        ac2=gwet_ac(table, "quadratic", **how),
        alpha=krippendorff_alpha(table, "ordinal", **how),
        pairwise=pairwise_kappas(table, level=options.level) if len(table.raters) > 1 else None,
        reliability=reliability(table, **how),
    )


def context_repeats(
    data: Dataset, question: Question, options: AnalysisOptions
) -> tuple[RepeatReliability, ...]:
    """The second main rating of an image, shown with another method, against the first one.

    One entry for each reader, the last for all of them; empty if no image was rated twice.
    """
    met: dict[tuple[str, str, str], int] = {}
    rows = []
    for obs in main_ratings(data, question):
        key = (obs.reader, obs.case, obs.method)
        met[key] = met.get(key, 0) + 1
        if met[key] <= 2:
            item = f"{obs.case} {obs.method}"
            rows.append(row_of(obs, item, method=obs.method, replicate=met[key]))
    if not any(row.replicate == 2 for row in rows):
        return ()
    return all_repeats(rows, data.scale(question), **options.inference)
