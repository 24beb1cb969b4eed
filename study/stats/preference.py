"""Preferences in pairs: win rates, and tests for a preference of one side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Unpack

import numpy as np
from scipy import stats

from study.stats.estimate import LEVEL, Estimate, PValue
from study.stats.intervals import (
    RESAMPLES,
    IntervalOptions,
    cluster_weights,
    percentile_interval,
    proportion,
)


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
        Wins over wins and losses, without ties. With Wilson's interval, and a cluster bootstrap,
        which allows for several judgements of one patient.
    tie_share : Estimate
        Ties over all answers.
    test : PValue
        Exact binomial test of equal preference; it ignores clusters.
    """

    first: str
    second: str
    wins: int
    losses: int
    ties: int
    missing: int
    rate: Estimate
    tie_share: Estimate
    test: PValue

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
    **options: Unpack[IntervalOptions],
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
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> WinRate:
    answered = [choice for choice in choices if choice.preferred is not None]
    won = np.array([choice.winner == first for choice in answered], dtype=np.float64)
    lost = np.array([choice.winner == second for choice in answered], dtype=np.float64)
    wins, losses = int(won.sum()), int(lost.sum())
    ties = len(answered) - wins - losses
    rate = proportion(f"{first} preferred to {second}", wins, wins + losses, level)
    if resamples and rate.defined:
        clusters = [choice.group for choice in answered]
        weights = cluster_weights(clusters, resamples, seed)
        decided = weights @ (won + lost)
        draws = weights @ won / np.where(decided > 0, decided, np.nan)
        rate = replace(rate, bootstrap=percentile_interval(draws, clusters, seed, level))
    return WinRate(
        first,
        second,
        wins,
        losses,
        ties,
        len(choices) - len(answered),
        rate,
        proportion("Share of ties", ties, len(answered), level),
        even_test(f"{first} against {second}", wins, losses),
    )


def _answers(choices: Sequence[Choice]) -> tuple[int, int, int, int]:
    given = [choice.preferred for choice in choices]
    return (
        given.count(Preference.LEFT),
        given.count(Preference.RIGHT),
        given.count(Preference.TIE),
        given.count(None),
    )
