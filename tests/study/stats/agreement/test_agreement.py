from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.inter_rater import fleiss_kappa as statsmodels_fleiss

from study.domain.errors import StatisticsError
from study.domain.inference import Random
from study.stats.agreement.chance_agreement import (
    CONGER,
    FLEISS,
    GWET,
    UNIFORM,
    RatedItems,
    agreement_weights,
)
from study.stats.agreement.coefficients import (
    NO_PAIRS,
    NO_VARIATION,
    brennan_prediger,
    category_kappas,
    conger_kappa,
    fleiss_kappa,
    gwet_ac,
    null_test,
    raw_agreement,
)
from study.stats.estimate import Floats
from study.stats.scale import Scale
from study.stats.table import from_matrix
from tests.study.stats.published_tables import FIVE, NAN, counted, fleiss, gwet

COEFFICIENTS = (fleiss_kappa, conger_kappa, gwet_ac, brennan_prediger)
MODELS = dict(zip(COEFFICIENTS, (FLEISS, CONGER, GWET, UNIFORM), strict=True))


def test_fleiss_1971():
    kappa = fleiss_kappa(fleiss())
    assert kappa.value == pytest.approx(0.430245, abs=5e-7)
    assert kappa.se == pytest.approx(0.054199, abs=5e-7)
    assert (kappa.low, kappa.high) == pytest.approx((0.319395, 0.541094), abs=5e-7)
    assert kappa.observed == pytest.approx(0.555556, abs=5e-7)
    assert kappa.chance == pytest.approx(0.219938, abs=5e-7)
    assert kappa.raters_per_item == ((6, 30),)
    assert kappa.n == 30


def test_fleiss_1971_per_category():
    values = [kappa.value for kappa in category_kappas(fleiss())]
    assert values == pytest.approx([0.245, 0.245, 0.520, 0.471, 0.566], abs=5e-4)


def test_the_null_standard_error_is_for_the_test_only():
    test = null_test(fleiss())
    assert test.statistic == pytest.approx(17.65, abs=5e-3)
    assert test.se == pytest.approx(0.024374, abs=5e-7)
    assert test.se < 0.5 * fleiss_kappa(fleiss()).se
    assert test.p == pytest.approx(0.0, abs=1e-60)


def test_conger_of_the_row_sorted_table():
    assert conger_kappa(fleiss()).value == pytest.approx(0.441809, abs=5e-7)


@pytest.mark.parametrize(
    ("coefficient", "weighting", "value", "se"),
    [
        (gwet_ac, "identity", 0.77544, 0.14295),
        (fleiss_kappa, "identity", 0.76117, 0.15302),
        (conger_kappa, "identity", 0.76282, 0.14917),
        (brennan_prediger, "identity", 0.77273, 0.14472),
        (gwet_ac, "quadratic", 0.91400, 0.10396),
        (fleiss_kappa, "quadratic", 0.86494, 0.14603),
        (conger_kappa, "quadratic", 0.85771, 0.14367),
        (brennan_prediger, "quadratic", 0.90152, 0.11089),
    ],
)
def test_gwets_four_raters_with_missing_ratings(coefficient, weighting, value, se):
    found = coefficient(gwet(), weighting)
    assert found.value == pytest.approx(value, abs=5e-6)
    assert found.se == pytest.approx(se, abs=5e-6)
    assert found.raters_per_item == ((1, 1), (2, 1), (3, 2), (4, 8))
    assert found.n == 12


def test_agrees_with_statsmodels():
    rng = np.random.default_rng(3)
    for _ in range(5):
        ratings = from_matrix(rng.integers(1, 5, (15, 4)), Scale.span(1, 4))
        expected = statsmodels_fleiss(ratings.counts)
        assert fleiss_kappa(ratings, resamples=0).value == pytest.approx(expected)


def test_all_ratings_in_one_category_are_undefined_but_agree():
    same = from_matrix(np.full((5, 3), 4.0), FIVE)
    for coefficient in (fleiss_kappa, conger_kappa):
        for weighting in ("identity", "linear", "quadratic"):
            found = coefficient(same, weighting)
            assert found.value is None
            assert found.reason == NO_VARIATION
            assert (found.se, found.low, found.high) == (None, None, None)
    assert null_test(same).reason == NO_VARIATION
    ac1 = gwet_ac(same)
    assert ac1.value == 1.0
    assert ac1.low is None
    assert "zero" in (ac1.reason or "")
    assert raw_agreement(same).value == 1.0
    assert all(kappa.value is None for kappa in category_kappas(same))


def test_one_category_without_a_declared_scale():
    same = from_matrix(np.full((5, 3), 4.0))
    assert gwet_ac(same).value == 1.0
    found = brennan_prediger(same)
    assert found.value is None
    assert "no scale was declared" in (found.reason or "")


def test_the_smallest_kappa_is_legal():
    found = fleiss_kappa(counted([[1, 1, 1], [1, 1, 1]]))
    assert found.value == pytest.approx(-0.5)


