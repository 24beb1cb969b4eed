"""Areas under VGC and ROC curves, and limits of agreement, from the ratings of a study."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from study.analysis.accuracy import accuracy_result
from study.analysis.areas import (
    reference_method,
    roc_curve,
    roc_results,
    score_panel,
    vgc_curve,
    vgc_results,
)
from study.analysis.dataset import Dataset, Observation
from study.analysis.limits import limits_of, method_readings, repeat_readings
from study.analysis.measures import measures
from study.domain.questions import Question, QuestionKind
from study.domain.terms import MethodKind, Role
from tests.support.simulated_datasets import QUICK, SMALL, dataset, single

SURE = Question("quality", "How sure are you of a lesion?", truth=True, primary=True)
COBB = Question("cobb", "Cobb angle", QuestionKind.NUMBER, 0, 0, low=0, high=90, primary=True)


def area(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.trapezoid(y, x))


def test_the_reference_is_the_control_else_the_hidden_reference_else_the_first() -> None:
    plain = dataset(cases=2)
    assert reference_method(plain) == "M1"
    hidden = dataset(cases=2, kinds={"M3": MethodKind.REFERENCE})
    assert reference_method(hidden) == "M3"
    assert reference_method(dataset(SMALL.with_(control="M2"), cases=2)) == "M2"
    assert reference_method(replace(plain, methods=plain.methods[:1])) == ""


def test_vgc_areas_count_the_pairs_of_ratings(data: Dataset) -> None:
    question = data.criteria[0]
    found, panel = vgc_results(data, question, QUICK), score_panel(data, question)
    assert found is not None
    assert panel is not None
    assert found.reference == "M1"
    assert [one.first for one in found.areas] == ["M2", "M3"]
    for one in found.areas:
        high, low = (panel.scores[:, :, panel.place(m)] for m in (one.first, "M1"))
        for column, reader in enumerate(panel.readers):
            a, b = (x[~np.isnan(x)] for x in (high[:, column], low[:, column]))
            wins = np.mean([(x > y) + 0.5 * (x == y) for x in a for y in b])
            own = next(each for each in one.readers if each.reader == reader)
            assert own.values[0] == pytest.approx(wins)
    assert (found.areas[1].area.value or 0) > (found.areas[0].area.value or 0) > 0.5


def test_the_mean_curve_has_the_mean_area(data: Dataset) -> None:
    question = data.criteria[0]
    found, panel = vgc_results(data, question, QUICK), score_panel(data, question)
    assert found is not None
    assert panel is not None
    for one in found.areas:
        x, y = vgc_curve(panel, one.first, found.reference)
        assert (x[0], y[0], x[-1], y[-1]) == pytest.approx((0, 0, 1, 1))
        assert (np.diff(x) >= -1e-12).all()
        assert (np.diff(y) >= -1e-12).all()
        assert area(x, y) == pytest.approx(one.area.value)


def confidences(truth: dict[str, str]) -> Dataset:
    """Two readers and two methods: M1 tells positive cases perfectly, M2 not at all."""
    cases = [f"C{n:03d}" for n in range(1, 9)]
    scores = [[5 if truth.get(case) == "yes" else 1] * 2 for case in cases]
    made = single(scores)
    questions = (SURE,)
    listed = tuple(replace(case, truth=truth.get(case.case, "")) for case in made.cases)
    return replace(made, protocol=made.protocol.with_(questions=questions), cases=listed)


def test_roc_areas_need_a_truth_and_leave_cases_without_one_out() -> None:
    truth = {f"C{n:03d}": "yes" if n % 2 else "no" for n in range(1, 8)}
    known = confidences(truth)
    found = roc_results(known, SURE, QUICK)
    assert found is not None
    assert (found.positive, found.negative, found.unknown) == (4, 3, 1)
    assert found.areas is not None
    assert [one.value for one in found.areas.methods] == [1.0, 0.5]
    panel = score_panel(known, SURE)
    assert panel is not None
    assert area(*roc_curve(known, panel, "M1")) == pytest.approx(1.0)
    assert area(*roc_curve(known, panel, "M2")) == pytest.approx(0.5)


KINDS = (
    (QuestionKind.LIKERT, {1: 1, 3: 3, 5: 5}, (1, 5), 4),
    (QuestionKind.YES_NO, {1: 0, 3: 0, 5: 1}, (0, 1), 1),
    (QuestionKind.VAS, {1: 2, 3: 50, 5: 51}, (0, 100), 51),
)


def asked_with(kind: QuestionKind, values: dict[int, int], ends: tuple[int, int]) -> Dataset:
    """`confidences` of another kind, with a truth of all cases but the last."""
    known = confidences({f"C{n:03d}": "yes" if n % 2 else "no" for n in range(1, 8)})
    asked = Question("quality", "Is there a lesion?", kind, *ends, truth=True, primary=True)
    seen = tuple(one._replace(value=values[int(one.value or 0)]) for one in known.observations)
    protocol = known.protocol.with_(questions=(asked,))
    return replace(known, protocol=protocol, observations=seen)


@pytest.mark.parametrize(("kind", "values", "ends", "cutoff"), KINDS)
def test_sensitivity_and_specificity_by_reader_and_method(
    kind: QuestionKind, values: dict[int, int], ends: tuple[int, int], cutoff: int
) -> None:
    known = asked_with(kind, values, ends)
    truth = {one.case: one.truth for one in known.cases if one.truth}
    result = accuracy_result(known, known.protocol.questions[0], QUICK)
    assert result is not None
    assert result.unknown == 1
    assert result.cutoff == cutoff
    assert result.found is not None
    one = {(each.method, each.reader): each for each in result.found.readers}["M1", "R01"]
    assert (one.true_positive, one.false_negative) == (4, 0)
    assert (one.true_negative, one.false_positive) == (3, 0)
    assert accuracy_result(confidences({}), SURE, QUICK) is None
    all_positive = accuracy_result(confidences(dict.fromkeys(truth, "yes")), SURE, QUICK)
    assert all_positive is not None
    assert "need cases of both" in all_positive.reason


def test_places_on_a_line_and_numbers_have_roc_areas_too() -> None:
    [line] = measures(asked_with(*KINDS[2][:3]), QUICK)
    assert line.roc is not None
    assert line.roc.areas is not None
    assert [one.value for one in line.roc.areas.methods] == [1.0, 0.5]
    assert line.accuracy is not None
    # A number is large in any range: where it calls a case positive is not known.
    known = asked_with(*KINDS[2][:3])
    number = replace(COBB, code="quality", truth=True)
    protocol = known.protocol.with_(questions=(number,))
    [found] = measures(replace(known, protocol=protocol), QUICK)
    assert found.roc is not None
    assert found.roc.areas == line.roc.areas
    assert found.accuracy is None
    [blind] = measures(replace(known, cases=confidences({}).cases), QUICK)
    assert blind.roc is blind.accuracy is None


def test_without_a_truth_there_is_no_roc_and_with_one_kind_of_cases_a_reason() -> None:
    assert roc_results(confidences({}), SURE, QUICK) is None
    plain = replace(SURE, truth=False)
    assert roc_results(confidences({"C001": "yes"}), plain, QUICK) is None
    all_positive = confidences({f"C{n:03d}": "yes" for n in range(1, 9)})
    found = roc_results(all_positive, SURE, QUICK)
    assert found is not None
    assert found.areas is None
    assert "no rating of a negative case" in found.reason


def angles() -> Dataset:
    """Three readers, ten patients; M2 measures 3 degrees more; each M1 was measured twice."""
    rng = np.random.default_rng(4)
    made = single([[1] * 3] * 10)
    seen = []
    for one in made.observations:
        true = 10.0 + 4 * int(one.case[1:]) + (3.0 if one.method == "M2" else 0.0)
        value = true + float(rng.normal(0, 1))
        main = one._replace(question="cobb", value=value, unit="degrees")
        seen.append(main)
        if one.method == "M1":
            pair = f"{one.pair}r"
            seen.append(
                main._replace(value=value + 0.5, role=Role.REPEAT, repeat_of=one.pair, pair=pair)
            )
    protocol = made.protocol.with_(questions=(COBB,))
    return replace(made, protocol=protocol, observations=tuple(seen))


def observed(data: Dataset, case: str, method: str) -> list[Observation]:
    return [
        one for one in data.observations
        if one.case == case and one.method == method and one.role is Role.MAIN
    ]  # fmt: skip


def test_limits_of_methods_are_of_the_readers_means() -> None:
    data = angles()
    [readings] = method_readings(data, COBB)
    assert (readings.first, readings.second) == ("M2", "M1")
    means = [np.mean([one.value or 0 for one in observed(data, "C001", m)]) for m in ("M2", "M1")]
    assert readings.values[0].tolist() == pytest.approx(means)
    found = limits_of(readings, QUICK)
    apart = readings.values[:, 0] - readings.values[:, 1]
    assert found.bias.value == pytest.approx(apart.mean())
    assert found.upper.value == pytest.approx(apart.mean() + 1.959964 * apart.std(ddof=1))
    assert found.lower.low is not None
    assert found.lower.low < (found.lower.value or 0) < (found.bias.value or 0)


def test_limits_of_repeats_are_second_minus_first_of_every_reader() -> None:
    readings = repeat_readings(angles(), COBB)
    assert readings is not None
    assert readings.values.shape == (30, 2)
    assert (readings.values[:, 0] - readings.values[:, 1]).tolist() == pytest.approx([0.5] * 30)
    assert limits_of(readings, QUICK).bias.value == pytest.approx(0.5)
    assert repeat_readings(replace(angles(), observations=angles().observations[:1]), COBB) is None
