"""Blinding indices of Bang and of James: whether readers could tell the methods apart.

References
----------
K. E. James et al., "An index for assessing blindness in a multi-centre clinical trial",
Statistics in Medicine 15(13), 1996.
H. Bang, L. Ni, C. E. Davis, "Assessment of blinding in clinical trials", Controlled Clinical
Trials 25(2), 2004.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from study.domain.errors import StatisticsError
from study.stats.estimate import LEVEL, Estimate, Floats
from study.stats.intervals import z_interval

WRONG_WEIGHT = 0.5
"""Weight of a wrong guess as blinded in James's index; "do not know" has weight 1."""


@dataclass(frozen=True)
class Guess:
    """The method of an image and the reader's guess; None if the reader did not know."""

    method: str
    guess: str | None


@dataclass(frozen=True)
class BlindingIndex:
    """Bang's index of each method and James's index of all guesses.

    Parameters
    ----------
    methods : tuple of str
        Every method that was shown or guessed, in alphabetical order.
    counts : tuple of tuple of int
        A row for each method shown: counts of each guessed method, and last of "do not know".
    bang : tuple of Estimate
        For each method: 0 for random guessing, 1 if all are correct, below 0 if mostly wrong.
    james : Estimate
        1 for complete blinding, 0.5 for random guessing, 0 if all are correct.
    """

    methods: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    bang: tuple[Estimate, ...]
    james: Estimate


def blinding_index(guesses: Sequence[Guess], *, level: float = LEVEL) -> BlindingIndex:
    """Bang's index of each method and James's of all guesses.

    With more than two methods Bang's index is the share of correct guesses minus the share of
    wrong ones over (methods - 1). For two methods this is the original index, and for random
    guessing it is 0.

    Raises
    ------
    StatisticsError
        There are fewer than two methods to choose from.
    """
    methods = sorted({g.method for g in guesses} | {g.guess for g in guesses if g.guess})
    if len(methods) < 2:
        raise StatisticsError(
            f"guesses need two methods to choose from, got {', '.join(methods) or 'none'}"
        )
    columns: list[str | None] = [*methods, None]
    counts = np.zeros((len(methods), len(columns)))
    for g in guesses:
        counts[methods.index(g.method), columns.index(g.guess or None)] += 1
    return BlindingIndex(
        tuple(methods),
        tuple(tuple(map(int, row)) for row in counts),
        tuple(_bang(method, counts[i], i, level) for i, method in enumerate(methods)),
        _james(counts, level),
    )


def _bang(name: str, row: Floats, own: int, level: float) -> Estimate:
    n, others = int(row.sum()), len(row) - 2
    method = "Bang 2004" if others == 1 else f"Bang 2004, extended to {others + 1} methods"
    if not n:
        return Estimate(name, None, method, 0, level=level, reason="no guesses about this method")
    right = float(row[own]) / n
    wrong = float(row[:-1].sum()) / n - right
    value = right - wrong / others
    variance = right * (1 - right) + wrong * (1 - wrong) / others**2 + 2 * right * wrong / others
    se = math.sqrt(variance / n)
    ends = z_interval(value, se, level, (-1.0, 1.0))
    return Estimate(name, value, method, n, se, level=level).with_interval(ends)


def _james(counts: Floats, level: float) -> Estimate:
    """James's index, in terms of shares DK + A Q² / (2 E).

    DK is the share of "do not know", Q = 1 - DK, A the weighted share of guesses, and E its
    expectation if guesses are independent of the method. The standard error is by the delta
    method.
    """
    name, method, n = "James", "James 1996, wrong guesses count half", int(counts.sum())
    shares = counts / n
    guessed = shares[:, :-1]
    knows = float(guessed.sum())
    weights = WRONG_WEIGHT * (1 - np.eye(len(counts)))
    shown, named = guessed.sum(axis=1), guessed.sum(axis=0)
    observed = float((weights * guessed).sum())
    by_chance = float(shown @ weights @ named)
    if knows == 0:
        value, slopes = 1.0, np.zeros_like(shares)
    elif by_chance == 0:
        reason = "all given guesses are about one method and name it"
        return Estimate(name, None, method, n, level=level, reason=reason)
    else:
        value = 1 - knows + observed * knows**2 / (2 * by_chance)
        slopes = np.ones_like(shares)
        spread = (weights @ named)[:, None] + (shown @ weights)[None, :]
        slopes[:, :-1] = (
            knows**2 * weights / (2 * by_chance)
            + observed * knows / by_chance
            - observed * knows**2 * spread / (2 * by_chance**2)
        )
    mean = float((shares * slopes).sum())
    variance = float((shares * slopes**2).sum()) - mean**2
    se = math.sqrt(max(variance, 0.0) / n)
    ends = z_interval(value, se, level, (0.0, 1.0))
    return Estimate(name, value, method, n, se, level=level).with_interval(ends)
