"""Linear mixed models with crossed random factors, by restricted maximum likelihood.

References
----------
D. Bates, M. Mächler, B. Bolker, S. Walker, "Fitting linear mixed-effects models using lme4",
Journal of Statistical Software 67(1), 2015.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from study.domain.errors import StatisticsError
from study.stats.estimate import LEVEL, Estimate, Floats
from study.stats.intervals import z_interval
from study.stats.models.random_factors import Factor, RandomFactors

METHOD = "linear mixed model, REML"


@dataclass(frozen=True)
class LinearMixed:
    """A fitted model.

    Parameters
    ----------
    coefficients : tuple of Estimate
        Of the columns.
    variances : tuple of (str, float)
        Of each random factor, in the given order, and last of the residual.
    """

    coefficients: tuple[Estimate, ...]
    variances: tuple[tuple[str, float], ...]


def linear_mixed(
    values: Floats,
    columns: Floats,
    names: Sequence[str],
    factors: Sequence[Factor],
    *,
    level: float = LEVEL,
) -> LinearMixed:
    """Fit a model.

    Parameters
    ----------
    values : ndarray, shape (n,)
    columns : ndarray, shape (n, p)
        Fixed effects, with a constant; independent of each other.
    names : sequence of str
    factors : sequence of Factor
        Crossed random factors, at least one.
    level : float

    Raises
    ------
    StatisticsError
        There are not more values than columns, or nothing is left to explain.
    """
    n, p = columns.shape
    if n <= p or np.linalg.matrix_rank(columns) < p:
        raise StatisticsError(f"{n} values do not determine {p} coefficients of different columns")
    random = RandomFactors.of(factors)
    both = np.column_stack([columns, values])
    gathered = np.stack([random.gather(column, np.ones(len(factors))) for column in both.T], axis=1)
    sizes = [each.levels for each in random.factors]

    def weighted(logs: Floats) -> tuple[Floats, float]:
        """Cross products weighted by the inverse covariance, and the effects' determinant."""
        sds = np.exp(logs)
        system = random.system(np.ones(n), sds)
        scaled = gathered * np.repeat(sds, sizes)[:, None]
        return both.T @ both - scaled.T @ system.solve(scaled), system.log_determinant

    def deviance(logs: Floats) -> float:
        products, determinant = weighted(logs)
        left, right = products[:p, :p], products[:p, p]
        residual = products[p, p] - right @ np.linalg.solve(left, right)
        if residual <= 1e-12 * products[p, p]:
            return math.inf
        found = determinant + np.linalg.slogdet(left)[1] + (n - p) * math.log(residual)
        return float(found)

    start = np.zeros(len(factors))
    found = minimize(deviance, start, method="Nelder-Mead", bounds=[(-8, 6)] * len(factors),
                     options={"xatol": 1e-6, "fatol": 1e-8, "maxiter": 4000})  # fmt: skip
    if not np.isfinite(found.fun):
        raise StatisticsError("the values do not vary: there is nothing to model")
    products, _ = weighted(found.x)
    left = products[:p, :p]
    slopes = np.linalg.solve(left, products[:p, p])
    error = float(products[p, p] - products[:p, p] @ slopes) / (n - p)
    covariance = error * np.linalg.inv(left)
    ratios = np.where(found.x <= -7, 0.0, np.exp(2 * found.x))
    of_factor = dict(zip((each.name for each in random.factors), ratios * error, strict=True))
    return LinearMixed(
        tuple(
            _coefficient(name, float(slope), math.sqrt(variance), n, level)
            for name, slope, variance in zip(names, slopes, np.diag(covariance), strict=True)
        ),
        (*((each.name, float(of_factor[each.name])) for each in factors), ("residual", error)),
    )


def _coefficient(name: str, value: float, se: float, n: int, level: float) -> Estimate:
    found = Estimate(name, value, METHOD, n, se, level=level)
    return found.with_interval(z_interval(value, se, level))
