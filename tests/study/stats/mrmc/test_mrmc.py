from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from study.domain.errors import StatisticsError
from study.domain.inference import Random
from study.stats.estimate import to_json
from study.stats.mrmc.accuracy import accuracy, mcnemar_test
from study.stats.mrmc.figures import mean_scores, proportions, roc_areas, vgc
from study.stats.mrmc.obuchowski_rockette import obuchowski_rockette
from study.stats.mrmc.two_samples import Covariance, TwoSamples, area_covariance
from study.stats.panel import Panel
from study.stats.random_effects import random_effects_test
from tests.study.stats.published_tables import VAN_DYKE, digits

SCORES = np.stack([digits(VAN_DYKE[1]), digits(VAN_DYKE[2])], axis=2)
TRUTH = [case >= 69 for case in range(114)]


def panel(scores: np.ndarray, clusters: list[str] | None = None) -> Panel:
    items, readers, methods = scores.shape
    names = tuple(f"c{item}" for item in range(items))
    return Panel(
        names,
        tuple(f"R{reader}" for reader in range(readers)),
        tuple(f"t{method + 1}" for method in range(methods)),
        scores,
        names if clusters is None else tuple(clusters),
    )


VAN_DYKE_PANEL = panel(SCORES)


def test_areas_of_van_dyke():
    found = roc_areas(VAN_DYKE_PANEL, TRUTH).values.ravel()
    assert found == pytest.approx([
        0.91964573, 0.85877617, 0.90386473, 0.97310789, 0.82979066,
        0.94782609, 0.90531401, 0.92173913, 0.99935588, 0.92995169,
    ], abs=5.01e-9)  # fmt: skip


def test_readers_and_cases_random_as_or_dbm():
    figures = roc_areas(VAN_DYKE_PANEL, TRUTH, Covariance.JACKKNIFE)
    found = obuchowski_rockette(figures)
    parts = found.components
    assert (parts.variance, parts.cov1, parts.cov2, parts.cov3) == pytest.approx(
        (0.00080229, 0.00034661, 0.00034407, 0.00023903), abs=5.01e-9
    )
    assert (parts.ms_method, parts.ms_reader, parts.ms_interaction) == pytest.approx(
        (0.00479617, 0.0038362, 0.00055103), abs=5.01e-9
    )
    [pair] = found.pairs
    assert found.test.statistic == pytest.approx(4.456319, abs=5e-7)
    assert found.test.df == pytest.approx(15.259675, abs=5e-7)
    assert found.test.p == pytest.approx(0.051666, abs=5e-7)
    assert pair.difference.value == pytest.approx(-0.0438, abs=5e-5)
    assert pair.difference.se == pytest.approx(0.020749, abs=5e-7)
    ends = (pair.difference.low, pair.difference.high)
    assert ends == pytest.approx((-0.087959, 0.000359), abs=5e-7)
    assert pair.test.p == pytest.approx(found.test.p)


def test_fixed_readers_and_fixed_cases_as_or_dbm():
    figures = roc_areas(VAN_DYKE_PANEL, TRUTH, Covariance.JACKKNIFE)
    of_cases = obuchowski_rockette(figures, Random.CASES)
    assert of_cases.test.statistic == pytest.approx(5.475953, abs=5e-7)
    assert of_cases.test.p == pytest.approx(0.01928, abs=5e-6)
    of_readers = obuchowski_rockette(figures, Random.READERS)
    assert of_readers.test.statistic == pytest.approx(8.704, abs=5e-4)
    assert of_readers.test.p == pytest.approx(0.041959, abs=5e-7)


def test_delong_and_jackknife_are_close():
    jackknife, delong = (roc_areas(VAN_DYKE_PANEL, TRUTH, how).covariance for how in
                         (Covariance.JACKKNIFE, Covariance.DELONG))  # fmt: skip
    assert delong == pytest.approx(jackknife, rel=0.05, abs=2e-5)


def test_delong_is_the_covariance_of_the_placements():
    rng = np.random.default_rng(0)
    low, high = rng.normal(size=(30, 2)), rng.normal(0.8, 1, (20, 2))
    samples = [
        TwoSamples(low[:, i], high[:, i], np.arange(30), np.arange(30, 50)) for i in range(2)
    ]
    wins = [each.wins for each in samples]
    expected = (
        np.cov([each.mean(axis=1) for each in wins]) / 20
        + np.cov([each.mean(axis=0) for each in wins]) / 30
    )
    assert area_covariance(samples, 50, Covariance.DELONG) == pytest.approx(expected)


