"""Properties that hold for any ratings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from statsmodels.stats.multitest import multipletests

from study.stats.agreement.coefficients import (
    brennan_prediger,
    conger_kappa,
    fleiss_kappa,
    gwet_ac,
    raw_agreement,
)
from study.stats.agreement.cohen import cohen_kappa
from study.stats.agreement.krippendorff import krippendorff_alpha
from study.stats.comparison.paired import compare_pair
from study.stats.intervals import wilson_interval
from study.stats.multiple_testing import correct
from study.stats.reliability.inter_reader import reliability
from study.stats.scale import Scale
from study.stats.table import Ratings, from_matrix
from tests.study.stats.published_tables import FIVE, NAN

FEW = settings(max_examples=60, deadline=None)


def alpha(ratings: Ratings, **options):
    return krippendorff_alpha(ratings, "ordinal", **options)


def linear(ratings: Ratings, **options):
    return fleiss_kappa(ratings, "linear", **options)


STATISTICS = (fleiss_kappa, linear, conger_kappa, gwet_ac, brennan_prediger, alpha, raw_agreement)


@st.composite
def tables(draw, gaps: bool = True) -> np.ndarray:
    shape = (draw(st.integers(2, 12)), draw(st.integers(2, 6)))
    table = draw(arrays(np.int64, shape, elements=st.integers(1, 5))).astype(float)
    if gaps:
        table[draw(arrays(np.bool_, shape, elements=st.booleans()))] = NAN
    return table


def values(table: np.ndarray) -> list[float | None]:
    ratings = from_matrix(table, FIVE)
    return [statistic(ratings, resamples=0).value for statistic in STATISTICS]


def same(first: list[float | None], second: list[float | None]) -> bool:
    return all(
        (a is None) == (b is None) and (a is None or b is None or abs(a - b) < 1e-9)
        for a, b in zip(first, second, strict=True)
    )


@FEW
@given(tables(), st.randoms(use_true_random=False))
def test_the_order_of_items_and_raters_does_not_matter(table, random):
    items, raters = list(range(table.shape[0])), list(range(table.shape[1]))
    random.shuffle(items)
    random.shuffle(raters)
    assert same(values(table), values(table[items][:, raters]))


@FEW
@given(tables(), st.integers(0, 4))
def test_empty_items_and_raters_change_nothing(table, place):
    wider = np.insert(table, min(place, table.shape[0]), NAN, axis=0)
    wider = np.insert(wider, min(place, table.shape[1]), NAN, axis=1)
    assert same(values(table), values(wider))


@FEW
@given(tables())
def test_values_intervals_and_errors_are_in_their_range(table):
    ratings = from_matrix(table, FIVE)
    for statistic in STATISTICS:
        found = statistic(ratings, resamples=30)
        if found.value is None:
            assert found.reason
            continue
        assert found.value <= 1.0 + 1e-9
        if found.low is not None:
            assert found.low - 1e-9 <= found.value <= found.high + 1e-9 <= 1.0 + 2e-9


@FEW
@given(tables(gaps=False))
def test_fleiss_kappa_is_at_least_its_legal_minimum(table):
    found = fleiss_kappa(from_matrix(table, FIVE), resamples=0)
    assert found.value is None or found.value >= -1 / (table.shape[1] - 1) - 1e-9


@FEW
@given(tables(gaps=False))
def test_perfect_agreement_is_one_or_undefined(table):
    alike = np.repeat(table[:, :1], table.shape[1], axis=1)
    varied = np.unique(alike).size > 1
    for statistic in STATISTICS:
        found = statistic(from_matrix(alike, FIVE), resamples=0)
        assert found.value == pytest.approx(1.0) if varied else found.value in (None, 1.0)
    icc = reliability(from_matrix(alike, FIVE), resamples=0).form("A,1")
    assert icc.value == pytest.approx(1.0) if varied else icc.value is None


@FEW
@given(tables())
def test_reversing_the_scale_changes_nothing_but_the_ratio(table):
    assert same(values(table), values(6 - table))


@FEW
@given(tables(gaps=False))
@example(np.array([[1.0, 1, 5, 5], [1, 5, 2, 5]]))
def test_icc_ignores_shift_and_unit_and_averages_are_higher(table):
    found = reliability(from_matrix(table), resamples=0)
    moved = reliability(from_matrix(table * 4 - 3), resamples=0)
    for one, other in zip(found.icc, moved.icc, strict=True):
        assert same([one.value], [other.value])
        if one.low is not None:
            assert one.low <= one.value + 1e-9
            assert one.value <= one.high + 1e-9
    assert moved.sem_agreement.value == pytest.approx(4 * found.sem_agreement.value, abs=1e-9)
    single, average = found.form("C,1").value, found.form("C,k").value
    if single is not None and average is not None and single >= 0:
        assert average >= single - 1e-9


@FEW
@given(tables())
def test_cohens_kappa_is_congers_for_two_raters(table):
    ratings = from_matrix(table[:, :2], FIVE, raters=["A", "B"])
    both = ratings.take(ratings.raters_per_item == 2, np.full(2, True))
    for weighting in ("identity", "linear", "quadratic"):
        cohen = cohen_kappa(ratings, "A", "B", weighting)
        conger = conger_kappa(both, weighting, resamples=0)
        assert same([cohen.value], [conger.value])


@FEW
@given(arrays(np.float64, st.integers(0, 8), elements=st.sampled_from([-1.0, 0.0, 0.5, 2.0])))
def test_swapping_the_methods_swaps_the_signs(differences):
    one = compare_pair("a", "b", differences)
    other = compare_pair("b", "a", -differences)
    assert same([one.t_test.p, one.wilcoxon.p], [other.t_test.p, other.wilcoxon.p])
    assert (one.higher, one.lower) == (other.lower, other.higher)


@FEW
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_corrections_are_ordered(p_values):
    for each in correct(p_values):
        assert each.p <= each.benjamini_hochberg + 1e-12
        assert each.benjamini_hochberg <= each.holm + 1e-12
        assert each.holm <= each.bonferroni + 1e-12 <= 1 + 1e-9


def test_corrections_are_those_of_statsmodels():
    chance = np.random.default_rng(0)
    for size in (1, 2, 5, 9):
        p_values = np.round(chance.random(size) ** 3, 2)
        found = correct(p_values.tolist())
        for method, name in (
            ("b", "bonferroni"),
            ("holm", "holm"),
            ("fdr_bh", "benjamini_hochberg"),
        ):
            expected = multipletests(p_values, method=method)[1]
            assert [getattr(each, name) for each in found] == expected.tolist()


@FEW
@given(st.integers(0, 40), st.integers(1, 40))
def test_wilson_holds_the_share(successes, failures):
    ends = wilson_interval(successes, successes + failures)
    assert 0 <= ends.low <= successes / (successes + failures) <= ends.high <= 1


@FEW
@given(st.lists(st.integers(-50, 50), min_size=2, max_size=8, unique=True), st.randoms())
def test_a_scale_finds_every_category_again(scores, random):
    scale = Scale.parse(",".join(map(str, sorted(scores))))
    shuffled = list(scores)
    random.shuffle(shuffled)
    found = scale.codes(np.array(shuffled, dtype=float))
    assert [scale.scores[code] for code in found] == shuffled
