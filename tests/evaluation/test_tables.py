"""Statistics of paired differences against textbook figures, and what the tables say."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from scipy import stats

from enhancers.evaluation.problem import TestImage
from enhancers.evaluation.protocols import protocol
from enhancers.evaluation.statistics import Pair, compare, holm, interval, signed_rank
from enhancers.evaluation.store import Measured, ResultRow
from enhancers.evaluation.summary import ALL, summarise
from enhancers.evaluation.tables import as_markdown, number, row_frame
from enhancers.method import Modality

# Student's sleep data (Biometrika 6, 1908): hours gained by ten patients with two drugs.
SLEEP = ([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
         [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])  # fmt: skip


def pairs(first: list[float], second: list[float], group: str = "ct") -> list[Pair]:
    return [
        Pair(group, f"{group}{index}", a, b)
        for index, (a, b) in enumerate(zip(first, second, strict=True))
    ]


def test_students_own_data() -> None:
    """Mean 1.58, t = 4.0621 with 9 degrees of freedom, p = 0.002833, 0.700 to 2.460."""
    found = compare(pairs(SLEEP[1], SLEEP[0]))
    assert found is not None
    assert found.by_image.mean == pytest.approx(1.58)
    assert found.by_image.p == pytest.approx(0.002833, abs=1e-6)
    assert found.by_image.low == pytest.approx(0.7001142, abs=1e-6)
    assert found.by_image.high == pytest.approx(2.4598858, abs=1e-6)
    assert (found.above, found.below, found.images, found.subjects) == (9, 0, 10, 10)
    assert found.by_subject == found.by_image


def test_holms_adjustment() -> None:
    """Holm 1979: 0.01, 0.04, 0.03, 0.005 become 0.03, 0.06, 0.06, 0.02."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, None, 0.9]) == [1.0, None, 1.0]
    assert holm([]) == []


def test_several_groups_weigh_the_same_and_widen_the_interval_as_welch_has_it() -> None:
    rng = np.random.default_rng(1)
    big, small = rng.normal(1.0, 1.0, 50), rng.normal(3.0, 2.0, 5)
    found = interval({"a": list(big), "b": list(small)})
    assert found.mean == pytest.approx((big.mean() + small.mean()) / 2)
    # The mean of two groups is half of (a - (-b)), which scipy's Welch test compares.
    welch = stats.ttest_ind(big, -small, equal_var=False)
    assert found.p == pytest.approx(welch.pvalue)
    reach = welch.confidence_interval(0.95)
    assert found.low == pytest.approx(reach.low / 2)
    assert found.high == pytest.approx(reach.high / 2)


def test_images_of_one_subject_do_not_count_as_many() -> None:
    rng = np.random.default_rng(2)
    found = compare(
        [Pair("ct", f"s{person}", offset + rng.normal(0, 0.05), 0.0)
         for person, offset in enumerate((0.1, 0.9, 0.4)) for _ in range(20)]
    )  # fmt: skip
    assert found is not None
    assert (found.images, found.subjects) == (60, 3)
    by_image, by_subject = found.by_image, found.by_subject
    assert by_image.low is not None
    assert by_subject.low is not None
    assert by_subject.low < by_image.low
    assert by_subject.mean == pytest.approx(by_image.mean)


def test_what_cannot_be_had_is_none() -> None:
    assert compare([]) is None
    assert compare(pairs([float("inf")], [float("inf")])) is None
    one = compare(pairs([2.0], [1.0]))
    assert one is not None
    assert (one.by_image.low, one.wilcoxon) == (None, None)
    same = compare(pairs([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]))
    assert same is not None
    assert (same.by_image.p, same.wilcoxon, same.above, same.below) == (1.0, 1.0, 0, 0)
    assert signed_rank(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])) == pytest.approx(2 / 64)


def test_zero_differences_take_their_ranks_as_pratt_has_it() -> None:
    """The zero has rank 1, so the only negative difference has rank 2 of 2 to 6: 2 to 20."""
    differences = np.array([0.0, -1.0, 2.0, 3.0, 4.0, 5.0])
    sums = [
        sum(rank for rank, sign in zip(range(2, 7), signs, strict=True) if sign)
        for signs in itertools.product((0, 1), repeat=5)
    ]
    expected = 2 * np.mean(np.array(sums) <= 2)
    assert signed_rank(differences) == pytest.approx(expected)


