"""Comparison of methods: scores in a prespecified family of tests, and preferences.

The family is what the protocol declares: its listed pairs, every method against its control, or
every pair of methods. Degraded anchors serve to check the readers: they are described, but
compared only where a listed pair or the control names one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from study.analysis.dataset import Dataset, Observation, difference_bounds
from study.analysis.scores import AnalysisOptions, MissingCount, missing_by_reason, score_rows
from study.domain.errors import StatisticsError
from study.domain.questions import NO_PREFERENCE, Question
from study.domain.terms import MethodKind, Role
from study.stats.comparison.bradley_terry import BradleyTerryFit, bradley_terry
from study.stats.comparison.methods import Comparisons, Friedman, compare_methods, friedman
from study.stats.comparison.preference import Choice, Preference, WinRate, win_rates
from study.stats.estimate import Estimate
from study.stats.intervals import mean_estimate, proportion
from study.stats.multiple_testing import CorrectedPValue, correct
from study.stats.panel import panel_of


@dataclass(frozen=True)
class ScoreComparison:
    """Comparison of the methods on one criterion.

    Parameters
    ----------
    comparisons : Comparisons or None
        The planned pairs that share a case, on case means; None with fewer than two methods.
    friedman : Friedman or None
        Test of all methods at once; None where the protocol lists pairs.
    reason : str
        Why there is no comparison.
    """

    comparisons: Comparisons | None
    friedman: Friedman | None
    reason: str = ""


@dataclass(frozen=True)
class MethodWins:
    """Preferences for one method against all others it was shown with.

    Parameters
    ----------
    method : str
        Its mask.
    wins, losses, ties : int
        Counts of answers.
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
    """Results of the preference question.

    Parameters
    ----------
    n : int
        Number of answers in main pairs.
    missing : tuple of MissingCount
        Main pairs without an answer, by reason.
    pairs : tuple of WinRate
        Every pair of methods that was shown.
    family : int
        Number of pairs in the declared family, which p values are corrected for.
    corrected : tuple of CorrectedPValue or None
        For each pair, its test corrected in the family; None for a pair that is not in it.
    methods : tuple of MethodWins
        Each method against all others.
    strengths : BradleyTerryFit or None
        Bradley-Terry model with ties and an advantage of the left side; None with fewer than two
        methods.
    steps : tuple of Estimate
        For each pair the mean step in favour of the first method, with readers as the sample.
    """

    n: int
    missing: tuple[MissingCount, ...]
    pairs: tuple[WinRate, ...]
    family: int
    corrected: tuple[CorrectedPValue | None, ...]
    methods: tuple[MethodWins, ...]
    strengths: BradleyTerryFit | None
    steps: tuple[Estimate, ...] = ()


def compare_scores(data: Dataset, question: Question, options: AnalysisOptions) -> ScoreComparison:
    """Tests of the first ratings in the declared family, and Friedman's test."""
    protocol = data.protocol
    compared = _compared_methods(data)
    rows = [row for row in score_rows(data, question) if row.method in compared]
    if not any(row.value is not None for row in rows):
        return ScoreComparison(None, None, "there are no ratings")
    if len(compared) < 2:
        return ScoreComparison(None, None, "a comparison needs two methods besides anchors")
    panel, bounds = panel_of(rows).with_methods(compared), difference_bounds(question)
    found = compare_methods(
        panel,
        protocol.control or None,
        declared=protocol.pairs,
        span=bounds[1],
        alpha=protocol.alpha,
        random=options.random,
        level=options.level,
    ).with_data()
    if not found.pairs:
        return ScoreComparison(None, None, "no planned pair of methods has ratings of one case")
    # Friedman's test compares all methods with each other, which listed pairs do not plan, on cases
    # that have all of them, which incomplete blocks do not.
    alone = bool(protocol.pairs or protocol.block)
    return ScoreComparison(found, None if alone else friedman(panel))


