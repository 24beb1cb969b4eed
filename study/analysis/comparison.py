"""Which method is better: scores of one criterion compared in a declared family, and preferences.

The family is every pair of methods, or every method against the protocol's control. Degraded
anchors are a check of the readers, so that they are described and never compared.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from study.analysis.dataset import Dataset, Observation
from study.analysis.scores import AnalysisOptions, MissingCount, missing_by_reason, score_rows
from study.domain.errors import StatisticsError
from study.domain.protocol import NO_PREFERENCE, PREFERS_LEFT, MethodKind, Question, Role
from study.stats.bradley_terry import BradleyTerryFit, bradley_terry
from study.stats.comparison import Comparisons, Friedman, compare_methods, friedman
from study.stats.estimate import Estimate
from study.stats.intervals import mean_estimate, proportion
from study.stats.panel import panel_of
from study.stats.preference import Choice, Preference, WinRate, win_rates


@dataclass(frozen=True)
class ScoreComparison:
    """Comparison of the methods on one criterion.

    Parameters
    ----------
    comparisons : Comparisons or None
        Pairs of methods on case means; None with fewer than two methods.
    over_readers : tuple of Estimate
        For each pair, the readers' own mean differences averaged, with readers as the sample.
    friedman : Friedman or None
        All methods at once.
    reason : str
        Why there is none.
    """

    comparisons: Comparisons | None
    over_readers: tuple[Estimate, ...]
    friedman: Friedman | None
    reason: str = ""


@dataclass(frozen=True)
class MethodWins:
    """One method against all others it was shown with.

    Parameters
    ----------
    method : str
        Its mask.
    wins, losses, ties : int
        Answers.
    missing : tuple of MissingCount
        Pairs without an answer, by reason.
    rate : Estimate
        Wins over wins and losses.
    """

    method: str
    wins: int
    losses: int
    ties: int
    missing: tuple[MissingCount, ...]
    rate: Estimate


@dataclass(frozen=True)
class PreferenceResults:
    """What readers preferred.

    Parameters
    ----------
    n : int
        Answers in main pairs.
    missing : tuple of MissingCount
        Main pairs without an answer, by reason.
    pairs : tuple of WinRate
        Every pair of methods that was shown.
    methods : tuple of MethodWins
        Each method against all others.
    strengths : BradleyTerryFit or None
        Bradley and Terry's model with ties and an advantage of the left side; None without two
        methods.
    """

    n: int
    missing: tuple[MissingCount, ...]
    pairs: tuple[WinRate, ...]
    methods: tuple[MethodWins, ...]
    strengths: BradleyTerryFit | None


def compare_scores(data: Dataset, question: Question, options: AnalysisOptions) -> ScoreComparison:
    """Paired tests of the first ratings, corrected within the family, and Friedman's test."""
    anchors = {one.mask for one in data.methods if one.kind is MethodKind.ANCHOR}
    rows = [row for row in score_rows(data, question) if row.method not in anchors]
    if not any(row.value is not None for row in rows):
        return ScoreComparison(None, (), None, "there are no ratings")
    panel = panel_of(rows)
    if len(panel.methods) < 2:
        return ScoreComparison(None, (), None, "a comparison needs two methods besides anchors")
    control = data.protocol.control or None
    found = compare_methods(
        panel,
        control if control in panel.methods else None,
        alpha=data.protocol.alpha,
        **options.keywords,
    )
    over_readers = tuple(
        mean_estimate(
            "Mean of the readers' differences",
            np.array([one.mean for one in pair.by_reader], np.float64),
            "readers as the sample",
            options.level,
        )
        for pair in found.pairs
    )
    return ScoreComparison(found, over_readers, friedman(panel))


def choice_of(seen: Observation) -> Choice:
    """A preference as the statistics take it."""
    if seen.value is None:
        preferred = None
    elif seen.value == NO_PREFERENCE:
        preferred = Preference.TIE
    else:
        preferred = Preference.LEFT if seen.value == PREFERS_LEFT else Preference.RIGHT
    return Choice(seen.case, seen.reader, seen.left, seen.right, preferred, seen.patient)


def main_choices(data: Dataset, question: Question) -> tuple[Choice, ...]:
    """The preferences of all main pairs."""
    return tuple(choice_of(seen) for seen in data.counted(question.code, Role.MAIN))


def preferences(data: Dataset, question: Question, options: AnalysisOptions) -> PreferenceResults:
    """Win rates of the main pairs, with intervals, and strengths by maximum likelihood."""
    seen = tuple(data.counted(question.code, Role.MAIN))
    choices = main_choices(data, question)
    shown = {mask for one in seen for mask in (one.left, one.right)}
    try:
        strengths = bradley_terry(choices, side=True, **options.keywords)
    except StatisticsError:
        strengths = None
    return PreferenceResults(
        n=sum(one.value is not None for one in seen),
        missing=missing_by_reason(seen),
        pairs=win_rates(choices, **options.keywords),
        methods=tuple(
            _wins(mask, [one for one in seen if mask in (one.left, one.right)], options.level)
            for mask in data.masks
            if mask in shown
        ),
        strengths=strengths,
    )


def _wins(mask: str, seen: Iterable[Observation], level: float) -> MethodWins:
    seen = list(seen)
    answers = [choice_of(one) for one in seen]
    wins = sum(one.winner == mask for one in answers)
    ties = sum(one.preferred is Preference.TIE for one in answers)
    losses = sum(one.winner not in (None, mask) for one in answers)
    rate = proportion(f"{mask} preferred", wins, wins + losses, level)
    return MethodWins(mask, wins, losses, ties, missing_by_reason(seen), rate)
