from __future__ import annotations

import numpy as np
import pytest

from study.planning.ordering import williams
from study.stats.comparison.crossover_effects import FEW, NO_ROOM, crossover_effects

# Peak expiratory flow (l/min) of 13 children after formoterol and salbutamol: S. Senn, Cross-over
# Trials in Clinical Research, table 3.1, by order.
FORMOTEROL_FIRST = [(310, 270), (310, 260), (370, 300), (410, 390), (250, 210), (380, 350),
                    (330, 365)]  # fmt: skip
SALBUTAMOL_FIRST = [(370, 385), (310, 400), (380, 410), (290, 320), (260, 340), (90, 220)]


def test_senns_trial():
    orders = [("for", "sal")] * 7 + [("sal", "for")] * 6
    found = crossover_effects(np.array(FORMOTEROL_FIRST + SALBUTAMOL_FIRST, float), orders)
    assert found.period is not None
    assert found.carry_over is not None
    # Senn: period effect 15.9 l/min with standard error 10.8, 11 degrees of freedom.
    assert found.period.value == pytest.approx(-15.9, abs=0.05)
    assert found.period.se == pytest.approx(10.8, abs=0.05)
    assert found.period_test.df == 11
    # Sums of both periods: 643.6 and 629.2 on average.
    assert found.carry_over.value == pytest.approx(643.571 - 629.167, abs=0.001)
    assert found.carry_over_test.p == pytest.approx(0.851, abs=0.05)


def simulated(
    rng: np.random.Generator, methods: int, squares: int, carry: float = 0.0, period: float = 0.0
):
    """Readers' means; what was read before the first method adds `carry`, each session `period`."""
    square = np.array(list(williams(methods)) * squares)
    readers = len(square)
    means = rng.normal(0, 0.3, (readers, 1)) + rng.normal(0, 0.1, square.shape)
    means += 0.4 * square + period * np.arange(methods)
    means[:, 1:] += carry * (square[:, :-1] == 0)
    return crossover_effects(means, [[f"M{one}" for one in row] for row in square])


@pytest.mark.parametrize("methods", [2, 3, 4])
def test_without_effects_the_tests_keep_their_level(methods: int):
    rng, studies = np.random.default_rng(methods), 300
    found = [simulated(rng, methods, 4) for _ in range(studies)]
    for name in ("carry_over_test", "period_test"):
        rejected = sum(getattr(one, name).p < 0.05 for one in found) / studies
        assert 0.025 <= rejected <= 0.08, name


@pytest.mark.parametrize("methods", [2, 3, 4])
def test_planted_effects_are_found_each_by_its_test(methods: int):
    rng, studies = np.random.default_rng(10 + methods), 60
    # Between readers, as carry-over of two methods is, less can be seen.
    carry = 2.0 if methods == 2 else 0.3
    carried = [simulated(rng, methods, 4, carry=carry) for _ in range(studies)]
    assert sum(one.carry_over_test.p < 0.05 for one in carried) > 0.8 * studies
    moved = [simulated(rng, methods, 4, period=0.3) for _ in range(studies)]
    assert sum(one.period_test.p < 0.05 for one in moved) > 0.9 * studies
    assert sum(one.carry_over_test.p < 0.05 for one in moved) < 0.2 * studies
    if methods == 2:
        estimates = [one.period.value for one in moved if one.period is not None]
        assert np.mean(estimates) == pytest.approx(-0.3, abs=0.02)


def test_what_few_readers_cannot_tell():
    rng = np.random.default_rng(1)
    one_order = crossover_effects(rng.normal(size=(4, 2)), [("a", "b")] * 4)
    assert one_order.carry_over_test.reason == one_order.period_test.reason == FEW
    few = crossover_effects(rng.normal(size=(2, 3)), [("a", "b", "c"), ("b", "c", "a")])
    assert few.carry_over_test.reason == NO_ROOM
