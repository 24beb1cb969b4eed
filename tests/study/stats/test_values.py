from __future__ import annotations

import json
import math

import numpy as np
import pytest

from study.domain.errors import StatisticsError, StudyError
from study.domain.inference import Random
from study.stats.agreement.coefficients import fleiss_kappa, gwet_ac
from study.stats.agreement.krippendorff import krippendorff_alpha
from study.stats.comparison.paired import compare_pair
from study.stats.estimate import (
    Estimate,
    Interval,
    PValue,
    finite_or_none,
    round_to_digits,
    to_json,
    to_plain,
)
from study.stats.intervals import (
    clustered_proportion,
    mean_estimate,
    proportion,
    t_interval,
    wilson_interval,
    z_interval,
)
from study.stats.reliability.intra_reader import all_repeats
from study.stats.scale import Scale
from study.stats.table import RatingRow, from_matrix


def test_an_undefined_value_needs_a_reason():
    assert Estimate("kappa", None, "Fleiss", 3, reason="no variation").defined is False
    with pytest.raises(StatisticsError, match="kappa: an undefined value needs a reason"):
        Estimate("kappa", None, "Fleiss", 3)
    with pytest.raises(StatisticsError, match="needs a reason"):
        PValue("t", None, "two-sided", 3)
    with pytest.raises(StatisticsError, match="needs a reason"):
        Interval(None, None, "Wilson")


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_no_value_is_nan_or_infinite(number: float):
    with pytest.raises(StatisticsError, match="None with a reason"):
        Estimate("kappa", number, "Fleiss", 3)
    with pytest.raises(StatisticsError, match="None with a reason"):
        Estimate("kappa", 1.0, "Fleiss", 3, se=number)
    with pytest.raises(StatisticsError, match="None with a reason"):
        PValue("t", 0.1, "two-sided", 3, statistic=number)
    with pytest.raises(StatisticsError, match="not a value that JSON can represent"):
        to_json({"x": [number]})
    assert finite_or_none(number) is None


def test_an_interval_has_two_ends_in_order():
    with pytest.raises(StatisticsError, match="two ends or none"):
        Interval(0.1, None, "Wilson")
    with pytest.raises(StatisticsError, match="above its high end"):
        Estimate("kappa", 0.1, "Fleiss", 3, low=0.3, high=0.2)


def test_json_holds_nested_results_and_numpy_numbers():
    thing = {
        "estimate": Estimate("kappa", 0.5, "Fleiss", 3, bootstrap=Interval(0.1, 0.9, "b")),
        "table": np.array([[1, 2], [3, 4]]),
        "one": np.float32(0.5),
        "yes": np.bool_(True),
        "pair": (1, None),
    }
    read = json.loads(to_json(thing))
    assert read["estimate"]["value"] == 0.5
    assert read["estimate"]["bootstrap"]["high"] == 0.9
    assert read["table"] == [[1, 2], [3, 4]]
    assert (read["one"], read["yes"], read["pair"]) == (0.5, True, [1, None])
    with pytest.raises(StatisticsError, match="set cannot be written"):
        to_plain({1, 2})


def test_statistics_errors_are_study_errors():
    assert issubclass(StatisticsError, StudyError)


def test_tidy_makes_computed_ties_equal():
    apart = np.array([5.3 - 5.2, 0.2 - 0.1, 1.1 - 1.0, np.nan])
    assert np.unique(apart[:3]).size == 3
    assert np.unique(round_to_digits(apart)[:3]).size == 1
    small = np.array([1e-20, 2e-20])
    assert round_to_digits(small) == pytest.approx(small)
    assert round_to_digits(np.zeros(2)).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_of_newcombe(successes: int, trials: int, low: float, high: float):
    # R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in
    # Medicine 17, 1998, table I, method 3.
    ends = wilson_interval(successes, trials)
    assert (ends.low, ends.high) == pytest.approx((low, high), abs=5e-5)


def clustered(right: list[int], of: list[int]):
    calls = [place < hits for hits, size in zip(right, of, strict=True) for place in range(size)]
    names = [name for name, size in enumerate(of) for _ in range(size)]
    return clustered_proportion("share", calls, names)


