"""The two-way analysis of variance behind the intraclass correlations.

Everything takes resampling weights of shape (resamples, items), so that point estimates (all
weights 1) and bootstrap samples are one code path.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from study.stats.estimate import Floats, Interval, finite_or_none

ROUNDING = 1e-12
"""A mean square below this share of the mean squared score is a rounding error."""
ZERO_SQUARE = "a mean square of zero leaves the interval undefined"
NO_END = "the raters disagree so much that the F interval has no lower end"
MISSES = "the raters disagree so much that the F interval does not contain the estimate"


@dataclass(frozen=True, eq=False)
class MeanSquares:
    """Mean squares of items x raters for each resample.

    Parameters
    ----------
    items : ndarray, shape (resamples,)
        Number of items; an item drawn twice counts twice.
    raters : int
    between, within, judges, error : ndarray, shape (resamples,)
        Between items (BMS), within items (WMS), between raters (JMS), residual (EMS).
    """

    items: Floats
    raters: int
    between: Floats
    within: Floats
    judges: Floats
    error: Floats

    def icc(self, form: str) -> Floats:
        """An intraclass correlation of each resample, NaN where there is no variation.

        Parameters
        ----------
        form : str
            ``1``, ``A`` or ``C`` (one-way, agreement, consistency), then ``,1`` or ``,k``.
        """
        kind, average = form[0], form.endswith("k")
        n, k = self.items, self.raters
        if kind == "1":
            above = self.between - self.within
            below = self.between + (0.0 if average else k - 1) * self.within
        elif kind == "C":
            above = self.between - self.error
            below = self.between + (0.0 if average else k - 1) * self.error
        else:
            above = self.between - self.error
            shift = (self.judges - self.error) / n
            spread = (0.0 if average else k - 1) * self.error
            below = self.between + spread + shift * (1 if average else k)
        # An average of raters has a negative denominator where the single form has none.
        room = np.where(below > 0, below, np.nan)
        correlation: Floats = above / room
        return correlation

    def component(self, source: str) -> Floats:
        """A variance component, truncated at zero; `source` is items, raters or error."""
        if source == "error":
            return self.error
        own, over = (self.between, self.raters) if source == "items" else (self.judges, self.items)
        component: Floats = np.maximum((own - self.error) / over, 0.0)
        return component

    def sem(self, kind: str) -> Floats:
        """Standard error of measurement; agreement includes the variance of raters."""
        variance = self.error
        if kind == "agreement":
            variance = variance + self.component("raters")
        root: Floats = np.sqrt(variance)
        return root


class ScoreSums:
    """What the mean squares of a complete table are made of: sums over its items.

    Parameters
    ----------
    scores : ndarray, shape (items, raters)
        At least 2 by 2.

    Attributes
    ----------
    values : ndarray, shape (items, values)
        What is to be summed; the first is 1.
    """

    def __init__(self, scores: Floats) -> None:
        self.raters = scores.shape[1]
        # Centring keeps digits that the sums of squares would lose.
        centred = scores - scores.mean()
        by_item = centred.mean(axis=1)
        within = ((centred - by_item[:, None]) ** 2).sum(axis=1)
        self.values: Floats = np.column_stack(
            [np.ones(len(scores)), by_item, by_item**2, within, centred]
        )
        self.floor = ROUNDING * max(float((scores**2).mean()), np.finfo(float).tiny)

    def squares(self, sums: Floats) -> MeanSquares:
        """The mean squares from weighted sums of the values, shape (resamples, values)."""
        number, level, level2, within = sums[:, :4].T
        grand, by_rater = level / number, sums[:, 4:] / number[:, None]
        between = self.raters * (level2 - number * grand**2)
        judges = number * ((by_rater - grand[:, None]) ** 2).sum(axis=1)
        freedom = np.where(number > 1, number - 1, np.nan)

        def square(total: Floats, df: Floats) -> Floats:
            found = total / df
            return np.where(np.abs(found) < self.floor, 0.0, found)

        return MeanSquares(
            items=number,
            raters=self.raters,
            between=square(between, freedom),
            within=square(within, number * (self.raters - 1) + 0 * freedom),
            judges=square(judges, np.full_like(number, self.raters - 1.0)),
            error=square(np.maximum(within - judges, 0.0), freedom * (self.raters - 1)),
        )


def mean_squares(scores: Floats, resampling: Floats | None = None) -> MeanSquares:
    """Mean squares of a complete table of scores, shape (items, raters), at least 2 by 2."""
    sums = ScoreSums(scores)
    once = np.ones((1, len(scores))) if resampling is None else resampling
    return sums.squares(once @ sums.values)


def f_limits(squares: MeanSquares, form: str, level: float) -> Interval:
    """The F interval of an intraclass correlation.

    Undefined where a mean square is zero, and where it does not contain the estimate, which
    happens with few raters who contradict each other.

    References
    ----------
    K. O. McGraw, S. P. Wong, "Forming inferences about some intraclass correlation coefficients",
    Psychological Methods 1(1), 1996, table 7.
    """
    n, k = float(squares.items[0]), squares.raters
    if form[0] == "1":
        return one_way_limits(squares, form, level, k, n * (k - 1))
    if form[0] == "A":
        ends = _agreement_limits(squares, (1 + level) / 2) if squares.between[0] else (None, None)
        return _checked(squares, form, level, k, ends)
    below, df = float(squares.error[0]), (n - 1) * (k - 1)
    return _checked(squares, form, level, k, _ratio_limits(squares, below, df, k, level))


def one_way_limits(
    squares: MeanSquares, form: str, level: float, per_item: float, df: float
) -> Interval:
    """The F interval of a one-way form; approximate for unequal numbers of ratings.

    Parameters
    ----------
    squares : MeanSquares
    form : str
        ``1,1`` or ``1,k``.
    level : float
    per_item : float
        Ratings of an item.
    df : float
        Degrees of freedom within items.

    References
    ----------
    A. Donner, "The use of correlation and regression in the analysis of family resemblance",
    American Journal of Epidemiology 110(3), 1979.
    """
    ends = _ratio_limits(squares, float(squares.within[0]), df, per_item, level)
    return _checked(squares, form, level, per_item, ends)


def _ratio_limits(
    squares: MeanSquares, below: float, df: float, raters: float, level: float
) -> tuple[float, float] | tuple[None, None]:
    """The interval of a single-rater form that is a ratio of two mean squares."""
    between, freedom, quantile = float(squares.between[0]), squares.items[0] - 1, (1 + level) / 2
    if between == 0 or below == 0:
        return None, None
    ratio = between / below
    lower = ratio / float(stats.f.ppf(quantile, freedom, df))
    upper = ratio * float(stats.f.ppf(quantile, df, freedom))
    return (lower - 1) / (lower + raters - 1), (upper - 1) / (upper + raters - 1)


def _checked(
    squares: MeanSquares,
    form: str,
    level: float,
    raters: float,
    single: tuple[float, float] | tuple[None, None],
) -> Interval:
    """The interval of the form from that of its single-rater form, or why there is none."""
    method = "F interval of McGraw and Wong"
    ends = [_stepped_up(end, raters) if form.endswith("k") else end for end in single]
    low, high = (None if end is None else finite_or_none(end) for end in ends)
    if single[0] is None:
        return Interval(None, None, method, ZERO_SQUARE, level)
    if low is None or high is None:
        return Interval(None, None, method, NO_END, level)
    value = float(squares.icc(form)[0])
    # For negative agreement Satterthwaite's combination has negative parts, and its interval may
    # miss the estimate.
    if not low - ROUNDING <= value <= high + ROUNDING:
        return Interval(None, None, method, MISSES, level)
    # The least possible correlation of single raters, where the estimate is not below it.
    least = -math.inf if form.endswith("k") else min(value, -1 / (raters - 1))
    return Interval(max(low, least), min(high, max(value, 1.0)), method, level=level)


def _agreement_limits(
    squares: MeanSquares, quantile: float
) -> tuple[float, float] | tuple[None, None]:
    """The interval of ICC(A,1), with Satterthwaite's degrees of freedom."""
    n, k = float(squares.items[0]), squares.raters
    between, judges, error = (
        float(each[0]) for each in (squares.between, squares.judges, squares.error)
    )
    rho = float(squares.icc("A,1")[0])
    if judges + error == 0 or rho >= 1:
        return None, None
    a = k * rho / (n * (1 - rho))
    b = 1 + a * (n - 1)
    spread = (a * judges) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1))
    if spread == 0:
        return None, None
    df = (a * judges + b * error) ** 2 / spread
    lower, upper = stats.f.ppf(quantile, n - 1, df), stats.f.ppf(quantile, df, n - 1)
    rest = k * judges + (k * n - k - n) * error
    # With hardly any degrees of freedom a quantile of F is infinite, and so is no end.
    with np.errstate(all="ignore"):
        return (
            float(n * (between - lower * error) / (lower * rest + n * between)),
            float(n * (upper * between - error) / (rest + n * upper * between)),
        )


def _stepped_up(single: float | None, raters: float) -> float | None:
    """The Spearman-Brown formula: from one rater to the mean of several."""
    if single is None:
        return None
    below = 1 + (raters - 1) * single
    return raters * single / below if below > 0 else None
