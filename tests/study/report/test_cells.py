"""What a cell of a table says of an estimate."""

from dataclasses import replace

from study.domain.formatting import DASH
from study.report.cells import Cell, interval_alone, with_bootstrap
from study.stats.estimate import Estimate, Interval

RATE = Estimate(
    "Rate", 0.5, "proportion", 9, low=0.31, high=0.69, bootstrap=Interval(0.25, 0.75, "bootstrap")
)


def test_a_share_and_the_interval_that_takes_its_place_are_percentages():
    assert with_bootstrap(RATE, share=True) == Cell("50%", "(25% to 75%)")
    assert with_bootstrap(replace(RATE, bootstrap=None), share=True) == Cell("50%", "(31% to 69%)")
    assert with_bootstrap(RATE) == Cell("0.50", "(0.25 to 0.75)")
    assert interval_alone(RATE, share=True) == Cell(detail="31% to 69%")
    assert interval_alone(RATE) == Cell(detail="0.31 to 0.69")


def test_a_missing_interval_has_the_reason_of_the_one_that_is_shown():
    none = Interval(None, None, "bootstrap", "one patient")
    assert with_bootstrap(replace(RATE, bootstrap=none)) == Cell("0.50", note="one patient")
    assert interval_alone(replace(RATE, low=None, high=None)) == DASH