def test_design_effects_of_weils_rats():
    # Survivors of 16 litters in each group (C. S. Weil, 1970); design effects as J. N. K. Rao and
    # A. J. Scott, Biometrics 48, 1992, have them: 1.2325 and 3.9529.
    control = ([13, 12, 9, 9, 8, 8, 12, 11, 9, 9, 8, 11, 4, 5, 7, 7],
               [13, 12, 9, 9, 8, 8, 13, 12, 10, 10, 9, 13, 5, 7, 10, 10])  # fmt: skip
    treated = ([12, 11, 10, 9, 10, 9, 9, 8, 8, 4, 7, 4, 5, 3, 3, 0],
               [12, 11, 10, 9, 11, 10, 10, 9, 9, 5, 9, 7, 10, 6, 10, 7])  # fmt: skip
    z2 = 1.959963985**2
    for (right, of), effect in ((control, 1.232495), (treated, 3.952861)):
        found, share, n = clustered(right, of), sum(right) / sum(of), sum(of) / effect
        assert found.value == share
        # Wilson's ends are where the score test of the effective sample just rejects.
        for end in (found.low, found.high):
            assert (share - end) ** 2 == pytest.approx(z2 * end * (1 - end) / n, rel=1e-5)


def test_a_proportion_in_clusters_is_wilsons_without_and_counts_them_where_all_are_alike():
    alone = clustered([1] * 15 + [0] * 5, [1] * 20)
    assert (alone.low, alone.high) == (wilson_interval(15, 20).low, wilson_interval(15, 20).high)
    alike = clustered([3] * 10, [3] * 10)
    assert alike.low == pytest.approx(wilson_interval(10, 10).low)
    assert alike.high == 1.0
    assert clustered_proportion("share", [], []).value is None


def test_wilson_of_15_in_20():
    ends = wilson_interval(15, 20)
    assert (ends.low, ends.high) == pytest.approx((0.531299, 0.888138), abs=5e-7)
    assert proportion("share", 15, 20).value == 0.75
    none = proportion("share", 0, 0)
    assert none.value is None
    assert none.reason == "there are no trials"


def test_t_and_normal_intervals():
    ends = t_interval(10.0, 2.0, 9)
    assert (ends.low, ends.high) == pytest.approx((5.47569, 14.52431), abs=1e-5)
    ends = z_interval(0.9, 0.2, bounds=(-1.0, 1.0))
    assert ends.low == pytest.approx(0.9 - 0.2 * 1.959964)
    assert ends.high == 1.0
    assert t_interval(1.0, None, 0).reason == "fewer than two items give no standard error"
    assert "zero" in (t_interval(1.0, 0.0, 9).reason or "")


def test_mean_estimate_of_few_values():
    assert mean_estimate("m", np.array([]), "mean").value is None
    one = mean_estimate("m", np.array([2.0]), "mean")
    assert (one.value, one.se, one.low) == (2.0, None, None)
    two = mean_estimate("m", np.array([1.0, 3.0]), "mean")
    assert two.se == pytest.approx(1.0)


def test_rounding_errors_are_zero_and_small_values_are_kept():
    swept = Estimate("ICC", -5.5e-17, "F", 5, 1e-17, -1.95e-16, 0.4, bootstrap=None)
    assert (swept.value, swept.se, swept.low, swept.high) == (0.0, 0.0, 0.0, 0.4)
    assert math.copysign(1, swept.value) == 1
    assert Interval(-2e-13, 0.6, "t").low == 0.0
    kept = Estimate("SEM", 3e-9, "m", 5, 1e-10, 1e-9, 5e-9)
    assert (kept.value, kept.se, kept.low) == (3e-9, 1e-10, 1e-9)
    assert PValue("t", 1e-40, "two-sided", 9, 1e-17).p == 1e-40


def test_intervals_stay_in_the_range_of_the_measure():
    five = Scale.span(1, 5)
    contrary = from_matrix([[1, 5], [5, 1], [1, 4]], five)
    alpha = krippendorff_alpha(contrary, random=Random.CASES)
    for found in (fleiss_kappa(contrary), gwet_ac(contrary), alpha):
        assert found.low >= -1
        assert found.bootstrap.low is None or found.bootstrap.low >= -1
    repeats = [
        RatingRow(str(item), "R", float(value), replicate=replicate)
        for item, both in enumerate([(1, 5), (5, 1), (2, 2)])
        for replicate, value in enumerate(both, 1)
    ]
    own = all_repeats(repeats, five)[0]
    assert own.mad.low == 0.0
    assert (own.shift.low, own.shift.high) == (-4.0, 4.0)
    apart = compare_pair("a", "b", np.array([4.0, 4.0, -1.0]), span=4.0)
    assert apart.difference.high == 4.0
    assert mean_estimate("m", np.array([0.0, 5.0]), "t", bounds=(0, 5)).low == 0


def test_without_a_scale_no_interval_is_cut():
    apart = compare_pair("a", "b", np.array([4.0, 4.0, -1.0]))
    assert apart.difference.high > 4.0
