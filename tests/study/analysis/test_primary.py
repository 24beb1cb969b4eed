"""The primary comparison: what the protocol declares, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from study.analysis.comparison import compare_scores, preferences
from study.analysis.dataset import Dataset
from study.analysis.primary import primary, primary_pair
from study.domain.inference import Hypothesis, Random
from study.domain.questions import PREFERENCE
from tests.support.simulated_datasets import QUICK, SMALL, dataset, steady


def declared(data: Dataset, **changes: object) -> Dataset:
    return replace(data, protocol=data.protocol.with_(**changes))


def test_several_pairs_have_a_primary_one_only_if_it_is_declared(data: Dataset) -> None:
    assert primary(data, QUICK) is None
    found = primary_pair(declared(data, primary_pair=("M3", "M1")))
    assert found is not None
    assert (found[0].code, found[1]) == ("quality", ("M3", "M1"))


def test_the_only_pair_is_the_primary_one(data: Dataset) -> None:
    found = primary_pair(declared(data, pairs=(("M2", "M1"),)))
    assert found is not None
    assert found[1] == ("M2", "M1")


def test_it_is_the_test_of_the_family_in_its_direction(data: Dataset) -> None:
    changed = declared(data, primary_pair=("M3", "M1"), alpha=0.1)
    found = primary(changed, QUICK)
    assert found is not None
    compared = compare_scores(changed, data.criteria[0], replace(QUICK, level=0.9)).comparisons
    assert compared is not None
    other = next(one for one in compared.pairs if (one.first, one.second) == ("M1", "M3"))
    assert found.estimate.value == pytest.approx(-(other.inference.difference.value or 0))
    assert found.estimate.low == pytest.approx(-(other.inference.difference.high or 0))
    assert found.estimate.level == pytest.approx(0.9)
    assert found.outcome.test.p == pytest.approx(other.inference.test.p)
    assert found.outcome.limit == 0.1


def test_what_is_random_is_the_protocols(data: Dataset) -> None:
    tests = []
    for random in Random:
        found = primary(declared(data, primary_pair=("M3", "M1")), replace(QUICK, random=random))
        assert found is not None
        assert f"{random.words} random" in found.outcome.test.method
        tests.append(found.outcome.test.p)
    assert len(set(tests)) == 3


@pytest.mark.parametrize("pair", [("M1", "M2"), ("M2", "M1")])
def test_a_preference_is_tested_as_the_share_of_the_first(pair: tuple[str, str]) -> None:
    models = [replace(one, noise=1.2) for one in steady(spread=1.0)]
    protocol = SMALL.with_(questions=(PREFERENCE,), primary_pair=pair, repeats=2)
    data = dataset(protocol, models=models, cases=12)
    found = primary(data, QUICK)
    assert found is not None
    question = data.preference
    assert question is not None
    rate = next(
        one for one in preferences(data, question, QUICK).pairs
        if (one.first, one.second) == ("M1", "M2")
    )  # fmt: skip
    ends = rate.rate.bootstrap
    assert ends is not None
    assert ends.low is not None
    assert ends.high is not None
    assert rate.rate.value is not None
    turned = pair == ("M2", "M1")
    expected = (1 - ends.high, 1 - ends.low) if turned else (ends.low, ends.high)
    assert (found.estimate.low, found.estimate.high) == pytest.approx(expected)
    assert found.outcome.test.p == pytest.approx(rate.test.p)
    equivalent = declared(data, hypothesis=Hypothesis.EQUIVALENCE, margin=0.4)
    again = primary(equivalent, QUICK)
    assert again is not None
    assert again.margins == pytest.approx((0.1, 0.9))
    inside = expected[0] > 0.1 and expected[1] < 0.9
    assert again.outcome.shown is inside


def test_a_pair_without_ratings_says_why(data: Dataset) -> None:
    changed = declared(data, primary_pair=("M3", "M1"))
    nothing = tuple(one._replace(value=None, missing="not read") for one in data.observations)
    found = primary(replace(changed, observations=nothing), QUICK)
    assert found is not None
    assert (found.outcome.shown, found.estimate.reason) == (None, "there are no ratings")
