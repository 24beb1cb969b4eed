from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from study.domain.errors import StatisticsError
from study.stats.comparison.methods import compare_methods, friedman
from study.stats.comparison.paired import compare_pair, mean_of_readers
from study.stats.multiple_testing import correct, family
from study.stats.panel import panel_of
from study.stats.table import RatingRow
from tests.study.stats.published_tables import NAN, ROUNDING, SLEEP, rows_of

SLEEP_DIFFERENCES = np.array(SLEEP["drug1"]) - np.array(SLEEP["drug2"])


def scores(table: dict[str, dict[str, list[float | None]]]) -> list[RatingRow]:
    """Rows of method -> reader -> scores by item."""
    return [
        RatingRow(str(item), reader, value, method=method)
        for method, readers in table.items()
        for reader, values in readers.items()
        for item, value in enumerate(values)
    ]


def test_students_sleep():
    [pair] = compare_methods(panel_of(rows_of(SLEEP))).pairs
    assert (pair.first, pair.second, pair.n) == ("drug1", "drug2", 10)
    assert pair.t_test.statistic == pytest.approx(-4.0621, abs=5e-5)
    assert pair.t_test.p == pytest.approx(0.002833, abs=5e-7)
    assert pair.t_test.df == 9
    assert pair.effect.value == pytest.approx(-1.2846, abs=5e-5)
    assert pair.difference.value == pytest.approx(-1.58)
    assert pair.difference.low == pytest.approx(-2.459886, abs=5e-7)


def test_wilcoxon_ranks_zeros_by_pratt_and_says_so():
    pair = compare_pair("a", "b", SLEEP_DIFFERENCES)
    expected = stats.wilcoxon(np.round(SLEEP_DIFFERENCES, 9), zero_method="pratt")
    assert pair.wilcoxon.p == pytest.approx(expected.pvalue)
    assert "zero_method pratt: 1 zeros" in pair.wilcoxon.method
    long = np.concatenate([np.zeros(20), np.arange(-10.0, 25.0)])
    dropped = stats.wilcoxon(long, zero_method="wilcox", method="asymptotic").pvalue
    found = compare_pair("a", "b", long).wilcoxon
    assert found.p != pytest.approx(dropped, rel=1e-3)
    assert "normal approximation" in found.method


@pytest.mark.parametrize("count", [2, 9, 14])
def test_wilcoxon_with_ties_and_zeros_is_exact(count):
    rng = np.random.default_rng(count)
    values = rng.integers(-2, 4, count).astype(float)
    found = compare_pair("a", "b", values).wilcoxon
    everything = stats.PermutationMethod(n_resamples=np.inf)
    expected = stats.wilcoxon(values, zero_method="pratt", method=everything)
    assert found.p == pytest.approx(expected.pvalue)
    assert "exact" in found.method


def test_wilcoxon_of_25_pairs_with_ties_is_exact():
    values = np.array([1.0] * 12 + [2.0] * 6 + [-1.0] * 5 + [0.0] * 2)
    ranks = stats.rankdata(np.abs(values))[values != 0]
    rng = np.random.default_rng(3)
    sums = (rng.random((200_000, ranks.size)) < 0.5) @ ranks
    above = ranks[values[values != 0] > 0].sum()
    expected = 2 * (sums >= above).mean()
    found = compare_pair("a", "b", values).wilcoxon
    assert found.p == pytest.approx(expected, abs=4e-4)
    normal = stats.wilcoxon(values, zero_method="pratt", method="approx").pvalue
    assert abs(found.p - normal) > 2e-4


def test_wilcoxon_ties_are_not_broken_by_rounding():
    noisy = np.array([5.3 - 5.2, 0.1, 1.1 - 1.0, 0.2 - 0.1, -0.1, 0.4 - 0.3, 0.7 - 0.6])
    clean = np.array([0.1, 0.1, 0.1, 0.1, -0.1, 0.1, 0.1])
    assert compare_pair("a", "b", noisy).wilcoxon.p == compare_pair("a", "b", clean).wilcoxon.p


def test_sign_test_of_15_in_20():
    pair = compare_pair("a", "b", np.array([1.0] * 15 + [-2.0] * 5 + [0.0] * 3))
    assert pair.sign_test.p == pytest.approx(0.041389, abs=5e-7)
    assert (pair.higher, pair.lower, pair.equal) == (15, 5, 3)
    assert (pair.above.low, pair.above.high) == pytest.approx((0.531299, 0.888138), abs=5e-7)
    assert pair.above.n == 20


def test_equal_differences_are_undefined_not_infinite():
    pair = compare_pair("a", "b", np.array([5.3 - 5.2, 0.1, 1.1 - 1.0]))
    assert (pair.t_test.p, pair.t_test.reason) == (None, "all differences are equal")
    assert (pair.effect.value, pair.effect.reason) == (None, "all differences are equal")
    assert pair.difference.value == pytest.approx(0.1)
    assert (pair.difference.se, pair.difference.low) == (0.0, None)
    assert pair.wilcoxon.p == pytest.approx(0.25)


def test_no_difference_at_all():
    pair = compare_pair("a", "b", np.zeros(4))
    assert pair.wilcoxon.reason == "all differences are zero"
    assert pair.sign_test.reason == "no item is unequal"
    assert pair.above.reason == "no item is unequal"
    assert pair.t_test.p is None
    assert pair.difference.value == 0.0


