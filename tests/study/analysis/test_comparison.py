"""Comparisons of methods and preferences of datasets whose results are known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from study.analysis.comparison import compare_scores, preferences
from study.analysis.dataset import Dataset
from study.domain.terms import MethodKind
from tests.support.simulated_datasets import QUICK, SMALL, dataset, steady


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


FOUR = {"M1": 2.6, "M2": 3.2, "M3": 4.1, "M4": 1.5}
DECLARED = (("M1", "M2"), ("M3", "M1"), ("M4", "M2"))


def test_the_family_is_the_declared_pairs_and_nothing_else() -> None:
    protocol = SMALL.with_(pairs=DECLARED, repeats=1)
    anchored = dataset(protocol, cases=4, strengths=FOUR, kinds={"M4": MethodKind.ANCHOR})
    found = compare_scores(anchored, anchored.criteria[0], QUICK)
    assert found.comparisons is not None
    assert [(one.first, one.second) for one in found.comparisons.pairs] == list(DECLARED)
    assert found.comparisons.family.divisor == 3
    assert found.comparisons.family.threshold == pytest.approx(0.05 / 3)
    raw = [one.t_test.p for one in found.comparisons.pairs]
    for p, corrected in zip(raw, found.comparisons.t_test, strict=True):
        assert p is not None
        assert corrected.bonferroni == pytest.approx(min(1, 3 * p))
    assert found.friedman is None


def test_an_anchor_that_is_the_control_is_the_control(data: Dataset) -> None:
    anchor = replace(data.methods[2], kind=MethodKind.ANCHOR)
    changed = replace(
        data,
        methods=(*data.methods[:2], anchor),
        protocol=data.protocol.with_(control=anchor.mask),
    )
    found = compare_scores(changed, data.criteria[0], QUICK).comparisons
    assert found is not None
    assert [(one.first, one.second) for one in found.pairs] == [("M1", "M3"), ("M2", "M3")]


def test_planned_pairs_without_data_are_corrected_for_but_not_shown(data: Dataset) -> None:
    kept = tuple(
        one._replace(excluded="lost") if "M3" in (one.left, one.right) else one
        for one in data.observations
    )
    found = compare_scores(replace(data, observations=kept), data.criteria[0], QUICK).comparisons
    assert found is not None
    assert [(one.first, one.second) for one in found.pairs] == [("M1", "M2")]
    assert found.family.divisor == 3
    (raw,), (corrected,) = [one.t_test.p for one in found.pairs], found.t_test
    assert raw is not None
    assert corrected.bonferroni == pytest.approx(min(1, 3 * raw))


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
