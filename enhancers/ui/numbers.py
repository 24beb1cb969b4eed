"""Numbers that users type."""

from __future__ import annotations

import math
import re

from enhancers.errors import ParameterError

_COMMA = re.compile(r"[+-]?\d*,\d*(?:[eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+")
_MINUS = str.maketrans({"\u2212": "-", "\u2013": "-", "\u00a0": None})


def plain_number(text: str) -> str:
    """The text with a decimal point for a decimal comma, and a hyphen for a minus sign."""
    plain = text.strip().translate(_MINUS)
    return plain.replace(",", ".") if _COMMA.fullmatch(plain) else plain


def typed_number(text: str, name: str) -> float:
    """The number that a user typed, with a decimal point or comma.

    Parameters
    ----------
    text : str
    name : str
        What it is, for the error.

    Raises
    ------
    ParameterError
        The text is not a finite number.

    Examples
    --------
    >>> typed_number("-0,5", "limit")
    -0.5
    """
    plain = text.strip().translate(_MINUS)
    if _THOUSANDS.fullmatch(plain):
        raise ParameterError(
            f"The {name} is '{text.strip()}', which could mean {plain.replace(',', '.')} or "
            f"{plain.replace(',', '')}; enter it without a comma."
        )
    try:
        number = float(plain_number(text))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ParameterError(f"The {name} is '{text.strip()}'; enter a number, such as -160.")
    return number
