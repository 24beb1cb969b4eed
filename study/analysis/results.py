"""All analyses of a study."""

from __future__ import annotations

from dataclasses import dataclass

from study.analysis.accuracy import AccuracyResult, accuracy_result
from study.analysis.areas import RocResults, VgcResults, roc_results, vgc_results
from study.analysis.blinding import Blinding, blinding
from study.analysis.categories import CategoryResult, categories
from study.analysis.comparison import (
    PreferenceResults,
    ScoreComparison,
    compare_scores,
    preferences,
)
from study.analysis.conduct import StudyConduct, conduct
from study.analysis.dataset import Dataset
from study.analysis.limits import repeat_limits
from study.analysis.measures import MeasureResult, measures
from study.analysis.primary import PrimaryResult, primary
from study.analysis.rankings import RankingResult, rankings
from study.analysis.reader_consistency import repeats
from study.analysis.scores import (
    ALL_METHODS,
    AnalysisOptions,
    MethodAgreement,
    ScoreSummary,
    agreement,
    context_repeats,
    summaries,
)
from study.domain.questions import Question
from study.stats.comparison.bland_altman import BlandAltman
from study.stats.estimate import LEVEL
from study.stats.intervals import RESAMPLES
from study.stats.reliability.intra_reader import RepeatReliability


@dataclass(frozen=True)
class CriterionResult:
    """All results of one criterion.

    Parameters
    ----------
    question : str
        Its code.
    primary : bool
        Whether it is the criterion of the primary analysis.
    summaries : tuple of ScoreSummary
        Scores of every method.
    agreement : tuple of MethodAgreement
        For every method, then for all methods together.
    comparison : ScoreComparison
    context : tuple of RepeatReliability
        Ratings of the same image shown with another method: each reader, then all.
    repeats : tuple of RepeatReliability
        Hidden repeats: each reader, then all; empty if none were read.
    repeat_limits : BlandAltman or None
        Limits of agreement of hidden repeats; None if none were read.
    vgc : VgcResults or None
        Areas against the reference; None with fewer than two methods.
    roc : RocResults or None
        None without a truth.
    accuracy : AccuracyResult or None
        None without a truth.
    """

    question: str
    primary: bool
    summaries: tuple[ScoreSummary, ...]
    agreement: tuple[MethodAgreement, ...]
    comparison: ScoreComparison
    context: tuple[RepeatReliability, ...]
    repeats: tuple[RepeatReliability, ...]
    repeat_limits: BlandAltman | None
    vgc: VgcResults | None
    roc: RocResults | None
    accuracy: AccuracyResult | None


@dataclass(frozen=True)
class Analysis:
    """All results of a study; the same data, protocol and options give the same bytes.

    Parameters
    ----------
    data_sha256, protocol_sha256 : str
        Digests of the analysed data and of the protocol.
    options : AnalysisOptions
        Bootstrap, confidence level and what is random.
    primary : PrimaryResult or None
        The primary comparison; None where the protocol declares none.
    criteria : tuple of CriterionResult
    measures : tuple of MeasureResult
    categories : tuple of CategoryResult
    rankings : tuple of RankingResult
    preferences : PreferenceResults or None
        None without a question that compares the images of a pair.
    preference_repeats : tuple of RepeatReliability
    conduct : StudyConduct
    blinding : Blinding or None
        None before unblinding, or if the question was not asked.
    """

    data_sha256: str
    protocol_sha256: str
    options: AnalysisOptions
    primary: PrimaryResult | None
    criteria: tuple[CriterionResult, ...]
    measures: tuple[MeasureResult, ...]
    categories: tuple[CategoryResult, ...]
    rankings: tuple[RankingResult, ...]
    preferences: PreferenceResults | None
    preference_repeats: tuple[RepeatReliability, ...]
    conduct: StudyConduct
    blinding: Blinding | None


def default_seed(protocol_sha256: str) -> int:
    """The default seed of the bootstrap, determined by the protocol before any rating."""
    return int(protocol_sha256[:8] or "0", 16)


def analyse(
    data: Dataset, *, seed: int | None = None, resamples: int = RESAMPLES, level: float = LEVEL
) -> Analysis:
    """Compute all results of a study.

    Parameters
    ----------
    data : Dataset
    seed : int, optional
        Seed of the bootstrap; by default the first 32 bits of the protocol's hash.
    resamples : int
        Bootstrap samples, 0 for none.
    level : float
        Confidence level of every interval.
    """
    protocol = data.study.protocol_sha256 or data.protocol.digest
    chosen = default_seed(protocol) if seed is None else seed
    options = AnalysisOptions(resamples, chosen, level, data.protocol.random)
    question = data.preference
    return Analysis(
        data_sha256=data.digest,
        protocol_sha256=protocol,
        options=options,
        primary=primary(data, options),
        criteria=tuple(_criterion(data, one, options) for one in data.criteria),
        measures=measures(data, options),
        categories=categories(data, options),
        rankings=rankings(data, options),
        preferences=preferences(data, question, options) if question else None,
        preference_repeats=repeats(data, question, options) if question else (),
        conduct=conduct(data, level),
        blinding=blinding(data, level),
    )


def _criterion(data: Dataset, question: Question, options: AnalysisOptions) -> CriterionResult:
    return CriterionResult(
        question=question.code,
        primary=question.primary,
        summaries=summaries(data, question),
        agreement=tuple(
            agreement(data, question, method, options) for method in (*data.masks, ALL_METHODS)
        ),
        comparison=compare_scores(data, question, options),
        context=context_repeats(data, question, options),
        repeats=repeats(data, question, options),
        repeat_limits=repeat_limits(data, question, options),
        vgc=vgc_results(data, question, options),
        roc=roc_results(data, question, options),
        accuracy=accuracy_result(data, question, options),
    )
