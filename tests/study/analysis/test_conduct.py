"""Consistency of readers, balance, drift and times of datasets whose results are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from study.analysis.conduct import conduct
from study.analysis.dataset import NOT_READ, Dataset, Observation
from study.analysis.reader_consistency import drift, repeats
from study.analysis.scores import (
    context_repeats,
)
from study.domain.questions import PAIR
from study.domain.terms import Role, Shown
from tests.support.simulated_datasets import QUICK, SMALL, dataset, single, steady


def test_a_reader_without_noise_repeats_everything() -> None:
    exact = dataset(models=steady())
    for question in (*exact.criteria, exact.preference):
        assert question is not None
        pooled = repeats(exact, question, QUICK)[-1]
        assert pooled.exact.value == 1
        assert pooled.sem.value == 0
        count = 4 * SMALL.repeats
        assert pooled.pairs == (count if question.slots == (PAIR,) else 2 * count)


def test_repeated_preferences_are_about_methods_whatever_the_side() -> None:
    biased = dataset(models=steady(left_bonus=5.0))
    question = biased.preference
    assert question is not None
    turned = [
        seen
        for seen in biased.counted(question.code, Role.REPEAT)
        if any(
            one.pair == seen.repeat_of and one.left == seen.right
            for one in biased.counted(question.code, Role.MAIN)
        )
    ]
    pooled = repeats(biased, question, QUICK)[-1]
    assert turned
    assert pooled.exact.value == pytest.approx(1 - len(turned) / pooled.pairs)


def test_the_context_of_an_image_is_told_from_its_first_rating() -> None:
    exact = dataset(models=steady())
    pooled = context_repeats(exact, exact.criteria[0], QUICK)[-1]
    assert pooled.pairs == 4 * 8 * 3
    assert pooled.exact.value == 1


def test_a_preference_for_the_left_side_is_seen() -> None:
    level = 0.95
    fair = conduct(dataset(models=steady()), level)
    biased = conduct(dataset(models=steady(left_bonus=5.0)), level)
    assert biased.left_preferred is not None
    assert biased.left_preferred.share.value == 1
    assert biased.null_preferences is not None
    assert biased.null_preferences.left == 4 * SMALL.nulls
    assert fair.null_preferences is not None
    assert fair.null_preferences.ties == 4 * SMALL.nulls
    assert all(one.equal.value == 1 and one.shift.value == 0 for one in fair.null_scores)


def test_sides_of_the_design_are_balanced_within_every_reader(data: Dataset) -> None:
    whole = conduct(dataset(), 0.95)
    assert len(whole.sides) == 3
    assert all(one.worst <= 1 for one in whole.sides)
    assert all(one.left + one.right == 4 * 8 for one in whole.sides)
    assert sum(sum(row) for row in whole.order.counts) == 2 * 4 * 8 * 3
    read = sum(one.read for one in data.readers)
    assert sum(one.left + one.right for one in conduct(data, 0.95).sides) == read


def drifting(change: int) -> Dataset:
    """Scores of two methods that rise by so much from one pair to the next, and nothing else."""
    protocol = SMALL.with_(questions=(SMALL.questions[0],))
    found = []
    for reader in ("R01", "R02"):
        for place in range(40):
            for side, base in enumerate((20, 50)):
                found.append(
                    Observation(
                        reader, f"C{place:03d}", f"P{place:03d}", "M1", "M2", "quality", side,
                        base + change * place, position=place, pair=f"{reader}-1-{place:03d}",
                    )
                )  # fmt: skip
    small = single([[1, 1]])
    return replace(small, protocol=protocol, observations=tuple(found))


def test_drift_is_the_change_that_was_put_in() -> None:
    rising = drifting(2)
    found = drift(rising, rising.criteria[0], 0.95)
    assert [one.value for one in found.by_reader] == pytest.approx([78.0, 78.0])
    assert drift(drifting(0), rising.criteria[0], 0.95).mean.value == pytest.approx(0)


def test_drift_in_a_crossover_is_that_of_a_session() -> None:
    def observed(session: int, place: int) -> Observation:
        return Observation(
            "R01", f"C{place:03d}", f"P{place:03d}", f"M{session}", "", "quality", 0,
            20 * session + 2 * place, session=session, position=place,
            pair=f"R01-{session}-{place:03d}",
        )  # fmt: skip

    protocol = SMALL.with_(
        questions=(SMALL.questions[0],), presentation=Shown.SINGLE, crossover=True,
        washout_days=28.0, nulls=0,
    )  # fmt: skip
    every = tuple(observed(session, place) for session in (1, 2) for place in range(20))
    crossed = replace(drifting(0), protocol=protocol, observations=every)
    [found] = drift(crossed, crossed.criteria[0], 0.95).by_reader[:1]
    assert found.value == pytest.approx(2 * 19)


def test_drift_of_too_few_ratings_is_undefined_with_a_reason() -> None:
    nothing = dataset(read={"R01": 0})
    slope = drift(nothing, nothing.criteria[0], 0.95).by_reader[0]
    assert slope.value is None
    assert slope.reason == "fewer than 3 ratings"
    constant = drift(dataset(read={"R01": 4}), nothing.criteria[0], 0.95).by_reader[0]
    assert constant.value == 0
    assert constant.low is None
    assert constant.reason is not None


def test_times_and_means_of_each_reader(data: Dataset) -> None:
    ways = {one.reader: one for one in conduct(data, 0.95).readers}
    own = [
        seen.seconds
        for seen in data.counted("quality", Role.MAIN)
        if seen.reader == "R01" and seen.side == 0 and seen.seconds is not None
    ]
    assert ways["R01"].seconds == pytest.approx(float(np.median(own)))
    assert {gap.reason: gap.count for gap in ways["R04"].missing}[NOT_READ] > 0
