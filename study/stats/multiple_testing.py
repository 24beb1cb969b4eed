"""Multiple testing: families of tests, and p values corrected for their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from enhancers.multiple_testing import holm_adjusted
from study.domain.errors import StatisticsError

ALPHA = 0.05


@dataclass(frozen=True)
class TestFamily:
    """The tests that are corrected together.

    Parameters
    ----------
    description : str
        The tests in words.
    divisor : int
        Number of planned tests, including those with an undefined p value.
    alpha : float
        Family-wise error rate.
    threshold : float
        Bonferroni's limit for one p value: alpha / divisor.
    """

    description: str
    divisor: int
    alpha: float
    threshold: float


@dataclass(frozen=True)
class CorrectedPValue:
    """A p value and its corrections by three procedures; all None if it is undefined."""

    p: float | None
    bonferroni: float | None
    holm: float | None
    benjamini_hochberg: float | None


def family(description: str, size: int, alpha: float = ALPHA) -> TestFamily:
    """A family of `size` planned tests.

    Raises
    ------
    StatisticsError
        It is empty, or alpha is not between 0 and 1.
    """
    if size < 1 or not 0 < alpha < 1:
        raise StatisticsError(
            f"a family of {size} tests at alpha {alpha:g}: it needs one test, and 0 < alpha < 1"
        )
    return TestFamily(f"{description}; divisor {size}", size, alpha, alpha / size)


def correct(p_values: Sequence[float | None]) -> tuple[CorrectedPValue, ...]:
    """Every p value, corrected for the number of all of them.

    An undefined one (None) counts in the family, as if it were 1, and stays undefined.
    """
    from statsmodels.stats.multitest import multipletests

    if not p_values:
        return ()
    planned = np.array([1.0 if p is None else p for p in p_values])
    bonferroni, hochberg = (multipletests(planned, method=name)[1] for name in ("b", "fdr_bh"))
    adjusted = (bonferroni, holm_adjusted(planned), hochberg)
    return tuple(
        CorrectedPValue(None, None, None, None)
        if p is None
        else CorrectedPValue(p, *map(float, values))
        for p, *values in zip(p_values, *adjusted, strict=True)
    )
