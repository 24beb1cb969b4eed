"""Crossed random factors, such as readers and cases, and the linear systems of their models.

Effects are standard normal and multiplied by the standard deviation of their factor. The matrix
1 + S Z'WZ S of all effects is diagonal in the factor with most levels, which is eliminated: what is
left is as large as the other factors together.

References
----------
D. Bates, M. Mächler, B. Bolker, S. Walker, "Fitting linear mixed-effects models using lme4",
Journal of Statistical Software 67(1), 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from study.stats.estimate import Floats

Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Factor:
    """A factor: its name and the level of each observation, from 0."""

    name: str
    codes: Codes

    @classmethod
    def of(cls, name: str, labels: Sequence[str]) -> Factor:
        """The factor of labels, with levels in order of appearance."""
        order = {label: place for place, label in enumerate(dict.fromkeys(labels))}
        return cls(name, np.array([order[label] for label in labels], dtype=np.int64))

    @cached_property
    def levels(self) -> int:
        """Number of levels."""
        return int(self.codes.max()) + 1 if self.codes.size else 0


@dataclass(frozen=True, eq=False)
class RandomFactors:
    """Random factors of the same observations, that with most levels first."""

    factors: tuple[Factor, ...]

    @classmethod
    def of(cls, factors: Sequence[Factor]) -> RandomFactors:
        """Factors in their best order."""
        return cls(tuple(sorted(factors, key=lambda each: -each.levels)))

    @cached_property
    def starts(self) -> Codes:
        """Place of the first effect of each factor, and the number of all effects."""
        return np.cumsum([0, *(each.levels for each in self.factors)])

    def spread(self, effects: Floats, sds: Floats) -> Floats:
        """Sum of the effects of each observation."""
        total: Floats = np.zeros(self.factors[0].codes.size if self.factors else 0)
        for factor, sd, start in zip(self.factors, sds, self.starts, strict=False):
            total += sd * effects[start + factor.codes]
        return total

    def gather(self, values: Floats, sds: Floats) -> Floats:
        """Sums of values, shape (observations,), over each effect, times its sd."""
        parts = [
            sd * np.bincount(factor.codes, values, factor.levels)
            for factor, sd in zip(self.factors, sds, strict=True)
        ]
        gathered: Floats = np.concatenate(parts)
        return gathered

    def system(self, weights: Floats, sds: Floats) -> EffectSystem:
        """The matrix of the effects for these weights of the observations."""
        first, *others = self.factors
        diagonal = 1 + sds[0] ** 2 * np.bincount(first.codes, weights, first.levels)
        count = int(self.starts[-1]) - first.levels
        across, rest = np.zeros((first.levels, count)), np.eye(count)
        starts = self.starts[1:] - first.levels
        for one, sd, start in zip(others, sds[1:], starts, strict=False):
            place = slice(start, start + one.levels)
            across[:, place] = sds[0] * sd * _crossed(first, one, weights)
            for two, other, begin in zip(others, sds[1:], starts, strict=False):
                rest[place, begin : begin + two.levels] += sd * other * _crossed(one, two, weights)
        return EffectSystem(diagonal, across, rest)

    def inverse(self, system: EffectSystem, sds: Floats) -> EffectInverse:
        """What is needed of the inverse of a matrix of `system`."""
        first, *others = self.factors
        scaled = system.across / system.diagonal[:, None]
        rest = system.inverse_rest
        beside = -scaled @ rest
        own = 1 / system.diagonal - (beside * scaled).sum(axis=1)
        starts = (self.starts[1:] - first.levels).tolist()
        traces = [float(own.sum())]
        leverage: Floats = sds[0] ** 2 * own[first.codes]
        for one, sd, start in zip(others, sds[1:], starts, strict=False):
            places = start + one.codes
            traces.append(float(np.diag(rest)[start : start + one.levels].sum()))
            leverage += 2 * sds[0] * sd * beside[first.codes, places]
            for two, other, begin in zip(others, sds[1:], starts, strict=False):
                leverage += sd * other * rest[places, begin + two.codes]
        return EffectInverse(leverage, tuple(traces))


@dataclass(frozen=True, eq=False)
class EffectInverse:
    """Of the inverse of a matrix of effects: the variance that it gives each observation's sum.

    Parameters
    ----------
    leverage : ndarray, shape (observations,)
        Variance of the sum of the effects of an observation.
    traces : tuple of float
        Sum of the inverse's diagonal over the effects of each factor.
    """

    leverage: Floats
    traces: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class EffectSystem:
    """A symmetric matrix with a diagonal block, the block beside it, and a full one."""

    diagonal: Floats
    across: Floats
    rest: Floats

    @cached_property
    def _factored(self) -> tuple[Floats, bool]:
        scaled = self.across / self.diagonal[:, None]
        factored: tuple[Floats, bool] = cho_factor(self.rest - self.across.T @ scaled, lower=True)
        return factored

    @cached_property
    def log_determinant(self) -> float:
        """Logarithm of its determinant."""
        found = float(np.log(self.diagonal).sum())
        if self.rest.size:
            found += 2 * float(np.log(np.diag(self._factored[0])).sum())
        return found

    @cached_property
    def inverse_rest(self) -> Floats:
        """The block of the inverse at the place of the full one."""
        if not self.rest.size:
            return self.rest
        found: Floats = cho_solve(self._factored, np.eye(len(self.rest)))
        return found

    def solve(self, right: Floats) -> Floats:
        """Its inverse times a vector, or times the columns of a matrix."""
        size = self.diagonal.size
        diagonal = self.diagonal if right.ndim == 1 else self.diagonal[:, None]
        upper = right[:size] / diagonal
        if not self.rest.size:
            return upper
        lower = cho_solve(self._factored, right[size:] - self.across.T @ upper)
        solved: Floats = np.concatenate([upper - (self.across @ lower) / diagonal, lower])
        return solved


def _crossed(first: Factor, second: Factor, weights: Floats) -> Floats:
    """Sums of weights by the levels of two factors."""
    places = first.codes * second.levels + second.codes
    sums = np.bincount(places, weights, first.levels * second.levels).astype(np.float64)
    return sums.reshape(first.levels, second.levels)
