from __future__ import annotations

import math
import tracemalloc
from itertools import combinations

import numpy as np
import pandas
import pytest
from statsmodels.regression.mixed_linear_model import MixedLM

from study.domain.errors import StatisticsError
from study.domain.inference import Random
from study.stats.agreement.coefficients import conger_kappa
from study.stats.estimate import to_json
from study.stats.reliability.anova import mean_squares
from study.stats.reliability.incomplete_anova import incomplete_squares
from study.stats.reliability.inter_reader import FORMS, reliability
from study.stats.reliability.intra_reader import NO_REPEATS, POOLED, all_repeats, repeat_tables
from study.stats.reliability.pair_moments import PairMoments
from study.stats.scale import Scale
from study.stats.table import RatingRow, from_matrix
from study.stats.two_way_bootstrap import AT_END
from tests.study.stats.published_tables import ANXIETY, FIVE, NAN, SHROUT_FLEISS, digits

JUDGES = from_matrix(SHROUT_FLEISS)


def test_shrout_and_fleiss_1979():
    found = reliability(JUDGES)
    assert [icc.value for icc in found.icc] == pytest.approx(
        [0.165742, 0.289764, 0.714841, 0.442797, 0.620051, 0.909316], abs=5e-7
    )
    ends = [end for icc in found.icc for end in (icc.low, icc.high)]
    published = [-0.13, 0.72, 0.02, 0.76, 0.34, 0.95, -0.88, 0.91, 0.07, 0.93, 0.68, 0.99]
    assert ends == pytest.approx(published, abs=5e-3)
    assert found.anova.between_items == pytest.approx(11.24, abs=5e-3)
    assert found.anova.within_items == pytest.approx(6.26, abs=5e-3)
    assert found.anova.between_raters == pytest.approx(32.49, abs=5e-3)
    assert found.anova.error == pytest.approx(1.02, abs=5e-3)
    components = (found.anova.variance_items, found.anova.variance_raters)
    assert components == pytest.approx((2.555556, 5.244444), abs=5e-7)
    assert found.flagged is True


def test_errors_of_measurement_of_shrout_and_fleiss():
    found = reliability(JUDGES)
    assert found.sem_agreement.value == pytest.approx(2.502776, abs=5e-7)
    assert found.sem_consistency.value == pytest.approx(1.009675, abs=5e-7)
    assert found.mdc95_agreement.value == pytest.approx(6.937342, abs=5e-7)
    scores = np.array(SHROUT_FLEISS, dtype=float)
    apart = [np.abs(scores[:, i] - scores[:, j]).mean() for i, j in combinations(range(4), 2)]
    assert found.mad.value == pytest.approx(np.mean(apart))
    assert "sqrt(variance of raters + error variance)" in found.sem_agreement.method
    assert "sqrt(error mean square)" in found.sem_consistency.method
    assert found.mdc95_consistency.high == pytest.approx(
        1.96 * math.sqrt(2) * found.sem_consistency.high
    )


def test_published_agreement_of_the_anxiety_ratings():
    found = reliability(from_matrix(digits(ANXIETY))).form("A,1")
    assert found.value == pytest.approx(0.198, abs=5e-4)
    assert (found.low, found.high) == pytest.approx((-0.039, 0.494), abs=5e-4)


def test_constant_scores_are_undefined():
    found = reliability(from_matrix(np.full((5, 3), 4.0), FIVE))
    for icc in found.icc:
        assert icc.value is None
        assert "no variation" in (icc.reason or "")
    assert found.flagged is None
    assert found.sem_agreement.value == 0.0
    assert found.sem_consistency.low is None


def test_rounding_errors_are_not_variation():
    found = reliability(from_matrix(np.full((5, 3), 0.1 + 0.2)))
    assert all(icc.value is None for icc in found.icc)


def test_a_constant_shift_is_disagreement_but_consistent():
    found = reliability(from_matrix([[1, 2], [2, 3], [3, 4]]))
    assert found.form("C,1").value == pytest.approx(1.0)
    assert found.form("C,1").low is None
    assert found.form("A,1").value == pytest.approx(2 / 3)
    assert found.form("A,1").low < 2 / 3 < found.form("A,1").high
    assert found.sem_consistency.value == pytest.approx(0.0)
    assert found.sem_agreement.value == pytest.approx(math.sqrt(0.5))


def test_perfect_agreement_is_one_without_an_interval():
    found = reliability(from_matrix([[1, 1], [2, 2], [4, 4]]))
    assert [icc.value for icc in found.icc] == pytest.approx([1.0] * 6)
    assert all(icc.low is None and icc.reason for icc in found.icc)
    assert found.flagged is False


