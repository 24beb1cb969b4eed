"""Several tests at once: the family they form, and p values corrected for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from study.domain.errors import StatisticsError

ALPHA = 0.05


@dataclass(frozen=True)
class Family:
    """The tests that are corrected together.

    Parameters
    ----------
    description : str
        Which ones, in words.
    divisor : int
        How many were planned, also those whose p value is undefined.
    alpha : float
        Error rate of the whole family.
    threshold : float
        Bonferroni's limit for one p value: alpha / divisor.
    """

    description: str
    divisor: int
    alpha: float
    threshold: float


@dataclass(frozen=True)
class Corrected:
    """A p value, and what each procedure makes of it; all None if it is undefined."""

    p: float | None
    bonferroni: float | None
    holm: float | None
    benjamini_hochberg: float | None


def family(description: str, size: int, alpha: float = ALPHA) -> Family:
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
    return Family(f"{description}; divisor {size}", size, alpha, alpha / size)


def correct(p_values: Sequence[float | None]) -> tuple[Corrected, ...]:
    """Every p value corrected for the whole sequence.

    An undefined one (None) counts in the family, as if it were 1, and stays undefined.
    """
    if not p_values:
        return ()
    planned = np.array([1.0 if p is None else p for p in p_values])
    adjusted = (
        np.minimum(planned * planned.size, 1.0),
        _holm(planned),
        stats.false_discovery_control(planned),
    )
    return tuple(
        Corrected(None, None, None, None) if p is None else Corrected(p, *map(float, values))
        for p, *values in zip(p_values, *adjusted, strict=True)
    )


def _holm(planned: NDArray[np.float64]) -> NDArray[np.float64]:
    """Holm (Scand. J. Stat. 1979): the k-th smallest times what is left, never falling."""
    order = np.argsort(planned, kind="stable")
    left = np.arange(planned.size, 0, -1)
    adjusted = np.empty_like(planned)
    adjusted[order] = np.minimum(np.maximum.accumulate(planned[order] * left), 1.0)
    return adjusted
