"""How numbers are written: as in a journal, and "undefined" where there is none."""

from __future__ import annotations

from study.report.markup import Content, Html, Notes, join, tag
from study.stats.estimate import Estimate, Interval, PValue
from study.stats.multiple_testing import Corrected

NONE = "–"
MINUS = "−"


def number(value: float | None, digits: int = 2) -> str:
    """A number with so many decimals and a true minus; a dash for None."""
    if value is None:
        return NONE
    written = f"{value:.{digits}f}"
    if not float(written):
        written = written.lstrip("-")
    return written.replace("-", MINUS)


def percent(value: float | None, digits: int = 0) -> str:
    """A share as a percentage."""
    return NONE if value is None else f"{number(100 * value, digits)}%"


def whole(value: int) -> str:
    """A count, thousands apart."""
    return f"{value:,}".replace(",", "\u202f")


def p_value(p: float | None) -> str:
    """A p value, at least three decimals, never 0."""
    if p is None:
        return NONE
    return "<0.001" if p < 0.001 else f"{min(p, 1.0):.3f}"


def equals(p: float) -> str:
    """A p value after the letter, such as "= 0.042"."""
    written = p_value(p)
    return written.replace("<", "< ") if written.startswith("<") else f"= {written}"


def undefined(reason: str | None, notes: Notes) -> Html:
    """The word, with the reason as a footnote."""
    mark = notes.mark(reason) if reason else None
    return tag("span", "undefined", mark, class_="undefined")


def value(estimate: Estimate, notes: Notes, digits: int = 2) -> Content:
    """The value alone."""
    if estimate.value is None:
        return undefined(estimate.reason, notes)
    return number(estimate.value, digits)


def interval(
    ends: Interval | Estimate | None, digits: int = 2, *, share: bool = False
) -> str | None:
    """The two ends, or None where there are none."""
    if ends is None or ends.low is None or ends.high is None:
        return None
    write = percent if share else number
    return f"{write(ends.low, digits)} to {write(ends.high, digits)}"


def with_interval(estimate: Estimate, notes: Notes, digits: int = 2) -> Content:
    """Value and interval, such as 0.43 (0.32 to 0.54); a footnote says why either is missing."""
    if estimate.value is None:
        return undefined(estimate.reason, notes)
    return _with(number(estimate.value, digits), interval(estimate, digits), estimate, notes)


def share_with_interval(estimate: Estimate, notes: Notes) -> Content:
    """A share and its interval in per cent."""
    if estimate.value is None:
        return undefined(estimate.reason, notes)
    ends = interval(estimate, 0, share=True)
    return _with(percent(estimate.value), ends, estimate, notes)


def bootstrap(estimate: Estimate, notes: Notes, digits: int = 2) -> Content:
    """The interval of the bootstrap by patient."""
    if estimate.value is None or estimate.bootstrap is None:
        return NONE
    found = interval(estimate.bootstrap, digits)
    return _apart(found) if found else undefined(estimate.bootstrap.reason, notes)


def tested(test: PValue, notes: Notes) -> Content:
    """The p value of a test."""
    return undefined(test.reason, notes) if test.p is None else p_value(test.p)


def corrected(found: Corrected, procedure: str) -> str:
    """One of the corrected p values."""
    return p_value(getattr(found, procedure))


def _with(written: str, ends: str | None, estimate: Estimate, notes: Notes) -> Content:
    if ends is None:
        return join((written, notes.mark(estimate.reason or "no interval is computed")))
    return join((written, " ", _apart(f"({ends})")))


def _apart(words: str) -> Html:
    return tag("span", words, class_="interval")
