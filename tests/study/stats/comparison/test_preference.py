from __future__ import annotations

import math

import numpy as np
import pytest

from study.domain.errors import StatisticsError
from study.domain.inference import Random
from study.stats.comparison.balance import MethodPosition, order_balance, side_balance
from study.stats.comparison.blinding_index import Guess, blinding_index
from study.stats.comparison.bradley_terry import bradley_terry
from study.stats.comparison.preference import Choice, Preference, null_pairs, side_check, win_rates
from tests.study.stats.published_tables import baseball, shown

LEFT, RIGHT, TIE = Preference.LEFT, Preference.RIGHT, Preference.TIE


def test_baseball_1987_at_home():
    found = bradley_terry(baseball(), "Baltimore", side=True, resamples=0)
    assert found.side.value == pytest.approx(0.3023, abs=5e-5)
    assert found.side.se == pytest.approx(0.1309, abs=5e-5)
    assert found.of("Boston").value == pytest.approx(1.1438, abs=5e-5)


def test_davidsons_ties_of_two_methods():
    choices = shown("a", "b", {LEFT: 8, RIGHT: 2, TIE: 4})
    found = bradley_terry(choices, "b", resamples=0)
    assert found.of("a").value == pytest.approx(math.log(8 / 2))
    assert found.ties.value == pytest.approx(math.log(4 / math.sqrt(8 * 2)))
    likelihood = 8 * math.log(8 / 14) + 2 * math.log(2 / 14) + 4 * math.log(4 / 14)
    assert found.log_likelihood == pytest.approx(likelihood)


def test_strengths_do_not_depend_on_sides_or_reference():
    games = baseball()
    swapped = [
        Choice(g.item, g.reader, g.right, g.left, RIGHT if g.preferred == LEFT else LEFT)
        for g in games
    ]
    plain = bradley_terry(games, "Baltimore", resamples=0)
    other = bradley_terry(swapped, "Toronto", resamples=0)
    apart = plain.of("Boston").value - plain.of("Detroit").value
    assert other.of("Boston").value - other.of("Detroit").value == pytest.approx(apart)


def test_null_pairs_and_missing_answers_are_left_out():
    choices = shown("a", "b", {LEFT: 8, RIGHT: 2, None: 3}) + shown("a", "a", {LEFT: 5})
    assert bradley_terry(choices, resamples=0).n == 10
    assert bradley_terry(choices, resamples=0).reference == "a"


@pytest.mark.parametrize(
    "choices",
    [
        shown("a", "b", {LEFT: 8}),
        shown("a", "b", {LEFT: 4, RIGHT: 1}) + shown("c", "d", {LEFT: 4, RIGHT: 1}),
        shown("a", "b", {LEFT: 4, RIGHT: 1}) + shown("b", "c", {RIGHT: 5}),
    ],
)
def test_infinite_or_unknown_strengths_are_undefined(choices):
    found = bradley_terry(choices, "a")
    assert found.log_likelihood is None
    assert "infinite or unknown" in (found.reason or "")
    assert all(strength.value is None and strength.reason for strength in found.strengths)


def test_a_side_that_cannot_be_told_is_undefined():
    found = bradley_terry(shown("a", "b", {LEFT: 8, RIGHT: 2}), side=True)
    assert "cannot be separated" in (found.reason or "")
    assert found.side.value is None


def test_strengths_are_resampled_by_patient():
    rng = np.random.default_rng(5)
    choices = []
    for patient in range(12):
        winner = LEFT if rng.random() < 0.6 else RIGHT
        choices += shown("a", "b", {winner: 5}, cluster=f"p{patient}")
    choices = [Choice(str(i), c.reader, c.left, c.right, c.preferred, c.cluster)
               for i, c in enumerate(choices)]  # fmt: skip
    alone = [Choice(c.item, c.reader, c.left, c.right, c.preferred) for c in choices]
    one, other = (
        bradley_terry(each, "b", resamples=200, random=Random.CASES).of("a").bootstrap
        for each in (choices, alone)
    )
    assert one.high - one.low > 1.5 * (other.high - other.low)
    assert "12 patients" in one.method


def test_strengths_need_two_methods():
    with pytest.raises(StatisticsError, match="need two methods, got none"):
        bradley_terry([])
    with pytest.raises(StatisticsError, match="no method 'z': choose from a, b"):
        bradley_terry(shown("a", "b", {LEFT: 1, RIGHT: 1}), "z")
    with pytest.raises(StatisticsError, match="no method 'z'"):
        bradley_terry(shown("a", "b", {LEFT: 1, RIGHT: 1}), resamples=0).of("z")


def test_win_rates_keep_ties_apart_whatever_the_side():
    choices = shown("b", "a", {LEFT: 3, RIGHT: 9, TIE: 2, None: 1})
    choices += shown("a", "b", {LEFT: 6, RIGHT: 2}) + shown("a", "a", {LEFT: 9})
    [rate] = win_rates(choices, random=Random.CASES)
    assert (rate.first, rate.wins, rate.losses, rate.ties, rate.missing) == ("a", 15, 5, 2, 1)
    assert rate.rate.value == 0.75
    assert (rate.rate.low, rate.rate.high) == pytest.approx((0.531299, 0.888138), abs=5e-7)
    assert rate.naive.p == pytest.approx(0.041389, abs=5e-7)
    assert rate.tie_share.value == pytest.approx(2 / 22)
    assert rate.rate.bootstrap.low < 0.75 < rate.rate.bootstrap.high


