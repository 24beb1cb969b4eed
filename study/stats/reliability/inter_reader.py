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
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Unpack

import numpy as np
from scipy import stats

from study.domain.formatting import plural
from study.domain.inference import Random
from study.stats.estimate import LEVEL, Estimate, Floats, Interval, finite_or_none, without_dust
from study.stats.intervals import RESAMPLES, RandomOptions
from study.stats.reliability.anova import MeanSquares, f_limits, mean_squares, one_way_limits
from study.stats.reliability.incomplete_anova import IncompleteSquares, incomplete_squares
from study.stats.reliability.pair_moments import PairMoments
from study.stats.table import Ratings
from study.stats.two_way_bootstrap import (
    FISHER_Z,
    LOG,
    LOG_DISTANCE,
    Draws,
    OpenScale,
    TwoWayResamples,
)
from study.stats.weighted_sums import Weighted

FORMS = ("1,1", "A,1", "C,1", "1,k", "A,k", "C,k")
SHROUT_FLEISS_NAMES = dict(
    zip(
        FORMS, ("ICC(1,1)", "ICC(2,1)", "ICC(3,1)", "ICC(1,k)", "ICC(2,k)", "ICC(3,k)"), strict=True
    )
)
"""Names by Shrout and Fleiss."""
FLAG_BELOW = 0.8
"""An ICC(A,1) below this is flagged."""
KINDS = ("agreement", "consistency")
"""Kinds of the standard error of measurement."""
MDC_FACTOR = 1.96 * math.sqrt(2)
NO_VARIATION = "no variation: the scores do not differ"
NO_SPREAD = "the items differ too little: the form's denominator is not positive"


@dataclass(frozen=True)
class Anova:
    """Mean squares of items x raters, and their variance components, truncated at zero.

    None without degrees of freedom, as where too few scores are left to separate the factors.
    """

    between_items: float | None
    within_items: float | None
    between_raters: float | None
    error: float | None
    variance_items: float | None
    variance_raters: float | None
    variance_error: float | None


