from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from study.stats.comparison.bland_altman import Z, bland_altman, exact_limit
from study.stats.comparison.one_way import one_way_anova
from study.stats.reliability.repeatability import repeatability

# Bland and Altman 1986: peak expiratory flow (l/min) by Wright and mini Wright meters.
WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]
# Bland and Altman 1996, BMJ 312: four measurements of peak flow of twenty children.
CHILDREN = """190 220 200 200 220 200 240 230 260 260 240 280 210 300 280 265 270 265 280 270 280
280 270 275 260 280 280 300 275 275 275 305 280 290 300 290 320 290 300 290 300 300 310 300 270 250
330 370 320 330 330 330 335 320 335 375 350 320 340 365 360 320 350 345 330 340 380 390 335 385 360
370 400 420 425 420 430 460 480 470"""


def test_peak_flow_of_bland_and_altman():
    scores = np.column_stack([WRIGHT, MINI]).astype(float)
    found = bland_altman("Wright", "mini", scores, [str(item) for item in range(17)])
    assert found.bias.value == pytest.approx(-2.1, abs=0.05)
    assert found.sd == pytest.approx(38.8, abs=0.05)
    assert (found.lower.value, found.upper.value) == pytest.approx((-78.1, 73.9), abs=0.15)
    assert "Carkeet" in found.upper.method
    assert found.slope_test.p == pytest.approx(
        stats.linregress(scores.mean(axis=1), scores[:, 0] - scores[:, 1]).pvalue
    )


def test_the_intervals_of_the_limits_cover_them():
    rng = np.random.default_rng(1)
    draws = rng.normal(0, 1, (2000, 12))
    ends = [exact_limit(row.mean(), row.std(ddof=1), 12, Z) for row in draws]
    covered = np.mean([each.low <= Z <= each.high for each in ends])
    assert covered == pytest.approx(0.95, abs=0.015)


def test_patients_with_several_items_widen_the_limits():
    rng = np.random.default_rng(2)
    patient = np.repeat(np.arange(40), 3)
    shift = rng.normal(0, 2, 40)[patient] + rng.normal(0, 1, 120)
    scores = np.column_stack([shift, np.zeros(120)])
    found = bland_altman("A", "B", scores, [f"P{each}" for each in patient])
    assert found.sd == pytest.approx(np.sqrt(5), abs=0.4)
    assert found.upper.low < found.upper.value < found.upper.high
    assert "bootstrap of 40 patients" in found.upper.method
    apart = bland_altman("A", "B", scores, [str(item) for item in range(120)])
    assert found.bias.high - found.bias.low > 1.3 * (apart.bias.high - apart.bias.low)


def test_limits_of_equal_or_lonely_differences_are_undefined():
    equal = bland_altman("A", "B", np.array([[1.0, 2.0], [2.0, 3.0]]), ["a", "b"])
    assert (equal.bias.value, equal.upper.low) == (-1.0, None)
    lonely = bland_altman("A", "B", np.array([[1.0, 2.0], [np.nan, 3.0]]), ["a", "b"])
    assert (lonely.bias.value, lonely.upper.value) == (-1.0, None)


def test_within_subject_sd_of_bland_and_altman():
    values = np.array(CHILDREN.split(), dtype=float).reshape(-1, 4)
    found = repeatability(values.tolist())
    mean_square = values.var(axis=1, ddof=1).mean()
    assert mean_square == pytest.approx(460.52, abs=5e-3)
    assert found.within_sd.value == pytest.approx(21.5, abs=0.05)
    assert found.coefficient.value == pytest.approx(60, abs=0.6)
    df = 3 * len(values)
    low = np.sqrt(df * mean_square / stats.chi2.ppf(0.975, df))
    assert found.within_sd.low == pytest.approx(low)
    assert repeatability([[1.0], [2.0]]).within_sd.reason == "no subject was measured twice"


def test_one_way_anova_and_welch():
    # Plant weights of three treatments (R, PlantGrowth).
    groups = {
        "ctrl": [4.17, 5.58, 5.18, 6.11, 4.50, 4.61, 5.17, 4.53, 5.33, 5.14],
        "trt1": [4.81, 4.17, 4.41, 3.59, 5.87, 3.83, 6.03, 4.89, 4.32, 4.69],
        "trt2": [6.31, 5.12, 5.54, 5.50, 5.37, 5.29, 4.92, 6.15, 5.80, 5.26],
    }
    found = one_way_anova({name: np.array(values) for name, values in groups.items()})
    # R: summary(aov(weight ~ group)), oneway.test(weight ~ group).
    assert (found.test.statistic, found.test.p) == pytest.approx((4.846, 0.0159), abs=5e-4)
    assert found.test.df == 27
    assert (found.welch.statistic, found.welch.p) == pytest.approx((5.181, 0.01739), abs=5e-4)
    assert found.welch.df == pytest.approx(17.128, abs=5e-4)
    assert found.eta_squared.value == pytest.approx(0.2641, abs=5e-5)
    assert [each.value for each in found.groups] == pytest.approx([5.032, 4.661, 5.526])


def test_groups_that_do_not_vary_are_undefined():
    same = one_way_anova({"a": np.ones(3), "b": np.ones(3)})
    assert same.test.p is same.welch.p is same.eta_squared.value is None
    one = one_way_anova({"a": np.ones(3), "b": np.array([1.0, 2.0, 3.0])})
    assert one.test.p is not None
    assert one.welch.reason == "a group does not vary"
