"""Variance components of items x raters with missing scores, by restricted maximum likelihood.

Items, raters and error are independent and normal. The likelihood depends on the scores through
sums over the items with the same number of scores, so that it is cheap for many resamples at once:
what is left of the items is a table of raters, solved by Henderson's mixed model equations.

References
----------
H. D. Patterson, R. Thompson, "Recovery of inter-block information when block sizes are unequal",
Biometrika 58(3), 1971.
S. R. Searle, G. Casella, C. E. McCulloch, "Variance components", 1992, chapters 6 and 7.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from study.stats.estimate import Floats

LEAST, MOST = -14.0, 14.0
"""Range of the logarithms of the ratios of variances; at the lower end a variance is zero."""
FINEST = 0.02
"""Step at which the search on a lattice ends and Newton's method begins."""
ROUNDS, NEWTON = 80, 5
DELTA = 1e-3
"""Step of the numerical derivatives."""


@dataclass(frozen=True, eq=False)
class Components:
    """Variances of items, raters and error of each resample, shape (resamples,) each."""

    items: Floats
    raters: Floats
    error: Floats


def reml(scores: Floats, weights: Floats, start: Components) -> Components:
    """Variance components of scores, shape (items, raters), NaN where missing.

    Parameters
    ----------
    scores : ndarray, shape (items, raters)
        Every item has a score.
    weights : ndarray, shape (resamples, items)
        Times that each item counts.
    start : Components
        First guess, such as Henderson's; NaN where the components cannot be separated.
    """
    model = _Likelihood(scores, weights)
    known = np.isfinite([start.items, start.raters, start.error]).all(axis=0) & (start.error > 0)
    error = np.where(known, start.error, 1.0)
    first = [np.where(known, each, 1.0) / error for each in (start.items, start.raters)]
    ratios = np.clip(np.log(np.maximum(first, np.exp(LEAST / 2))), LEAST, MOST)
    ratios = _polished(model, _searched(model, ratios))
    variance = model.error(ratios)
    found = [np.where(ratio <= LEAST + 1, 0.0, np.exp(ratio)) * variance for ratio in ratios]
    # Without an error, and where the components cannot be separated, the guess stays.
    kept = (np.maximum(start.items, 0.0), np.maximum(start.raters, 0.0), start.error)
    made = (*found, variance)
    return Components(*(np.where(known, new, old) for new, old in zip(made, kept, strict=True)))


class _Likelihood:
    """Minus twice the restricted log-likelihood, with the error variance profiled out."""

    def __init__(self, scores: Floats, weights: Floats) -> None:
        rated = ~np.isnan(scores)
        there = rated.astype(np.float64)
        level = scores[rated].mean()
        values = np.where(rated, scores - level, 0.0)
        # Columns: the mean, the raters, the scores.
        design = np.concatenate([there[:, :, None], np.zeros((*there.shape, there.shape[1]))], 2)
        design[:, np.arange(there.shape[1]), np.arange(there.shape[1]) + 1] = there
        design = np.concatenate([design, values[:, :, None]], axis=2)
        size = design.shape[2]
        products = np.einsum("iak,ial->ikl", design, design).reshape(len(scores), -1)
        sums = design.sum(axis=1)
        squares = np.einsum("ik,il->ikl", sums, sums).reshape(len(scores), -1)
        number = rated.sum(axis=1)
        self.counts = np.unique(number)
        self.within = (weights @ products).reshape(-1, size, size)
        of_count = [weights * (number == count) for count in self.counts]
        self.between = np.stack([(of @ squares).reshape(-1, size, size) for of in of_count])
        self.items = np.stack([of.sum(axis=1) for of in of_count])
        self.freedom = weights @ number - 1
        self.raters = there.shape[1]

    def __call__(self, ratios: Floats) -> Floats:
        """Of logarithms of the ratios of item and rater variance to the error's, (2, resamples)."""
        left, _solved, log_determinant = self._solve(ratios)
        of_items = (self.items * np.log1p(np.exp(ratios[0]) * self.counts[:, None])).sum(axis=0)
        value: Floats = (
            of_items
            + self.raters * ratios[1]
            + log_determinant
            + self.freedom * np.log(np.maximum(left / self.freedom, np.finfo(float).tiny))
        )
        return value

    def error(self, ratios: Floats) -> Floats:
        """The error variance that goes with these ratios."""
        variance: Floats = self._solve(ratios)[0] / self.freedom
        return variance

    def _solve(self, ratios: Floats) -> tuple[Floats, Floats, Floats]:
        item, rater = np.exp(ratios)
        share = item / (1 + item * self.counts[:, None])
        system = self.within - np.einsum("cb,cbkl->bkl", share, self.between)
        left = system[:, :-1, :-1].copy()
        place = np.arange(1, self.raters + 1)
        left[:, place, place] += (1 / rater)[:, None]
        right = system[:, :-1, -1]
        solved = np.linalg.solve(left, right[:, :, None])[:, :, 0]
        residual = system[:, -1, -1] - (right * solved).sum(axis=1)
        return np.maximum(residual, 0.0), solved, np.linalg.slogdet(left)[1]


def _searched(model: _Likelihood, ratios: Floats) -> Floats:
    """A minimum on a lattice that is refined, for each resample on its own."""
    best, step = model(ratios), np.full(ratios.shape[1], 1.0)
    for _ in range(ROUNDS):
        if (step < FINEST).all():
            break
        moved = np.zeros(ratios.shape[1], dtype=bool)
        for axis, sign in ((0, 1), (0, -1), (1, 1), (1, -1)):
            trial = ratios.copy()
            trial[axis] = np.clip(trial[axis] + sign * step, LEAST, MOST)
            value = model(trial)
            better = value < best - 1e-12
            ratios = np.where(better, trial, ratios)
            best = np.where(better, value, best)
            moved |= better
        step = np.where(moved, step, step / 2)
    return ratios


def _polished(model: _Likelihood, ratios: Floats) -> Floats:
    """The minimum by Newton's method, where that goes down."""
    for _ in range(NEWTON):
        values = {
            (a, b): model(ratios + DELTA * np.array([[a], [b]]))
            for a in (-1, 0, 1)
            for b in (-1, 0, 1)
        }
        here = values[0, 0]
        slope = np.stack([values[1, 0] - values[-1, 0], values[0, 1] - values[0, -1]]) / 2 / DELTA
        first = (values[1, 0] - 2 * here + values[-1, 0]) / DELTA**2
        second = (values[0, 1] - 2 * here + values[0, -1]) / DELTA**2
        mixed = (values[1, 1] - values[1, -1] - values[-1, 1] + values[-1, -1]) / 4 / DELTA**2
        determinant = first * second - mixed**2
        convex = (determinant > 1e-12) & (first > 0)
        safe = np.where(convex, determinant, 1.0)
        step = np.stack([second * slope[0] - mixed * slope[1],
                         first * slope[1] - mixed * slope[0]]) / safe  # fmt: skip
        trial = np.clip(ratios - np.where(convex, np.clip(step, -0.5, 0.5), 0.0), LEAST, MOST)
        ratios = np.where(model(trial) <= here, trial, ratios)
    return ratios