@dataclass(frozen=True)
class Reliability:
    """Inter-reader reliability and measurement error of scores.

    Parameters
    ----------
    items, raters : int
        Numbers of items and of raters with a score.
    incomplete : int
        Items with a missing score; they count too.
    anova : Anova or None
        None without two items of two scores and two raters.
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
    incomplete: int
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


def reliability(ratings: Ratings, **options: Unpack[RandomOptions]) -> Reliability:
    """Intraclass correlations and errors of measurement.

    Parameters
    ----------
    ratings : Ratings
        No item is left out for a missing score. One-way forms take unequal numbers of scores;
        two-way forms are then made of variance components, and their intervals are the
        bootstrap's.
    **options
        See `RandomOptions`.
    """
    present = ratings.present()
    table = _ScoreTable(present, options)
    forms = tuple(table.icc(form) for form in FORMS)
    agreement = table.sem("agreement", "sqrt(variance of raters + error variance)")
    consistency = table.sem("consistency", "sqrt(error mean square)")
    single = forms[FORMS.index("A,1")].value
    return Reliability(
        items=len(present.items),
        raters=len(present.raters),
        incomplete=int((present.raters_per_item < len(present.raters)).sum()),
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


class _ScoreTable:
    """A table of scores with its mean squares and those of bootstrap samples."""

    def __init__(self, ratings: Ratings, options: RandomOptions) -> None:
        self.ratings, self.level = ratings, options.get("level", LEVEL)
        self.items, self.raters = ratings.scores.shape
        self.reason: str | None = None
        self.squares: MeanSquares | None = None
        self.draws: Draws | None = None
        shared = int((ratings.raters_per_item >= 2).sum())
        if self.raters < 2 or shared < 2:
            self.reason = (
                f"{plural(shared, 'item')} with two scores and {plural(self.raters, 'rater')}: it "
                "needs two of each"
            )
            return
        squares = incomplete_squares if np.isnan(ratings.scores).any() else mean_squares
        self.squares = squares(ratings.scores)
        if options.get("resamples", RESAMPLES):
            moments = PairMoments(ratings.scores, ratings.clusters)
            self.drawn = TwoWayResamples(
                self.raters, moments.clusters, options.get("random", Random.BOTH),
                options.get("resamples", RESAMPLES), options.get("seed", 0), of_pairs=True,
            )  # fmt: skip

            def statistics(items: Floats) -> Weighted:
                resampled = moments.resampled(items)

                def each(raters: Floats) -> Floats:
                    squares, mad = resampled(raters)
                    found = [squares.icc(form) for form in FORMS]
                    return np.stack([*found, *map(squares.sem, KINDS), mad], axis=1)

                return each

            self.draws = self.drawn.draws(statistics, moments.size)

    def anova(self) -> Anova | None:
        """Mean squares and variance components."""
        if self.squares is None:
            return None
        squares = self.squares
        parts = (
            squares.between,
            squares.within,
            squares.judges,
            squares.error,
            *(squares.component(source) for source in ("items", "raters", "error")),
        )
        known = (finite_or_none(float(part[0])) for part in parts)
        return Anova(*(None if number is None else without_dust(number) for number in known))

    def icc(self, form: str) -> Estimate:
        """One form of the intraclass correlation with its interval."""
        method = f"also called {SHROUT_FLEISS_NAMES[form]}"
        if isinstance(self.squares, IncompleteSquares):
            method += f"; {self._without(form)}"
        base = self._undefined(f"ICC({form})", method)
        if self.squares is None:
            return base
        value = finite_or_none(float(self.squares.icc(form)[0]))
        if value is None:
            return replace(base, reason=self._no_value(form))
        scale = LOG_DISTANCE if form.endswith("k") else FISHER_Z
        bootstrap = self._bootstrap(value, FORMS.index(form), scale)
        found = replace(base, value=value, bootstrap=bootstrap)
        if not isinstance(self.squares, IncompleteSquares):
            return found.with_interval(f_limits(self.squares, form, self.level))
        if form[0] == "1":
            per_item = float(self.squares.per_item[0])
            df = float((self.squares.ratings - self.squares.items)[0])
            return found.with_interval(one_way_limits(self.squares, form, self.level, per_item, df))
        none = Interval(None, None, "none", "missing scores leave the bootstrap only", self.level)
        return found.with_interval(bootstrap or none)

    def _without(self, form: str) -> str:
        """How a form is computed without the missing scores."""
        assert isinstance(self.squares, IncompleteSquares)
        if form[0] == "1":
            return f"unequal numbers of scores, {self.squares.per_item[0]:.3g} for an item"
        return "variance components with missing scores (REML)"

    def _no_value(self, form: str) -> str:
        squares = self.squares
        assert squares is not None
        if isinstance(squares, IncompleteSquares) and form[0] != "1" and squares.error_df[0] < 1:
            return "too few scores to separate items, raters and error"
        return NO_SPREAD if squares.within[0] > 0 else NO_VARIATION

    def sem(self, kind: str, formula: str) -> Estimate:
        """The standard error of measurement; for consistency, with a chi-square interval."""
        base = self._undefined(f"SEM ({kind})", formula)
        if self.squares is None:
            return base
        value = finite_or_none(float(self.squares.sem(kind)[0]))
        if value is None:
            return replace(base, reason="too few scores to separate items, raters and error")
        bootstrap = self._bootstrap(value, len(FORMS) + KINDS.index(kind), LOG)
        if kind != "consistency":
            reason = "no closed-form interval: see the bootstrap"
            return replace(base, value=value, reason=reason, bootstrap=bootstrap)
        df = (self.items - 1) * (self.raters - 1)
        if isinstance(self.squares, IncompleteSquares):
            df = int(self.squares.error_df[0])
        ends = deviation_interval(value, df, self.level)
        return replace(base, value=value, bootstrap=bootstrap).with_interval(ends)

    def mad(self) -> Estimate:
        """Mean absolute difference between two raters, over all pairs of scores of an item."""
        base = self._undefined("MAD", "mean absolute difference over all pairs of raters")
        scores = self.ratings.scores
        pairs = [scores[:, i] - scores[:, j] for i, j in combinations(range(self.raters), 2)]
        there = ~np.isnan(pairs)
        if not there.any():
            return base
        value = float(np.abs(np.array(pairs)[there]).mean())
        reason = "no closed-form interval: see the bootstrap"
        bootstrap = self._bootstrap(value, len(FORMS) + len(KINDS), LOG)
        return replace(base, value=value, reason=reason, bootstrap=bootstrap)

    def _bootstrap(self, value: float, place: int, scale: OpenScale) -> Interval | None:
        """The interval over what is random, of one of the statistics."""
        if self.draws is None:
            return None
        return self.drawn.interval(value, self.draws.of(place), self.level, scale)

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
