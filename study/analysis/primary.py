"""The primary comparison, which the protocol fixes before the first rating."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from study.analysis.comparison import compare_scores, family_pairs, main_choices
from study.analysis.dataset import Dataset
from study.analysis.scores import AnalysisOptions
from study.domain.questions import Question
from study.stats.comparison.hypotheses import HypothesisTest, hypothesis_test
from study.stats.comparison.preference import win_rates
from study.stats.estimate import Estimate, Interval, PValue
from study.stats.two_way_bootstrap import LOG_ODDS


@dataclass(frozen=True)
class PrimaryResult:
    """The result of the primary comparison.

    Parameters
    ----------
    question : str
        Code of its question.
    first, second : str
        Masks of the methods.
    estimate : Estimate
        Mean difference, first minus second, or share of decided preferences for the first, with
        the interval at 1 - alpha for what is random.
    margins : tuple of (float, float) or None
        Ends of the margin on the scale of the estimate; None for a difference.
    outcome : HypothesisTest
    """

    question: str
    first: str
    second: str
    estimate: Estimate
    margins: tuple[float, float] | None
    outcome: HypothesisTest


def primary_pair(data: Dataset) -> tuple[Question, tuple[str, str]] | None:
    """The declared question and pair; the only pair where there is one. None without."""
    question, pair = data.protocol.primary_question, data.protocol.primary_pair
    if question is None:
        return None
    if pair:
        return question, (pair[0], pair[1])
    planned = family_pairs(data)
    return (question, planned[0]) if len(planned) == 1 else None


def primary(data: Dataset, options: AnalysisOptions) -> PrimaryResult | None:
    """The primary comparison at the level of the protocol; None where none is declared."""
    declared = primary_pair(data)
    if declared is None:
        return None
    question, pair = declared
    options = replace(options, level=1 - data.protocol.alpha)
    if question.of_pair:
        return _of_preferences(data, question, pair, options)
    return _of_scores(data, question, pair, options)


def _of_scores(
    data: Dataset, question: Question, pair: tuple[str, str], options: AnalysisOptions
) -> PrimaryResult:
    alone = replace(data, protocol=data.protocol.with_(pairs=(pair,), control=""))
    compared = compare_scores(alone, question, options)
    if compared.comparisons is None:
        return _undefined(data, question, pair, "Mean difference", compared.reason)
    found = compared.comparisons.pairs[0].inference
    margin = data.protocol.margin
    return _result(data, question, pair, found.difference, (-margin, margin), found.test)


def _of_preferences(
    data: Dataset, question: Question, pair: tuple[str, str], options: AnalysisOptions
) -> PrimaryResult:
    shown = [one for one in main_choices(data, question) if {one.left, one.right} == set(pair)]
    rates = win_rates(shown, **options.inference)
    if not rates:
        return _undefined(data, question, pair, "Share of wins", "the pair was not read")
    [rate] = rates
    turned = rate.first != pair[0]
    share, odds = rate.rate, rate.log_odds
    ends = share.bootstrap or Interval(None, None, "no bootstrap", odds.reason, options.level)
    value = share.value if share.value is None or not turned else 1 - share.value
    low, high = (ends.low, ends.high)
    if turned and low is not None and high is not None:
        low, high = 1 - high, 1 - low
    estimate = replace(
        share, name="Share of wins", value=value, low=low, high=high, method=ends.method,
        reason=ends.reason or (share.reason if value is None else None), bootstrap=None,
    )  # fmt: skip
    margin, sign = data.protocol.margin, -1 if turned else 1
    logs = None if odds.value is None else sign * odds.value
    limits = (0.5 - margin, 0.5 + margin)
    return _result(
        data, question, pair, estimate, limits, rate.test,
        value=logs, se=odds.se, margins=(LOG_ODDS.to(limits[0]), LOG_ODDS.to(limits[1])),
    )  # fmt: skip


def _result(
    data: Dataset,
    question: Question,
    pair: Sequence[str],
    estimate: Estimate,
    limits: tuple[float, float],
    test: PValue,
    *,
    value: float | None = None,
    se: float | None = None,
    margins: tuple[float, float] | None = None,
) -> PrimaryResult:
    protocol = data.protocol
    outcome = hypothesis_test(
        test,
        estimate.value if margins is None else value,
        estimate.se if margins is None else se,
        hypothesis=protocol.hypothesis,
        margins=limits if margins is None else margins,
        alpha=protocol.alpha,
    )
    shown = limits if protocol.margin else None
    return PrimaryResult(question.code, pair[0], pair[1], estimate, shown, outcome)


def _undefined(
    data: Dataset, question: Question, pair: tuple[str, str], name: str, reason: str
) -> PrimaryResult:
    estimate = Estimate(name, None, "", 0, reason=reason)
    test = PValue(name, None, "", 0, reason=reason)
    return _result(data, question, pair, estimate, (0.0, 0.0), test)
