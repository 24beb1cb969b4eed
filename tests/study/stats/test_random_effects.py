from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from study.domain.inference import Random
from study.stats.agreement.coefficients import fleiss_kappa, gwet_ac
from study.stats.comparison.bradley_terry import bradley_terry
from study.stats.comparison.preference import Choice, Preference, win_rates
from study.stats.estimate import Floats
from study.stats.random_effects import (
    NO_VARIANCE,
    difference_variance,
    patient_means,
    random_effects_test,
)
from study.stats.table import from_matrix
from study.stats.two_way_bootstrap import ENTRIES, FISHER_Z, TwoWayResamples
from study.stats.weighted_sums import Cells, by_cluster
from tests.study.stats.published_tables import FIVE, NAN, VAN_DYKE, digits

DISEASED = slice(69, 114)
"""Van Dyke's cases with an aortic dissection; those before them have none."""
AREAS = [0.91964573, 0.85877617, 0.90386473, 0.97310789, 0.82979066,
         0.94782609, 0.90531401, 0.92173913, 0.99935588, 0.92995169]  # fmt: skip


def areas(keep: Floats) -> Floats:
    """Areas under the curves of both modalities and the five readers, of some cases."""
    found = []
    for modality in (1, 2):
        ratings = np.array(digits(VAN_DYKE[modality]))
        diseased = ratings[DISEASED][keep[DISEASED]]
        healthy = ratings[:69][keep[:69]]
        above = diseased[:, None] > healthy[None]
        tied = diseased[:, None] == healthy[None]
        found.append((above + tied / 2).mean(axis=(0, 1)))
    return np.array(found)


@pytest.fixture(scope="module")
def van_dyke() -> tuple[Floats, Floats]:
    """The readers' differences of the two areas, and their covariance by the jackknife."""
    everyone = np.full(114, True)
    found = areas(everyone)
    assert found.ravel() == pytest.approx(AREAS, abs=5e-9)
    without = []
    for case in range(114):
        keep = everyone.copy()
        keep[case] = False
        first, second = areas(keep)
        without.append(first - second)
    centred = np.array(without) - np.mean(without, axis=0)
    return found[0] - found[1], centred.T @ centred * 113 / 114


@pytest.mark.parametrize(
    ("random", "statistic", "df", "p"),
    [
        (Random.BOTH, 4.456319, 15.259675, 0.051666),
        (Random.CASES, 5.475953, np.inf, 0.01928),
        (Random.READERS, 8.704, 4, 0.041959),
    ],
)
def test_van_dyke_as_published(van_dyke, random, statistic, df, p):
    # Iowa OR-DBM MRMC: F and Hillis' degrees of freedom, chi-square, F.
    by_reader, covariance = van_dyke
    found = difference_variance(by_reader, covariance, random)
    mean = by_reader.mean()
    assert mean == pytest.approx(-0.0438, abs=5e-5)
    assert mean**2 / found.value == pytest.approx(statistic, abs=5e-4)
    assert found.df == pytest.approx(df, abs=5e-4)
    assert 2 * stats.t.sf(abs(mean) / np.sqrt(found.value), found.df) == pytest.approx(p, abs=5e-6)
    if random is Random.BOTH:
        half = stats.t.ppf(0.975, found.df) * np.sqrt(found.value)
        assert (mean - half, mean + half) == pytest.approx((-0.087959, 0.000359), abs=5e-6)


def test_complete_means_are_the_two_way_analysis_of_variance():
    rng = np.random.default_rng(4)
    patients, readers = 12, 4
    table = rng.normal(size=(patients, readers)) + rng.normal(size=(patients, 1))
    found = random_effects_test(table, [f"p{i}" for i in range(patients)])
    grand = table.mean()
    of_readers = patients * ((table.mean(axis=0) - grand) ** 2).sum() / (readers - 1)
    of_patients = readers * ((table.mean(axis=1) - grand) ** 2).sum() / (patients - 1)
    left = table - table.mean(axis=0) - table.mean(axis=1)[:, None] + grand
    error = (left**2).sum() / ((readers - 1) * (patients - 1))
    assert of_patients > error
    variance = (of_readers + of_patients - error) / (readers * patients)
    assert found.difference.value == pytest.approx(grand)
    assert found.difference.se == pytest.approx(np.sqrt(variance))
    spread = of_readers**2 / (readers - 1) + (of_patients - error) ** 2 / (patients - 1)
    assert found.test.df == pytest.approx((of_readers + of_patients - error) ** 2 / spread)


