from __future__ import annotations

import numpy as np
import pandas
import pytest
import statsmodels.api as sm

from study.domain.errors import StatisticsError
from study.stats.models.linear_mixed import linear_mixed
from study.stats.models.metric_regression import linear_fit, metric_regression
from study.stats.models.random_factors import Factor
from study.stats.table import RatingRow
from tests.study.stats.published_tables import SHROUT_FLEISS


def test_reml_of_shrout_and_fleiss():
    scores = np.array(SHROUT_FLEISS, dtype=float)
    target, judge = (each.ravel() for each in np.indices(scores.shape))
    found = linear_mixed(
        scores.ravel(),
        np.ones((24, 1)),
        ("mean",),
        [Factor("judge", judge), Factor("target", target)],
    )
    # statsmodels' MixedLM gives 5.244678, 2.555487 and 1.019444.
    expected = {"judge": 5.244678, "target": 2.555487, "residual": 1.019444}
    assert dict(found.variances) == pytest.approx(expected, abs=1e-3)
    assert found.coefficients[0].value == pytest.approx(scores.mean())


def test_fixed_effects_are_those_of_generalised_least_squares():
    rng = np.random.default_rng(1)
    reader, case = rng.integers(0, 5, 90), rng.integers(0, 20, 90)
    metric = rng.normal(size=90)
    values = 3 + 0.5 * metric + rng.normal(0, 1, 5)[reader] + rng.normal(0, 0.7, 20)[case]
    values = values + rng.normal(0, 0.5, 90)
    columns = np.column_stack([np.ones(90), metric])
    factors = [Factor("reader", reader), Factor("case", case)]
    found = linear_mixed(values, columns, ("intercept", "slope"), factors)
    variances = dict(found.variances)
    covariance = variances["residual"] * np.eye(90)
    for factor in factors:
        covariance += variances[factor.name] * (factor.codes[:, None] == factor.codes[None, :])
    weighted = sm.GLS(values, columns, sigma=covariance).fit(cov_type="fixed scale")
    assert [each.value for each in found.coefficients] == pytest.approx(weighted.params, rel=1e-5)
    assert [each.se for each in found.coefficients] == pytest.approx(weighted.bse, rel=1e-5)


def test_the_regression_of_four_methods():
    # FID-Med and mean Likert score of four models: a line through so few points says little.
    metric, scores = np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.8, 3.6, 3.9, 4.6])
    found = linear_fit(metric, scores)
    expected = sm.OLS(scores, sm.add_constant(metric)).fit()
    assert found.slope.value == pytest.approx(expected.params[1])
    assert found.slope.se == pytest.approx(expected.bse[1])
    assert (found.slope.low, found.slope.high) == pytest.approx(tuple(expected.conf_int()[1]))
    assert found.test.p == pytest.approx(expected.pvalues[1])
    assert found.correlation.value == pytest.approx(np.corrcoef(metric, scores)[0, 1])


def test_errors_are_robust_to_patients():
    rng = np.random.default_rng(2)
    patients = np.repeat(np.arange(12), 4)
    metric = rng.normal(size=48)
    scores = metric + rng.normal(size=12)[patients] + rng.normal(size=48)
    found = linear_fit(metric, scores, [f"P{each}" for each in patients])
    expected = sm.OLS(scores, sm.add_constant(metric)).fit(
        cov_type="cluster", cov_kwds={"groups": patients}, use_t=True
    )
    assert found.slope.se == pytest.approx(expected.bse[1])
    assert found.test.p == pytest.approx(expected.pvalues[1])


def rows(slope: float = 0.5, items: int = 25) -> list[RatingRow]:
    rng = np.random.default_rng(4)
    found = []
    for item in range(items):
        level = rng.normal(0, 1)
        for method in range(4):
            # Better items have a lower metric: only within items does the score follow it.
            metric = float(method - 3 * level + rng.normal(0, 0.5))
            for reader in range(3):
                value = 3 + 2 * level + slope * (metric + 3 * level) + rng.normal(0, 0.2)
                found.append(RatingRow(f"c{item}", f"R{reader}", float(value), f"P{item // 2}",
                                       f"M{method}", metric=metric))  # fmt: skip
    return found


def test_scores_follow_the_metric_within_items():
    found = metric_regression(rows())
    assert found.of_images.slope.value < 0
    assert found.within_items.value > 0.9
    assert found.within_items.low < found.within_items.value < found.within_items.high
    assert found.within_test.p < 1e-6
    assert found.mixed is not None
    assert found.mixed.coefficients[1].value == pytest.approx(0.5, abs=0.05)
    assert [name for name, _ in found.mixed.variances] == [
        "case", "patient", "reader", "method", "residual",
    ]  # fmt: skip


def test_the_correlation_within_items_is_that_of_an_analysis_of_covariance():
    given = [row for row in rows() if row.rater == "R0"]
    frame = pandas.DataFrame(
        {"item": row.item, "score": row.value, "metric": row.metric} for row in given
    )
    fitted = sm.formula.ols("score ~ C(item) + metric", frame).fit()
    table = sm.stats.anova_lm(fitted, typ=2)
    share = table.loc["metric", "sum_sq"] / (
        table.loc["metric", "sum_sq"] + table.loc["Residual", "sum_sq"]
    )
    found = metric_regression(given)
    assert found.within_items.value == pytest.approx(np.sqrt(share))
    assert found.within_test.p == pytest.approx(fitted.pvalues["metric"], rel=1e-6)


def test_a_metric_belongs_to_an_image():
    with pytest.raises(StatisticsError, match="--metric"):
        metric_regression([RatingRow("c", "R", 1.0)])
    two = [RatingRow("c", "R", 1.0, metric=1.0), RatingRow("c", "S", 1.0, metric=2.0)]
    with pytest.raises(StatisticsError, match="but before it was 1"):
        metric_regression(two)
