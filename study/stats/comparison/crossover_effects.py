"""Whether the order of the sessions of a crossover matters: effects of period and of carry-over.

The readers are what is randomised to an order, and the sample. With two methods the sums of a
reader's two sessions differ between the orders by carry-over, the differences of the sessions add
up to twice the effect of the period. With more methods carry-over and period are tested in a
linear model of reader, session, method, and the method of the session before.

No analysis is to be chosen by these tests: a two-stage procedure, which uses the first session
alone where carry-over is significant, has a far larger error than its level (Freeman 1989).

References
----------
S. Senn, Cross-over Trials in Clinical Research, 2nd ed., Wiley 2002, chapter 3.
M. Hills, P. Armitage, "The two-period cross-over clinical trial", British Journal of Clinical
Pharmacology 8, 1979.
P. R. Freeman, "The performance of the two-stage analysis of two-treatment, two-period crossover
trials", Statistics in Medicine 8, 1989.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from study.stats.estimate import LEVEL, Estimate, Floats, PValue
from study.stats.intervals import t_interval

FEW = "each order needs a reader, and both together three"
NO_ROOM = "too few readers in too few orders to tell method, session and carry-over apart"
NO_VARIANCE = "the means do not vary beyond these effects"
_TINY = 1e-20


@dataclass(frozen=True)
class CrossoverEffects:
    """Effects of carry-over and of the period.

    Parameters
    ----------
    carry_over : Estimate or None
        Of two methods: by how much the sum of both sessions of those who read the first method
        first is above that of the others. None with more methods.
    carry_over_test : PValue
    period : Estimate or None
        Of two methods: the first session minus the second. None with more methods.
    period_test : PValue
    """

    carry_over: Estimate | None
    carry_over_test: PValue
    period: Estimate | None
    period_test: PValue


def crossover_effects(
    means: Floats, orders: Sequence[Sequence[str]], *, level: float = LEVEL
) -> CrossoverEffects:
    """Estimate and test carry-over and period.

    Parameters
    ----------
    means : ndarray, shape (readers, sessions)
        Mean of each reader in each session.
    orders : sequence of sequence of str
        The method of each session, of each reader; each method once.
    level : float
        Confidence level.
    """
    methods = sorted({method for order in orders for method in order})
    if len(methods) == 2:
        return _of_two(means, [order[0] == methods[0] for order in orders], level)
    return _of_several(means, [[methods.index(one) for one in order] for order in orders])


def _of_two(means: Floats, first: Sequence[bool], level: float) -> CrossoverEffects:
    group = np.array(first, dtype=bool)
    sums, half = means.sum(axis=1), (means[:, 0] - means[:, 1]) / 2
    carry = _two_groups("Carry-over", sums[group], -sums[~group], level)
    period = _two_groups("Period", half[group], half[~group], level)
    return CrossoverEffects(*carry, *period)


def _two_groups(name: str, one: Floats, other: Floats, level: float) -> tuple[Estimate, PValue]:
    """The sum of the means of two groups of readers, with a pooled standard error."""
    n, df = one.size + other.size, one.size + other.size - 2
    method = f"two-sample t of {one.size} and {other.size} readers by order"
    if not one.size or not other.size or df < 1:
        reason = FEW
        return (
            Estimate(name, None, method, n, level=level, reason=reason),
            PValue(name, None, method, n, reason=reason),
        )
    value = float(one.mean() + other.mean())
    pooled = (((one - one.mean()) ** 2).sum() + ((other - other.mean()) ** 2).sum()) / df
    if not pooled > _TINY:
        return (
            Estimate(name, value, method, n, level=level, reason=NO_VARIANCE),
            PValue(name, None, method, n, reason=NO_VARIANCE),
        )
    se = math.sqrt(pooled * (1 / one.size + 1 / other.size))
    t = value / se
    found = Estimate(name, value, method, n, se, level=level)
    return (
        found.with_interval(t_interval(value, se, df, level)),
        PValue(name, float(2 * stats.t.sf(abs(t), df)), method, n, t, df),
    )


def _of_several(means: Floats, orders: Sequence[Sequence[int]]) -> CrossoverEffects:
    readers, sessions = means.shape
    reader, session = (one.ravel() for one in np.indices(means.shape))
    method = np.array(orders).ravel()
    # What was read in the session before, coded to sum to zero: that there was one at all is in
    # the effect of the period.
    before = np.where((session > 0)[:, None], np.eye(sessions)[np.roll(method, 1)], 0.0)
    parts = {
        "reader": np.eye(readers)[reader],
        "period": np.eye(sessions)[session],
        "method": np.eye(sessions)[method],
        "carry-over": before[:, :-1] - before[:, -1:],
    }
    tests = [_f_test(means.ravel(), parts, name) for name in ("carry-over", "period")]
    return CrossoverEffects(None, tests[0], None, tests[1])


def _f_test(values: Floats, parts: dict[str, Floats], left_out: str) -> PValue:
    """F test of one part of a linear model given all others."""
    full = np.hstack(list(parts.values()))
    less = np.hstack([part for name, part in parts.items() if name != left_out])
    (rest, rank), (rest_less, rank_less) = _residual(values, full), _residual(values, less)
    df, df_rest = rank - rank_less, values.size - rank
    name, readers = left_out.capitalize(), parts["reader"].shape[1]
    method = f"F({df}, {df_rest}), linear model of {readers} readers"
    if df < parts["method"].shape[1] - 1 or df_rest < 1:
        return PValue(name, None, method, readers, reason=NO_ROOM)
    if not rest / df_rest > _TINY:
        return PValue(name, None, method, readers, reason=NO_VARIANCE)
    ratio = (rest_less - rest) / df / (rest / df_rest)
    return PValue(name, float(stats.f.sf(ratio, df, df_rest)), method, readers, ratio, df_rest)


def _residual(values: Floats, design: Floats) -> tuple[float, int]:
    """Residual sum of squares, and rank of the design."""
    fitted, _, rank, _ = np.linalg.lstsq(design, values, rcond=None)
    return float(((values - design @ fitted) ** 2).sum()), int(rank)
