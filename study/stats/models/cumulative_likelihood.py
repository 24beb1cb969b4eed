"""The likelihood of a cumulative-logit model with crossed random factors, and its gradient."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import expit, logsumexp

from study.stats.estimate import Floats
from study.stats.models.random_factors import Codes, EffectSystem, RandomFactors

NEWTON = 50
STEP = 1e-4
"""Step of the numerical derivatives."""
LEAST_SHARE = 1e-300


class CumulativeLikelihood:
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
        """Minus the log-likelihood."""
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

    def with_gradient(self, at: Floats) -> tuple[float, Floats]:
        """The value with its gradient."""
        value = self(at)
        return value, self.gradient(at)

    def gradient(self, at: Floats) -> Floats:
        """The gradient; of the quadrature by central differences."""
        if len(self.nodes) > 1:
            return self._differences(at)
        cuts = np.concatenate([[-np.inf], self.thresholds(at), [np.inf]])
        fixed = self.columns @ at[self.cuts : self.fixed]
        upper, lower = cuts[self.ranks + 1] - fixed, cuts[self.ranks] - fixed
        sds = np.exp(np.minimum(at[self.fixed :], 5.0))
        of_sds = np.zeros(0)
        if self.random.factors:
            effects, system = self._mode(upper, lower, sds)
            shift = self.random.spread(effects, sds)
            points = _Points(upper - shift, lower - shift)
            of_upper, of_lower, of_sds = self._laplace_slopes(points, sds, effects, system)
            of_sds[at[self.fixed :] > 5.0] = 0.0
        else:
            of_upper, of_lower = _Points(upper, lower).of_share
        of_cuts = (
            np.bincount(self.ranks, of_upper, self.cuts + 1)[:-1]
            + np.bincount(self.ranks, of_lower, self.cuts + 1)[1:]
        )
        # An increment moves its threshold and all above it.
        of_steps = np.cumsum(of_cuts[::-1])[::-1]
        of_steps[1:] *= np.exp(at[1 : self.cuts])
        slopes: Floats = np.concatenate([of_steps, -self.columns.T @ (of_upper + of_lower), of_sds])
        return -slopes

    def _laplace_slopes(
        self, points: _Points, sds: Floats, effects: Floats, system: EffectSystem
    ) -> tuple[Floats, Floats, Floats]:
        """Derivatives of Laplace's approximation by upper, by lower ends, and by log deviations.

        The effects stay the most likely ones, which moves the determinant of their matrix too:
        `moved` is what that adds to each observation.
        """
        inverse = self.random.inverse(system, sds)
        leverage, slope, weights = inverse.leverage, points.slope, points.weights
        bent = -(points.upper_bend + points.lower_bend)
        pull = system.solve(self.random.gather(leverage * bent, sds))
        moved = self.random.spread(pull, sds)
        of_upper, of_lower = points.of_share
        of_upper = of_upper - (leverage * points.upper_bend + moved * points.upper_density) / 2
        of_lower = of_lower - (leverage * points.lower_bend + moved * points.lower_density) / 2
        each = slope - (leverage * bent - moved * weights) / 2
        pulled = pull * self.random.gather(slope, sds)
        of_sds = np.empty(sds.size)
        for place, factor in enumerate(self.random.factors):
            own = slice(*self.random.starts[place : place + 2])
            shift = sds[place] * effects[own][factor.codes]
            lost = factor.levels - inverse.traces[place] + float(pulled[own].sum()) / 2
            of_sds[place] = float(each @ shift) - lost
        return of_upper, of_lower, of_sds

    def _differences(self, at: Floats) -> Floats:
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


class _Points:
    """Both ends of the category of each observation, and the derivatives of its probability.

    Attributes
    ----------
    slope, weights : ndarray
        First, and minus the second derivative of the log probability by the shift of both ends.
    upper_density, lower_density, upper_bend, lower_bend : ndarray
        Density of the logistic distribution at the ends, and its derivative.
    of_share : tuple of ndarray
        Derivatives of the log probability by the upper and by the lower end.
    """

    def __init__(self, upper: Floats, lower: Floats) -> None:
        of_upper, of_lower = expit(upper), expit(lower)
        self.slope: Floats = of_upper + of_lower - 1
        self.upper_density, self.lower_density = expit(-upper) * of_upper, expit(-lower) * of_lower
        self.weights: Floats = self.upper_density + self.lower_density
        self.upper_bend: Floats = self.upper_density * (1 - 2 * of_upper)
        self.lower_bend: Floats = self.lower_density * (1 - 2 * of_lower)
        share = np.exp(_log_share(upper, lower))
        self.of_share: tuple[Floats, Floats] = (
            self.upper_density / share, -self.lower_density / share,
        )  # fmt: skip


def _log_share(upper: Floats, lower: Floats) -> Floats:
    """Logarithm of the probability between two points of a logistic variable."""
    # In the upper half the complement is taken, which keeps its digits.
    turned = lower > 0
    high, low = np.where(turned, -lower, upper), np.where(turned, -upper, lower)
    logs: Floats = np.log(np.maximum(expit(high) - expit(low), LEAST_SHARE))
    return logs