def test_items_with_missing_ratings_use_the_raters_there_are():
    found = fleiss_kappa(counted([[3, 0], [1, 1], [0, 3]]))
    assert found.raters_per_item == ((2, 1), (3, 2))
    assert found.observed == pytest.approx(2 / 3)
    assert found.value == pytest.approx((2 / 3 - 0.5) / 0.5)
    assert "different numbers" in (null_test(counted([[3, 0], [1, 1], [0, 3]])).reason or "")


def test_missing_is_never_a_category():
    with_gaps = from_matrix([[1, 1, NAN], [2, 2, NAN], [3, 3, 3], [1, 2, NAN]], Scale.span(1, 3))
    assert with_gaps.counts.sum() == 9
    assert with_gaps.counts.shape == (4, 3)
    assert fleiss_kappa(with_gaps).observed == pytest.approx(0.75)


def test_an_unused_category_counts_in_ac2():
    first, second = [1, 2, 3, 5, 5], [1, 3, 3, 5, 5]
    table = np.column_stack([first, second]).astype(float)
    assert gwet_ac(from_matrix(table), "quadratic").value == pytest.approx(0.96117, abs=5e-6)
    assert gwet_ac(from_matrix(table, FIVE), "quadratic").value == pytest.approx(0.96364, abs=5e-6)
    # The weights follow the scores: a gap in the derived scale stays a gap.
    assert fleiss_kappa(from_matrix(table), "quadratic").value == pytest.approx(
        fleiss_kappa(from_matrix(table, FIVE), "quadratic").value
    )


def test_two_raters_are_named_for_what_they_are():
    pairs = from_matrix([[1, 1], [1, 2], [2, 2], [1, 2], [1, 1]], Scale.span(1, 2))
    scott, cohen = fleiss_kappa(pairs), conger_kappa(pairs)
    assert "Scott's pi" in scott.name
    assert "Cohen's kappa" in cohen.name
    assert scott.value != pytest.approx(cohen.value, abs=1e-3)
    assert "two raters" not in fleiss_kappa(gwet()).name


def test_the_kappa_paradox():
    pairs = [[5, 5]] * 90 + [[5, 4]] * 5 + [[4, 5]] * 5
    table = from_matrix(pairs, FIVE)
    assert fleiss_kappa(table).value == pytest.approx(-0.0526, abs=5e-5)
    assert raw_agreement(table).value == pytest.approx(0.90)
    two = from_matrix(pairs, Scale.span(4, 5))
    assert gwet_ac(two).value == pytest.approx(0.8895, abs=5e-5)


def test_perfect_agreement_has_no_interval():
    found = fleiss_kappa(from_matrix([[1, 1], [2, 2], [5, 5]], FIVE))
    assert found.value == pytest.approx(1.0)
    assert found.low is None
    assert found.bootstrap is not None
    assert found.bootstrap.low is None
    assert found.bootstrap.reason


@pytest.mark.parametrize("coefficient", COEFFICIENTS)
def test_tables_that_are_too_small(coefficient):
    lonely = coefficient(from_matrix([[1, NAN], [NAN, 2]], FIVE))
    assert (lonely.value, lonely.reason) == (None, NO_PAIRS)
    none = coefficient(from_matrix([[NAN, NAN]], FIVE))
    assert (none.value, none.reason, none.n) == (None, NO_PAIRS, 0)
    one = coefficient(from_matrix([[1, 2, 2]], FIVE))
    assert one.value is not None
    assert (one.se, one.low) == (None, None)
    assert one.reason == "fewer than two items give no standard error"


def test_raw_agreement_of_too_few():
    assert raw_agreement(from_matrix([[1, NAN]], FIVE)).reason == NO_PAIRS
    one = raw_agreement(from_matrix([[1, 2, 2]], FIVE))
    assert one.value == pytest.approx(1 / 3)
    assert one.low is None


def test_an_unknown_weighting_is_refused():
    with pytest.raises(StatisticsError, match="no weighting 'cubic': choose from identity"):
        fleiss_kappa(fleiss(), "cubic")


def test_categories_in_words_keep_the_declared_order():
    scale = Scale.parse("neg,ind,pos")
    table = from_matrix([[1, 2], [1, 1], [3, 3], [2, 3], [3, 3]], scale)
    numbers = from_matrix([[1, 2], [1, 1], [3, 3], [2, 3], [3, 3]], Scale.span(1, 3))
    alphabetical = Scale.parse("ind,neg,pos")
    shuffled = from_matrix([[2, 1], [2, 2], [3, 3], [1, 3], [3, 3]], alphabetical)
    assert fleiss_kappa(table, "quadratic").value == fleiss_kappa(numbers, "quadratic").value
    assert fleiss_kappa(table, "quadratic").value != pytest.approx(
        fleiss_kappa(shuffled, "quadratic").value
    )