def test_the_jackknife_leaves_whole_patients_out():
    rng = np.random.default_rng(1)
    sample = TwoSamples(rng.integers(1, 5, 12).astype(float), rng.integers(2, 6, 9).astype(float),
                        rng.integers(0, 6, 12), rng.integers(0, 6, 9))  # fmt: skip
    found = sample.left_out(6)
    for patient in range(6):
        low, high = sample.low_patients != patient, sample.high_patients != patient
        rest = TwoSamples(sample.low[low], sample.high[high], sample.low_patients[low],
                          sample.high_patients[high])  # fmt: skip
        assert found[patient] == pytest.approx(rest.area)


def test_copies_of_a_case_are_no_new_patients():
    once = roc_areas(VAN_DYKE_PANEL, TRUTH)
    clusters = [f"P{case}" for case in range(114) for _ in range(2)]
    twice = panel(np.repeat(SCORES, 2, axis=0), clusters)
    for how in Covariance:
        once = roc_areas(VAN_DYKE_PANEL, TRUTH, how)
        found = roc_areas(twice, np.repeat(TRUTH, 2).tolist(), how)
        assert found.values == pytest.approx(once.values)
        assert found.covariance == pytest.approx(once.covariance, rel=1e-6)


def test_mean_scores_of_two_methods_are_the_test_of_their_difference():
    found = obuchowski_rockette(mean_scores(VAN_DYKE_PANEL), Random.CASES)
    expected = random_effects_test(
        VAN_DYKE_PANEL.differences("t1", "t2"), VAN_DYKE_PANEL.clusters, Random.CASES
    )
    assert found.pairs[0].difference.value == pytest.approx(expected.difference.value)
    assert found.pairs[0].difference.se == pytest.approx(expected.difference.se)
    both = obuchowski_rockette(mean_scores(VAN_DYKE_PANEL))
    plain = random_effects_test(VAN_DYKE_PANEL.differences("t1", "t2"), VAN_DYKE_PANEL.clusters)
    assert both.pairs[0].difference.se == pytest.approx(plain.difference.se)


def test_vgc_of_van_dyke():
    abnormal = panel(SCORES[69:])
    found = vgc(abnormal, "t2", "t1")
    assert found.pooled == pytest.approx(0.528119, abs=5e-7)
    assert found.area.value == pytest.approx(np.mean([each.values[0] for each in found.readers]))
    assert found.area.low < found.area.value < found.area.high
    turned = vgc(abnormal, "t1", "t2")
    assert turned.area.value == pytest.approx(1 - found.area.value)
    assert turned.test.p == pytest.approx(found.test.p)


def test_vgc_of_equal_methods_rejects_at_its_level():
    rng, rejected, studies = np.random.default_rng(5), 0, 300
    for _ in range(studies):
        opinion = rng.normal(size=(30, 1, 1)) + 0.3 * rng.normal(size=(1, 5, 2))
        scores = np.clip(np.rint(3 + opinion + 0.6 * rng.normal(size=(30, 5, 2))), 1, 5)
        p = vgc(panel(scores), "t1", "t2").test.p
        rejected += p is not None and p < 0.05
    assert 0.02 <= rejected / studies <= 0.08


def test_one_reader_speaks_for_no_others():
    alone = panel(SCORES[:, :1])
    assert "one reader" in obuchowski_rockette(roc_areas(alone, TRUTH)).test.reason
    assert obuchowski_rockette(roc_areas(alone, TRUTH), Random.CASES).test.p is not None
    assert "one reader" in vgc(alone, "t1", "t2").test.reason


