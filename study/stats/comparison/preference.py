"""Preferences in pairs: win rates, and tests for a preference of one side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Unpack

import numpy as np
from scipy import stats

from study.domain.inference import Random
from study.stats.estimate import LEVEL, Estimate, Floats, PValue
from study.stats.intervals import RESAMPLES, RandomOptions, proportion, t_interval
from study.stats.random_effects import Variance, p_of_t
from study.stats.two_way_bootstrap import LOG_ODDS, Draws, TwoWayResamples
from study.stats.weighted_sums import Cells


class Preference(StrEnum):
    """The answer of a reader to a pair."""

    LEFT = "left"
    RIGHT = "right"
    TIE = "tie"


@dataclass(frozen=True)
class Choice:
    """A pair as it was shown, and the reader's preference.

    Parameters
    ----------
    item, reader : str
        Case and reader.
    left, right : str
        The methods on the two sides; the same one in a null pair.
    preferred : Preference or None
        None if the answer is missing.
    cluster : str
        Patient of the case; if empty, the case is a cluster by itself.
    """

    item: str
    reader: str
    left: str
    right: str
    preferred: Preference | None
    cluster: str = ""

    @property
    def null(self) -> bool:
        """Whether both sides show the same method."""
        return self.left == self.right

    @property
    def group(self) -> str:
        """Cluster of the bootstrap."""
        return self.cluster or f"item {self.item}"

    @property
    def winner(self) -> str | None:
        """The preferred method; None for a tie or a missing answer."""
        if self.preferred == Preference.LEFT:
            return self.left
        return self.right if self.preferred == Preference.RIGHT else None


@dataclass(frozen=True)
class WinRate:
    """The share of pairs in which one method was preferred to another.

    Parameters
    ----------
    first, second : str
        The methods.
    wins, losses, ties, missing : int
        Counts for the first method.
    rate : Estimate
        Wins over wins and losses, without ties. Its bootstrap interval is for what is random;
        Wilson's takes the answers as independent.
    tie_share : Estimate
        Ties over all answers.
    log_odds : Estimate
        Log odds of the rate, with the standard error and interval of the bootstrap.
    test : PValue
        Test that they are 0, which is equal preference.
    naive : PValue
        Exact binomial test of equal preference, which takes the answers as independent.
    """

    first: str
    second: str
    wins: int
    losses: int
    ties: int
    missing: int
    rate: Estimate
    tie_share: Estimate
    log_odds: Estimate
    test: PValue
    naive: PValue

    @property
    def answered(self) -> int:
        """Number of answers, ties included."""
        return self.wins + self.losses + self.ties


@dataclass(frozen=True)
class SideCheck:
    """The share of preferences for the left side; 1/2 if the side has no effect.

    Parameters
    ----------
    left, right, ties, missing : int
        Counts of answers.
    share : Estimate
        Left over left and right.
    test : PValue
        Exact binomial test that the share is one half.
    """

    left: int
    right: int
    ties: int
    missing: int
    share: Estimate
    test: PValue


def even_test(name: str, first: int, second: int) -> PValue:
    """Exact binomial test that two outcomes are equally likely."""
    n = first + second
    if not n:
        return PValue(name, None, "exact binomial against 1/2", 0, reason="there are no trials")
    p = float(stats.binomtest(first, n).pvalue)
    return PValue(name, p, "exact binomial against 1/2", n, float(first))


def win_rates(
    choices: Sequence[Choice],
    **options: Unpack[RandomOptions],
) -> tuple[WinRate, ...]:
    """The win rate of every pair of methods that was shown, without null pairs.

    The first method of a pair is the first in alphabetical order.
    """
    return tuple(_win_rate(*pair, shown, **options) for pair, shown in by_pair(choices).items())


def by_pair(choices: Sequence[Choice]) -> dict[tuple[str, str], list[Choice]]:
    """Choices by their two methods, both in alphabetical order, without null pairs."""
    pairs: dict[tuple[str, str], list[Choice]] = {}
    for choice in choices:
        if not choice.null:
            first, second = sorted((choice.left, choice.right))
            pairs.setdefault((first, second), []).append(choice)
    return dict(sorted(pairs.items()))


def side_check(choices: Sequence[Choice], *, level: float = LEVEL) -> SideCheck:
    """The share of preferences for the left side among some choices."""
    left, right, ties, missing = _answers(choices)
    share = proportion("Share of left", left, left + right, level)
    return SideCheck(
        left, right, ties, missing, share, even_test("Left against right", left, right)
    )


def null_pairs(choices: Sequence[Choice], *, level: float = LEVEL) -> SideCheck:
    """The side check on null pairs, whose two identical images differ by their side only."""
    return side_check([choice for choice in choices if choice.null], level=level)


def _win_rate(
    first: str,
    second: str,
    choices: Sequence[Choice],
    **options: Unpack[RandomOptions],
) -> WinRate:
    answered = [choice for choice in choices if choice.preferred is not None]
    won = np.array([choice.winner == first for choice in answered], dtype=np.float64)
    lost = np.array([choice.winner == second for choice in answered], dtype=np.float64)
    wins, losses = int(won.sum()), int(lost.sum())
    ties, level = len(answered) - wins - losses, options.get("level", LEVEL)
    rate = proportion(f"{first} preferred to {second}", wins, wins + losses, level)
    odds = Estimate("log odds", None, "no bootstrap", rate.n, level=level, reason="no bootstrap")
    test = PValue(f"{first} against {second}", None, odds.method, rate.n, reason=odds.reason)
    if not rate.defined:
        reason = "there are no trials"
        odds, test = replace(odds, reason=reason), replace(test, reason=reason)
    elif options.get("resamples", RESAMPLES):

        def share(sums: Floats) -> Floats:
            shares: Floats = sums[:, 0] / np.where(sums[:, 1] > 0, sums[:, 1], np.nan)
            return shares

        resamples, draws = choice_draws(
            answered, np.column_stack([won, won + lost]), share, **options
        )
        ends = resamples.interval(rate.value or 0.0, draws, level, LOG_ODDS)
        rate = replace(rate, bootstrap=ends)
        odds, test = _on_log_odds(rate, odds, test, resamples.variance(draws))
    return WinRate(
        first,
        second,
        wins,
        losses,
        ties,
        len(choices) - len(answered),
        rate,
        proportion("Share of ties", ties, len(answered), level),
        odds,
        test,
        even_test(f"{first} against {second}", wins, losses),
    )


def choice_draws(
    choices: Sequence[Choice],
    values: Floats,
    of_sums: Callable[[Floats], Floats],
    **options: Unpack[RandomOptions],
) -> tuple[TwoWayResamples, Draws]:
    """Draws of what follows from sums over choices of their values, shape (choices, values)."""
    readers = [choice.reader for choice in choices]
    cells = Cells(readers, [choice.group for choice in choices], sorted(set(readers)))
    resamples = TwoWayResamples(
        len(cells.order),
        cells.patients,
        options.get("random", Random.BOTH),
        options.get("resamples", RESAMPLES),
        options.get("seed", 0),
    )
    size = len(cells.order) * values.shape[1]
    return resamples, resamples.draws(cells.weighted(values, of_sums), size)


def _on_log_odds(
    rate: Estimate, odds: Estimate, test: PValue, variance: Variance | str
) -> tuple[Estimate, PValue]:
    """Log odds of a rate with their standard error, and the test that they are 0."""
    assert rate.bootstrap is not None
    if isinstance(variance, str) or rate.value is None:
        reason = rate.bootstrap.reason
        return replace(odds, reason=reason), replace(test, reason=reason)
    value = LOG_ODDS.to(rate.value)
    se = math.sqrt(variance.value) * LOG_ODDS.slope(rate.value)
    ends = t_interval(value, se, variance.df, rate.level)
    found = replace(odds, value=value, se=se, method=rate.bootstrap.method, reason=None)
    found = replace(found, low=ends.low, high=ends.high, reason=ends.reason)
    t, method = value / se, rate.bootstrap.method
    return found, PValue(test.name, p_of_t(t, variance.df), method, test.n, t, variance.df)


def _answers(choices: Sequence[Choice]) -> tuple[int, int, int, int]:
    given = [choice.preferred for choice in choices]
    return (
        given.count(Preference.LEFT),
        given.count(Preference.RIGHT),
        given.count(Preference.TIE),
        given.count(None),
    )