def test_the_bootstrap_keeps_patients_whole():
    rng = np.random.default_rng(0)
    # Four copies of each patient: only the clusters know that there are 15 items, not 60.
    patients = rng.integers(1, 4, (15, 1)) + rng.integers(0, 2, (15, 4))
    table = np.repeat(patients, 4, axis=0).astype(float)
    names = [f"p{i // 4}" for i in range(60)]
    alone, clustered = (
        fleiss_kappa(from_matrix(table, FIVE, clusters=each), random=Random.CASES).bootstrap
        for each in (None, names)
    )
    assert "60 patients" in alone.method
    assert "15 patients" in clustered.method
    ratio = (clustered.high - clustered.low) / (alone.high - alone.low)
    assert 1.5 < ratio < 2.6


def test_the_bootstrap_repeats_from_its_seed():
    once, again, other = (fleiss_kappa(fleiss(), seed=seed).bootstrap for seed in (7, 7, 8))
    assert once == again
    assert once.low != other.low
    assert fleiss_kappa(fleiss(), resamples=0).bootstrap is None


@pytest.mark.parametrize("coefficient", COEFFICIENTS)
def test_weights_of_items_and_raters_repeat_them(coefficient):
    # Twice each item and each rater, without the pairs of a rater and their copy.
    ratings, model = gwet(), MODELS[coefficient]
    sample = RatedItems(ratings, agreement_weights(FIVE, "linear"))
    rng = np.random.default_rng(1)
    items = rng.integers(0, 3, (6, len(ratings.items))).astype(float)
    raters = rng.integers(1, 3, (6, len(ratings.raters))).astype(float)
    drawn = sample.resample(items, raters)
    for place, (of_items, of_raters) in enumerate(zip(items, raters, strict=True)):
        expected = by_hand(ratings.scores, of_items, of_raters)
        found = (drawn.observed[place], model.expected(drawn)[place])
        assert found[0] == pytest.approx(expected["observed"])
        assert found[1] == pytest.approx(expected[model.name])
    plain = sample.resample(items)
    assert sample.resample(items, np.ones_like(raters)).observed == pytest.approx(plain.observed)
    assert model.expected(sample.resample(items, np.ones_like(raters))) == pytest.approx(
        model.expected(plain)
    )


def by_hand(scores: Floats, items: Floats, raters: Floats) -> dict[str, float]:
    """Agreement and chance agreement with linear weights, rating by rating."""
    size, (count, judges) = 5, scores.shape
    weight = [[1 - abs(a - b) / 4 for b in range(size)] for a in range(size)]
    agreeing, paired, shares, rated = 0.0, 0.0, np.zeros(size), 0.0
    profiles, own = np.zeros((judges, size)), np.zeros(judges)
    for i in range(count):
        given = [(g, int(scores[i, g]) - 1) for g in range(judges) if not np.isnan(scores[i, g])]
        total = sum(raters[g] for g, _ in given)
        for g, code in given:
            shares[code] += items[i] * raters[g] / total
            profiles[g, code] += items[i]
            own[g] += items[i]
        rated += items[i]
        pairs = [(g, h, a, b) for g, a in given for h, b in given if g != h]
        if pairs:
            number = sum(raters[g] * raters[h] for g, h, _, _ in pairs)
            alike = sum(raters[g] * raters[h] * weight[a][b] for g, h, a, b in pairs)
            agreeing += items[i] * alike / number
            paired += items[i]
    share, profiles = shares / rated, profiles / own[:, None]
    cross = [(g, h) for g in range(judges) for h in range(judges) if g != h]
    expected = sum(raters[g] * raters[h] * profiles[g] @ weight @ profiles[h] for g, h in cross)
    return {
        "observed": agreeing / paired,
        "Fleiss' kappa": float(share @ weight @ share),
        "AC1": float(np.sum(weight)) / (size * (size - 1)) * float((share * (1 - share)).sum()),
        "Brennan-Prediger kappa": float(np.mean(weight)),
        "Conger's kappa": expected / sum(raters[g] * raters[h] for g, h in cross),
    }


def test_another_level_gives_another_interval():
    wide, narrow = fleiss_kappa(fleiss(), level=0.99), fleiss_kappa(fleiss(), level=0.5)
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)
    assert wide.bootstrap.high > narrow.bootstrap.high


def test_gwets_interval_covers_and_the_null_interval_does_not():
    rng = np.random.default_rng(12)
    truth = 0.64  # Each rater gives the item's class with chance 0.8, else one of four at random.
    items, raters, studies = 40, 4, 150
    gwets = nulls = 0
    for _ in range(studies):
        classes = rng.integers(1, 5, (items, 1))
        guesses = rng.integers(1, 5, (items, raters))
        knows = rng.random((items, raters)) < 0.8
        ratings = from_matrix(np.where(knows, classes, guesses), Scale.span(1, 4))
        kappa, test = fleiss_kappa(ratings, resamples=0), null_test(ratings)
        gwets += kappa.low <= truth <= kappa.high
        nulls += abs(kappa.value - truth) <= 1.96 * test.se
    assert gwets / studies > 0.89
    assert nulls / studies < 0.86
