"""How numbers, p values, intervals, times and counts are written in tables and sentences."""

from __future__ import annotations

DASH = "–"
"""Stands for a value that does not exist."""
MINUS = "−"
THIN_SPACE = "\u202f"


def decimal(value: float | None, digits: int = 2) -> str:
    """A number with a fixed number of decimals and a typographic minus; a dash for None."""
    if value is None:
        return DASH
    written = f"{value:.{digits}f}"
    if not float(written):
        written = written.lstrip("-")
    return written.replace("-", MINUS)


def significant(value: object) -> str:
    """A float with six significant digits; "undefined" for None, other values as they are.

    A rounding error below 1e-15 is 0.
    """
    if value is None:
        return "undefined"
    if not isinstance(value, float):
        return str(value)
    return f"{value:.6g}" if abs(value) >= 1e-15 else "0"


def p_digits(p: float | None) -> str:
    """A p value with six significant digits, never 0."""
    if p is None:
        return "undefined"
    return f"{p:.6g}" if p > 0 else "<1e-300"


def percent(share: float | None, digits: int = 0) -> str:
    """A share between 0 and 1 as a percentage."""
    return DASH if share is None else f"{decimal(100 * share, digits)}%"


def count(number: int) -> str:
    """An integer with its thousands separated by thin spaces."""
    return f"{number:,}".replace(",", THIN_SPACE)


def plural(number: int, one: str, many: str = "") -> str:
    """A count with its noun; `many` defaults to `one` with an s."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def p_value(p: float | None) -> str:
    """A p value with three decimals, "<0.001" below that, never 0."""
    if p is None:
        return DASH
    return "<0.001" if p < 0.001 else f"{min(p, 1.0):.3f}"


def p_equals(p: float) -> str:
    """A p value with its relation, to follow the letter p: "= 0.042" or "< 0.001"."""
    return "< 0.001" if p < 0.001 else f"= {p_value(p)}"


def minute(recorded: str) -> str:
    """A recorded ISO 8601 time to the minute, such as "2026-03-02 08:15"."""
    return f"{recorded[:10]} {recorded[11:16]}"


def date_time(recorded: str) -> str:
    """A recorded ISO 8601 time to the minute with its zone; a dash for an empty one."""
    return f"{minute(recorded)} UTC" if recorded else DASH


def duration(seconds: float) -> str:
    """A remaining time, rounded to seconds, minutes or tenths of an hour."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def capitalised(words: str) -> str:
    """A sentence with a capital at its start and a full stop at its end; empty stays empty."""
    words = words.strip()
    if not words:
        return ""
    return words[0].upper() + words[1:] + ("" if words.endswith((".", "?", "!")) else ".")
