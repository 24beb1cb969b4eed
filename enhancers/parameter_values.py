"""Typed reading of resolved parameters."""

from __future__ import annotations

from collections.abc import Mapping

from enhancers.method import ParameterValue


def as_float(params: Mapping[str, ParameterValue], name: str) -> float:
    """The value of a parameter without automatic value, as float."""
    value = as_float_or_none(params, name)
    if value is None:
        raise TypeError(f"{name} needs a value")
    return value


def as_float_or_none(params: Mapping[str, ParameterValue], name: str) -> float | None:
    """The value of a parameter that may be automatic (None)."""
    value = params[name]
    if value is None:
        return None
    if isinstance(value, str):
        raise TypeError(f"{name} must be a number, got {value!r}")
    return float(value)


def as_int(params: Mapping[str, ParameterValue], name: str) -> int:
    """The value of an integer parameter without automatic value."""
    return int(as_float(params, name))
