"""Rankings: Kendall's W of a textbook, implied pairs, mean ranks and their intervals."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest
from scipy.stats import spearmanr

from study.domain.inference import Random
from study.stats.comparison.bradley_terry import bradley_terry
from study.stats.comparison.preference import Preference
from study.stats.comparison.rankings import Ranking, concordance, implied_choices, mean_ranks

APPLICANTS = ("a", "b", "c", "d", "e", "f")
EXECUTIVES = {"X": (1, 6, 3, 2, 5, 4), "Y": (1, 5, 6, 4, 2, 3), "Z": (6, 3, 2, 5, 4, 1)}
"""S. Siegel, Nonparametric statistics for the behavioral sciences, 1956, table 9.1: W = 0.16."""


def simulated(seed: int, readers: int, cases: int, spread: float) -> list[Ranking]:
    """Rankings of three methods whose worths differ by 1, with noise, two cases to a patient."""
    rng = np.random.default_rng(seed)
    found = []
    for reader in range(readers):
        for case in range(cases):
            order = rng.permutation(3)
            seen = order + rng.normal(0, spread, 3)
            ranks = tuple(float(rank) for rank in 1 + np.argsort(np.argsort(seen)))
            names = tuple("ABC"[place] for place in order)
            found.append(Ranking(f"c{case}", f"r{reader}", names, ranks, f"p{case // 2}"))
    return found


def test_kendalls_w_of_a_textbook() -> None:
    rankings = [Ranking("job", name, APPLICANTS, ranks) for name, ranks in EXECUTIVES.items()]
    found = concordance(rankings, resamples=0)
    # Sums of ranks 8, 14, 11, 11, 11, 8: s = 25.5, W = 12 s / (9 (216 - 6)).
    assert found.kendall_w.value == pytest.approx(12 * 25.5 / (9 * 210))
    assert round(found.kendall_w.value or 0, 2) == 0.16
    assert found.correlation.value == pytest.approx((3 * 12 * 25.5 / (9 * 210) - 1) / 2)


def test_panels_do_not_matter_and_ties_share_their_ranks() -> None:
    names = ("A", "B", "C")
    straight = [Ranking("c", "r", names, (1, 1, 3)), Ranking("c", "s", names, (1, 2, 3))]
    turned = [Ranking("c", "r", ("C", "B", "A"), (2, 1, 1)), straight[1]]
    assert concordance(straight, resamples=0) == concordance(turned, resamples=0)
    assert turned[0].midranks == (3.0, 1.5, 1.5)
    assert [one.preferred for one in implied_choices(turned[:1])] == [
        Preference.RIGHT, Preference.RIGHT, Preference.TIE,
    ]  # fmt: skip


def test_tied_orders_and_lonely_readers_are_undefined_and_say_why() -> None:
    tied = [Ranking("c", name, ("A", "B", "C"), (1, 1, 1)) for name in "rs"]
    for rankings in (tied, tied[:1], []):
        found = concordance(rankings, resamples=20)
        assert found.kendall_w.value is None
        assert "no two of them" in (found.kendall_w.reason or "")


def test_readers_are_compared_where_both_ranked_the_same_methods() -> None:
    rng = np.random.default_rng(2)
    rankings, expected = [], []
    for case in range(30):
        orders = {}
        for reader in rng.permutation(list("rstu"))[: rng.integers(1, 5)]:
            names = tuple(rng.permutation(list("ABCD" if rng.random() < 0.7 else "ABCE")))
            ranks = tuple(float(rank) for rank in rng.integers(1, 4, 4))
            rankings.append(Ranking(f"c{case}", reader, names, ranks))
            orders[reader] = dict(zip(names, ranks, strict=True))
        for first, second in combinations(orders.values(), 2):
            pairs = [(first[name], second[name]) for name in first if name in second]
            if len(pairs) == 4 and all(len(set(side)) > 1 for side in zip(*pairs, strict=True)):
                expected.append(spearmanr(*zip(*pairs, strict=True)).statistic)
    found = concordance(rankings, resamples=0).correlation
    assert found.value == pytest.approx(np.mean(expected))


@pytest.mark.exhaustive
def test_mean_ranks_sum_up_and_cover_the_truth() -> None:
    inside = 0
    for seed in range(60):
        rankings = simulated(seed, 5, 40, 1.0)
        means = mean_ranks(rankings, "ABC", Random.BOTH)
        assert sum(one.value or 0 for one in means) == pytest.approx(6)
        assert all(one.low is not None and 1 <= one.low <= (one.value or 0) for one in means)
        # B is in the middle: its mean rank is 2.
        inside += (means[1].low or 0) <= 2 <= (means[1].high or 0)
    assert inside >= 52


def test_strengths_follow_from_the_implied_pairs() -> None:
    fit = bradley_terry(implied_choices(simulated(3, 5, 40, 1.0)), resamples=50)
    best, middle, worst = (fit.of(name).value or 0 for name in "ABC")
    assert best == 0 > middle > worst


def test_random_orders_agree_as_chance_does() -> None:
    rng = np.random.default_rng(4)
    orders = list(permutations((1.0, 2.0, 3.0, 4.0)))
    rankings = [
        Ranking(f"c{case}", f"r{reader}", ("A", "B", "C", "D"), orders[rng.integers(len(orders))])
        for case in range(150)
        for reader in range(4)
    ]
    found = concordance(rankings, resamples=200, random=Random.CASES, seed=1)
    assert found.kendall_w.value == pytest.approx(1 / 4, abs=0.05)
    low, high = found.correlation.low, found.correlation.high
    assert low is not None
    assert high is not None
    assert low < 0 < high