def test_one_factor_alone_is_the_t_test_of_its_means():
    rng = np.random.default_rng(2)
    table = rng.normal(0.3, 1.0, (30, 5))
    clusters = [f"p{i // 3}" for i in range(30)]
    cases = random_effects_test(table, clusters, Random.CASES)
    of_patients = table.mean(axis=1).reshape(10, 3).mean(axis=1)
    assert cases.test.p == pytest.approx(stats.ttest_1samp(of_patients, 0).pvalue)
    assert (cases.readers, cases.patients, cases.test.df) == (5, 10, 9)
    readers = random_effects_test(table, clusters, Random.READERS)
    assert readers.test.p == pytest.approx(stats.ttest_1samp(table.mean(axis=0), 0).pvalue)
    assert readers.test.df == 4


def test_the_mean_is_of_patients_and_gaps_are_left_out():
    table = np.array([[1.0, NAN], [3.0, NAN], [0.0, 4.0], [NAN, NAN]])
    assert patient_means(table, ["a", "a", "b", "c"]) == pytest.approx(
        np.array([[2.0, NAN], [0.0, 4.0], [NAN, NAN]]), nan_ok=True
    )
    found = random_effects_test(table, ["a", "a", "b", "c"])
    assert found.difference.value == pytest.approx((1.0 + 4.0) / 2)
    assert found.patients == 2


@pytest.mark.parametrize(
    ("table", "random", "reason"),
    [
        ([[1.0], [2.0]], Random.BOTH, "1 reader: their variation"),
        ([[1.0, 2.0]], Random.CASES, "1 patient: their variation"),
        ([[1.0, 1.0], [1.0, 1.0]], Random.BOTH, "the differences do not vary"),
        ([[NAN, NAN]], Random.BOTH, "no item has both methods"),
    ],
)
def test_what_cannot_be_tested_says_why(table, random, reason):
    found = random_effects_test(np.array(table), [str(i) for i in range(len(table))], random)
    assert found.test.p is None
    assert reason in (found.test.reason or "")
    assert reason in (found.difference.reason or "")


def choices(winners: Floats) -> list[Choice]:
    """Each case a patient; the share of wins of the first method by case and reader."""
    return [
        Choice(f"c{case}", f"R{reader}", "a", "b", Preference.LEFT if won else Preference.RIGHT)
        for (case, reader), won in np.ndenumerate(winners)
    ]


def test_the_share_has_the_two_way_variance_of_its_answers():
    rng = np.random.default_rng(6)
    readers, patients = 6, 40
    tendency = 0.4 + rng.normal(0, 0.25, readers) + rng.normal(0, 0.3, (patients, 1))
    won = (rng.random((patients, readers)) < tendency).astype(float)
    [rate] = win_rates(choices(won), resamples=4000)
    expected = random_effects_test(won, [f"c{i}" for i in range(patients)])
    assert rate.rate.value == pytest.approx(expected.difference.value)
    share = rate.rate.value
    ends = [np.log(end / (1 - end)) for end in (rate.rate.bootstrap.low, rate.rate.bootstrap.high)]
    half = stats.t.ppf(0.975, rate.test.df)
    se = (ends[1] - ends[0]) / 2 / half * share * (1 - share)
    assert se == pytest.approx(expected.difference.se, rel=0.06)
    assert rate.test.df == pytest.approx(expected.test.df, rel=0.2)
    assert rate.naive.p < rate.test.p


def test_strengths_of_two_methods_are_their_log_odds():
    rng = np.random.default_rng(3)
    won = (rng.random((30, 5)) < 0.6 + rng.normal(0, 0.2, 5)).astype(float)
    [rate] = win_rates(choices(won), resamples=2000)
    strength = bradley_terry(choices(won), "b", resamples=2000).of("a").bootstrap
    ends = [np.log(end / (1 - end)) for end in (rate.rate.bootstrap.low, rate.rate.bootstrap.high)]
    assert (strength.low, strength.high) == pytest.approx(ends, abs=0.01)


def test_a_unanimous_preference_has_no_interval_but_a_reason():
    [rate] = win_rates(choices(np.ones((8, 3))))
    assert (rate.rate.value, rate.rate.bootstrap.low, rate.test.p) == (1.0, None, None)
    assert rate.test.reason == "all resamples give the same value"