def test_equal_items_leave_some_forms_without_a_denominator():
    found = reliability(from_matrix([[1, 2], [1, 2], [1, 2]]))
    assert found.form("A,1").value == 0.0
    assert found.form("A,1").low is None
    assert found.form("C,1").value is None
    assert "differ too little" in (found.form("C,1").reason or "")


def test_one_way_forms_take_unequal_numbers_of_scores():
    # By hand: means 2, 4 and 6 of 2, 3 and 1 scores; N = 6, squares between 12.833, within 4.
    table = from_matrix([[1, 3, NAN], [3, 4, 5], [NAN, 6, NAN], [NAN, NAN, NAN]])
    found = reliability(table, resamples=0)
    assert (found.items, found.raters, found.incomplete) == (3, 3, 2)
    between, within, per_item = (2 * 4 + 3 * 16 + 36 - 22**2 / 6) / 2, 4 / 3, (6 - 14 / 6) / 2
    assert found.anova.between_items == pytest.approx(between)
    assert found.anova.within_items == pytest.approx(within)
    single = (between - within) / (between + (per_item - 1) * within)
    assert found.form("1,1").value == pytest.approx(single)
    assert found.form("1,k").value == pytest.approx((between - within) / between)
    assert found.form("1,1").low < single < found.form("1,1").high
    assert "1.83 for an item" in found.form("1,1").method


def test_two_way_forms_with_missing_scores_recover_the_variance_components():
    rng = np.random.default_rng(4)
    shift = np.array([0, 1, -1, 3])
    scores = rng.normal(0, 2, (3000, 1)) + shift + rng.normal(0, 1, (3000, 4))
    # The strict raters see other items than the mild ones, which must not count for the items.
    scores[:1500, :1] = NAN
    scores[1500:, 3] = NAN
    scores[rng.random(scores.shape) < 0.3] = NAN
    found = reliability(from_matrix(scores), resamples=0)
    assert found.items > 2900
    raters = np.var(shift, ddof=1)
    assert found.anova.variance_items == pytest.approx(4, rel=0.06)
    # Four raters of unequal weight: their variance is a rougher estimate.
    assert found.anova.variance_raters == pytest.approx(raters, rel=0.25)
    assert found.anova.variance_error == pytest.approx(1, rel=0.06)
    assert found.form("C,1").value == pytest.approx(4 / 5, abs=0.02)
    assert found.form("A,1").value == pytest.approx(4 / (5 + raters), abs=0.05)
    assert found.form("C,k").value == pytest.approx(4 / (4 + 1 / 4), abs=0.02)
    assert found.sem_consistency.value == pytest.approx(1, rel=0.03)


@pytest.mark.parametrize(
    "scores",
    [[[1, 2, NAN], [3, NAN, 4]], [[1, 2, NAN], [NAN, 3, 4], [1, NAN, NAN]]],
)
def test_too_few_scores_for_two_ways_are_said_and_never_nan(scores):
    found = reliability(from_matrix(scores), resamples=20)
    assert found.form("1,1").value is not None
    for form in ("A,1", "C,1", "A,k", "C,k"):
        assert "too few scores to separate" in found.form(form).reason
    assert found.sem_agreement.value is None
    assert found.anova.error is None
    assert "NaN" not in to_json(found)


def test_raters_who_share_no_item_are_compared_within_their_groups():
    rng = np.random.default_rng(3)
    scores = rng.normal(0, 2, (2000, 1)) + rng.normal(0, 1, (2000, 4))
    scores[:1000, 2:] = NAN
    scores[1000:, :2] = NAN
    found = reliability(from_matrix(scores), resamples=0)
    assert found.form("C,1").value == pytest.approx(4 / 5, abs=0.03)


def test_missing_scores_are_estimated_by_restricted_maximum_likelihood():
    rng = np.random.default_rng(3)
    scores = rng.normal(0, 1, (25, 1)) + rng.normal(0, 0.6, 4) + rng.normal(0, 0.7, (25, 4))
    scores[rng.random((25, 4)) < 0.25] = NAN
    scores = scores[~np.isnan(scores).all(axis=1)]
    items, raters = np.nonzero(~np.isnan(scores))
    table = pandas.DataFrame({"y": scores[items, raters], "item": items, "rater": raters, "all": 1})
    parts = {"item": "0 + C(item)", "rater": "0 + C(rater)"}
    model = MixedLM.from_formula("y ~ 1", table, groups="all", vc_formula=parts, re_formula="0")
    expected = model.fit(reml=True)
    found = reliability(from_matrix(scores), resamples=0)
    item, rater = expected.vcomp
    assert found.anova.variance_items == pytest.approx(item, rel=1e-3)
    assert found.anova.variance_raters == pytest.approx(rater, rel=1e-3)
    assert found.anova.variance_error == pytest.approx(expected.scale, rel=1e-3)
    assert found.form("A,1").value == pytest.approx(
        item / (item + rater + expected.scale), rel=1e-3
    )
    assert "REML" in found.form("A,1").method


