"""Cumulative-logit models of ordinal scores, with crossed random factors.

The probability of a category up to k is that of a logistic variable below threshold k minus the
effects: a positive effect moves scores up. Random effects are integrated out by Laplace's
approximation or, with one factor, by adaptive Gauss-Hermite quadrature.

References
----------
R. H. B. Christensen, "Cumulative link models for ordinal regression with the R package ordinal",
2018.
J. C. Pinheiro, E. C. Chao, "Efficient Laplacian and adaptive Gaussian quadrature algorithms for
multilevel generalized linear mixed models", Journal of Computational and Graphical Statistics
15(1), 2006.
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
from study.stats.models.cumulative_likelihood import STEP, CumulativeLikelihood
from study.stats.models.random_factors import Codes, Factor, RandomFactors

LEAST_SD = 1e-2
"""A standard deviation of random effects below this is zero."""
LEAST_CURVATURE = 0.05
"""Curvature of the likelihood in the logarithm of a deviation below which it says nothing."""
LARGEST_ERROR = 20.0
"""Standard error on the logit scale above which nothing is estimated."""
FLAT = "the likelihood has no maximum: a category or a method is separated from the others"


@dataclass(frozen=True, eq=False)
class CumulativeLogit:
    """A fitted model.

    Parameters
    ----------
    thresholds : tuple of Estimate
        Between neighbouring categories that were used, on the logit scale.
    coefficients : tuple of Estimate
        Log odds ratios of a higher score, one for each column.
    deviations : tuple of Estimate
        Standard deviations of the random factors, on the logit scale.
    log_likelihood : float
    covariance : ndarray
        Of the coefficients.
    n : int
    method : str
    """

    thresholds: tuple[Estimate, ...]
    coefficients: tuple[Estimate, ...]
    deviations: tuple[Estimate, ...]
    log_likelihood: float
    covariance: Floats
    n: int
    method: str


def cumulative_logit(
    codes: Codes,
    columns: Floats,
    names: Sequence[str],
    factors: Sequence[Factor] = (),
    *,
    points: int = 1,
    level: float = LEVEL,
) -> CumulativeLogit:
    """Fit a model by maximum likelihood.

    Parameters
    ----------
    codes : ndarray of int, shape (n,)
        Category of each score, in order.
    columns : ndarray, shape (n, p)
        Fixed effects, without a constant.
    names : sequence of str
        Of the columns.
    factors : sequence of Factor
        Crossed random factors.
    points : int
        Points of the quadrature; 1 is Laplace's approximation, more need a single factor.
    level : float

    Raises
    ------
    StatisticsError
        Fewer than two categories were used, points are given for several factors, or the
        likelihood has no maximum.
    """
    if points > 1 and len(factors) != 1:
        raise StatisticsError("quadrature needs a single random factor: use 1 point for several")
    used, ranks = np.unique(codes, return_inverse=True)
    if used.size < 2:
        raise StatisticsError("all scores are in one category: there is nothing to model")
    model = CumulativeLikelihood(ranks, columns, RandomFactors.of(factors), points)
    found = minimize(model.with_gradient, model.start, method="BFGS", jac=True,
                     options={"gtol": 1e-4, "maxiter": 300})  # fmt: skip
    at = np.asarray(found.x, dtype=np.float64)
    if not np.isfinite(found.fun):
        raise StatisticsError(FLAT)
    hessian = _hessian(model, at)
    kept = np.ones(at.size, dtype=bool)
    kept[model.fixed :] = np.diag(hessian)[model.fixed :] > LEAST_CURVATURE
    covariance = np.full((at.size, at.size), np.nan)
    covariance[np.ix_(kept, kept)] = _inverse(hessian[np.ix_(kept, kept)])
    # The gradient of a likelihood that rises for ever is small far out, and so is its curvature.
    if np.diag(covariance)[: model.fixed].max() > LARGEST_ERROR**2:
        raise StatisticsError(FLAT)
    words = "adaptive Gauss-Hermite quadrature" if points > 1 else "Laplace's approximation"
    method = f"cumulative logit, {words}" if factors else "cumulative logit"
    return _fitted(model, at, covariance, names, -float(found.fun), method, level)


def _hessian(model: CumulativeLikelihood, at: Floats) -> Floats:
    rows = []
    for place in range(at.size):
        step = np.zeros_like(at)
        step[place] = 10 * STEP
        rows.append((model.gradient(at + step) - model.gradient(at - step)) / (20 * STEP))
    found = np.stack(rows)
    hessian: Floats = (found + found.T) / 2
    return hessian


def _inverse(hessian: Floats) -> Floats:
    try:
        np.linalg.cholesky(hessian)
    except np.linalg.LinAlgError:
        raise StatisticsError(FLAT) from None
    return np.linalg.inv(hessian).astype(np.float64)


def _fitted(
    model: CumulativeLikelihood,
    at: Floats,
    covariance: Floats,
    names: Sequence[str],
    log_likelihood: float,
    method: str,
    level: float,
) -> CumulativeLogit:
    n, cuts, fixed = model.ranks.size, model.cuts, model.fixed
    # Derivatives of the thresholds by the first and the logarithms of the increments.
    slopes = np.tril(np.ones((cuts, cuts)))
    slopes[:, 1:] *= np.exp(at[1:cuts])
    of_cuts = slopes @ covariance[:cuts, :cuts] @ slopes.T

    def estimate(name: str, value: float, variance: float) -> Estimate:
        se = math.sqrt(variance)
        found = Estimate(name, value, method, n, se, level=level)
        return found.with_interval(z_interval(value, se, level))

    deviations = []
    for place, factor in enumerate(model.random.factors, start=fixed):
        deviation = float(np.exp(at[place]))
        base = Estimate(f"SD of {factor.name}", deviation if deviation > LEAST_SD else 0.0, method,
                        n, level=level, reason="at the end of its range")  # fmt: skip
        if np.isfinite(covariance[place, place]):
            ends = z_interval(float(at[place]), math.sqrt(covariance[place, place]), level)
            low, high = (None if end is None else math.exp(end) for end in (ends.low, ends.high))
            base = Estimate(base.name, base.value, f"{method}; normal interval of the logarithm", n,
                            low=low, high=high, level=level, reason=ends.reason)  # fmt: skip
        deviations.append(base)
    return CumulativeLogit(
        tuple(
            estimate(f"{place + 1}|{place + 2}", float(cut), float(of_cuts[place, place]))
            for place, cut in enumerate(model.thresholds(at))
        ),
        tuple(
            estimate(name, float(at[place]), float(covariance[place, place]))
            for place, name in enumerate(names, start=cuts)
        ),
        tuple(deviations),
        log_likelihood,
        covariance[cuts:fixed, cuts:fixed],
        n,
        method,
    )
