"""Incomplete blocks: the control in every list, the other methods in rotation, their balance."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest

from study.domain.errors import ProtocolError
from study.domain.plan import MethodRow
from study.domain.protocol import Protocol
from study.domain.questions import CATALOG, RANKING
from study.domain.terms import MethodKind, Role, Shown
from study.planning.assignment import PlannedCase, Trial, assign, plan_notes
from study.planning.assignment import randomisation_problems as problems_of
from study.planning.blocks import block_balance, blocks
from study.planning.workload import estimate
from tests.support.rankings import OVERALL

METHODS: list[MethodRow] = [(f"m{i}", MethodKind.TEST) for i in range(5)]
CASES = [PlannedCase(f"c{i:02}", f"p{i:02}") for i in range(12)]
CASES += [PlannedCase("t0", "q0", training=True)]
COMMON = {"control": "m0", "block": 2, "readers": 6, "training": 1, "dummies": 1, "repeats": 4}
SINGLE = Protocol(presentation=Shown.SINGLE, questions=CATALOG[:1], nulls=0, **COMMON)
PAIRS = Protocol(questions=CATALOG[:1], nulls=2, **COMMON)
RANKED = Protocol(
    presentation=Shown.RANKING, nulls=0, **COMMON,
    questions=(OVERALL.__class__(**{**vars(OVERALL), "maximum": 3}),),
)  # fmt: skip
ALL = {"single": (SINGLE, 3), "pairs": (PAIRS, 2), "ranked": (RANKED, 1)}


def plans_of(protocol: Protocol) -> list[tuple[Trial, ...]]:
    return [
        assign(protocol, CASES, METHODS, seed=bytes(range(32)), study_id="study", reader=reader)
        for reader in range(protocol.readers)
    ]


def by_case(plan: tuple[Trial, ...]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for trial in plan:
        if trial.role is Role.MAIN:
            found.setdefault(trial.case, set()).update(trial.methods)
    return found


@pytest.mark.parametrize("name", ALL)
def test_each_list_has_the_control_and_a_block_and_all_are_balanced(name: str) -> None:
    protocol, per_case = ALL[name]
    plans = plans_of(protocol)
    assert problems_of(protocol, plans) == []
    each: Counter[str] = Counter()
    together: Counter[tuple[str, str]] = Counter()
    for plan in plans:
        mains = [trial for trial in plan if trial.role is Role.MAIN]
        assert len(mains) == 12 * per_case
        read = by_case(plan)
        assert len(read) == 12
        for methods in read.values():
            assert "m0" in methods
            assert len(methods) == 3
            each.update(methods - {"m0"})
            together.update(combinations(sorted(methods - {"m0"}), 2))
        # Six blocks of two of four methods: each twice in twelve cases.
        assert Counter(Counter(frozenset(m) for m in read.values()).values()) == {2: 6}
    # Each case meets each block once in six readers.
    for case in CASES[:12]:
        assert len({frozenset(by_case(plan)[case.id]) for plan in plans}) == 6
    assert set(each.values()) == {36}
    assert set(together.values()) == {12}
    found = block_balance(plans, "m0")
    assert (found.each, found.together, found.of_reader) == ((36, 36), (12, 12), (6, 6))
    [note] = [one for one in plan_notes(protocol, CASES, plans) if "Incomplete" in one]
    assert note.endswith(": balanced.")
    assert len(plans[0]) == estimate(protocol, 12, None, 5).trials


def test_numbers_that_do_not_divide_are_said_and_stay_near_balance() -> None:
    protocol = SINGLE.with_(readers=4)
    cases = CASES[:7]
    plans = [
        assign(protocol, cases, METHODS, seed=bytes(32), study_id="s", reader=reader)
        for reader in range(4)
    ]
    found = block_balance(plans, "m0")
    assert found.each[1] - found.each[0] <= 4
    assert found.of_reader[1] - found.of_reader[0] <= 2
    [note] = [one for one in plan_notes(protocol, cases, plans) if "Incomplete" in one]
    assert "not fully balanced" in note
    assert "m1" not in note


def test_places_and_sides_are_balanced_in_each_list() -> None:
    for plan in plans_of(RANKED):
        mains = [trial for trial in plan if trial.role is Role.MAIN]
        places = Counter(trial.methods.index("m0") for trial in mains)
        assert set(places.values()) == {4}
    for plan in plans_of(PAIRS):
        mains = [trial for trial in plan if trial.role is Role.MAIN]
        assert all("m0" in trial.methods for trial in mains)
        left = Counter(trial.pair for trial in mains if trial.left == "m0")
        for pair, number in Counter(trial.pair for trial in mains).items():
            assert abs(2 * left[pair] - number) <= 1


@pytest.mark.parametrize(
    ("methods", "size", "number"),
    # The Fano plane is the smallest design of seven; four in twos need all six choices.
    [(7, 3, 7), (4, 2, 6), (5, 2, 10), (3, 2, 3), (3, 1, 3), (6, 3, 20), (9, 3, None)],
)
def test_blocks_are_a_balanced_design(methods: int, size: int, number: int | None) -> None:
    found = blocks([f"m{i}" for i in range(methods)], size)
    assert len(found) == len(set(found))
    assert number is None or len(found) == number
    alone = Counter(name for block in found for name in block)
    pairs = Counter(pair for block in found for pair in combinations(block, 2))
    assert len(alone) == methods
    assert len(set(alone.values())) == 1
    assert size == 1 or len(pairs) == methods * (methods - 1) / 2
    assert len(set(pairs.values())) <= 1


def test_what_blocks_need() -> None:
    rows = {"seed": bytes(32), "study_id": "s", "reader": 0}
    with pytest.raises(ProtocolError, match="no method is the control"):
        assign(SINGLE.with_(control=""), CASES, METHODS, **rows)
    with pytest.raises(ProtocolError, match="leave none of 5 methods out"):
        assign(SINGLE.with_(block=4), CASES, METHODS, **rows)
    with pytest.raises(ProtocolError, match="neither listed pairs"):
        PAIRS.with_(pairs=(("m0", "m1"),))
    with pytest.raises(ProtocolError, match="set block to 3"):
        RANKED.with_(questions=(RANKING,))
    with pytest.raises(ProtocolError, match="are more than"):
        blocks([f"m{i}" for i in range(14)], 7)
    assert '"block"' not in Protocol().to_json()
