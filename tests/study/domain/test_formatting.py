"""Numbers, p values, counts and times in words."""

from __future__ import annotations

import pytest

from study.domain.formatting import (
    capitalised,
    date_time,
    decimal,
    duration,
    minute,
    p_digits,
    p_equals,
    p_value,
    percent,
    plural,
    significant,
)


@pytest.mark.parametrize(
    ("value", "digits", "written"),
    [(-0.054, 2, "−0.05"), (-0.001, 2, "0.00"), (None, 2, "–"), (3, 0, "3"), (2.345, 1, "2.3")],
)
def test_numbers_are_written_as_in_a_journal(
    value: float | None, digits: int, written: str
) -> None:
    assert decimal(value, digits) == written


def test_p_values_are_never_zero_or_above_one() -> None:
    assert [p_value(p) for p in (1e-9, 0.0456, 1.0000000002, None)] == [
        "<0.001",
        "0.046",
        "1.000",
        "–",
    ]
    assert (p_equals(1e-9), p_equals(0.0456)) == ("< 0.001", "= 0.046")


def test_shares_counts_and_times() -> None:
    assert (percent(0.005), percent(0.5), percent(None)) == ("0%", "50%", "–")
    assert (plural(1, "guess", "guesses"), plural(1234, "pair")) == ("1 guess", "1\u202f234 pairs")
    assert date_time("2026-03-02T08:15:59.000000Z") == "2026-03-02 08:15 UTC"
    assert date_time("") == "–"
    assert minute("2026-03-02T08:15:59.000000Z") == "2026-03-02 08:15"
    assert [duration(s) for s in (0.2, 89, 600, 9000)] == ["1 s", "89 s", "10 min", "2.5 h"]


def test_terminal_numbers_have_six_significant_digits() -> None:
    assert [significant(v) for v in (1 / 3, 12, None, "x")] == ["0.333333", "12", "undefined", "x"]


def test_a_sentence_has_a_capital_and_a_full_stop() -> None:
    assert [capitalised(w) for w in (" no item", "Why?", "")] == ["No item.", "Why?", ""]


def test_rounding_errors_are_not_printed() -> None:
    assert [significant(number) for number in (1e-17, -4e-16, -0.0, 2e-9)] == [
        "0",
        "0",
        "0",
        "2e-09",
    ]
    assert [p_digits(p) for p in (1e-20, 0.0, None)] == ["1e-20", "<1e-300", "undefined"]
