"""Inter-reader reliability of scores: intraclass correlations, SEM, MDC95 and MAD.

References
----------
P. E. Shrout, J. L. Fleiss, "Intraclass correlations: uses in assessing rater reliability",
Psychological Bulletin 86(2), 1979.
K. O. McGraw, S. P. Wong, "Forming inferences about some intraclass correlation coefficients",
Psychological Methods 1(1), 1996.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy import stats

from study.stats.anova import MeanSquares, f_limits, mean_squares
from study.stats.estimate import LEVEL, Estimate, Floats, Interval, finite_or_none
from study.stats.intervals import RESAMPLES, cluster_weights, percentile_interval
from study.stats.table import Ratings

FORMS = ("1,1", "A,1", "C,1", "1,k", "A,k", "C,k")
SHROUT_FLEISS_NAMES = dict(
    zip(
        FORMS, ("ICC(1,1)", "ICC(2,1)", "ICC(3,1)", "ICC(1,k)", "ICC(2,k)", "ICC(3,k)"), strict=True
    )
)
"""Names by Shrout and Fleiss."""
FLAG_BELOW = 0.8
"""An ICC(A,1) below this is flagged."""
MDC_FACTOR = 1.96 * math.sqrt(2)
NO_VARIATION = "no variation: the scores do not differ"
NO_SPREAD = "the items differ too little: the form's denominator is not positive"


@dataclass(frozen=True)
class Anova:
    """Mean squares of items x raters, and their variance components, truncated at zero."""

    between_items: float
    within_items: float
    between_raters: float
    error: float
    variance_items: float
    variance_raters: float
    variance_error: float


@dataclass(frozen=True)
class Reliability:
    """Inter-reader reliability and measurement error of scores.

    Parameters
    ----------
    items, raters : int
        Numbers of complete items and of raters.
    dropped : int
        Items left out because of a missing score.
    anova : Anova or None
        None without two complete items and two raters.
    icc : tuple of Estimate
        In the order ICC(1,1), (A,1), (C,1), (1,k), (A,k), (C,k).
    sem_agreement, sem_consistency : Estimate
        Standard error of measurement with and without the variance of raters.
    mdc95_agreement, mdc95_consistency : Estimate
        Minimal detectable change: 1.96 sqrt(2) SEM.
    mad : Estimate
        Mean absolute difference of two raters, over all pairs of raters.
    flagged : bool or None
        Whether ICC(A,1) is below `FLAG_BELOW`; None if it is undefined.
    """

    items: int
    raters: int
    dropped: int
    anova: Anova | None
    icc: tuple[Estimate, ...]
    sem_agreement: Estimate
    sem_consistency: Estimate
    mdc95_agreement: Estimate
    mdc95_consistency: Estimate
    mad: Estimate
    flagged: bool | None

    def form(self, form: str) -> Estimate:
        """The intraclass correlation of one of the `FORMS`."""
        return self.icc[FORMS.index(form)]


def reliability(
    ratings: Ratings, *, resamples: int = RESAMPLES, seed: int = 0, level: float = LEVEL
) -> Reliability:
    """Intraclass correlations and errors of measurement of the complete items.

    Parameters
    ----------
    ratings : Ratings
        Items with a missing score are dropped; the result counts them.
    resamples, seed, level
        See `IntervalOptions`.
    """
    complete = ratings.complete()
    table = _CompleteTable(complete, resamples, seed, level)
    forms = tuple(table.icc(form) for form in FORMS)
    agreement = table.sem("agreement", "sqrt(variance of raters + error variance)")
    consistency = table.sem("consistency", "sqrt(error mean square)")
    single = forms[FORMS.index("A,1")].value
    return Reliability(
        items=len(complete.items),
        raters=len(complete.raters),
        dropped=len(ratings.present().items) - len(complete.items),
        anova=table.anova(),
        icc=forms,
        sem_agreement=agreement,
        sem_consistency=consistency,
        mdc95_agreement=mdc95(agreement),
        mdc95_consistency=mdc95(consistency),
        mad=table.mad(),
        flagged=None if single is None else single < FLAG_BELOW,
    )


def mdc95(sem: Estimate) -> Estimate:
    """The minimal detectable change at 95 %: 1.96 sqrt(2) times the SEM."""

    def times(number: float | None) -> float | None:
        return None if number is None else MDC_FACTOR * number

    ends = sem.bootstrap
    return replace(
        sem,
        name=sem.name.replace("SEM", "MDC95"),
        value=times(sem.value),
        low=times(sem.low),
        high=times(sem.high),
        method=f"1.96 sqrt(2) SEM; {sem.method}",
        bootstrap=ends and replace(ends, low=times(ends.low), high=times(ends.high)),
    )


class _CompleteTable:
    """A table without missing scores, with its mean squares and those of bootstrap samples."""

    def __init__(self, ratings: Ratings, resamples: int, seed: int, level: float) -> None:
        self.ratings, self.seed, self.level = ratings, seed, level
        self.items, self.raters = ratings.scores.shape
        self.reason: str | None = None
        self.squares: MeanSquares | None = None
        self.resampled: MeanSquares | None = None
        if self.raters < 2 or self.items < 2:
            self.reason = (
                f"{self.items} complete items and {self.raters} raters: it needs two of each"
            )
            return
        self.squares = mean_squares(ratings.scores)
        if resamples:
            weights = cluster_weights(ratings.clusters, resamples, seed)
            self.resampled = mean_squares(ratings.scores, weights)

    def anova(self) -> Anova | None:
        """Mean squares and variance components."""
        if self.squares is None:
            return None
        squares = self.squares
        return Anova(
            float(squares.between[0]),
            float(squares.within[0]),
            float(squares.judges[0]),
            float(squares.error[0]),
            float(squares.component("items")[0]),
            float(squares.component("raters")[0]),
            float(squares.component("error")[0]),
        )

    def icc(self, form: str) -> Estimate:
        """One form of the intraclass correlation with its F interval."""
        method = f"also called {SHROUT_FLEISS_NAMES[form]}; F interval of McGraw and Wong"
        base = self._undefined(f"ICC({form})", method)
        if self.squares is None:
            return base
        value = finite_or_none(float(self.squares.icc(form)[0]))
        if value is None:
            return replace(base, reason=NO_SPREAD if self.squares.within[0] > 0 else NO_VARIATION)
        low, high = f_limits(self.squares, form, self.level)
        reason = "a mean square of zero leaves the interval undefined" if low is None else None
        bootstrap = self._bootstrap(lambda squares: squares.icc(form))
        return replace(base, value=value, low=low, high=high, reason=reason, bootstrap=bootstrap)

    def sem(self, kind: str, formula: str) -> Estimate:
        """The standard error of measurement; for consistency, with a chi-square interval."""
        base = self._undefined(f"SEM ({kind})", formula)
        if self.squares is None:
            return base
        value = float(self.squares.sem(kind)[0])
        bootstrap = self._bootstrap(lambda squares: squares.sem(kind))
        if kind != "consistency":
            reason = "no closed-form interval: see the bootstrap"
            return replace(base, value=value, reason=reason, bootstrap=bootstrap)
        ends = deviation_interval(value, (self.items - 1) * (self.raters - 1), self.level)
        return replace(base, value=value, bootstrap=bootstrap).with_interval(ends)

    def mad(self) -> Estimate:
        """Mean absolute difference between two raters, over all pairs of raters."""
        base = self._undefined("MAD", "mean absolute difference over all pairs of raters")
        if self.raters < 2 or not self.items:
            return base
        scores = self.ratings.scores
        differences = np.mean(
            [np.abs(scores[:, i] - scores[:, j]) for i, j in combinations(range(self.raters), 2)],
            axis=0,
        )
        bootstrap = None
        if self.resampled is not None:
            weights = cluster_weights(self.ratings.clusters, len(self.resampled.items), self.seed)
            draws = weights @ differences / weights.sum(axis=1)
            bootstrap = percentile_interval(draws, self.ratings.clusters, self.seed, self.level)
        value = float(differences.mean())
        reason = "no closed-form interval: see the bootstrap"
        return replace(base, value=value, reason=reason, bootstrap=bootstrap)

    def _bootstrap(self, statistic: Callable[[MeanSquares], Floats]) -> Interval | None:
        if self.resampled is None:
            return None
        draws = statistic(self.resampled)
        return percentile_interval(draws, self.ratings.clusters, self.seed, self.level)

    def _undefined(self, name: str, method: str) -> Estimate:
        reason = self.reason or NO_VARIATION
        return Estimate(name, None, method, self.items, level=self.level, reason=reason)


def deviation_interval(deviation: float, df: int, level: float = LEVEL) -> Interval:
    """Chi-square interval of a standard deviation."""
    method = f"chi-square({df}) interval"
    if df < 1:
        return Interval(None, None, method, "no degrees of freedom", level)
    if deviation == 0:
        return Interval(None, None, method, "an error of zero has no interval", level)
    low = deviation * math.sqrt(df / float(stats.chi2.ppf((1 + level) / 2, df)))
    high = deviation * math.sqrt(df / float(stats.chi2.ppf((1 - level) / 2, df)))
    return Interval(low, high, method, level=level)
