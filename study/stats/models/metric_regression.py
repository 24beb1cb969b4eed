"""How scores of readers follow an objective metric of the images.

References
----------
J. Z. Bakdash, L. R. Marusich, "Repeated measures correlation", Frontiers in Psychology 8, 2017.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from study.domain.errors import StatisticsError
from study.domain.formatting import plural
from study.stats.estimate import LEVEL, Estimate, Floats, PValue
from study.stats.intervals import t_interval
from study.stats.models.linear_mixed import LinearMixed, linear_mixed
from study.stats.models.random_factors import Factor
from study.stats.panel import panel_of
from study.stats.table import RatingRow

NO_SPREAD = "metric or scores do not vary"


@dataclass(frozen=True)
class LinearFit:
    """Least squares of scores on a metric.

    Parameters
    ----------
    slope, intercept : Estimate
    correlation : Estimate
        Pearson's r.
    test : PValue
        That the slope is zero.
    """

    slope: Estimate
    intercept: Estimate
    correlation: Estimate
    test: PValue


@dataclass(frozen=True)
class MetricRegression:
    """Regressions of scores on a metric, from few to all values.

    Parameters
    ----------
    of_methods : LinearFit
        Mean score on mean metric of each method: as many points as methods, which cannot tell the
        metric from anything else in which the methods differ.
    of_images : LinearFit
        Score of each image, averaged over readers, with an error robust to patients.
    within_items : Estimate
        Correlation between the images of an item (repeated measures correlation).
    within_test : PValue
        That it is zero.
    mixed : LinearMixed or None
        Every score, with random readers, cases and methods; None where it cannot be fitted.
    mixed_reason : str
        Why there is none.
    """

    of_methods: LinearFit
    of_images: LinearFit
    within_items: Estimate
    within_test: PValue
    mixed: LinearMixed | None
    mixed_reason: str = ""


def metric_regression(rows: Sequence[RatingRow], *, level: float = LEVEL) -> MetricRegression:
    """Regress scores on the metric of their rows.

    Raises
    ------
    StatisticsError
        A row has no metric, or an image has two values of it.
    """
    rows = [row for row in rows if row.value is not None]
    panel_of(rows)  # Refuses repeats, which would count as independent.
    metric = _metric_of_images(rows)
    images = list(metric)
    place = {image: number for number, image in enumerate(images)}
    sums, counts = np.zeros(len(images)), np.zeros(len(images))
    for row in rows:
        sums[place[row.item, row.method]] += row.value or 0.0
        counts[place[row.item, row.method]] += 1
    scores, values = sums / counts, np.array(list(metric.values()))
    methods = Factor.of("method", [method for _, method in images])
    number = np.bincount(methods.codes)
    of_methods = linear_fit(
        np.bincount(methods.codes, values) / number, np.bincount(methods.codes, scores) / number,
        level=level,
    )  # fmt: skip
    patient = {row.item: row.cluster or row.item for row in rows}
    of_images = linear_fit(values, scores, [patient[item] for item, _ in images], level=level)
    within, test = _within([item for item, _ in images], values, scores, level)
    try:
        mixed, reason = _mixed(rows, level), ""
    except StatisticsError as error:
        mixed, reason = None, str(error)
    return MetricRegression(of_methods, of_images, within, test, mixed, reason)


def linear_fit(
    metric: Floats, scores: Floats, clusters: Sequence[str] = (), *, level: float = LEVEL
) -> LinearFit:
    """Least squares of scores on a metric, shape (n,) each.

    With clusters, the errors are robust to them (CR1, t with clusters - 1 degrees of freedom);
    without, values are independent.
    """
    n, groups = scores.size, len(set(clusters))
    method = f"least squares, {plural(n, 'point')}"
    method += f", errors robust to {plural(groups, 'patient')}" if clusters else ""
    df = groups - 1 if clusters else n - 2
    if n < 3 or df < 1 or not np.ptp(metric) or not np.ptp(scores):
        reason = NO_SPREAD if n > 2 and df > 0 else "it needs three points, and two patients"
        none = Estimate("Slope", None, method, n, level=level, reason=reason)
        return LinearFit(
            none, Estimate("Intercept", None, method, n, level=level, reason=reason),
            Estimate("Pearson's r", None, method, n, level=level, reason=reason),
            PValue("Slope", None, method, n, reason=reason),
        )  # fmt: skip
    design = np.column_stack([np.ones(n), metric])
    inverse = np.linalg.inv(design.T @ design)
    fitted = inverse @ design.T @ scores
    residuals = scores - design @ fitted
    if clusters:
        codes = Factor.of("patient", clusters).codes
        each = np.stack([np.bincount(codes, residuals * column) for column in design.T], axis=1)
        small = groups / (groups - 1) * (n - 1) / (n - 2)
        covariance = small * inverse @ each.T @ each @ inverse
    else:
        covariance = inverse * float(residuals @ residuals) / (n - 2)
    found = []
    for name, value, variance in zip(
        ("Intercept", "Slope"), fitted, np.diag(covariance), strict=True
    ):
        se = math.sqrt(max(float(variance), 0.0))
        ends = t_interval(float(value), se, df, level)
        found.append(Estimate(name, float(value), method, n, se, level=level).with_interval(ends))
    intercept, slope = found
    r = Estimate("Pearson's r", float(np.clip(np.corrcoef(metric, scores)[0, 1], -1, 1)), method, n,
                 level=level, reason="no interval is computed")  # fmt: skip
    test = PValue("Slope", None, method, n, reason="the points lie on a line")
    if slope.low is not None and slope.value is not None and slope.se:
        t = slope.value / slope.se
        test = PValue("Slope", float(2 * stats.t.sf(abs(t), df)), method, n, t, df)
    return LinearFit(slope, intercept, r, test)


def _metric_of_images(rows: Sequence[RatingRow]) -> dict[tuple[str, str], float]:
    """The metric of each item and method."""
    found: dict[tuple[str, str], float] = {}
    for row in rows:
        if row.metric is None:
            raise StatisticsError(
                f"{row.place}: item {row.item!r} has no metric: name its column with --metric"
            )
        if found.setdefault((row.item, row.method), row.metric) != row.metric:
            raise StatisticsError(
                f"{row.place}: the metric of item {row.item!r} with method {row.method!r} is "
                f"{row.metric:g}, but before it was {found[row.item, row.method]:g}"
            )
    return found


def _within(
    items: Sequence[str], metric: Floats, scores: Floats, level: float
) -> tuple[Estimate, PValue]:
    """Correlation after the mean of each item is taken away, with Fisher's interval."""
    codes = Factor.of("item", items).codes
    number = np.bincount(codes)
    centred = [each - (np.bincount(codes, each) / number)[codes] for each in (metric, scores)]
    n, df = len(items), len(items) - number.size - 1
    name, method = "Within-item correlation", f"repeated measures correlation, df {df}"
    squares = [float(each @ each) for each in centred]
    if df < 2 or min(squares) <= 1e-12:
        reason = NO_SPREAD if df >= 2 else "it needs several methods of several items"
        return (Estimate(name, None, method, n, level=level, reason=f"within items: {reason}"),
                PValue(name, None, method, n, reason=f"within items: {reason}"))  # fmt: skip
    r = float(np.clip(centred[0] @ centred[1] / math.sqrt(squares[0] * squares[1]), -1, 1))
    if abs(r) >= 1 - 1e-12:
        reason = "a correlation of 1 has no interval"
        return (Estimate(name, r, method, n, level=level, reason=reason),
                PValue(name, None, method, n, reason=reason))  # fmt: skip
    half = float(stats.norm.ppf((1 + level) / 2)) / math.sqrt(df - 1)
    low, high = math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)
    t = r * math.sqrt(df / (1 - r * r))
    return (
        Estimate(name, r, f"{method}; Fisher's z", n, None, low, high, level),
        PValue(name, float(2 * stats.t.sf(abs(t), df)), method, n, t, df),
    )


def _mixed(rows: Sequence[RatingRow], level: float) -> LinearMixed:
    """Every score on the metric, with random readers, cases, patients and methods."""
    factors = [
        Factor.of(name, labels)
        for name, labels in (
            ("case", [row.item for row in rows]),
            ("patient", [row.cluster or row.item for row in rows]),
            ("reader", [row.rater for row in rows]),
            ("method", [row.method for row in rows]),
        )
    ]
    cases, patients, *others = factors
    # A patient of one case is that case.
    nested = [patients] if 1 < patients.levels < cases.levels else []
    chosen = [each for each in (cases, *nested, *others) if each.levels > 1]
    if not chosen:
        raise StatisticsError("a mixed model needs two readers, cases or methods")
    metric = np.array([row.metric or 0.0 for row in rows])
    values = np.array([row.value or 0.0 for row in rows])
    columns = np.column_stack([np.ones(len(rows)), metric])
    return linear_mixed(values, columns, ("Intercept", "Slope"), chosen, level=level)