@pytest.mark.parametrize("coefficient", [fleiss_kappa, gwet_ac])
def test_readers_at_random_widen_the_interval_of_agreement(coefficient):
    rng = np.random.default_rng(8)
    truth, bias = rng.normal(3, 0.8, (60, 1)), np.array([0.0, 0.7, -0.7, 0.2, -0.2])
    scores = np.clip(np.rint(truth + bias + rng.normal(0, 0.4, (60, 5))), 1, 5)
    widths = []
    for random in (Random.CASES, Random.BOTH):
        ends = coefficient(from_matrix(scores, FIVE), "quadratic", random=random).bootstrap
        widths.append(ends.high - ends.low)
    assert widths[1] > 2 * widths[0]


def test_agreement_of_two_readers_says_nothing_about_other_readers():
    scores = from_matrix(np.random.default_rng(1).integers(1, 6, (20, 2)), FIVE)
    found = fleiss_kappa(scores).bootstrap
    assert (found.low, found.high) == (None, None)
    assert found.reason == "2 readers: how readers differ cannot be estimated, it needs 3"
    assert fleiss_kappa(scores, random=Random.CASES).bootstrap.low is not None


def test_resamples_keep_every_reader_and_patients_whole():
    parts = []

    def statistic(items):
        def weighted(readers):
            both = np.broadcast_arrays(readers[:, 0], items[:, 0])[0]
            parts.append(len(both))
            return np.hstack([np.broadcast_to(each, (len(both), each.shape[1]))
                              for each in (readers, items)])  # fmt: skip

        return weighted

    # Two resamples at a time, and one in the end.
    found = TwoWayResamples(3, ["a", "a", "b", "c"], Random.BOTH, 301, 5).draws(
        statistic, ENTRIES // 2
    )
    assert set(parts[:150]) == {2}
    assert len(parts) == 3 * 151
    readers, items = np.split(found.both, [3], axis=1)
    assert (readers > 0).all()
    assert (items[:, 0] == items[:, 1]).all()
    assert items[:, 1:].sum(axis=1) == pytest.approx(np.full(301, 3.0))
    # Over one of both, with the other as it is.
    np.testing.assert_array_equal(found.readers, np.hstack([readers, np.ones((301, 4))]))
    np.testing.assert_array_equal(found.patients, np.hstack([np.ones((301, 3)), items]))


def test_two_readers_alike_leave_no_variance_but_a_reason():
    # Both prefer the same share, on different patients: less than noise would differ.
    won = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    [rate] = win_rates(choices(won))
    assert rate.rate.value == 0.5
    assert (rate.test.p, rate.rate.bootstrap.low, rate.log_odds.value) == (None, None, None)
    assert "nothing is left of the variance" in rate.test.reason
    assert rate.test.reason == rate.rate.bootstrap.reason
    tested = random_effects_test(won - 0.5, ["a", "b", "c", "d"])
    assert (tested.test.p, tested.test.reason) == (None, NO_VARIANCE)


def test_sums_of_patients_and_readers_weigh_like_their_items():
    rng = np.random.default_rng(3)
    readers, patients = rng.choice(list("xyz"), 40).tolist(), rng.choice(list("abcde"), 40).tolist()
    values, order = rng.normal(size=(40, 2)), ["z", "x", "y"]
    cells = Cells(readers, patients, order)
    of_readers, of_patients = rng.random((7, 3)), rng.random((7, 5))
    weights = (
        of_readers[:, [order.index(one) for one in readers]]
        * of_patients[:, [cells.patients.index(one) for one in patients]]
    )
    found = cells.weighted(values, lambda sums: sums)(of_patients)(of_readers)
    assert found == pytest.approx(weights @ values)
    names, sums = by_cluster(patients, values)
    assert names == cells.patients
    every = cells.weighted(values, lambda sums: sums)(of_patients)(np.ones((1, 3)))
    assert every == pytest.approx(of_patients @ sums)


@pytest.mark.parametrize("value", [1.0, -1.0])
def test_an_agreement_at_the_end_of_its_range_has_no_interval(value):
    drawn = TwoWayResamples(4, list("abcdef"), Random.BOTH, 50, 1)
    draws = drawn.draws(lambda items: lambda readers: readers @ [0, 1, 2, 3] + items @ range(6))
    found = drawn.interval(value, draws, scale=FISHER_Z)
    assert (found.low, found.reason) == (None, "the value is at the end of its range")
