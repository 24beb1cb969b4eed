"""Scores, agreement and reliability of datasets whose results are known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from study.analysis import analyse
from study.analysis.dataset import NOT_READ, Dataset
from study.analysis.scores import (
    ALL_METHODS,
    agreement,
    first_ratings,
    ratings_table,
    summaries,
)
from study.domain.questions import CANNOT_JUDGE
from study.domain.terms import Role
from study.stats.agreement.coefficients import fleiss_kappa
from study.stats.scale import Scale
from study.stats.table import from_matrix
from tests.support.simulated_datasets import QUICK, SMALL, single


def test_only_the_first_main_rating_of_reader_case_and_method_counts(data: Dataset) -> None:
    question = data.criteria[0]
    first = first_ratings(data, question)
    keys = [(seen.reader, seen.case, seen.method) for seen in first]
    assert len(keys) == len(set(keys)) == 4 * 8 * 3
    for seen in first:
        earlier = [
            one
            for one in data.counted(question.code, Role.MAIN)
            if (one.reader, one.case, one.method) == (seen.reader, seen.case, seen.method)
        ]
        assert seen.when == min(one.when for one in earlier)


def test_a_missing_first_rating_is_not_replaced_by_a_later_one(data: Dataset) -> None:
    question = data.criteria[0]
    chosen = next(seen for seen in first_ratings(data, question) if seen.value is not None)
    without = tuple(
        seen._replace(value=None, missing=CANNOT_JUDGE) if seen == chosen else seen
        for seen in data.observations
    )
    before = {one.method: one.scores.n for one in summaries(data, question)}
    after = {
        one.method: one.scores.n for one in summaries(replace(data, observations=without), question)
    }
    assert after[chosen.method] == before[chosen.method] - 1


def test_missing_values_are_counted_by_reason_and_all_plans_add_up(data: Dataset) -> None:
    for one in summaries(data, data.criteria[0]):
        reasons = {gap.reason: gap.count for gap in one.missing}
        assert set(reasons) == {CANNOT_JUDGE, NOT_READ}
        assert one.planned == 4 * 8
        assert one.scores.n + sum(reasons.values()) == one.planned
        assert sum(one.scores.counts) == one.scores.n
        assert reasons[NOT_READ] > 0


def test_scores_of_a_table_worked_by_hand() -> None:
    scores = single([[1, 2], [3, 3], [5, 4], [2, None]])
    first = summaries(scores, scores.criteria[0])[0]
    assert first.scores.counts == (1, 2, 2, 1, 1)
    assert first.scores.mean == pytest.approx(20 / 7)
    assert first.scores.median == 3
    assert [gap.count for gap in first.missing] == [1, 0]


def test_kappa_is_that_of_the_table_of_first_ratings() -> None:
    matrix = [[1, 1, 2], [3, 3, 3], [5, 4, 5], [2, 2, 2], [4, 4, 5], [1, 2, 1]]
    found = agreement(single(matrix), SMALL.questions[0], "M1", QUICK)
    wanted = fleiss_kappa(from_matrix(matrix, Scale.span(1, 5)), resamples=0)
    assert found.fleiss.value == pytest.approx(wanted.value)
    assert found.fleiss.se == pytest.approx(wanted.se)
    assert (found.items, found.readers) == (6, 3)


def test_unused_points_of_the_scale_count_for_gwet() -> None:
    matrix = [[1, 1], [2, 3], [3, 3], [5, 5], [5, 5]]
    found = agreement(single(matrix), SMALL.questions[0], "M1", QUICK)
    # Without the unused 4 the literature's value is .96117.
    assert found.ac2.value == pytest.approx(0.96364, abs=5e-6)


def test_constant_ratings_leave_kappa_undefined_with_a_reason() -> None:
    found = agreement(single([[4, 4, 4]] * 5), SMALL.questions[0], "M1", QUICK)
    assert found.raw.value == 1
    assert found.ac1.value == 1
    for undefined in (found.fleiss, found.quadratic, found.alpha, found.reliability.form("A,1")):
        assert undefined.value is None
        assert undefined.reason is not None
        assert "no variation" in undefined.reason


def test_one_reader_has_scores_and_no_agreement() -> None:
    alone = single([[1], [3], [5]])
    found = agreement(alone, alone.criteria[0], "M1", QUICK)
    assert found.pairwise is None
    assert found.fleiss.reason == "no item has two ratings"
    assert analyse(alone, resamples=20).criteria[0].summaries[0].scores.mean == 3


def test_over_all_methods_every_image_is_an_item(data: Dataset) -> None:
    table = ratings_table(data, data.criteria[0], ALL_METHODS)
    assert len(table.items) == 8 * 3
    assert len(set(table.clusters)) == len({case.patient for case in data.cases})
