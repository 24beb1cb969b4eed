from __future__ import annotations

import pytest
from scipy import stats

from study.domain.inference import Hypothesis
from study.stats.comparison.hypotheses import hypothesis_test
from study.stats.estimate import PValue
from study.stats.random_effects import p_of_t


def two_sided(value: float, se: float, df: float) -> PValue:
    return PValue("t", p_of_t(value / se, df), "m", 9, value / se, df)


@pytest.mark.parametrize(
    ("hypothesis", "value", "shown"),
    [
        (Hypothesis.DIFFERENCE, 0.5, True),
        (Hypothesis.DIFFERENCE, 0.3, False),
        (Hypothesis.NON_INFERIORITY, 0.0, True),
        (Hypothesis.NON_INFERIORITY, -0.2, False),
        (Hypothesis.NON_INFERIORITY, 3.0, True),
        (Hypothesis.EQUIVALENCE, 0.0, True),
        (Hypothesis.EQUIVALENCE, 0.2, False),
        (Hypothesis.EQUIVALENCE, -0.2, False),
    ],
)
def test_a_hypothesis_is_shown_where_the_interval_lies_on_its_side(hypothesis, value, shown):
    se, df, margin = 0.2, 12.0, 0.5
    half = stats.t.ppf(0.975, df) * se
    found = hypothesis_test(
        two_sided(value, se, df), value, se,
        hypothesis=hypothesis, margins=(-margin, margin), alpha=0.05,
    )  # fmt: skip
    by_interval = {
        Hypothesis.DIFFERENCE: abs(value) > half,
        Hypothesis.NON_INFERIORITY: value - half > -margin,
        Hypothesis.EQUIVALENCE: value - half > -margin and value + half < margin,
    }[hypothesis]
    assert found.shown is shown
    assert by_interval == shown
    assert found.limit == (0.05 if hypothesis is Hypothesis.DIFFERENCE else 0.025)


def test_what_has_no_p_value_shows_nothing():
    none = PValue("t", None, "m", 1, reason="1 reader")
    found = hypothesis_test(none, None, None, hypothesis=Hypothesis.EQUIVALENCE, alpha=0.05)
    assert (found.shown, found.test.reason) == (None, "1 reader")