def test_sensitivity_and_specificity():
    found = accuracy(VAN_DYKE_PANEL, TRUTH, 3)
    assert (found.positive, found.negative) == (45, 69)
    first = found.readers[0]
    called = SCORES[:, 0, 0] >= 3
    assert first.sensitivity.value == pytest.approx(called[69:].mean())
    assert first.specificity.value == pytest.approx((~called[:69]).mean())
    assert found.sensitivity is not None
    by_reader = (SCORES[69:] >= 3).mean(axis=0)
    expected = by_reader[:, 0].mean() - by_reader[:, 1].mean()
    assert found.sensitivity.pairs[0].difference.value == pytest.approx(expected)
    assert len(found.mcnemar) == 5
    right = (SCORES >= 3) == np.array(TRUTH)[:, None, None]
    only = (right[:, 0, 0] & ~right[:, 0, 1]).sum(), (~right[:, 0, 0] & right[:, 0, 1]).sum()
    assert (found.mcnemar[0].only_first, found.mcnemar[0].only_second) == only


def test_a_sensitivity_of_one_reader_has_the_variance_of_a_proportion():
    figures = proportions(panel((SCORES >= 3).astype(float)), TRUTH, "Sensitivity")
    share = float(figures.values[0, 0])
    expected = share * (1 - share) / 44
    assert figures.covariance[0, 0, 0, 0] == pytest.approx(expected)


def test_the_liver_scans_of_altman_and_bland():
    # D. G. Altman, J. M. Bland, "Diagnostic tests 1: sensitivity and specificity", BMJ 308, 1994:
    # of 258 livers with pathology 231 had an abnormal scan, of 86 without 54 a normal one.
    truth = [True] * 258 + [False] * 86
    called = [1.0] * 231 + [0.0] * 27 + [0.0] * 54 + [1.0] * 32
    scans = panel(np.array(called)[:, None, None])
    (found,) = accuracy(scans, truth, 1).readers
    assert (found.true_positive, found.false_negative) == (231, 27)
    assert (found.true_negative, found.false_positive) == (54, 32)
    assert found.sensitivity.value == pytest.approx(0.895, abs=5e-4)
    assert found.specificity.value == pytest.approx(0.628, abs=5e-4)


def test_the_intervals_of_a_reader_take_the_cases_of_a_patient_together():
    calls = (SCORES >= 3).astype(float)
    apart = accuracy(panel(calls), TRUTH, 1).readers[0]
    copies = replace(
        panel(np.repeat(calls, 3, axis=0)), clusters=tuple(str(case // 3) for case in range(342))
    )
    together = accuracy(copies, np.repeat(TRUTH, 3).tolist(), 1).readers[0]
    for one, other in zip(
        (apart.sensitivity, apart.specificity),
        (together.sensitivity, together.specificity),
        strict=True,
    ):
        # Three times the same cases say no more than the cases once.
        assert other.value == one.value
        assert (other.low, other.high) == pytest.approx((one.low, one.high), abs=2e-3)


def test_mcnemar_is_exact():
    # Agresti's approval ratings: 150 changed to disapproval, 86 to approval.
    assert mcnemar_test(150, 86).p == pytest.approx(3.716e-5, rel=1e-3)
    assert mcnemar_test(5, 15).p == pytest.approx(0.041389, abs=5e-7)
    assert mcnemar_test(0, 0).reason == "the methods are correct in the same cases"


def test_a_truth_of_one_kind_is_refused():
    with pytest.raises(StatisticsError, match="need cases of both"):
        accuracy(VAN_DYKE_PANEL, [True] * 114, 3)
    with pytest.raises(StatisticsError, match="no rating of a negative case"):
        roc_areas(VAN_DYKE_PANEL, [True] * 114)


@pytest.mark.parametrize("how", Covariance)
@pytest.mark.parametrize("random", Random)
def test_one_positive_case_has_no_covariance(how: Covariance, random: Random):
    kept = [0, 1, 2, 3, 113]
    few = panel(SCORES[kept])
    truth = [TRUTH[case] for case in kept]
    found = obuchowski_rockette(roc_areas(few, truth, how), random)
    sensitivity = accuracy(few, truth, 3, random).sensitivity
    assert sensitivity is not None
    for each in (found, sensitivity):
        to_json(each)
    known = random is Random.READERS
    assert sensitivity.components.variance is None
    assert sensitivity.components.cov3 is None
    assert known or "patients need two" in (sensitivity.pairs[0].difference.reason or "")
    if how is Covariance.DELONG:
        assert found.components.variance is None
        assert known or "patients need two" in (found.test.reason or "")
        assert known == (found.test.p is not None)
