"""The planner agrees with the plans, and its half width with known cases."""

from __future__ import annotations

import pytest

from study.domain.errors import ProtocolError
from study.domain.protocol import MethodKind, Protocol
from study.domain.questions import CATALOG
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
    for part in ("600 (100 cases x 6 method pairs)", "4.3 h, 9 times at most 30 min", "+-0.07"):
        assert part in text


def test_more_cases_readers_and_patients_sharpen_kappa() -> None:
    width = estimate(Protocol(), 40, 40, 3).kappa_half_width
    assert width is not None
    for protocol, cases, patients, factor in (
        (Protocol(), 160, 160, 0.5),
        (Protocol(readers=20), 40, 40, 0.9),
    ):
        other = estimate(protocol, cases, patients, 3).kappa_half_width
        assert other is not None
        assert other < width * factor * 1.2
    clustered = estimate(Protocol(), 40, 4, 3).kappa_half_width
    assert clustered is not None
    assert clustered > width


def test_a_width_that_says_nothing_is_not_printed_as_one() -> None:
    found = estimate(Protocol(readers=2, repeats=2), 2, 2, 3)
    assert found.kappa_half_width is not None
    assert found.kappa_half_width > 0.5
    assert "needs more cases" in found.as_text()


def test_it_is_the_same_at_every_call() -> None:
    assert estimate(Protocol(), 30, 10, 3) == estimate(Protocol(), 30, 10, 3)


def test_what_is_thin_is_said() -> None:
    protocol = Protocol(readers=1, repeats=2, questions=CATALOG, seconds_per_pair=600)
    found = estimate(protocol, 20, 5, 3)
    assert found.kappa_half_width is None
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