def test_a_missing_score_changes_little_and_gives_bootstrap_intervals():
    gap = [list(row) for row in digits(ANXIETY)]
    gap[0][0] = NAN
    full, found = reliability(from_matrix(digits(ANXIETY))), reliability(from_matrix(gap))
    assert (found.items, found.incomplete) == (full.items, 1)
    for form in FORMS:
        assert found.form(form).value == pytest.approx(full.form(form).value, abs=0.12)
    agreement = found.form("A,1")
    assert (agreement.low, agreement.high) == (agreement.bootstrap.low, agreement.bootstrap.high)
    assert "bootstrap" in reliability(from_matrix(gap), resamples=0).form("A,1").reason


def test_pairs_of_raters_give_the_mean_squares():
    scores = np.array(digits(ANXIETY), dtype=float)
    weights = np.random.default_rng(3).multinomial(20, [1 / 20] * 20, size=25).astype(float)
    found, mad = PairMoments(scores, range(20)).resampled(weights)(np.ones((25, 3)))
    expected = mean_squares(scores, weights)
    for name in ("items", "between", "within", "judges", "error"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name)), name
    again = [reliability(from_matrix(np.repeat(scores, row, axis=0)), resamples=0).mad.value
             for row in weights.astype(int)]  # fmt: skip
    assert mad == pytest.approx(np.array(again))


def test_a_rater_without_weight_is_not_there():
    scores = np.array(SHROUT_FLEISS, dtype=float)
    found, mad = PairMoments(scores, range(6)).resampled(np.ones((1, 6)))(
        np.array([[1.0, 0.0, 1.0, 1.0]])
    )
    expected = mean_squares(scores[:, [0, 2, 3]])
    assert found.error == pytest.approx(expected.error)
    assert found.judges == pytest.approx(expected.judges)
    assert found.icc("A,1") == pytest.approx(expected.icc("A,1"))
    assert mad == pytest.approx(reliability(from_matrix(scores[:, [0, 2, 3]])).mad.value)


def test_readers_who_differ_widen_the_intervals():
    rng = np.random.default_rng(5)
    scores = rng.normal(0, 1, (60, 1)) + rng.normal(0, 0.3, (60, 6))
    table = from_matrix(scores + np.array([-1.5, -0.5, 0, 0, 0.5, 1.5]))
    both, patients = (reliability(table, random=one) for one in (Random.BOTH, Random.CASES))
    for name in ("sem_agreement", "mad"):
        wide, narrow = (getattr(one, name).bootstrap for one in (both, patients))
        assert wide.high - wide.low > 2 * (narrow.high - narrow.low), name
    wide, narrow = (one.form("A,1").bootstrap for one in (both, patients))
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)
    assert "6 readers and 60 patients" in wide.method


def test_pooled_repeats_draw_readers_too():
    rng = np.random.default_rng(6)
    rows = [
        RatingRow(f"c{item}", f"R{reader}", float(score), replicate=replicate)
        for reader, noise in enumerate((0.05, 0.1, 0.4, 1.0, 1.6))
        for item in range(40)
        for replicate, score in ((1, item / 10), (2, item / 10 + rng.normal(0, noise)))
    ]
    pooled, fixed = (all_repeats(rows, random=one)[-1] for one in (Random.BOTH, Random.CASES))
    assert "5 readers and 40 patients" in pooled.sem.bootstrap.method
    for name in ("sem", "mad", "mdc95"):
        wide, narrow = (getattr(one, name).bootstrap for one in (pooled, fixed))
        assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low), name
    # A reader alone speaks for nobody else.
    assert "bootstrap of 40 patients" in all_repeats(rows)[0].sem.bootstrap.method


def test_the_reason_says_why_an_interval_is_missing():
    # Raters who contradict each other: no mean square is zero.
    found = reliability(from_matrix([[3, 2], [5, 5], [3, 3], [2, 5]]), resamples=0)
    assert all(each > 0 for each in (found.anova.between_items, found.anova.error))
    reasons = [icc.reason for icc in found.icc if icc.low is None]
    assert reasons
    assert not any("zero" in reason for reason in reasons)


