"""Numbers that users type."""

import pytest

from enhancers.errors import ParameterError
from enhancers.registry import get
from enhancers.ui.image_handlers import window_limits
from enhancers.ui.numbers import typed_number
from enhancers.ui.parameters import parameter_values
from tests.support.compare_page import field_values


@pytest.mark.parametrize(
    ("text", "number"),
    [("-160", -160), (" 0,5 ", 0.5), ("-1,25e3", -1250), ("\N{MINUS SIGN}3,0", -3), (",5", 0.5)],
)
def test_points_and_commas_are_read(text, number):
    assert typed_number(text, "limit") == number


@pytest.mark.parametrize("text", ["", "abc", "nan", "inf", "1.2.3", "1,2,3"])
def test_what_is_no_number_is_named(text):
    with pytest.raises(ParameterError, match=f"limit is '{text}'; enter a number"):
        typed_number(text, "limit")


def test_a_comma_that_may_separate_thousands_is_asked_about():
    with pytest.raises(ParameterError, match=r"could mean -1\.000 or -1000"):
        typed_number("-1,000", "limit")
    assert typed_number("0,125", "limit") == 0.125


def test_a_window_needs_its_ends_in_order():
    assert window_limits("-1000", "1000", "HU") == (-1000, 1000)
    with pytest.raises(ParameterError, match="500 HU, is not below the maximum, -5 HU"):
        window_limits("500", "-5", "HU")


def test_a_comma_in_a_parameter_is_a_decimal_comma():
    values = field_values("null_space", null_space__sigma="0,05")
    assert parameter_values(get("null_space"), values)["sigma"] == 0.05
