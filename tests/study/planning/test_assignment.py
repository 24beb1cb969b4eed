"""Plans are balanced, mirrored, complete and random, whatever the size of the study."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, chisquare

from study.domain.errors import ProtocolError
from study.domain.plan import MethodRow, method_pairs, repeat_distance
from study.domain.protocol import Protocol
from study.domain.terms import MethodKind, Phase, Role
from study.planning.assignment import PlannedCase, Trial, assign, generator, plan_digest, plan_notes
from study.planning.assignment import randomisation_problems as problems_of
from study.planning.ordering import PATIENT_GAP, place_for, spaced, williams

SEED = bytes(range(32))


def cases_of(number: int, patients: int | None = None, training: int = 0) -> list[PlannedCase]:
    main = [PlannedCase(f"c{i:03}", f"p{i % (patients or number):03}") for i in range(number)]
    return main + [PlannedCase(f"t{i:03}", f"q{i:03}", training=True) for i in range(training)]


def methods_of(number: int) -> list[MethodRow]:
    return [(f"m{i}", MethodKind.TEST) for i in range(number)]


def plan_of(
    protocol: Protocol,
    cases: list[PlannedCase],
    methods: int,
    *,
    seed: bytes = SEED,
    reader: int = 0,
) -> tuple[Trial, ...]:
    return assign(
        protocol, cases, methods_of(methods), seed=seed, study_id="study", reader=reader
    )  # fmt: skip


def of(plan: tuple[Trial, ...], *roles: Role) -> list[Trial]:
    return [trial for trial in plan if trial.role in roles]


@st.composite
def studies(draw: st.DrawFn) -> tuple[Protocol, list[PlannedCase], int, bytes]:
    number, methods = draw(st.integers(1, 14)), draw(st.integers(2, 6))
    mains = number * methods * (methods - 1) // 2
    protocol = Protocol(
        readers=4,
        training=draw(st.integers(0, 6)),
        dummies=draw(st.integers(0, 6)),
        repeats=draw(st.integers(0, min(mains, 12))),
        nulls=draw(st.integers(0, 8)),
        washout_days=draw(st.sampled_from([0.0, 28.0])),
    )
    patients = draw(st.integers(1, number))
    cases = cases_of(number, patients, draw(st.integers(0, 3)))
    return (
        protocol,
        draw(st.permutations(cases)),
        methods,
        draw(st.binary(min_size=32, max_size=32)),
    )


@settings(max_examples=60, deadline=None)
@given(studies())
def test_every_plan_is_sound(study: tuple[Protocol, list[PlannedCase], int, bytes]) -> None:
    protocol, cases, methods, seed = study
    plans = [plan_of(protocol, cases, methods, seed=seed, reader=r) for r in range(4)]
    assert problems_of(protocol, plans) == []
    pairs = method_pairs(protocol, methods_of(methods))
    for plan in plans:
        mains = of(plan, Role.MAIN)
        wanted = sorted((c.id, p) for c in cases if not c.training for p in pairs)
        assert sorted((t.case, t.pair) for t in mains) == wanted
        for pair in pairs:
            left = sum(t.left == pair[0] for t in mains if t.pair == pair)
            right = sum(t.right == pair[0] for t in mains if t.pair == pair)
            assert abs(left - right) <= 1
        for number in {t.session for t in plan}:
            session = [t for t in plan if t.session == number]
            assert [t.position for t in session] == list(range(len(session)))
        assert all(t.left == t.right for t in of(plan, Role.NULL))
    for first, second in ((plans[0], plans[1]), (plans[2], plans[3])):
        sides = {(t.case, t.pair): (t.left, t.right) for t in of(first, Role.MAIN)}
        for t in of(second, Role.MAIN):
            assert sides[t.case, t.pair] == (t.right, t.left)


@settings(max_examples=60, deadline=None)
@given(studies())
def test_repeats_come_at_their_distance(
    study: tuple[Protocol, list[PlannedCase], int, bytes],
) -> None:
    protocol, cases, methods, seed = study
    plan = plan_of(protocol, cases, methods, seed=seed)
    mains = {t.position: t for t in of(plan, Role.MAIN)}
    repeats = of(plan, Role.REPEAT)
    assert len({t.repeat_of for t in repeats}) == protocol.repeats
    distance = repeat_distance(protocol, len(mains))
    for repeat in repeats:
        assert repeat.repeat_of is not None
        main = mains[repeat.repeat_of]
        assert (repeat.case, repeat.pair) == (main.case, main.pair)
        if protocol.washout_days:
            assert (repeat.session, repeat.phase) == (2, Phase.REPEAT)
        else:
            assert repeat.session == 1
            assert repeat.position - main.position >= max(distance, 1)
    swapped = sum(mains[t.repeat_of].left != t.left for t in repeats if t.repeat_of is not None)
    assert abs(2 * swapped - len(repeats)) <= 1


def test_usual_repeats_are_twenty_pairs_or_a_quarter_away() -> None:
    assert repeat_distance(Protocol(), 72) == 20
    assert repeat_distance(Protocol(), 600) == 150
    assert repeat_distance(Protocol(repeat_distance=40), 72) == 40
    assert repeat_distance(Protocol(repeats=2), 6) == 3
    assert repeat_distance(Protocol(repeats=6), 6) == 1
    assert repeat_distance(Protocol(washout_days=28), 12) == 0


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 9), max_size=60),
    st.integers(0, 7),
    st.integers(0, 2**32 - 1),
)
def test_spaced_is_a_permutation(patients: list[int], gap: int, seed: int) -> None:
    order = spaced([f"p{i}" for i in patients], np.random.default_rng(seed), gap=gap)
    assert sorted(order) == list(range(len(patients)))


@pytest.mark.parametrize(("patients", "each"), [(7, 6), (8, 1), (12, 6), (40, 12)])
def test_patients_are_kept_apart(patients: int, each: int) -> None:
    entries = [f"p{i}" for i in range(patients) for _ in range(each)]
    for seed in range(10):
        order = spaced(entries, np.random.default_rng(seed), recent=["p0", "p1"])
        shown = ["p0", "p1"] + [entries[i] for i in order]
        for place, patient in enumerate(shown):
            assert patient not in shown[place + 1 : place + 1 + PATIENT_GAP]


def test_a_patient_with_most_of_the_cases_does_not_stop_the_order() -> None:
    entries = ["big"] * 20 + [f"p{i}" for i in range(10)]
    order = spaced(entries, np.random.default_rng(1))
    assert sorted(order) == list(range(30))


def test_repeats_and_nulls_keep_patients_apart_too() -> None:
    cases = cases_of(24, training=2)
    protocol = Protocol()
    plans = [plan_of(protocol, cases, 4, reader=r) for r in range(5)]
    patient = {case.id: case.patient for case in cases}
    for plan in plans:
        shown = [patient[t.case] for t in plan if t.session == 1 and t.role is not Role.DUMMY]
        for place, name in enumerate(shown):
            assert name not in shown[place + 1 : place + 1 + PATIENT_GAP]
    assert plan_notes(protocol, cases, plans) == []


def test_orders_and_sides_are_uniform() -> None:
    """Over many seeds each main pair is equally often at each place and on each side."""
    protocol = Protocol(readers=1, repeats=2, nulls=1, training=0, dummies=2)
    cases = cases_of(4)
    draws = 600
    places: Counter[tuple[str, tuple[str, str], int]] = Counter()
    left: Counter[tuple[str, tuple[str, str]]] = Counter()
    repeated: Counter[tuple[str, tuple[str, str]]] = Counter()
    for draw in range(draws):
        seed = hashlib.sha256(f"{draw}".encode()).digest()
        plan = plan_of(protocol, cases, 3, seed=seed)
        mains = of(plan, Role.MAIN)
        for place, trial in enumerate(mains):
            places[trial.case, trial.pair, place] += 1
            left[trial.case, trial.pair] += trial.left == trial.pair[0]
        repeated.update((t.case, t.pair) for t in of(plan, Role.REPEAT))
    keys = {(case, pair) for case, pair, _ in places}
    assert len(keys) == 12
    table = np.array([[places[(*key, place)] for place in range(12)] for key in sorted(keys)])
    # Rows and columns have fixed sums: 11 x 11 degrees of freedom, and 11/12 of the statistic.
    assert chi2.sf(chisquare(table.ravel()).statistic * 11 / 12, 121) > 1e-3
    assert all(abs(left[key] - draws / 2) < 5 * np.sqrt(draws) / 2 for key in keys)
    assert chisquare([repeated[key] for key in sorted(keys)]).pvalue > 1e-3


@pytest.mark.parametrize("size", range(1, 10))
def test_williams_squares_balance_places_and_neighbours(size: int) -> None:
    square = williams(size)
    rows = size if size % 2 == 0 or size == 1 else 2 * size
    assert square.shape == (rows, size)
    for column in square.T:
        assert set(np.bincount(column, minlength=size)) == {rows // size}
    follows = Counter((int(a), int(b)) for row in square for a, b in itertools.pairwise(row))
    assert set(follows) == {(a, b) for a in range(size) for b in range(size) if a != b}
    assert len(set(follows.values())) <= 1


def test_the_pairs_of_a_case_come_first_equally_often_over_readers() -> None:
    protocol = Protocol(readers=6)
    cases = cases_of(12)
    first: Counter[tuple[str, tuple[str, str]]] = Counter()
    for reader in range(6):
        seen = set()
        for trial in of(plan_of(protocol, cases, 4, reader=reader), Role.MAIN):
            if trial.case not in seen:
                first[trial.case, trial.pair] += 1
            seen.add(trial.case)
    assert len(first) == 12 * 6
    assert set(first.values()) == {1}


def test_nulls_are_spread_over_the_session_and_the_methods() -> None:
    protocol = Protocol(nulls=4, readers=1)
    plan = plan_of(protocol, cases_of(12), 4)
    nulls = of(plan, Role.NULL)
    assert len({t.left for t in nulls}) == 4
    assert len({t.case for t in nulls}) == 4
    length = 72 + 10 + 4
    quarters = Counter((t.position - protocol.dummies) * 4 // length for t in nulls)
    assert max(quarters.values()) <= 2
    assert all(b.position - a.position > 1 for a, b in itertools.pairwise(nulls))


def test_nulls_show_methods_under_test_only() -> None:
    methods = [("a", MethodKind.ANCHOR), ("r", MethodKind.REFERENCE), ("t", MethodKind.TEST)]
    plan = assign(
        Protocol(nulls=5), cases_of(6), methods, seed=SEED, study_id="s", reader=0
    )  # fmt: skip
    assert {t.left for t in of(plan, Role.NULL)} == {"t"}
    assert {t.pair for t in of(plan, Role.MAIN)} == {("a", "r"), ("a", "t"), ("r", "t")}


def test_training_and_dummies_use_the_cases_kept_for_them() -> None:
    cases = cases_of(8, training=3)
    plan = plan_of(Protocol(), cases, 4)
    training, dummies = of(plan, Role.TRAINING), of(plan, Role.DUMMY)
    assert {t.case for t in training + dummies} == {"t000", "t001", "t002"}
    assert not {t.case for t in plan if t.role not in (Role.TRAINING, Role.DUMMY)} & {"t000"}
    assert {(t.session, t.phase) for t in training} == {(0, Phase.TRAINING)}
    assert [t.position for t in dummies] == list(range(5))
    assert len({(t.case, t.pair) for t in training + dummies}) == 8


def test_without_training_cases_the_coordinator_is_told() -> None:
    protocol, cases = Protocol(), cases_of(6, 2)
    plans = [plan_of(protocol, cases, 3, reader=r) for r in range(5)]
    training, patients, distance = plan_notes(protocol, cases, plans)
    assert "8 training and dummy pairs" in training
    assert "too few patients" in patients
    assert "at least 9 pairs" in distance


def test_a_patient_of_the_training_who_is_rated_later_is_told() -> None:
    protocol, cases = Protocol(), cases_of(24, training=2)
    shared = [replace(one, patient=cases[0].patient) if one.training else one for one in cases]
    (note,) = plan_notes(protocol, shared, [plan_of(protocol, shared, 4)])
    assert note.startswith("2 training cases of a patient whose other images are rated later")


def test_the_plan_depends_on_seed_study_and_reader_only() -> None:
    cases, protocol = cases_of(8, training=2), Protocol()

    def digest(cases: list[PlannedCase], seed: bytes, study: str, reader: int) -> str:
        methods = methods_of(3)[:: 1 if reader else -1]
        return plan_digest(
            assign(protocol, cases, methods, seed=seed, study_id=study, reader=reader)
        )

    base = digest(cases, SEED, "study", 0)
    assert digest(cases[::-1], SEED, "study", 0) == base
    others = {
        digest(cases, SEED[::-1], "study", 0),
        digest(cases, SEED, "other", 0),
        digest(cases, SEED, "study", 1),
    }
    assert len(others | {base}) == 4
    assert len(base) == 64


def test_streams_differ_by_each_of_their_names() -> None:
    names = [("s", 0, 1, "order"), ("s", 0, 1, "side"), ("s", 0, 2, "order"), ("s", 1, 1, "order"),
             ("t", 0, 1, "order")]  # fmt: skip
    draws = {int(generator(SEED, *name).integers(2**63)) for name in names}
    assert len(draws) == 5
    assert generator(SEED, *names[0]).random() == generator(SEED, *names[0]).random()


def test_a_stream_is_the_same_on_every_machine() -> None:
    assert generator(SEED, "study", 0, 1, "order").integers(0, 10**6, 3).tolist() == [
        941572,
        90156,
        352501,
    ]


def test_guessed_seeds_do_not_give_the_plan() -> None:
    target = plan_of(Protocol(readers=1), cases_of(4), 3)
    for guess in (0, 1, 2025, 20251121):
        seed = guess.to_bytes(32, "big")
        assert plan_digest(plan_of(Protocol(readers=1), cases_of(4), 3, seed=seed)) != plan_digest(
            target
        )
    with pytest.raises(ProtocolError, match="4 bytes"):
        plan_of(Protocol(readers=1), cases_of(4), 3, seed=b"1234")


def test_place_for_takes_the_farthest_place_where_none_is_far_enough() -> None:
    rng = np.random.default_rng(0)
    assert place_for(["a", "b", "b", "b", "b"], "a", 0, 5, rng) == 5
    assert {place_for(["b"] * 9, "a", 4, 6, rng) for _ in range(60)} == {4, 5, 6}
    assert place_for(["a", "a"], "a", 2, 2, rng) == 2


def test_only_listed_pairs_or_those_with_the_control() -> None:
    listed = Protocol(pairs=(("m2", "m0"),))
    assert method_pairs(listed, methods_of(3)) == (("m0", "m2"),)
    control = Protocol(control="m1")
    assert method_pairs(control, methods_of(3)) == (("m0", "m1"), ("m1", "m2"))


@pytest.mark.parametrize(
    ("protocol", "methods", "says"),
    [
        (Protocol(pairs=(("m0", "x"),)), methods_of(2), "'x', which is not a method"),
        (Protocol(pairs=(("m0", "m0"),)), methods_of(2), "one method twice"),
        (Protocol(pairs=(("m0", "m1"), ("m1", "m0"))), methods_of(2), "listed twice"),
        (Protocol(control="x"), methods_of(2), "control 'x' is not a method"),
        (Protocol(), methods_of(1), "at least 2 methods, this study has 1"),
        (Protocol(), methods_of(2) + methods_of(1), "method is listed twice"),
        (Protocol(), [("a", MethodKind.ANCHOR), ("r", MethodKind.REFERENCE)], "under test"),
    ],
)
def test_method_pairs_that_are_not_possible(
    protocol: Protocol, methods: list[MethodRow], says: str
) -> None:
    with pytest.raises(ProtocolError, match=says):
        method_pairs(protocol, methods)


@pytest.mark.parametrize(
    ("protocol", "cases", "reader", "says"),
    [
        (Protocol(readers=2), cases_of(8), 2, "place 2 is outside 0 to 1"),
        (Protocol(), cases_of(8), -1, "place -1 is outside"),
        (Protocol(), cases_of(0, 1, training=2), 0, "no case to read"),
        (Protocol(), cases_of(8) * 2, 0, "case is listed twice"),
        (Protocol(repeats=30), cases_of(8), 0, "only 24 main pairs"),
        (Protocol(repeat_distance=20), cases_of(8), 0, "use at most 15"),
    ],
)
def test_designs_that_are_not_possible(
    protocol: Protocol, cases: list[PlannedCase], reader: int, says: str
) -> None:
    with pytest.raises(ProtocolError, match=says):
        plan_of(protocol, cases, 3, reader=reader)


def test_randomisation_that_is_off_is_refused() -> None:
    cases = cases_of(12)
    off = Protocol(readers=2, randomise_sides=False, randomise_order=False)
    plans = [plan_of(off, cases, 3, reader=r) for r in range(2)]
    text = "\n".join(problems_of(off, plans))
    for says in (
        "Sides are not randomised",
        "The order is not randomised",
        "sides of a method pair are out of balance: 12 of 12",
        "in the order of the list",
        "couples of readers have the same order",
        "Reader 2 does not mirror the sides of reader 1",
    ):
        assert says in text


def damaged(plan: tuple[Trial, ...], role: Role, **changes: object) -> tuple[Trial, ...]:
    index = next(i for i, trial in enumerate(plan) if trial.role is role)
    return (*plan[:index], replace(plan[index], **changes), *plan[index + 1 :])  # type: ignore[arg-type]


def test_each_damage_of_a_plan_is_named() -> None:
    protocol, cases = Protocol(readers=2), cases_of(12)
    good = [plan_of(protocol, cases, 3, reader=r) for r in range(2)]
    assert problems_of(protocol, good) == []
    first = good[0]
    main = of(first, Role.MAIN)[0]
    repeat = of(first, Role.REPEAT)[0]
    broken = {
        "9 repeat pairs instead of 10": tuple(t for t in first if t is not repeat),
        "shown more than once": (*first, main),
        "does not repeat a main pair": damaged(first, Role.REPEAT, repeat_of=None),
        "is in the wrong session": damaged(first, Role.REPEAT, session=2),
        "pairs after its main pair, 18 are needed": damaged(
            first, Role.REPEAT, position=(repeat.repeat_of or 0) + 17
        ),
        "dummies are not the first": tuple(
            [t for t in first if t.session == 0]
            + [t for t in first if t.session == 1 and t.role is not Role.DUMMY]
            + of(first, Role.DUMMY)
        ),
        "the null pair at": damaged(first, Role.NULL, left="m9"),
        "the main pair at": damaged(first, Role.MAIN, left=main.right),
        "no main pair": tuple(t for t in first if t.role is not Role.MAIN),
        "do not all see the same main pairs": tuple(t for t in first if t is not main),
        "does not mirror": damaged(first, Role.MAIN, left=main.right, right=main.left),
    }
    for says, plan in broken.items():
        assert any(says in problem for problem in problems_of(protocol, [plan, good[1]])), says
    assert problems_of(protocol, good[:1]) == ["There are 1 plans for 2 readers."]
    assert problems_of(protocol, []) == ["There are 0 plans for 2 readers."]


def test_small_studies_may_share_an_order_by_chance() -> None:
    """Two readers of two pairs agree every other time: that is no reason to refuse."""
    protocol = Protocol(readers=2, repeats=0, nulls=0, training=0, dummies=0)
    for number in range(20):
        seed = hashlib.sha256(f"{number}".encode()).digest()
        plans = [plan_of(protocol, cases_of(2), 2, seed=seed, reader=r) for r in range(2)]
        assert problems_of(protocol, plans) == []


def test_a_large_study_with_a_washout_is_sound() -> None:
    protocol = Protocol(readers=1, washout_days=28, repeats=60, nulls=12)
    cases = cases_of(100, 40)
    plan = plan_of(protocol, cases, 4)
    assert len(of(plan, Role.MAIN)) == 600
    assert problems_of(protocol, [plan]) == []
    assert len({t.pair for t in of(plan, Role.REPEAT)}) == 6
    assert Counter(t.pair for t in of(plan, Role.REPEAT)).most_common()[-1][1] == 10


def test_the_pairs_of_a_case_come_in_many_orders() -> None:
    """Not only in the few rows of one square."""
    protocol, cases = Protocol(readers=1), cases_of(6)
    orders = set()
    for number in range(30):
        seed = hashlib.sha256(f"{number}".encode()).digest()
        plan = plan_of(protocol, cases, 4, seed=seed)
        orders.add(tuple(t.pair for t in of(plan, Role.MAIN) if t.case == "c000"))
    assert len(orders) > 20
