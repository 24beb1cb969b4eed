"""The analysis of variance of items x raters with missing ratings.

One-way forms take unequal numbers of ratings. Two-way forms are made of variance components by
restricted maximum likelihood: an item that strict raters have rated is not taken for a poor one.
Henderson's method 3, from the sum of squares of each factor adjusted for the other one, gives the
mean squares and is where the likelihood is started. Complete tables give the classical mean
squares. Everything takes resampling weights of shape (resamples, items), as in `anova`.

References
----------
C. R. Henderson, "Estimation of variance and covariance components", Biometrics 9(2), 1953.
S. R. Searle, G. Casella, C. E. McCulloch, "Variance components", 1992, chapter 5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from study.stats.estimate import Floats
from study.stats.reliability.anova import ROUNDING, MeanSquares
from study.stats.reliability.reml import Components, reml

SINGULAR = 1e-9
"""An eigenvalue below this share of the number of ratings is zero."""


@dataclass(frozen=True, eq=False)
class IncompleteSquares(MeanSquares):
    """Mean squares of a table with missing ratings, with its variance components.

    Parameters
    ----------
    between, within : ndarray, shape (resamples,)
        One-way mean squares, with items as the only factor.
    judges, error : ndarray, shape (resamples,)
        Mean square of raters adjusted for items, and residual mean square.
    ratings : ndarray, shape (resamples,)
        Number of ratings.
    per_item : ndarray, shape (resamples,)
        Number of ratings of an item in the one-way forms: their mean, less for unequal numbers.
    variance_items, variance_raters : ndarray, shape (resamples,)
        Variance components by Henderson's method 3, negative ones as they are.
    components : Components
        Variance components by restricted maximum likelihood, which are not negative.
    error_df : ndarray, shape (resamples,)
        Degrees of freedom of the residual.
    """

    ratings: Floats
    per_item: Floats
    variance_items: Floats
    variance_raters: Floats
    error_df: Floats
    components: Components

    def icc(self, form: str) -> Floats:
        """An intraclass correlation of each resample; see `MeanSquares.icc`.

        The mean in form ``1,k`` is of the ratings of an item, in ``A,k`` and ``C,k`` of all raters.
        """
        kind, average = form[0], form.endswith("k")
        if kind == "1":
            above = self.between - self.within
            below = self.between + (0.0 if average else self.per_item - 1) * self.within
        else:
            above, raters = self.components.items, self.components.raters
            other = self.components.error + (raters if kind == "A" else 0.0)
            below = above + other / (self.raters if average else 1)
        scale = self.between + (self.within if kind == "1" else self.error)
        correlation: Floats = above / np.where(below > ROUNDING * scale, below, np.nan)
        return correlation

    def component(self, source: str) -> Floats:
        """A variance component; `source` is items, raters or error."""
        component: Floats = getattr(self.components, source)
        return component

    def sem(self, kind: str) -> Floats:
        """Standard error of measurement; agreement includes the variance of raters."""
        variance = self.components.error
        if kind == "agreement":
            variance = variance + self.components.raters
        root: Floats = np.sqrt(variance)
        return root


def incomplete_squares(scores: Floats, resampling: Floats | None = None) -> IncompleteSquares:
    """Mean squares and variance components of scores, shape (items, raters), NaN where missing.

    Every item and every rater has a rating. Resamples with fewer than two different items of two
    ratings or more are NaN, as are components without degrees of freedom.
    """
    if resampling is None:
        resampling = np.ones((1, scores.shape[0]))
    rated = ~np.isnan(scores)
    there = rated.astype(np.float64)
    centred = np.where(rated, scores - scores[rated].mean(), 0.0)
    by_item = there.sum(axis=1)
    means = centred.sum(axis=1) / by_item
    items, ratings = resampling.sum(axis=1), resampling @ by_item
    per_rater = resampling @ there
    raters = (per_rater > 0).sum(axis=1)
    total = resampling @ (centred**2).sum(axis=1)
    items_squares = resampling @ (by_item * means**2)
    rater_sums = resampling @ centred
    raters_squares = (rater_sums**2 / np.where(per_rater > 0, per_rater, 1)).sum(axis=1)
    mean_square = (resampling @ centred.sum(axis=1)) ** 2 / ratings
    adjusted, rank = _adjusted(centred, there, resampling)
    usable = (resampling[:, by_item >= 2] > 0).sum(axis=1) >= 2
    floor = ROUNDING * max(float((scores[rated] ** 2).mean()), np.finfo(float).tiny)

    def share(total: Floats, df: Floats) -> Floats:
        found = total / np.where(usable & (df > 0), df, np.nan)
        return np.where(np.abs(found) < floor, 0.0, found)

    error_df = ratings - items - rank
    error = share(np.maximum(total - items_squares - adjusted, 0.0), error_df)
    connected = raters - rank
    items_left = items_squares + adjusted - raters_squares - (items - connected) * error
    variance_items = share(items_left, ratings - raters)
    variance_raters = share(adjusted - rank * error, ratings - items)
    start = Components(variance_items, variance_raters, error)
    return IncompleteSquares(
        items=items,
        raters=scores.shape[1],
        between=share(items_squares - mean_square, items - 1),
        within=share(total - items_squares, ratings - items),
        judges=share(adjusted, rank),
        error=error,
        ratings=ratings,
        per_item=(ratings - resampling @ by_item**2 / ratings) / np.maximum(items - 1, 1),
        variance_items=variance_items,
        variance_raters=variance_raters,
        error_df=error_df,
        components=reml(scores, resampling, start),
    )


def _adjusted(centred: Floats, there: Floats, resampling: Floats) -> tuple[Floats, Floats]:
    """Sum of squares of raters adjusted for items, and its rank, for each resample."""
    by_item = there.sum(axis=1)
    count = there.shape[1]
    within_items = -there[:, :, None] * there[:, None, :] / by_item[:, None, None]
    within_items[:, np.arange(count), np.arange(count)] += there
    left = centred - there * (centred.sum(axis=1) / by_item)[:, None]
    matrices = (resampling @ within_items.reshape(len(there), -1)).reshape(-1, count, count)
    values, vectors = np.linalg.eigh(matrices)
    kept = values > SINGULAR * np.maximum(resampling @ by_item, 1)[:, None]
    along = np.einsum("rji,rj->ri", vectors, resampling @ left)
    squares = np.where(kept, along**2 / np.where(kept, values, 1), 0.0).sum(axis=1)
    return squares, kept.sum(axis=1).astype(np.float64)
