"""One-way analysis of variance of independent groups: equal variances, and Welch's.

References
----------
B. L. Welch, "On the comparison of several mean values: an alternative approach", Biometrika
38(3/4), 1951.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from study.domain.errors import StatisticsError
from study.stats.estimate import LEVEL, Estimate, Floats, PValue
from study.stats.intervals import mean_estimate

CONSTANT = "a group does not vary"


@dataclass(frozen=True)
class OneWayAnova:
    """One-way analysis of variance.

    Parameters
    ----------
    groups : tuple of Estimate
        Mean of each group, named by it.
    sds : tuple of (float or None)
        Their standard deviations.
    test : PValue
        With equal variances (Fisher).
    welch : PValue
        With unequal ones.
    eta_squared : Estimate
        Share of the sum of squares that lies between groups.
    """

    groups: tuple[Estimate, ...]
    sds: tuple[float | None, ...]
    test: PValue
    welch: PValue
    eta_squared: Estimate


def one_way_anova(groups: Mapping[str, Floats], *, level: float = LEVEL) -> OneWayAnova:
    """Test that groups of independent values, such as run times, have equal means.

    Parameters
    ----------
    groups : mapping of str to ndarray
        At least two groups.
    level : float

    Raises
    ------
    StatisticsError
        There are fewer than two groups.
    """
    if len(groups) < 2:
        raise StatisticsError(
            f"analysis of variance needs two groups, got {', '.join(groups) or 'none'}: name them "
            "in a column method"
        )
    values = list(groups.values())
    n, count = sum(map(len, values)), len(values)
    method = f"F({count - 1}, {n - count}), values independent, variances equal"
    small = "every group needs two values" if any(each.size < 2 for each in values) else None
    constant = small or (CONSTANT if any(not np.ptp(each) for each in values) else None)
    same = small or (CONSTANT if all(not np.ptp(each) for each in values) else None)
    test = PValue("One-way ANOVA", None, method, n, reason=same or CONSTANT)
    welch = PValue("Welch's ANOVA", None, "variances unequal", n, reason=constant or CONSTANT)
    eta = Estimate("eta squared", None, "between over total sum of squares", n, level=level,
                   reason=same or CONSTANT)  # fmt: skip
    if same is None:
        found = stats.f_oneway(*values)
        statistic = float(found.statistic)
        test = PValue(test.name, float(found.pvalue), method, n, statistic, n - count)
        share = statistic * (count - 1) / (statistic * (count - 1) + n - count)
        eta = Estimate(
            eta.name, share, eta.method, n, level=level, reason="no interval is computed"
        )
    if constant is None:
        welch = _welch(values, n)
    return OneWayAnova(
        tuple(mean_estimate(name, each, "mean", level) for name, each in groups.items()),
        tuple(float(each.std(ddof=1)) if each.size > 1 else None for each in values),
        test,
        welch,
        eta,
    )


def _welch(values: list[Floats], n: int) -> PValue:
    from statsmodels.stats.oneway import anova_oneway

    found = anova_oneway(values, use_var="unequal", welch_correction=True)
    method = f"F({found.df_num:g}, {found.df_denom:.4g}), values independent, variances unequal"
    return PValue("Welch's ANOVA", float(found.pvalue), method, n, float(found.statistic),
                  float(found.df_denom))  # fmt: skip