def row(candidate: str, case: str, value: float, **more: object) -> ResultRow:
    facts = {"condition": "quarter-dose", "group": "ct", "subject": case, "level": 0.25,
             "family": candidate.partition("@")[0], "label": candidate.upper(), "seed": 0,
             **more}  # fmt: skip
    measured = Measured({"psnr": value, "ssim": value / 40, "vif": None}, calls=3)
    return ResultRow(case=case, candidate=candidate, measured=measured, **facts)  # type: ignore[arg-type]


def test_means_spreads_and_seeds() -> None:
    rows = [row("null_space", "a", 30.0), row("null_space", "a", 32.0, seed=1),
            row("null_space", "b", 34.0), row("null_space", "b", 34.0, seed=1),
            row("pinv", "a", 29.0), row("pinv", "b", 35.0)]  # fmt: skip
    summary = summarise(protocol("lowdose-ct"), rows)
    ours = next(line for line in summary.lines if line.candidate == "null_space")
    assert (ours.mean, ours.images, ours.subjects, ours.calls) == (32.5, 2, 2, 3)
    assert ours.sd == pytest.approx(np.std([31.0, 34.0], ddof=1))
    assert ours.seed_sd == pytest.approx(np.sqrt(2) / 2)
    assert {line.measure for line in summary.lines} == {"psnr", "ssim"}
    [psnr, _] = summary.comparisons
    assert psnr.paired.by_image.mean == pytest.approx(0.5)
    assert (psnr.wins, psnr.losses) == (1, 1)


def test_of_a_filter_the_best_strengths_are_shown_and_all_are_kept() -> None:
    rows = []
    for case in ("a", "b"):
        rows += [row("nlm@beta=1", case, 30.0), row("nlm@beta=2", case, 31.0),
                 row("nlm@beta=3", case, 29.0)]  # fmt: skip
    summary = summarise(protocol("lowdose-ct"), rows)
    assert {line.candidate for line in summary.lines} == {f"nlm@beta={n}" for n in (1, 2, 3)}
    assert {line.candidate for line in summary.of("quarter-dose")} == {"nlm@beta=2"}


def test_the_mean_over_groups_is_unweighted() -> None:
    rows = [row("pinv", f"c{n}", 20.0) for n in range(9)]
    rows.append(row("pinv", "m", 40.0, group="mr"))
    summary = summarise(protocol("lowdose-ct"), rows)
    means = {line.group: line.mean for line in summary.lines if line.measure == "psnr"}
    assert means == {ALL: 30.0, "ct": 20.0, "mr": 40.0}


def test_lower_is_better_where_it_is() -> None:
    rows = []
    for case, ours, theirs in (("a", 100.0, 200.0), ("b", 90.0, 120.0)):
        for name, value in (("unimie", ours), ("clahe", theirs)):
            made = row(name, case, 0.0, condition="under-exposure")
            rows.append(ResultRow(**{**vars(made), "measured": Measured({"loe": value})}))
    [loe] = summarise(protocol("illumination"), rows).comparisons
    assert loe.paired.by_image.mean < 0
    assert (loe.wins, loe.losses) == (2, 0)


def test_the_page_says_what_the_rows_say() -> None:
    rows = []
    for index, case in enumerate("abcdef"):
        rows += [row("null_space", case, 31.0 + index), row("pinv", case, 30.0 + index / 2)]
    summary = summarise(protocol("lowdose-ct"), rows)
    cases = [TestImage(case, Modality.CT, np.zeros((8, 8), np.float32), group="ct", subject=case)
             for case in "abcdef"]  # fmt: skip
    page = as_markdown(summary, cases, rows)
    assert "6 ct of 6" in page
    assert "| NULL_SPACE | **33.50** ± 1.87 | " in page
    assert "| PINV | 31.25 ± 0.94 | " in page
    assert "+2.25" in page
    assert "| 6, 0 |" in page
    assert re.search(r"\| 0\.031 \|", page)
    assert "PSNR (dB) ↑: " in page


def test_an_infinite_score_stays_one() -> None:
    assert number(float("inf"), "psnr") == "inf"
    rows = [row("pinv", "a", float("inf")), row("pinv", "b", 30.0)]
    [line, *_] = summarise(protocol("lowdose-ct"), rows).lines
    assert line.mean == float("inf")
    assert line.sd is None
    assert row_frame(rows, protocol("lowdose-ct"))["psnr"].tolist() == [float("inf"), 30.0]
