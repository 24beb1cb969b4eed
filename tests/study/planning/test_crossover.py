"""Crossover plans: a method for each session, in orders that are balanced for carry-over."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from study.domain.errors import ProtocolError
from study.domain.plan import MethodRow
from study.domain.protocol import Protocol
from study.domain.protocol_json import from_json
from study.domain.questions import CATALOG
from study.domain.terms import MethodKind, Phase, Role, Shown
from study.planning.assignment import PlannedCase, Trial, assign, plan_notes
from study.planning.assignment import randomisation_problems as problems_of
from study.planning.crossover import orders
from study.planning.ordering import williams
from study.planning.workload import estimate
from study.stats.comparison.carry_over import carry_over, orders_of

CASES = [PlannedCase(f"c{i:02}", f"p{i:02}") for i in range(12)]
CASES += [PlannedCase("t0", "q0", training=True), PlannedCase("t1", "q1", training=True)]
CROSSED = Protocol(
    presentation=Shown.SINGLE, crossover=True, washout_days=28.0, questions=CATALOG[:1], readers=4,
    training=2, dummies=1, repeats=6, nulls=0,
)  # fmt: skip


def plans_of(protocol: Protocol = CROSSED, methods: int = 4) -> list[tuple[Trial, ...]]:
    rows: list[MethodRow] = [(f"m{i}", MethodKind.TEST) for i in range(methods)]
    return [
        assign(protocol, CASES, rows, seed=bytes(range(32)), study_id="study", reader=reader)
        for reader in range(protocol.readers)
    ]


@pytest.mark.parametrize(("methods", "readers"), [(2, 2), (3, 6), (4, 4), (4, 8), (5, 10)])
def test_each_method_is_in_each_session_and_before_each_other_equally_often(
    methods: int, readers: int
) -> None:
    plans = plans_of(CROSSED.with_(readers=readers), methods)
    found = [orders(plan) for plan in plans]
    assert all(sorted(order) == [f"m{i}" for i in range(methods)] for order in found)
    # Counted here without the code under test.
    follows = Counter(pair for order in found for pair in pairwise(order))
    places = Counter((name, place) for order in found for place, name in enumerate(order))
    assert len(follows) == methods * (methods - 1)
    assert len(set(follows.values())) == len(set(places.values())) == 1
    assert len(places) == methods**2
    assert carry_over(found).balanced
    notes = plan_notes(CROSSED.with_(readers=readers), CASES, plans)
    assert any("balanced for first-order carry-over" in note for note in notes)
    assert orders_of(methods) == len(williams(methods))


def test_an_unbalanced_number_of_readers_is_said_before_the_freeze() -> None:
    protocol = CROSSED.with_(readers=5)
    plans = plans_of(protocol)
    assert problems_of(protocol, plans) == []
    [note] = [note for note in plan_notes(protocol, CASES, plans) if "over the sessions" in note]
    assert "1 to 2 readers" in note
    assert "not balanced; multiples of 4 readers are" in note
    assert any("multiples of 4 readers" in one for one in estimate(protocol, 12, None, 4).warnings)


def test_sessions_are_complete_with_dummies_and_repeats_of_their_own() -> None:
    plans = plans_of()
    assert problems_of(CROSSED, plans) == []
    for plan in plans:
        assert {trial.session for trial in plan} == {0, 1, 2, 3, 4}
        assert {t.phase for t in plan if t.session} == {Phase.MAIN}
        sessions = [[t for t in plan if t.session == number] for number in (1, 2, 3, 4)]
        for trials in sessions:
            assert [t.position for t in trials] == list(range(len(trials)))
            assert len({t.left for t in trials}) == 1
            assert trials[0].role is Role.DUMMY
            mains = {t.position: t.case for t in trials if t.role is Role.MAIN}
            assert sorted(mains.values()) == [case.id for case in CASES[:12]]
            for again in (t for t in trials if t.role is Role.REPEAT):
                assert mains[again.repeat_of or 0] == again.case
                assert again.position > (again.repeat_of or 0)
        assert [sum(t.role is Role.REPEAT for t in trials) for trials in sessions] == [2, 2, 1, 1]
        cases = [[t.case for t in trials if t.role is Role.MAIN] for trials in sessions]
        assert len({tuple(one) for one in cases}) == 4
    assert len({orders(plan) for plan in plans}) == 4


def test_what_is_wrong_with_such_a_plan_prevents_the_freeze() -> None:
    good = plans_of()
    mixed = tuple(
        replace(t, left="m9") if (t.session, t.position) == (2, 5) else t for t in good[0]
    )
    assert any("several methods" in one for one in problems_of(CROSSED, [mixed, *good[1:]]))
    late = tuple(
        replace(t, role=Role.DUMMY) if (t.session, t.position) == (3, 5) else t for t in good[0]
    )
    problems = problems_of(CROSSED, [late, *good[1:]])
    assert any("dummies are not the first" in one for one in problems)


def test_it_needs_single_images_and_a_washout_which_is_four_weeks_by_default() -> None:
    with pytest.raises(ProtocolError, match="set presentation to single"):
        Protocol(crossover=True, washout_days=28.0)
    with pytest.raises(ProtocolError, match="washout_days, such as 28"):
        CROSSED.with_(washout_days=0.0)
    given = from_json('{"presentation": "single", "crossover": true}')
    assert given.washout_days == 28
    assert from_json(given.to_json()) == given
    shorter = from_json('{"presentation": "single", "crossover": true, "washout_days": 14}')
    assert shorter.washout_days == 14
    assert "crossover" not in Protocol().to_json()


def test_the_estimate_is_what_the_plan_has() -> None:
    cost = estimate(CROSSED, 12, None, 4)
    assert (cost.main, cost.trials) == (48, len(plans_of()[0]))
    assert cost.sittings >= 4
    with pytest.raises(ProtocolError, match="main pairs to repeat"):
        estimate(CROSSED.with_(repeats=60), 12, None, 4)
