"""Comparisons of methods and preferences of datasets whose results are known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from study.analysis.comparison import compare_scores, preferences
from study.analysis.dataset import Dataset
from study.domain.protocol import MethodKind
from tests.support.simulated_datasets import QUICK, dataset, steady


def test_the_family_is_all_pairs_without_anchors(data: Dataset) -> None:
    question = data.criteria[0]
    found = compare_scores(data, question, QUICK).comparisons
    assert found is not None
    assert (found.family.divisor, len(found.pairs)) == (3, 3)
    with_anchor = replace(
        data,
        methods=(
            data.methods[0],
            data.methods[1],
            replace(data.methods[2], kind=MethodKind.ANCHOR),
        ),
    )
    found = compare_scores(with_anchor, question, QUICK).comparisons
    assert found is not None
    assert found.family.divisor == 1
    assert (found.pairs[0].first, found.pairs[0].second) == ("M1", "M2")


def test_with_a_control_the_family_is_every_method_against_it(data: Dataset) -> None:
    controlled = replace(data, protocol=data.protocol.with_(control="M2"))
    found = compare_scores(controlled, data.criteria[0], QUICK).comparisons
    assert found is not None
    assert found.family.divisor == 2
    assert [(one.first, one.second) for one in found.pairs] == [("M1", "M2"), ("M3", "M2")]
    assert found.family.threshold == pytest.approx(0.05 / 2)


def test_comparisons_find_what_the_readers_were_made_to_prefer() -> None:
    clear = dataset(models=steady(spread=0.2))
    found = compare_scores(clear, clear.criteria[0], QUICK).comparisons
    assert found is not None
    best = next(one for one in found.pairs if (one.first, one.second) == ("M1", "M3"))
    assert best.difference.value is not None
    assert best.difference.value == pytest.approx(2.6 - 4.1, abs=0.35)
    question = clear.preference
    assert question is not None
    wins = preferences(clear, question, QUICK)
    rates = {one.method: one.rate.value for one in wins.methods}
    assert rates["M3"] == 1
    assert rates["M1"] == 0


def test_two_methods_against_anchors_only_cannot_be_compared(data: Dataset) -> None:
    anchors = tuple(
        replace(one, kind=MethodKind.ANCHOR if place else MethodKind.TEST)
        for place, one in enumerate(data.methods)
    )
    found = compare_scores(replace(data, methods=anchors), data.criteria[0], QUICK)
    assert found.comparisons is None
    assert "two methods" in found.reason


def test_wins_and_losses_of_all_methods_balance(data: Dataset) -> None:
    question = data.preference
    assert question is not None
    found = preferences(data, question, QUICK)
    assert sum(one.wins for one in found.methods) == sum(one.losses for one in found.methods)
    decided = sum(one.wins + one.losses for one in found.pairs)
    ties = sum(one.ties for one in found.pairs)
    assert found.n == decided + ties
    assert found.n + sum(gap.count for gap in found.missing) == 4 * 8 * 3
