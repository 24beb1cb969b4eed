"""Tests of a difference, of non-inferiority and of equivalence by a margin.

References
----------
D. J. Schuirmann, "A comparison of the two one-sided tests procedure and the power approach for
assessing the equivalence of average bioavailability", Journal of Pharmacokinetics and
Biopharmaceutics 15(6), 1987.
"""

from __future__ import annotations

from dataclasses import dataclass

from scipy import stats

from study.domain.inference import Hypothesis
from study.stats.estimate import PValue
from study.stats.random_effects import p_of_t


@dataclass(frozen=True)
class HypothesisTest:
    """The test of a hypothesis.

    Parameters
    ----------
    hypothesis : Hypothesis
    test : PValue
        Two-sided for a difference, else one-sided; of equivalence the larger of two.
    limit : float
        What the p value is compared with: alpha, or half of it where it is one-sided, so that the
        result is that of the two-sided interval at 1 - alpha.
    shown : bool or None
        Whether the hypothesis is shown; None where the p value is undefined.
    """

    hypothesis: Hypothesis
    test: PValue
    limit: float
    shown: bool | None


def hypothesis_test(
    two_sided: PValue,
    value: float | None,
    se: float | None,
    *,
    hypothesis: Hypothesis,
    margins: tuple[float, float] = (0.0, 0.0),
    alpha: float,
) -> HypothesisTest:
    """Test a hypothesis about a value with a t distribution.

    Parameters
    ----------
    two_sided : PValue
        The test that the value is zero, with its degrees of freedom.
    value, se : float or None
        The estimate, positive where the first method is better, and its standard error.
    hypothesis : Hypothesis
    margins : (float, float)
        The lower, negative and the upper, positive margin of the value.
    alpha : float
        Two-sided level of significance.
    """
    difference = hypothesis is Hypothesis.DIFFERENCE
    limit = alpha if difference else alpha / 2
    if two_sided.p is None or value is None or not se or two_sided.df is None:
        return HypothesisTest(hypothesis, two_sided, limit, None)
    df, (lower, upper) = two_sided.df, margins
    above = float(stats.t.sf((value - lower) / se, df))
    below = float(stats.t.cdf((value - upper) / se, df))
    p, t = {
        Hypothesis.DIFFERENCE: (p_of_t(value / se, df), value / se),
        Hypothesis.NON_INFERIORITY: (above, (value - lower) / se),
        Hypothesis.EQUIVALENCE: max((above, (value - lower) / se), (below, (value - upper) / se)),
    }[hypothesis]
    name = hypothesis.capitalize()
    found = PValue(name, p, two_sided.method, two_sided.n, statistic=t, df=df)
    return HypothesisTest(hypothesis, found, limit, p < limit)
