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
from scipy.special import expit, logsumexp

from study.domain.errors import StatisticsError
from study.stats.estimate import LEVEL, Estimate, Floats
from study.stats.intervals import z_interval
from study.stats.models.random_factors import Codes, EffectSystem, Factor, RandomFactors

NEWTON = 50
STEP = 1e-4
"""Step of the numerical derivatives."""
LEAST_SD = 1e-2
"""A standard deviation of random effects below this is zero."""
LEAST_CURVATURE = 0.05
"""Curvature of the likelihood in the logarithm of a deviation below which it says nothing."""
LARGEST_ERROR = 20.0
"""Standard error on the logit scale above which nothing is estimated."""
LEAST_SHARE = 1e-300
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
    model = _Likelihood(ranks, columns, RandomFactors.of(factors), points)
    found = minimize(model, model.start, method="BFGS", jac=model.gradient,
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


class _Likelihood:
    """Minus the log-likelihood of thresholds, coefficients and logarithms of deviations."""

    def __init__(self, ranks: Codes, columns: Floats, random: RandomFactors, points: int) -> None:
        self.ranks, self.columns, self.random = ranks, columns, random
        self.cuts = int(ranks.max())
        self.fixed = self.cuts + columns.shape[1]
        nodes, weights = np.polynomial.hermite.hermgauss(points)
        self.nodes = list(zip(nodes.tolist(), weights.tolist(), strict=True))
        self.effects = np.zeros(int(random.starts[-1]))
        below = np.cumsum(np.bincount(ranks))[:-1] / ranks.size
        logits = np.log(below / (1 - below))
        steps = np.log(np.maximum(np.diff(logits), 1e-3))
        self.start = np.concatenate(
            [logits[:1], steps, np.zeros(columns.shape[1]), np.zeros(len(random.factors))]
        )

    def thresholds(self, at: Floats) -> Floats:
        """The thresholds: the first, and increments by their logarithms."""
        cuts: Floats = at[0] + np.concatenate([[0.0], np.cumsum(np.exp(at[1 : self.cuts]))])
        return cuts

    def __call__(self, at: Floats) -> float:
        cuts = np.concatenate([[-np.inf], self.thresholds(at), [np.inf]])
        upper, lower = cuts[self.ranks + 1], cuts[self.ranks]
        fixed = self.columns @ at[self.cuts : self.fixed]
        if not self.random.factors:
            return -float(_log_share(upper - fixed, lower - fixed).sum())
        sds = np.exp(np.minimum(at[self.fixed :], 5.0))
        effects, system = self._mode(upper - fixed, lower - fixed, sds)
        if len(self.nodes) > 1:
            return -self._quadrature(upper - fixed, lower - fixed, float(sds[0]), effects, system)
        shift = fixed + self.random.spread(effects, sds)
        inside = float(_log_share(upper - shift, lower - shift).sum())
        return -(inside - 0.5 * float(effects @ effects) - 0.5 * system.log_determinant)

    def gradient(self, at: Floats) -> Floats:
        """Central differences."""
        slopes: Floats = np.empty_like(at)
        for place in range(at.size):
            step = np.zeros_like(at)
            step[place] = STEP
            slopes[place] = (self(at + step) - self(at - step)) / (2 * STEP)
        return slopes

    def _mode(self, upper: Floats, lower: Floats, sds: Floats) -> tuple[Floats, EffectSystem]:
        """The most likely effects, by Newton's method from those found last, and their matrix."""
        effects, value = self.effects, -math.inf
        for _ in range(NEWTON):
            shift = self.random.spread(effects, sds)
            of_upper, of_lower = expit(upper - shift), expit(lower - shift)
            slope = of_upper + of_lower - 1
            weights = of_upper * (1 - of_upper) + of_lower * (1 - of_lower)
            system = self.random.system(weights, sds)
            ascent = self.random.gather(slope, sds) - effects
            step = system.solve(ascent)
            # The sum is concave: a step that overshoots is halved.
            value = self._inside(upper, lower, sds, effects)
            while self._inside(upper, lower, sds, effects + step) < value - 1e-9:
                step = step / 2
            effects = effects + step
            if float(np.abs(step).max()) < 1e-8:
                break
        self.effects = effects
        return effects, system

    def _inside(self, upper: Floats, lower: Floats, sds: Floats, effects: Floats) -> float:
        shift = self.random.spread(effects, sds)
        return float(_log_share(upper - shift, lower - shift).sum() - 0.5 * effects @ effects)

    def _quadrature(
        self, upper: Floats, lower: Floats, sd: float, effects: Floats, system: EffectSystem
    ) -> float:
        """The log-likelihood of one factor by nodes around the most likely effects."""
        [factor] = self.random.factors
        spread = np.sqrt(2 / system.diagonal)
        parts = []
        for node, weight in self.nodes:
            moved = effects + spread * node
            shift = sd * moved[factor.codes]
            shares = _log_share(upper - shift, lower - shift)
            inside = np.bincount(factor.codes, shares, factor.levels) - moved**2 / 2
            parts.append(inside + node**2 + math.log(weight))
        each = logsumexp(np.stack(parts), axis=0) + np.log(spread) - 0.5 * math.log(2 * math.pi)
        return float(np.sum(each))


def _log_share(upper: Floats, lower: Floats) -> Floats:
    """Logarithm of the probability between two points of a logistic variable."""
    # In the upper half the complement is taken, which keeps its digits.
    turned = lower > 0
    high, low = np.where(turned, -lower, upper), np.where(turned, -upper, lower)
    logs: Floats = np.log(np.maximum(expit(high) - expit(low), LEAST_SHARE))
    return logs


def _hessian(model: _Likelihood, at: Floats) -> Floats:
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
    model: _Likelihood,
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