def family_pairs(data: Dataset) -> tuple[tuple[str, str], ...]:
    """The pairs of the declared family, first and second method."""
    protocol, compared = data.protocol, _compared_methods(data)
    if protocol.pairs:
        return protocol.pairs
    if protocol.control:
        return tuple((mask, protocol.control) for mask in compared if mask != protocol.control)
    return tuple(combinations(compared, 2))


def _compared_methods(data: Dataset) -> tuple[str, ...]:
    """The masks of the declared family, in their order."""
    protocol = data.protocol
    if protocol.pairs:
        named = {mask for pair in protocol.pairs for mask in pair}
        return tuple(mask for mask in data.masks if mask in named)
    return tuple(
        one.mask
        for one in data.methods
        if one.kind is not MethodKind.ANCHOR or one.mask == protocol.control
    )


def choice_of(obs: Observation) -> Choice:
    """A preference in the form used by the statistics."""
    if obs.value is None:
        preferred = None
    elif obs.value == NO_PREFERENCE:
        preferred = Preference.TIE
    else:
        preferred = Preference.LEFT if obs.value < NO_PREFERENCE else Preference.RIGHT
    return Choice(obs.case, obs.reader, obs.left, obs.right, preferred, obs.patient)


def main_choices(data: Dataset, question: Question) -> tuple[Choice, ...]:
    """The preferences in all main pairs."""
    return tuple(choice_of(obs) for obs in data.counted(question.code, Role.MAIN))


def preferences(data: Dataset, question: Question, options: AnalysisOptions) -> PreferenceResults:
    """Win rates with intervals in the main pairs, and Bradley-Terry strengths."""
    obs = data.counted(question.code, Role.MAIN)
    choices = main_choices(data, question)
    shown = {mask for one in obs for mask in (one.left, one.right)}
    try:
        strengths = bradley_terry(choices, side=True, **options.inference)
    except StatisticsError:
        strengths = None
    rates = win_rates(choices, **options.inference)
    planned = [frozenset(pair) for pair in family_pairs(data)]
    p_values = {frozenset((rate.first, rate.second)): rate.test.p for rate in rates}
    corrected = dict(zip(planned, correct([p_values.get(pair) for pair in planned]), strict=True))
    return PreferenceResults(
        n=sum(one.value is not None for one in obs),
        missing=missing_by_reason(obs, data.missing_reasons),
        pairs=rates,
        family=len(planned),
        corrected=tuple(corrected.get(frozenset((rate.first, rate.second))) for rate in rates),
        methods=tuple(
            _wins(
                mask,
                [one for one in obs if mask in (one.left, one.right)],
                options.level,
                data.missing_reasons,
            )
            for mask in data.masks
            if mask in shown
        ),
        strengths=strengths,
        steps=tuple(
            _mean_step(obs, rate.first, rate.second, question, options.level) for rate in rates
        ),
    )


def _mean_step(
    obs: Iterable[Observation], first: str, second: str, question: Question, level: float
) -> Estimate:
    """Mean step in favour of the first method of the readers' means."""
    steps: dict[str, list[float]] = {}
    for one in obs:
        if one.value is not None and {one.left, one.right} == {first, second}:
            # Steps are positive towards the right image.
            step = one.value if one.right == first else 0.0 - one.value
            steps.setdefault(one.reader, []).append(step)
    means = np.array([np.mean(own) for own in steps.values()], np.float64)
    bounds = (float(question.minimum), float(question.maximum))
    return mean_estimate(f"{first} over {second}", means, "readers as the sample", level, bounds)


def _wins(
    mask: str, obs: Iterable[Observation], level: float, reasons: Sequence[str]
) -> MethodWins:
    obs = list(obs)
    answers = [choice_of(one) for one in obs]
    wins = sum(one.winner == mask for one in answers)
    ties = sum(one.preferred is Preference.TIE for one in answers)
    losses = sum(one.winner not in (None, mask) for one in answers)
    rate = proportion(f"{mask} preferred", wins, wins + losses, level)
    return MethodWins(mask, wins, losses, ties, missing_by_reason(obs, reasons), rate)
