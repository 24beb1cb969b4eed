from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.inter_rater import cohens_kappa

from study.domain.errors import StatisticsError
from study.stats.agreement.cohen import cohen_kappa, pairwise_kappas
from study.stats.scale import Scale
from study.stats.table import from_matrix
from tests.study.stats.published_tables import ANXIETY, FIVE, NAN, digits

RATERS = ("A", "B", "C")
ANXIOUS = from_matrix(digits(ANXIETY), Scale.span(1, 6), raters=RATERS)


def test_published_kappas_of_the_anxiety_ratings():
    assert cohen_kappa(ANXIOUS, "A", "B").value == pytest.approx(0.119, abs=5e-4)
    assert cohen_kappa(ANXIOUS, "A", "B", "quadratic").value == pytest.approx(0.297, abs=5e-4)


@pytest.mark.parametrize("weighting", ["identity", "linear", "quadratic"])
def test_standard_error_by_statsmodels(weighting: str):
    table = np.zeros((6, 6))
    for a, b, _c in digits(ANXIETY):
        table[int(a) - 1, int(b) - 1] += 1
    expected = cohens_kappa(table, wt=None if weighting == "identity" else weighting)
    found = cohen_kappa(ANXIOUS, "A", "B", weighting)
    assert found.value == pytest.approx(expected.kappa)
    assert found.se == pytest.approx(expected.std_kappa)
    assert found.low == pytest.approx(expected.kappa_low)


def test_only_common_items_count_and_unused_categories_do_not_hurt():
    table = from_matrix(
        [[1, 1, NAN], [2, 2, NAN], [2, 1, NAN], [NAN, 5, 5]], FIVE, raters=["A", "B", "C"]
    )
    found = cohen_kappa(table, "A", "B")
    assert found.n == 3
    assert found.value == pytest.approx(0.4)
    nothing = cohen_kappa(table, "A", "C")
    assert (nothing.value, nothing.reason, nothing.n) == (None, "no common items", 0)


def test_constant_pairs_are_undefined_and_perfect_ones_have_no_interval():
    same = from_matrix(np.full((5, 2), 4.0), FIVE, raters=["A", "B"])
    found = cohen_kappa(same, "A", "B", "quadratic")
    assert found.value is None
    assert "no variation" in (found.reason or "")
    perfect = cohen_kappa(from_matrix([[1, 1], [2, 2]], FIVE, raters=["A", "B"]), "A", "B")
    assert perfect.value == pytest.approx(1.0)
    assert perfect.low is None
    assert perfect.reason


def test_one_constant_rater_gives_zero():
    table = from_matrix([[3, 1], [3, 2], [3, 3]], FIVE, raters=["A", "B"])
    assert cohen_kappa(table, "A", "B").value == pytest.approx(0.0)


def test_the_matrix_of_pairs_and_its_mean():
    found = pairwise_kappas(ANXIOUS, "quadratic")
    assert [(pair.first, pair.second) for pair in found.pairs] == [
        ("A", "B"), ("A", "C"), ("B", "C"),
    ]  # fmt: skip
    assert found.between("C", "A") == found.pairs[1].kappa
    values = [pair.kappa.value for pair in found.pairs]
    assert found.mean.value == pytest.approx(np.mean(values))
    assert found.pairs[0].agreement == pytest.approx(0.9)
    with pytest.raises(StatisticsError, match="not a pair"):
        found.between("A", "A")


def test_the_mean_leaves_undefined_pairs_out():
    table = from_matrix([[1, 1, NAN], [2, 2, NAN], [2, 1, NAN]], FIVE)
    found = pairwise_kappas(table, "identity")
    assert found.mean.n == 1
    assert found.mean.value == pytest.approx(0.4)
    assert found.pairs[1].agreement is None
    empty = pairwise_kappas(from_matrix([[1, NAN], [NAN, 2]], FIVE))
    assert (empty.mean.value, empty.mean.reason) == (None, "no pair has a kappa")


def test_a_pair_needs_two_raters():
    with pytest.raises(StatisticsError, match="needs two raters, got rater 1"):
        pairwise_kappas(from_matrix([[1], [2]], FIVE))