@pytest.mark.parametrize("scores", [[[1, 2]], [[1], [2]], [[1, NAN], [NAN, 2]]])
def test_too_small_tables_are_undefined(scores):
    found = reliability(from_matrix(scores, FIVE))
    for estimate in (*found.icc, found.sem_agreement, found.mdc95_agreement):
        assert estimate.value is None
        assert "it needs two of each" in (estimate.reason or "")
    assert found.anova is None


def twice(rater: str, first: list[float | None], second: list[float | None]) -> list[RatingRow]:
    return [
        RatingRow(str(item), rater, value, replicate=replicate)
        for replicate, values in ((1, first), (2, second))
        for item, value in enumerate(values)
    ]


def test_repeats_of_a_reader():
    rows = [*twice("A", [1, 2, 3, 4, 5, 3], [1, 3, 3, 4, 3, 3]), RatingRow("once", "A", 2.0)]
    found, pooled = all_repeats(rows, FIVE)
    assert (found.rater, found.pairs) == ("A", 6)
    assert found.exact.value == pytest.approx(4 / 6)
    assert found.within_one.value == pytest.approx(5 / 6)
    assert found.shift.value == pytest.approx(-1 / 6)
    assert found.mad.value == pytest.approx(0.5)
    assert found.sem.value == pytest.approx(math.sqrt(5 / 12))
    assert "sqrt(sum d² / 2n)" in found.sem.method
    assert found.mdc95.value == pytest.approx(1.96 * math.sqrt(2) * math.sqrt(5 / 12))
    expected = reliability(from_matrix([[1, 1], [2, 3], [3, 3], [4, 4], [5, 3], [3, 3]], FIVE))
    assert found.icc.value == pytest.approx(expected.form("A,1").value)
    assert found.flagged is True
    assert 0.0 < found.kappa.value < 1.0
    assert pooled.rater == POOLED
    assert pooled.sem == found.sem


def test_pooled_repeats_are_all_pairs_together():
    rows = twice("A", [1, 2, 3], [1, 2, 4]) + twice("B", [5, 4, 3], [5, 4, 4])
    a, b, pooled = all_repeats(rows, FIVE)
    assert (a.pairs, b.pairs, pooled.pairs) == (3, 3, 6)
    assert pooled.exact.value == pytest.approx(4 / 6)
    # Both readers saw the same three items: three clusters.
    assert "bootstrap of 2 readers and 3 patients" in pooled.icc.method
    assert pooled.items == 3


def repeated(rng, methods, readers, items=60, levels=1.5):
    """Two readings of images whose variance is 0.42 of that within reader and method."""
    rows = []
    for method in range(methods):
        truth = levels * method + rng.normal(0, math.sqrt(0.42), items)
        for reader in range(readers):
            for replicate in (1, 2):
                scores = truth + levels * reader + rng.normal(0, math.sqrt(0.58), items)
                rows += [
                    RatingRow(f"c{item}", f"R{reader}", float(score), "", f"M{method}", replicate)
                    for item, score in enumerate(scores)
                ]
    return rows


def test_methods_and_readers_do_not_make_repeats_reliable():
    rng = np.random.default_rng(11)
    mixed = []
    for _ in range(4):
        rows = repeated(rng, methods=3, readers=3)
        mixed.append([one.icc.value for one in all_repeats(rows, resamples=0)])
    means = np.mean(mixed, axis=0)
    assert means == pytest.approx(np.full(4, 0.42), abs=0.08)
    kappa = [one.kappa.value for one in all_repeats(rows, resamples=0)]
    # Quadratic kappa estimates the same share of variance.
    assert kappa == pytest.approx(mixed[-1], abs=0.02)


def test_the_pooled_interval_of_repeats_covers():
    rng = np.random.default_rng(5)
    covered = []
    for seed in range(60):
        pooled = all_repeats(
            repeated(rng, methods=2, readers=2, items=25), resamples=100, seed=seed
        )[-1]
        covered.append(pooled.icc.low <= 0.42 <= pooled.icc.high)
    assert np.mean(covered) >= 0.85


def test_one_image_of_each_method_says_nothing_about_reliability():
    rows = [
        RatingRow(f"c{m}", "A", float(m + k), method=f"M{m}", replicate=k)
        for m in (1, 2, 3) for k in (1, 2)
    ]  # fmt: skip
    found = all_repeats(rows, FIVE)[0]
    assert (found.icc.value, found.kappa.value) == (None, None)
    assert found.icc.reason == "no reader has read two items of one method twice"
    assert found.pairs == 3


