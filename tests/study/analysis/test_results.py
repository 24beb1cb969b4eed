"""Analyses of datasets whose results are known beforehand."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from study.analysis import analyse
from study.analysis.blinding import blinding
from study.analysis.comparison import compare_scores, preferences
from study.analysis.conduct import conduct
from study.analysis.dataset import NOT_READ, Dataset, Observation
from study.analysis.reader_consistency import drift, repeats
from study.analysis.results import default_seed
from study.analysis.scores import (
    ALL_METHODS,
    AnalysisOptions,
    agreement,
    context_repeats,
    first_ratings,
    ratings_table,
    summaries,
)
from study.demo.reader_model import ReaderModel
from study.domain.protocol import CANNOT_JUDGE, PAIR, MethodKind, Protocol, Role
from study.stats.agreement import fleiss_kappa
from study.stats.estimate import to_json
from study.stats.scale import Scale
from study.stats.table import from_matrix
from tests.support.simulated_datasets import SMALL, STRENGTHS, dataset, single, unblind

QUICK = AnalysisOptions(resamples=50, seed=1, level=0.95)
NAMES = {"M1": "Median filter", "M2": "Restormer", "M3": "Guided diffusion"}
GROUPS = {"M1": "filter", "M2": "neural network", "M3": "neural network"}


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Four readers, eight cases, three methods; R04 has stopped in the middle."""
    return dataset(read={"R04": 12})


def steady(**changes: float) -> list[ReaderModel]:
    """Readers without noise, who answer everything."""
    return [ReaderModel(f"R{n:02d}", STRENGTHS, seed=2, noise=0.0, **changes) for n in range(1, 5)]


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
        replace(seen, value=None, missing=CANNOT_JUDGE) if seen == chosen else seen
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


def test_excluded_rows_are_in_no_result(data: Dataset) -> None:
    without = tuple(
        replace(seen, excluded="wrong_display") if seen.reader == "R02" else seen
        for seen in data.observations
    )
    excluded = replace(
        data,
        observations=without,
        readers=tuple(
            replace(one, state="excluded") if one.code == "R02" else one for one in data.readers
        ),
    )
    removed = replace(
        excluded,
        observations=tuple(seen for seen in data.observations if seen.reader != "R02"),
    )
    left = analyse(excluded, resamples=20)
    right = analyse(removed, resamples=20)
    assert left.criteria == right.criteria
    assert left.preferences == right.preferences
    assert left.conduct == right.conduct


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
    clear = dataset(tastes=steady(spread=0.2))
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


def test_a_reader_without_noise_repeats_everything() -> None:
    exact = dataset(tastes=steady())
    for question in (*exact.criteria, exact.preference):
        assert question is not None
        pooled = repeats(exact, question, QUICK)[-1]
        assert pooled.exact.value == 1
        assert pooled.sem.value == 0
        count = 4 * SMALL.repeats
        assert pooled.pairs == (count if question.slots == (PAIR,) else 2 * count)


def test_repeated_preferences_are_about_methods_whatever_the_side() -> None:
    biased = dataset(tastes=steady(left_bonus=5.0))
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
    exact = dataset(tastes=steady())
    pooled = context_repeats(exact, exact.criteria[0], QUICK)[-1]
    assert pooled.pairs == 4 * 8 * 3
    assert pooled.exact.value == 1


def test_a_preference_for_the_left_side_is_seen() -> None:
    level = 0.95
    fair = conduct(dataset(tastes=steady()), level)
    biased = conduct(dataset(tastes=steady(left_bonus=5.0)), level)
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


def test_the_same_data_and_seed_give_the_same_bytes(data: Dataset) -> None:
    first = to_json(analyse(data, resamples=60))
    shuffled = replace(data, observations=tuple(reversed(data.observations)))
    assert first == to_json(analyse(shuffled, resamples=60))
    assert first != to_json(analyse(data, resamples=60, seed=99))


def test_the_seed_comes_from_the_protocol(data: Dataset) -> None:
    assert analyse(data, resamples=20).options.seed == default_seed(data.protocol.digest)
    other = data.protocol.with_(title="Another")
    assert default_seed(other.digest) != default_seed(data.protocol.digest)


def test_results_do_not_know_names_and_do_not_depend_on_them(data: Dataset) -> None:
    named = unblind(data, NAMES, GROUPS)
    text = to_json(analyse(named, resamples=20))
    assert not any(name in text for name in NAMES.values())
    assert analyse(named, resamples=20).criteria == analyse(data, resamples=20).criteria
    assert json.loads(text)["data_sha256"] == replace(named, methods=data.methods).digest


def test_the_digest_changes_with_an_answer(data: Dataset) -> None:
    first, *others = data.observations
    changed = replace(first, value=2 if first.value != 2 else 3, missing="")
    assert replace(data, observations=(changed, *others)).digest != data.digest


def test_blinding_is_computed_after_unblinding_only(data: Dataset) -> None:
    assert blinding(data) is None
    found = blinding(unblind(data, NAMES, GROUPS))
    assert found is not None
    assert found.readers == 4
    assert sum(sum(row) for row in found.index.counts) == 4 * 3
    assert found.chance == pytest.approx(1 / 3)


def test_a_study_in_which_nobody_read_is_analysed() -> None:
    empty = dataset(read={f"R{n:02d}": 0 for n in range(1, 5)})
    found = analyse(empty, resamples=20)
    assert all(one.scores.n == 0 and one.scores.mean is None for one in found.criteria[0].summaries)
    assert found.criteria[0].comparison.comparisons is None
    assert found.criteria[0].agreement[0].fleiss.value is None


def test_a_study_without_preferences_and_repeats_is_analysed() -> None:
    bare = dataset(
        Protocol(
            readers=2, training=0, dummies=0, repeats=0, nulls=0, ask_blinding=False,
            questions=SMALL.questions[:1],
        ),
        cases=4,
    )  # fmt: skip
    found = analyse(bare, resamples=20)
    assert found.preferences is None
    assert found.preference_repeats == ()
    assert found.criteria[0].repeats == ()
    assert found.conduct.left_preferred is None
