"""Comparison of methods read by several readers, by Obuchowski and Rockette with Hillis' df.

It takes a figure of merit of each method and reader, of any kind, and the covariance of these
figures that comes from the sampling of patients.

References
----------
N. A. Obuchowski, H. E. Rockette, "Hypothesis testing of diagnostic accuracy for multiple readers
and multiple tests: an ANOVA approach with dependent observations", Communications in Statistics:
Simulation and Computation 24(2), 1995.
S. L. Hillis, "A comparison of denominator degrees of freedom methods for multiple observer ROC
analysis", Statistics in Medicine 26(3), 2007.
S. L. Hillis, "A marginal-mean ANOVA approach for analyzing multireader multicase radiological
imaging data", Statistics in Medicine 33(2), 2014.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

from study.domain.formatting import plural
from study.domain.inference import Random
from study.stats.estimate import LEVEL, Estimate, Floats, PValue, finite_or_none
from study.stats.intervals import t_interval
from study.stats.multiple_testing import CorrectedPValue, correct
from study.stats.random_effects import p_of_t

NO_VARIANCE = "the figures do not vary, which says nothing about the precision"
ONE_PATIENT = "one patient, or one of a kind: patients need two to be random"
SMALL = 1e-20
"""A variance below this is zero."""


@dataclass(frozen=True, eq=False)
class Figures:
    """A figure of merit of each method and reader.

    Parameters
    ----------
    name : str
        Such as "ROC area".
    methods, readers : tuple of str
    values : ndarray, shape (methods, readers)
    covariance : ndarray, shape (methods, readers, methods, readers)
        From the sampling of patients.
    patients : int
    source : str
        How the covariance was estimated.
    bounds : (float, float)
        Range of the figure.
    """

    name: str
    methods: tuple[str, ...]
    readers: tuple[str, ...]
    values: Floats
    covariance: Floats
    patients: int
    source: str
    bounds: tuple[float, float] = (0.0, 1.0)


@dataclass(frozen=True)
class OrComponents:
    """Mean squares of methods (T), readers (R) and their interaction, variance and covariances.

    Parameters
    ----------
    ms_method, ms_reader, ms_interaction : float or None
        The latter two need two readers.
    variance : float or None
        Of a figure from the sampling of patients, as the covariances, which all need two patients.
    cov1, cov2, cov3 : float or None
        Of the same reader with two methods, of two readers with the same method, of both
        different; the latter two need two readers.
    """

    ms_method: float
    ms_reader: float | None
    ms_interaction: float | None
    variance: float | None
    cov1: float | None
    cov2: float | None
    cov3: float | None


@dataclass(frozen=True)
class FigureDifference:
    """The difference of two methods in the figure of merit, first minus second."""

    first: str
    second: str
    difference: Estimate
    test: PValue


@dataclass(frozen=True)
class ReaderFigures:
    """The figure of every method by one reader, in the order of the methods."""

    reader: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class MrmcResult:
    """Comparison of methods in a figure of merit.

    Parameters
    ----------
    figure : str
    random : Random
        What is random; the rest is fixed.
    methods : tuple of Estimate
        Mean over readers of each method, named by it.
    readers : tuple of ReaderFigures
    components : OrComponents
    test : PValue
        That all methods are equal.
    pairs : tuple of FigureDifference
        All pairs of methods.
    corrected : tuple of CorrectedPValue
        Their p values, corrected in the family of all pairs.
    """

    figure: str
    random: Random
    methods: tuple[Estimate, ...]
    readers: tuple[ReaderFigures, ...]
    components: OrComponents
    test: PValue
    pairs: tuple[FigureDifference, ...]
    corrected: tuple[CorrectedPValue, ...]


@dataclass(frozen=True)
class _Error:
    """Variance of a contrast of methods with its degrees of freedom, infinite for chi-square."""

    variance: float
    df: float
    reason: str | None = None


def obuchowski_rockette(
    figures: Figures, random: Random = Random.BOTH, *, level: float = LEVEL
) -> MrmcResult:
    """Test all methods and every pair of them.

    Parameters
    ----------
    figures : Figures
        Of at least two methods.
    random : Random
        Readers and cases, readers with these cases (`READERS`), or cases with these readers
        (`CASES`; normal and chi-square distributions).
    level : float
        Confidence level.
    """
    parts = components(figures)
    error = _error(figures, parts, random)
    means = figures.values.mean(axis=1)
    sizes = f"{plural(len(figures.readers), 'reader')}, {plural(figures.patients, 'patient')}"
    method = f"Obuchowski-Rockette, {random.words} random, {figures.source}; {sizes}"
    pairs = tuple(
        _difference(figures, (first, second), error, method, level)
        for first, second in combinations(range(len(figures.methods)), 2)
    )
    return MrmcResult(
        figure=figures.name,
        random=random,
        methods=tuple(
            _of_method(figures, place, float(mean), random, method, level)
            for place, mean in enumerate(means)
        ),
        readers=tuple(
            ReaderFigures(reader, tuple(map(float, column)))
            for reader, column in zip(figures.readers, figures.values.T, strict=True)
        ),
        components=parts,
        test=_overall(figures, parts, error, method),
        pairs=pairs,
        corrected=correct([pair.test.p for pair in pairs]),
    )


def components(figures: Figures) -> OrComponents:
    """Mean squares, and means of the covariances by whether method and reader are the same."""
    values, cov = figures.values, figures.covariance
    methods, readers = values.shape
    by_method, by_reader, mean = values.mean(axis=1), values.mean(axis=0), values.mean()
    rest = values - by_method[:, None] - by_reader[None, :] + mean
    ms_method = readers * float(((by_method - mean) ** 2).sum()) / (methods - 1)
    variance = float(np.einsum("ijij->", cov)) / (methods * readers)
    same_reader = float(np.einsum("ijkj->", cov))
    same_method = float(np.einsum("ijik->", cov))
    both = variance * methods * readers
    cov1 = (same_reader - both) / (methods * (methods - 1) * readers)
    known = finite_or_none
    if readers < 2:
        return OrComponents(ms_method, None, None, known(variance), known(cov1), None, None)
    cov2 = (same_method - both) / (methods * readers * (readers - 1))
    other = float(cov.sum()) - same_reader - same_method + both
    cov3 = other / (methods * (methods - 1) * readers * (readers - 1))
    return OrComponents(
        ms_method,
        methods * float(((by_reader - mean) ** 2).sum()) / (readers - 1),
        float((rest**2).sum()) / ((methods - 1) * (readers - 1)),
        known(variance), known(cov1), known(cov2), known(cov3),
    )  # fmt: skip


def _error(figures: Figures, parts: OrComponents, random: Random) -> _Error:
    """The expected mean square of methods if they are equal."""
    methods, readers = figures.values.shape
    df = float((methods - 1) * (readers - 1))
    if random is not Random.CASES and parts.ms_interaction is None:
        return _Error(math.nan, 1, "one reader: readers need two to be random")
    if random is Random.READERS:
        return _checked(parts.ms_interaction or 0.0, df)
    if figures.patients < 2 or parts.variance is None or parts.cov1 is None:
        return _Error(math.nan, 1, ONE_PATIENT)
    if parts.ms_interaction is None or parts.cov2 is None or parts.cov3 is None:
        return _checked(parts.variance - parts.cov1, math.inf)
    shared = max(parts.cov2 - parts.cov3, 0.0)
    if random is Random.CASES:
        return _checked(parts.variance - parts.cov1 + (readers - 1) * shared, math.inf)
    total = parts.ms_interaction + readers * shared
    if parts.ms_interaction > SMALL:
        df *= (total / parts.ms_interaction) ** 2
    return _checked(total, df)


def _checked(variance: float, df: float) -> _Error:
    return _Error(variance, df, None if variance > SMALL else NO_VARIANCE)


def _overall(figures: Figures, parts: OrComponents, error: _Error, method: str) -> PValue:
    between = len(figures.methods) - 1
    if error.reason:
        return PValue("Equal methods", None, method, figures.patients, reason=error.reason)
    ratio = parts.ms_method / error.variance
    if math.isinf(error.df):
        statistic, p = between * ratio, float(stats.chi2.sf(between * ratio, between))
        name = f"chi-square({between})"
        return PValue("Equal methods", p, f"{name}, {method}", figures.patients, statistic, between)
    p = float(stats.f.sf(ratio, between, error.df))
    words = f"F({between}, {error.df:.4g}), {method}"
    return PValue("Equal methods", p, words, figures.patients, ratio, error.df)


def _difference(
    figures: Figures, places: tuple[int, int], error: _Error, method: str, level: float
) -> FigureDifference:
    first, second = (figures.methods[place] for place in places)
    means = figures.values.mean(axis=1)
    value, name = float(means[places[0]] - means[places[1]]), f"{first} minus {second}"
    n, span = figures.patients, figures.bounds[1] - figures.bounds[0]
    base = Estimate(name, value, method, n, level=level, reason=error.reason)
    test = PValue(name, None, method, n, reason=error.reason or NO_VARIANCE)
    if error.reason:
        return FigureDifference(first, second, base, test)
    se = math.sqrt(2 * error.variance / len(figures.readers))
    found = Estimate(name, value, method, n, se, level=level)
    ends = t_interval(value, se, error.df, level, (-span, span))
    t = value / se
    df = None if math.isinf(error.df) else error.df
    test = PValue(name, p_of_t(t, error.df), method, n, t, df)
    return FigureDifference(first, second, found.with_interval(ends), test)


def _of_method(
    figures: Figures, place: int, value: float, random: Random, method: str, level: float
) -> Estimate:
    """The mean of one method over readers, with the variance of its own figures (Hillis 2014)."""
    name, n = figures.methods[place], figures.patients
    readers = len(figures.readers)
    own = figures.covariance[place, :, place, :]
    variance, df = float(own.sum()) / readers**2, math.inf
    if random is not Random.READERS and (n < 2 or not math.isfinite(variance)):
        return Estimate(name, value, method, n, level=level, reason=ONE_PATIENT)
    if random is not Random.CASES:
        if readers < 2:
            reason = "one reader: readers need two to be random"
            return Estimate(name, value, method, n, level=level, reason=reason)
        spread = float(figures.values[place].var(ddof=1))
        shared = max(float(own.sum() - np.trace(own)) / (readers - 1), 0.0)
        shared = 0.0 if random is Random.READERS else shared
        variance, df = (spread + shared) / readers, readers - 1.0
        if spread > SMALL:
            df *= ((spread + shared) / spread) ** 2
    if not variance > SMALL:
        return Estimate(name, value, method, n, level=level, reason=NO_VARIANCE)
    se = math.sqrt(variance)
    ends = t_interval(value, se, df, level, figures.bounds)
    return Estimate(name, value, method, n, se, level=level).with_interval(ends)