def test_a_pair_with_ties_only_has_no_rate():
    [rate] = win_rates(shown("a", "b", {TIE: 4}))
    assert (rate.rate.value, rate.test.p) == (None, None)
    assert rate.rate.reason
    assert rate.tie_share.value == 1.0


def test_null_pairs_show_a_preference_for_a_side():
    choices = shown("a", "a", {LEFT: 15, RIGHT: 5, TIE: 2, None: 1}) + shown("a", "b", {RIGHT: 9})
    found = null_pairs(choices)
    assert (found.left, found.right, found.ties, found.missing) == (15, 5, 2, 1)
    assert found.test.p == pytest.approx(0.041389, abs=5e-7)
    assert side_check(choices).right == 14
    assert null_pairs([]).test.reason == "there are no trials"


def test_side_balance_counts_every_reader():
    choices = shown("a", "b", {LEFT: 2, None: 1}) + shown("b", "a", {LEFT: 1})
    choices += [Choice("x", "B", "b", "a", None), Choice("y", "B", "a", "a", None)]
    [found] = side_balance(choices)
    assert (found.first, found.left, found.right, found.worst) == ("a", 3, 2, 2)
    assert found.test.p == 1.0


def test_order_balance_sees_a_method_that_always_comes_first():
    even = [MethodPosition("A", i, "abcd"[(i + i // 4) % 4]) for i in range(80)]
    assert order_balance(even).test.p > 0.9
    sorted_by_method = [MethodPosition("A", i, "ab"[i // 40]) for i in range(80)]
    found = order_balance(sorted_by_method)
    assert found.test.p < 1e-6
    assert found.counts == ((20, 20, 0, 0), (0, 0, 20, 20))
    assert "below 5" not in found.test.method


def test_order_balance_of_too_little():
    assert (
        "below 5"
        in order_balance([MethodPosition("A", i, "ab"[i % 2]) for i in range(8)]).test.method
    )
    assert order_balance([MethodPosition("A", i, "a") for i in range(8)]).test.reason == (
        "it needs two methods"
    )
    short = order_balance([MethodPosition("A", i, "ab"[i]) for i in range(2)])
    assert short.test.reason == "the sessions are shorter than their parts"
    with pytest.raises(StatisticsError, match="at least two blocks"):
        order_balance([], 1)


def guesses(counts: dict[str, dict[str | None, int]]) -> list[Guess]:
    return [
        Guess(method, guess)
        for method, row in counts.items()
        for guess, number in row.items()
        for _ in range(number)
    ]


def test_a_published_blinding_index():
    # R package BI and BlindingIndex.jl, documented example of two arms.
    found = blinding_index(
        guesses(
            {
                "treatment": {"treatment": 48, "placebo": 4, None: 330},
                "placebo": {"treatment": 22, "placebo": 30, None: 319},
            }
        )
    )
    placebo, treatment = found.bang
    assert found.james.value == pytest.approx(0.896, abs=5e-4)
    assert found.james.se == pytest.approx(0.011, abs=5e-4)
    assert (found.james.low, found.james.high) == pytest.approx((0.875, 0.918), abs=5e-4)
    assert (treatment.value, treatment.se) == pytest.approx((0.115, 0.018), abs=5e-4)
    assert (treatment.low, treatment.high) == pytest.approx((0.080, 0.150), abs=5e-4)
    assert (placebo.value, placebo.se) == pytest.approx((0.022, 0.019), abs=5e-4)
    assert (placebo.low, placebo.high) == pytest.approx((-0.016, 0.060), abs=5e-4)


@pytest.mark.parametrize("methods", ["ab", "abcd"])
def test_blinding_indices_at_their_landmarks(methods: str):
    right = blinding_index(guesses({m: {m: 10} for m in methods}))
    assert right.james.value == pytest.approx(0.0)
    assert [index.value for index in right.bang] == pytest.approx([1.0] * len(methods))
    at_random = blinding_index(guesses({m: dict.fromkeys(methods, 10) for m in methods}))
    assert at_random.james.value == pytest.approx(0.5)
    assert [index.value for index in at_random.bang] == pytest.approx([0.0] * len(methods))
    unknown = blinding_index(guesses({m: {None: 10} for m in methods}))
    assert unknown.james.value == 1.0
    assert unknown.james.low is None
    assert unknown.counts[0][-1] == 10


def test_blinding_indices_that_are_undefined():
    one_sided = blinding_index(guesses({"a": {"a": 5}, "b": {None: 5}}))
    assert one_sided.james.value is None
    assert one_sided.james.reason == "all given guesses are about one method and name it"
    unasked = blinding_index(guesses({"a": {"b": 5}}))
    assert unasked.bang[0].value == -1.0
    assert unasked.bang[1].reason == "no guesses about this method"
    with pytest.raises(StatisticsError, match="two methods to choose from, got a"):
        blinding_index(guesses({"a": {"a": 5}}))
