"""The planner agrees with the plans, and its half width with known cases."""

from __future__ import annotations

import pytest

from study.domain.errors import ProtocolError
from study.domain.protocol import Protocol
from study.domain.questions import CATALOG, Question
from study.domain.terms import MethodKind
from study.planning.assignment import PlannedCase, assign
from study.planning.workload import estimate


@pytest.mark.parametrize(
    "protocol",
    [
        Protocol(),
        Protocol(control="m1", repeats=5),
        Protocol(pairs=(("m0", "m1"), ("m1", "m2")), nulls=0, washout_days=28),
    ],
)
def test_the_estimate_counts_what_the_plan_holds(protocol: Protocol) -> None:
    cases = [PlannedCase(f"c{i}", f"p{i % 6}") for i in range(12)]
    methods = [(f"m{i}", MethodKind.TEST) for i in range(4)]
    plan = assign(protocol, cases, methods, seed=bytes(32), study_id="s", reader=0)
    found = estimate(protocol, 12, 6, 4)
    assert found.trials == len(plan)
    assert found.main == sum(trial.role == "main" for trial in plan)
    assert found.hours == pytest.approx(len(plan) * 25 / 3600)


def test_a_study_of_the_usual_size() -> None:
    found = estimate(Protocol(), 100, None, 4)
    assert (found.pairs, found.main, found.trials) == (6, 600, 621)
    assert found.ratings == 613 * 5
    assert found.ratings_total == 5 * 613 * 5
    assert found.hours == pytest.approx(4.3125)
    assert found.sittings == 9
    assert found.warnings == ()
    text = found.as_text()
    for part in ("600 (100 cases x 6 method pairs)", "4.3 h, 9 times at most 30 min", "±0.07"):
        assert part in text


def half_width(protocol: Protocol, cases: int, patients: int) -> float:
    [kappa] = estimate(protocol, cases, patients, 3).kappas
    assert kappa.half_width is not None
    return kappa.half_width


def test_kappa_is_planned_for_the_scales_of_the_protocol() -> None:
    two = Question("seen", "Is it seen?", minimum=0, maximum=1)
    nine = Question("noise", "Noise?", minimum=1, maximum=9)
    questions = (*Protocol().questions, two, nine)
    binary, five, fine = sorted(
        estimate(Protocol(questions=questions), 100, None, 2).kappas, key=lambda one: one.points
    )
    assert (binary.questions, binary.points) == (("seen",), 2)
    assert five.questions == ("quality", "fidelity")
    assert fine.points == 9
    # Agreement by chance is rarer on a longer scale, so that kappa is known better.
    assert binary.half_width > 1.2 * fine.half_width
    text = estimate(Protocol(questions=questions), 100, None, 2).as_text()
    assert "seen (2 points): within ±" in text
    assert "noise (9 points): within ±" in text


def test_more_cases_readers_and_patients_sharpen_kappa() -> None:
    width = half_width(Protocol(), 40, 40)
    for protocol, cases, patients, factor in (
        (Protocol(), 160, 160, 0.5),
        (Protocol(readers=20), 40, 40, 0.9),
    ):
        assert half_width(protocol, cases, patients) < width * factor * 1.2
    assert half_width(Protocol(), 40, 4) > width


def test_a_width_that_says_nothing_is_not_printed_as_one() -> None:
    found = estimate(Protocol(readers=2, repeats=2), 2, 2, 3)
    assert half_width(Protocol(readers=2, repeats=2), 2, 2) > 0.5
    assert "needs more cases" in found.as_text()


def test_it_is_the_same_at_every_call() -> None:
    assert estimate(Protocol(), 30, 10, 3) == estimate(Protocol(), 30, 10, 3)


def test_what_is_thin_is_said() -> None:
    protocol = Protocol(readers=1, repeats=2, questions=CATALOG, seconds_per_pair=600)
    found = estimate(protocol, 20, 5, 3)
    assert [one.half_width for one in found.kappas] == [None]
    text = found.as_text()
    for part in ("one reader", "hours per reader is long", "2 repeats", "rough with 5", "needs 2"):
        assert part in text


@pytest.mark.parametrize(
    ("cases", "patients", "methods", "says"),
    [
        (0, None, 3, "0 cases of 0 patients"),
        (4, 5, 3, "4 cases of 5 patients"),
        (4, 0, 3, "4 cases of 0 patients"),
        (4, 4, 1, "at least 2 methods"),
        (2, 2, 2, "only 2 main pairs"),
    ],
)
def test_designs_without_a_size(cases: int, patients: int | None, methods: int, says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        estimate(Protocol(), cases, patients, methods)