def test_measurements_on_a_fine_scale_take_memory_in_proportion():
    rng = np.random.default_rng(0)
    peaks = []
    for items in (100, 400):
        rows = repeated(rng, methods=1, readers=1, items=items)
        tracemalloc.start()
        all_repeats(rows, resamples=20)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 6 * peaks[0]
    assert peaks[1] < 10e6


def test_pairs_with_a_missing_reading_are_left_out():
    rows = twice("A", [1, None, 3], [1, 2, None])
    assert repeat_tables(rows, FIVE)["A"][0].scores.tolist() == [[1, 1]]
    nothing = all_repeats(twice("A", [1, 2], [None, None]), FIVE)[0]
    assert nothing.pairs == 0
    assert (nothing.sem.value, nothing.sem.reason) == (None, NO_REPEATS)
    for estimate in (nothing.kappa, nothing.icc, nothing.exact, nothing.mad, nothing.mdc95):
        assert estimate.value is None
        assert estimate.reason


def test_within_one_category_needs_a_declared_scale():
    found = all_repeats(twice("A", [1.5, 2.5], [1.5, 7.5]))[0]
    assert (found.within_one.value, found.within_one.reason) == (None, "no scale was declared")
    assert found.exact.value == 0.5


def test_within_one_counts_categories_not_scores():
    scale = Scale.parse("0,10,20,30")
    found = all_repeats(twice("A", [0, 10, 0], [10, 10, 30]), scale)[0]
    assert found.within_one.value == pytest.approx(2 / 3)


def test_identical_repeats_have_no_error_and_say_so():
    found = all_repeats(twice("A", [1, 2, 3], [1, 2, 3]), FIVE)[0]
    assert (found.sem.value, found.sem.low) == (0.0, None)
    assert found.icc.value == pytest.approx(1.0)
    assert found.flagged is False


def test_repeats_that_contradict_each_other_do_not_agree():
    found = all_repeats(twice("A", [1, 5, 1, 5], [5, 1, 5, 1]), FIVE)[0]
    assert found.kappa.value == pytest.approx(-1.0)
    assert (found.kappa.low, found.kappa.reason) == (None, AT_END)
    equal = all_repeats(twice("A", [1, 2, 3], [1, 2, 3]), FIVE)[0]
    assert equal.kappa.reason.startswith("all readings agree")


def test_three_readings_and_more_are_taken_together():
    readings = {"x": (1, 2, 2, None), "y": (4, 4, 4, 4), "z": (3, None, 5, None), "once": (2,)}
    rows = [
        RatingRow(item, "A", value, replicate=number)
        for item, values in readings.items()
        for number, value in enumerate(values, 1)
    ]
    found, pooled = all_repeats(rows, FIVE)
    assert (found.pairs, pooled.pairs) == (3, 3)
    assert found.exact.value == pytest.approx(1 / 3)
    assert found.within_one.value == pytest.approx(2 / 3)
    assert found.shift.value == pytest.approx((1 + 0 + 2) / 3)
    assert found.mad.value == pytest.approx((2 / 3 + 0 + 2) / 3)
    # Squares within items 2/3, 0 and 2, with 2 + 3 + 1 degrees of freedom.
    assert found.sem.value == pytest.approx(math.sqrt((2 / 3 + 2) / 6))
    table = from_matrix([[1, 2, 2, NAN], [4, 4, 4, 4], [3, NAN, 5, NAN]], FIVE)
    squares = incomplete_squares(table.scores)
    parts = (squares.variance_items, squares.variance_raters, squares.error)
    assert found.icc.value == pytest.approx(float((parts[0] / sum(parts))[0]))
    assert found.kappa.value == pytest.approx(conger_kappa(table, "quadratic").value)


def test_readers_with_different_numbers_of_readings_are_pooled():
    thrice = [RatingRow("0", "B", 4.0 + (number > 1), replicate=number) for number in (1, 2, 3)]
    rows = [*twice("A", [1, 2], [1, 3]), *thrice]
    assert [one.pairs for one in all_repeats(rows, FIVE)] == [2, 1, 3]


def test_a_replicate_that_is_there_twice_is_refused():
    with pytest.raises(StatisticsError, match=r"line 3: item 'x' has replicate 1 .* in line 2"):
        repeat_tables([RatingRow("x", "A", 1.0, line=2), RatingRow("x", "A", 2.0, line=3)], FIVE)
    with pytest.raises(StatisticsError, match="no ratings"):
        all_repeats([], FIVE)