@pytest.mark.parametrize("differences", [[], [1.0], [NAN, 1.0], [NAN]])
def test_fewer_than_two_items_are_undefined(differences):
    pair = compare_pair("a", "b", np.array(differences))
    assert pair.t_test.reason == "fewer than two items"
    assert pair.wilcoxon.reason == "fewer than two items"
    assert pair.effect.value is None
    assert pair.difference.low is None
    assert pair.n == np.isfinite(differences).sum()


def test_friedmans_rounding_times():
    found = friedman(panel_of(rows_of(ROUNDING)))
    assert found.test.statistic == pytest.approx(11.143, abs=5e-4)
    assert found.test.p == pytest.approx(0.003805, abs=5e-7)
    assert found.kendall_w.value == pytest.approx(0.253247, abs=5e-7)
    assert found.test.df == 2
    assert found.methods == ("round_out", "narrow_angle", "wide_angle")
    assert found.mean_ranks[2] < found.mean_ranks[1] < found.mean_ranks[0]


def test_friedman_needs_three_methods_two_items_and_variation():
    two = friedman(panel_of(rows_of(SLEEP)))
    assert two.test.p is None
    assert "needs three" in (two.test.reason or "")
    short = friedman(panel_of(rows_of({name: values[:1] for name, values in ROUNDING.items()})))
    assert short.test.reason == "fewer than two items"
    flat = friedman(panel_of(rows_of({name: [3.0, 4.0] for name in "abc"})))
    assert "no variation" in (flat.test.reason or "")
    assert flat.kendall_w.value is None
    apart = [RatingRow("x", "a", 1.0), RatingRow("y", "b", 2.0), RatingRow("z", "c", 3.0)]
    assert friedman(panel_of(apart)).test.reason == "fewer than two items"


def test_published_corrections():
    found = correct([0.01, 0.04, 0.03, 0.005])
    assert [each.holm for each in found] == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert [each.bonferroni for each in found] == pytest.approx([0.04, 0.16, 0.12, 0.02])
    assert [each.benjamini_hochberg for each in found] == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert correct([]) == ()


def test_an_undefined_p_value_still_counts_in_its_family():
    first, second = correct([0.01, None])
    assert first.bonferroni == pytest.approx(0.02)
    assert (second.p, second.holm) == (None, None)


def test_the_family_and_its_divisor_are_said():
    table = {name: {"A": [float(i + j) for i in range(4)]} for j, name in enumerate("wxyz")}
    every = compare_methods(panel_of(scores(table)))
    assert every.family.description == "all 6 pairs of 4 methods; divisor 6"
    assert every.family.divisor == len(every.pairs) == 6
    assert every.family.threshold == pytest.approx(0.05 / 6)
    control = compare_methods(panel_of(scores(table)), "y", alpha=0.01)
    assert control.family.description == "3 methods against y; divisor 3"
    assert [(pair.first, pair.second) for pair in control.pairs] == [
        ("w", "y"), ("x", "y"), ("z", "y"),
    ]  # fmt: skip
    assert control.family.threshold == pytest.approx(0.01 / 3)


def test_items_are_averaged_over_the_readers_who_rated_both():
    table = {
        "m": {"A": [5.0, 4.0, 3.0, 2.0], "B": [1.0, 2.0, None, None]},
        "n": {"A": [4.0, 4.0, 1.0, 2.0], "B": [2.0, None, 2.0, 5.0]},
    }
    panel = panel_of(scores(table))
    apart = mean_of_readers(panel.differences("m", "n"))
    assert apart.tolist() == [0.0, 0.0, 2.0, 0.0]
    [pair] = compare_methods(panel).pairs
    assert [(each.reader, each.n, each.mean) for each in pair.by_reader] == [
        ("A", 4, 0.75), ("B", 1, -1.0),
    ]  # fmt: skip
    assert panel.complete_means().tolist() == [[3.0, 3.0], [4.0, 4.0], [3.0, 1.0], [2.0, 2.0]]


def test_an_item_without_both_methods_is_left_out():
    rows = [*rows_of({"a": [1.0, 2.0, 3.0], "b": [2.0, 2.0]})]
    [pair] = compare_methods(panel_of(rows)).pairs
    assert pair.n == 2


def test_wrong_panels_are_refused():
    with pytest.raises(StatisticsError, match="needs two methods, got a"):
        compare_methods(panel_of([RatingRow("x", "a", 1.0)]))
    with pytest.raises(StatisticsError, match="no method 'c': choose from a, b"):
        compare_methods(panel_of(rows_of({"a": [1.0], "b": [2.0]})), "c")
    with pytest.raises(StatisticsError, match="line 3: the method is empty"):
        panel_of([RatingRow("x", "A", 1.0, method="m", line=2), RatingRow("x", "B", 1.0, line=3)])
    with pytest.raises(StatisticsError, match="repeat readings: line 3"):
        panel_of([RatingRow("x", "A", 1.0, method="m", line=n) for n in (2, 3)])
    with pytest.raises(StatisticsError, match="family of 0 tests"):
        family("none", 0)
