"""Plans of rankings: complete, balanced over the places, and nothing that betrays a method."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from study.domain.errors import ProtocolError
from study.domain.plan import PlannedCase, Trial, plan_digest
from study.domain.protocol import Protocol
from study.domain.protocol_json import from_json
from study.domain.questions import CATALOG, RANKING
from study.domain.terms import MethodKind, Phase, Role, Shown
from study.planning.assignment import assign, plan_notes, randomisation_problems
from study.planning.workload import estimate
from tests.support.rankings import OVERALL, RANKED

CASES = [PlannedCase(f"c{n:02d}", f"p{n // 2:02d}") for n in range(24)]
CASES += [PlannedCase("t0", "q0", training=True), PlannedCase("t1", "q1", training=True)]
METHODS = [(f"m{n}", MethodKind.TEST) for n in range(4)]
PROTOCOL = RANKED.with_(questions=(OVERALL,), readers=6, training=2, dummies=2, repeats=5)


def plan(reader: int, protocol: Protocol = PROTOCOL) -> tuple[Trial, ...]:
    return assign(protocol, CASES, METHODS, seed=bytes(32), study_id="s", reader=reader)


def test_plans_are_complete_balanced_and_mirrored() -> None:
    plans = [plan(reader) for reader in range(6)]
    assert randomisation_problems(PROTOCOL, plans) == []
    for one in plans:
        mains = [trial for trial in one if trial.role is Role.MAIN]
        assert sorted(trial.case for trial in mains) == [case.id for case in CASES[:24]]
        assert all(sorted(trial.methods) == ["m0", "m1", "m2", "m3"] for trial in one)
        places = Counter((m, place) for trial in mains for place, m in enumerate(trial.methods))
        assert set(places.values()) == {6}
    orders = [{t.case: t.methods for t in one if t.role is Role.MAIN} for one in plans]
    assert all(orders[0][case] == orders[1][case][::-1] for case in orders[0])
    assert orders[0] != orders[2]


def test_the_place_and_the_neighbour_say_nothing_about_the_method() -> None:
    mains = [t for reader in range(6) for t in plan(reader) if t.role is Role.MAIN]
    table = np.zeros((4, 4))
    after = np.zeros((4, 4))
    for trial in mains:
        numbers = [int(method[1]) for method in trial.methods]
        for place, number in enumerate(numbers):
            table[number, place] += 1
        for first, second in pairwise(numbers):
            after[first, second] += 1
    assert np.ptp(table) == 0
    neighbours = after[~np.eye(4, dtype=bool)]
    assert stats.chisquare(neighbours).pvalue > 0.001
    # The order of one case does not tell the next one.
    rows = [trial.methods for trial in plan(0) if trial.role is Role.MAIN]
    assert len(set(rows)) >= 12
    assert sum(a == b for a, b in pairwise(rows)) <= 4


def test_repeats_and_warm_up_have_other_orders() -> None:
    for reader in range(6):
        trials = plan(reader)
        mains = {t.position: t for t in trials if t.session == 1}
        repeats = [t for t in trials if t.role is Role.REPEAT]
        assert len(repeats) == 5
        same = [mains[t.repeat_of or 0].methods == t.methods for t in repeats]
        assert all(mains[t.repeat_of or 0].case == t.case for t in repeats)
        assert not all(same)


def test_a_wrong_plan_prevents_the_freeze() -> None:
    good = [plan(reader) for reader in range(6)]

    def problems(first: tuple[Trial, ...]) -> list[str]:
        return randomisation_problems(PROTOCOL, [first, *good[1:]])

    fixed = tuple(
        Trial(t.position, t.session, t.phase, t.case, "m0", "m1", t.role, t.repeat_of, ("m2", "m3"))
        for t in good[0]
    )
    assert any("times in one panel" in one for one in problems(fixed))
    assert any("does not mirror" in one for one in problems(fixed))
    alone = tuple(
        Trial(t.position, t.session, t.phase, t.case, t.left, t.right, t.role, t.repeat_of)
        for t in good[0]
    )
    assert any("shows 2 images, not 4" in one for one in problems(alone))
    listed = PROTOCOL.with_(randomise_sides=False)
    plans = [plan(reader, listed) for reader in range(6)]
    assert any("Sides are not randomised" in one for one in randomisation_problems(listed, plans))


def test_the_digest_of_a_pair_is_what_it_was_before_rankings() -> None:
    pair = Trial(0, 1, Phase.MAIN, "c", "a", "b", Role.MAIN)
    assert plan_digest([pair]) == "9bdb20aa2bc48e762fd3ffeff291866730fde971df907c3428d04714361ae894"
    more = Trial(0, 1, Phase.MAIN, "c", "a", "b", Role.MAIN, None, ("d",))
    assert plan_digest([more]) != plan_digest([pair])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"questions": CATALOG[:1]}, "no ranking"),
        ({"questions": (OVERALL, CATALOG[0])}, "no ranking"),
        ({"nulls": 2}, "only pairs"),
        ({"presentation": Shown.SINGLE}, "is a ranking, but"),
        ({"questions": (OVERALL, RANKING.__class__("b", "B", RANKING.kind, 1, 3, (), False))},
         "different numbers"),
    ],
)  # fmt: skip
def test_what_a_ranking_cannot_be(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        PROTOCOL.with_(**changes)


def test_numbers_of_images_and_methods() -> None:
    with pytest.raises(ProtocolError, match="maximum=3"):
        assign(PROTOCOL, CASES, METHODS[:3], seed=bytes(32), study_id="s", reader=0)
    for bad in (2, 7):
        with pytest.raises(ProtocolError, match="3 to 6"):
            from_json(f'{{"presentation": "ranking", "questions": [{{"code": "r", "text": "R",'
                      f' "kind": "ranking", "maximum": {bad}}}]}}')  # fmt: skip
    plain = from_json('{"presentation": "ranking"}')
    assert (plain.images, plain.nulls, plain.questions) == (4, 0, (RANKING,))
    assert from_json(plain.to_json()) == plain
    cost = estimate(PROTOCOL, 24, None, 4)
    assert (cost.main, cost.trials) == (24, 24 + 2 + 2 + 5)
    assert "all rankings each" in cost.as_text()
    assert plan_notes(PROTOCOL, CASES, [plan(0)]) is not None
