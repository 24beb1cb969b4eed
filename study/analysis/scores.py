"""Scores of each method on one criterion, and how far the readers agree about them.

In a design of pairs a reader meets an image once for each other method. The prespecified rule
takes the first main rating of reader x case x method; the later ones are context repeats, which
are reported beside it and never mixed in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from study.analysis.dataset import MISSING, Dataset, Observation, row_of, scale_of
from study.domain.protocol import Question, Role
from study.stats.agreement import Agreement, fleiss_kappa, gwet_ac, raw_agreement
from study.stats.cohen import PairwiseKappas, pairwise_kappas
from study.stats.intra_reader import RepeatReliability, all_repeats
from study.stats.krippendorff import krippendorff_alpha
from study.stats.reliability import Reliability, reliability
from study.stats.summary import RatingSummary, summarise
from study.stats.table import RatingRow, Ratings, from_matrix, tabulate

ALL_METHODS = "all methods"
"""Stands for the mask where every image of every method is an item."""


class Keywords(TypedDict):
    """`AnalysisOptions` as arguments."""

    resamples: int
    seed: int
    level: float


@dataclass(frozen=True)
class AnalysisOptions:
    """What a re-run must repeat: the bootstrap's samples and seed, and the confidence level."""

    resamples: int
    seed: int
    level: float

    @property
    def keywords(self) -> Keywords:
        """Arguments that every statistic with a bootstrap takes."""
        return Keywords(resamples=self.resamples, seed=self.seed, level=self.level)


@dataclass(frozen=True)
class MissingCount:
    """How many values are missing for one reason."""

    reason: str
    count: int


@dataclass(frozen=True)
class ScoreSummary:
    """The scores of one method.

    Parameters
    ----------
    method : str
        Its mask.
    planned : int
        First ratings that were planned.
    missing : tuple of MissingCount
        Those without a value, by reason.
    scores : RatingSummary
        Of the others.
    all_n, all_mean
        Number and mean of all main ratings, context repeats included.
    """

    method: str
    planned: int
    missing: tuple[MissingCount, ...]
    scores: RatingSummary
    all_n: int
    all_mean: float | None


@dataclass(frozen=True)
class MethodAgreement:
    """Agreement of the readers about one method, or about the images of all of them.

    Parameters
    ----------
    method : str
        Its mask, or `ALL_METHODS`.
    items, readers : int
        Rated items and readers.
    raw, fleiss, quadratic, ac1, ac2, alpha : Agreement
        Plain agreement; Fleiss' kappa, unweighted and quadratic; Gwet's AC1 and quadratic AC2;
        Krippendorff's alpha for ordinal data.
    pairwise : PairwiseKappas or None
        Quadratic Cohen's kappa of every pair of readers; None with one reader.
    reliability : Reliability
        Intraclass correlations and errors of measurement between readers.
    """

    method: str
    items: int
    readers: int
    raw: Agreement
    fleiss: Agreement
    quadratic: Agreement
    ac1: Agreement
    ac2: Agreement
    alpha: Agreement
    pairwise: PairwiseKappas | None
    reliability: Reliability


def main_ratings(data: Dataset, question: Question) -> tuple[Observation, ...]:
    """All main ratings that count, in the order in which each reader met them."""
    return tuple(data.counted(question.code, Role.MAIN))


def first_ratings(data: Dataset, question: Question) -> tuple[Observation, ...]:
    """The first main rating of each reader x case x method, also where it is missing.

    A missing first rating is not replaced by a later one: that would choose by the outcome.
    """
    first: dict[tuple[str, str, str], Observation] = {}
    for seen in main_ratings(data, question):
        first.setdefault((seen.reader, seen.case, seen.method), seen)
    return tuple(first.values())


def score_rows(data: Dataset, question: Question) -> list[RatingRow]:
    """First ratings with the case as item, for comparisons of methods; in the order of masks."""
    place = {mask: number for number, mask in enumerate(data.masks)}
    found = sorted(first_ratings(data, question), key=lambda seen: place[seen.method])
    return [row_of(seen, seen.case, method=seen.method) for seen in found]


def ratings_table(data: Dataset, question: Question, method: str) -> Ratings:
    """First ratings of a method as items x readers; for `ALL_METHODS` an item is an image.

    Items are in the order of their labels, readers in that of their codes.
    """
    chosen = [
        seen for seen in first_ratings(data, question) if method in (ALL_METHODS, seen.method)
    ]
    scale = scale_of(question)
    readers = data.included_readers
    if not chosen:
        nothing = np.empty((0, len(readers)))
        return from_matrix(nothing, scale, items=(), raters=readers, clusters=())
    chosen.sort(key=lambda seen: (seen.reader, seen.case, seen.method))
    named = (
        (seen, f"{seen.case} {seen.method}" if method == ALL_METHODS else seen.case)
        for seen in chosen
    )
    return tabulate((row_of(seen, item) for seen, item in named), scale)


def summaries(data: Dataset, question: Question) -> tuple[ScoreSummary, ...]:
    """The scores of every method."""
    first, every = first_ratings(data, question), main_ratings(data, question)
    found = []
    for mask in data.masks:
        chosen = [seen for seen in first if seen.method == mask]
        values = [seen.value for seen in every if seen.method == mask and seen.value is not None]
        found.append(
            ScoreSummary(
                mask,
                len(chosen),
                missing_by_reason(chosen),
                summarise(ratings_table(data, question, mask)),
                len(values),
                float(np.mean(values)) if values else None,
            )
        )
    return tuple(found)


def missing_by_reason(observations: Iterable[Observation]) -> tuple[MissingCount, ...]:
    """How many lack a value, for each reason there is, zeros included."""
    counted = Counter(seen.missing for seen in observations if seen.missing)
    return tuple(MissingCount(reason, counted[reason]) for reason in MISSING)


def agreement(
    data: Dataset, question: Question, method: str, options: AnalysisOptions
) -> MethodAgreement:
    """All coefficients of one method (or `ALL_METHODS`), with intervals clustered by patient."""
    table = ratings_table(data, question, method)
    present = table.present()
    how = options.keywords
    return MethodAgreement(
        method=method,
        items=len(present.items),
        readers=len(present.raters),
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
    """The second main rating of an image, beside another method, against the first one.

    One entry for each reader, the last for all of them; empty where no image was met twice.
    """
    met: dict[tuple[str, str, str], int] = {}
    rows = []
    for seen in main_ratings(data, question):
        key = (seen.reader, seen.case, seen.method)
        met[key] = met.get(key, 0) + 1
        if met[key] <= 2:
            rows.append(row_of(seen, f"{seen.case} {seen.method}", replicate=met[key]))
    if not any(row.replicate == 2 for row in rows):
        return ()
    return all_repeats(rows, scale_of(question), **options.keywords)
