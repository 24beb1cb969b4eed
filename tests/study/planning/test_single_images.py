"""Plans of single images: every image alone, once, in an order of the reader's own."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from study.domain.errors import ProtocolError
from study.domain.plan import MethodRow
from study.domain.protocol import Protocol
from study.domain.protocol_json import from_json
from study.domain.questions import CATALOG, PREFERENCE
from study.domain.terms import MethodKind, Phase, Role, Shown
from study.planning.assignment import PlannedCase, Trial, assign
from study.planning.assignment import randomisation_problems as problems_of
from study.planning.ordering import PATIENT_GAP
from study.planning.workload import estimate

METHODS: list[MethodRow] = [
    ("m0", MethodKind.REFERENCE), ("m1", MethodKind.TEST), ("m2", MethodKind.TEST),
    ("m3", MethodKind.ANCHOR),
]  # fmt: skip
SINGLE = Protocol(
    presentation=Shown.SINGLE, questions=CATALOG[:2], readers=4, training=2, dummies=3, repeats=8,
    nulls=0,
)  # fmt: skip


def plans_of(
    protocol: Protocol = SINGLE, cases: int = 16, patients: int = 16
) -> list[tuple[Trial, ...]]:
    listed = [PlannedCase(f"c{i:02}", f"p{i % patients:02}") for i in range(cases)]
    listed += [PlannedCase("t0", "q0", training=True), PlannedCase("t1", "q1", training=True)]
    return [
        assign(protocol, listed, METHODS, seed=bytes(range(32)), study_id="study", reader=reader)
        for reader in range(protocol.readers)
    ]


def test_every_image_is_shown_alone_and_once_to_every_reader() -> None:
    plans = plans_of()
    assert problems_of(SINGLE, plans) == []
    for plan in plans:
        mains = [trial for trial in plan if trial.role is Role.MAIN]
        assert len(mains) == 16 * 4
        assert len({(trial.case, trial.left) for trial in mains}) == len(mains)
        assert all(trial.methods == (trial.left,) and not trial.right for trial in plan)
        roles = Counter(trial.role for trial in plan)
        assert [roles[one] for one in Role] == [2, 0, 3, 64, 8, 0]
    orders = {tuple((t.case, t.left) for t in plan if t.role is Role.MAIN) for plan in plans}
    assert len(orders) == 4


def test_methods_of_a_case_come_in_every_order_and_patients_are_apart() -> None:
    plans = plans_of()
    first: Counter[str] = Counter()
    for plan in plans:
        seen: set[str] = set()
        last: dict[str, int] = {}
        for trial in plan:
            if trial.role is Role.MAIN and trial.case not in seen:
                seen.add(trial.case)
                first[trial.left] += 1
            if trial.role is Role.MAIN:
                assert trial.position - last.get(trial.case, -99) > PATIENT_GAP
                last[trial.case] = trial.position
    # Rows of a Williams square of 4: over 4 readers each method of a case comes first once.
    assert first == dict.fromkeys(("m0", "m1", "m2", "m3"), 16)


def test_repeats_are_far_from_their_image_or_in_a_later_session() -> None:
    for plan in plans_of():
        mains = {trial.position: trial for trial in plan if trial.role is Role.MAIN}
        for trial in plan:
            if trial.role is Role.REPEAT:
                again = mains[trial.repeat_of if trial.repeat_of is not None else -1]
                assert (again.case, again.left) == (trial.case, trial.left)
                assert trial.position - again.position >= 20
    later = replace(SINGLE, washout_days=28.0, repeats=64)
    for plan in plans_of(later):
        repeats = [trial for trial in plan if trial.role is Role.REPEAT]
        assert {trial.phase for trial in repeats} == {Phase.REPEAT}
        assert len({(trial.case, trial.left) for trial in repeats}) == 64
        order = [plan[-64:][i].repeat_of for i in range(64)]
        assert order != sorted(order, key=lambda place: place or 0)
    assert problems_of(later, plans_of(later)) == []


def test_a_pair_or_a_missing_image_in_such_a_plan_prevents_the_freeze() -> None:
    good = plans_of()
    paired = tuple(replace(t, right="m1") if t.position == 9 else t for t in good[0])
    assert any("shows 2 images, not 1" in one for one in problems_of(SINGLE, [paired, *good[1:]]))
    same = [good[0], good[0], *good[2:]]
    assert any("the same order" in one for one in problems_of(SINGLE, same))
    fewer = tuple(t for t in good[0] if (t.role, t.case) != (Role.MAIN, "c03"))
    assert any("do not all see" in one for one in problems_of(SINGLE, [fewer, *good[1:]]))


def test_single_images_have_no_preference_and_no_nulls() -> None:
    with pytest.raises(ProtocolError, match="preference compares the images of a pair"):
        SINGLE.with_(questions=(CATALOG[0], PREFERENCE))
    with pytest.raises(ProtocolError, match="set nulls to 0"):
        SINGLE.with_(nulls=1)
    short = from_json('{"presentation": "single"}')
    assert (short.nulls, short.questions) == (0, CATALOG[:2])
    assert "one image at a time" in short.instructions
    assert from_json(short.to_json()) == short
    with pytest.raises(ProtocolError, match="presentation='alone' is unknown"):
        from_json('{"presentation": "alone"}')


def test_the_digest_of_a_study_of_pairs_is_what_it_was() -> None:
    assert "presentation" not in Protocol().to_json()
    assert Protocol().digest != SINGLE.digest


def test_the_workload_counts_images() -> None:
    cost = estimate(SINGLE, 16, 16, 4)
    assert (cost.main, cost.trials, cost.ratings) == (64, 77, 72 * 2)
    assert "main images each    64 (16 cases x 4 methods)" in cost.as_text()
    listed = SINGLE.with_(pairs=(("m0", "m1"),))
    assert estimate(listed, 16, 16, 4).main == 64
    assert all(len(plan) == 77 for plan in plans_of(listed))
