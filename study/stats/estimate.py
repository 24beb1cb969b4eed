"""Results of statistics: estimates with intervals and p values, or the reason why undefined."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from typing import Self

import numpy as np
from numpy.typing import NDArray

from study.domain.errors import StatisticsError

Floats = NDArray[np.float64]
Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

LEVEL = 0.95
"""Confidence level of every interval unless another is asked for."""
DIGITS = 12
"""Significant digits to which computed numbers are compared."""
DUST = 1e-12
"""A statistic below this is a rounding error of zero."""


@dataclass(frozen=True)
class Interval:
    """A confidence interval, or the reason why there is none.

    Parameters
    ----------
    low, high : float or None
        Its ends; both or neither.
    method : str
        How it was computed, for example ``t(29) interval``.
    reason : str or None
        Why it is undefined.
    level : float
        Confidence level.
    """

    low: float | None
    high: float | None
    method: str
    reason: str | None = None
    level: float = LEVEL

    def __post_init__(self) -> None:
        _sweep(self, "low", "high")
        _check_interval(self.low, self.high, self.method)
        if self.low is None and not self.reason:
            raise StatisticsError(f"{self.method}: an undefined interval needs a reason")


@dataclass(frozen=True)
class Estimate:
    """A statistic with its standard error and interval.

    Parameters
    ----------
    name : str
        Name of the statistic.
    value : float or None
        None if the data leave it undefined; `reason` then says why.
    method : str
        Formula, kind of interval, and options.
    n : int
        Number of items (or pairs, or trials).
    se : float or None
        Standard error.
    low, high : float or None
        Ends of the interval; both or neither.
    level : float
        Confidence level.
    reason : str or None
        Why the value, or only its interval, is undefined.
    bootstrap : Interval or None
        A second interval, from resampling whole clusters of items.
    """

    name: str
    value: float | None
    method: str
    n: int
    se: float | None = None
    low: float | None = None
    high: float | None = None
    level: float = LEVEL
    reason: str | None = None
    bootstrap: Interval | None = None

    def __post_init__(self) -> None:
        _sweep(self, "value", "se", "low", "high")
        _check_finite(self.name, self.value, self.se)
        _check_interval(self.low, self.high, self.name)
        if self.value is None and not self.reason:
            raise StatisticsError(f"{self.name}: an undefined value needs a reason")

    @property
    def defined(self) -> bool:
        """Whether there is a value."""
        return self.value is not None

    def with_interval(self, interval: Interval) -> Self:
        """The same estimate with the ends and reason of an interval; its method is appended."""
        return replace(
            self,
            low=interval.low,
            high=interval.high,
            reason=interval.reason,
            method=f"{self.method}; {interval.method}",
        )


@dataclass(frozen=True)
class PValue:
    """The outcome of a significance test.

    Parameters
    ----------
    name : str
        Name of the test.
    p : float or None
        Two-sided p value; None if the data leave it undefined; `reason` then says why.
    method : str
        Options and approximations.
    n : int
        Number of items.
    statistic : float or None
        The test's statistic.
    df : float or None
        Its degrees of freedom.
    reason : str or None
        Why it is undefined.
    """

    name: str
    p: float | None
    method: str
    n: int
    statistic: float | None = None
    df: float | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        _sweep(self, "statistic")
        _check_finite(self.name, self.p, self.statistic, self.df)
        if self.p is None and not self.reason:
            raise StatisticsError(f"{self.name}: an undefined p value needs a reason")


def finite_or_none(number: float) -> float | None:
    """The number as a Python float, or None if it is NaN or infinite."""
    return float(number) if math.isfinite(number) else None


def round_to_digits(numbers: Floats) -> Floats:
    """Numbers rounded to `DIGITS` significant digits of the largest one.

    Means and differences of ratings carry rounding errors that would break ties between ranks.
    """
    largest = float(np.nanmax(np.abs(numbers))) if np.isfinite(numbers).any() else 0.0
    if largest == 0.0:
        return numbers
    rounded: Floats = np.round(numbers, DIGITS - 1 - math.floor(math.log10(largest)))
    return rounded


def to_plain(thing: object) -> Json:
    """A result as JSON values: dataclasses become objects, numpy numbers Python numbers.

    Raises
    ------
    StatisticsError
        It contains NaN, an infinity, or an unsupported type.
    """
    if isinstance(thing, Enum):
        return to_plain(thing.value)
    if thing is None or isinstance(thing, bool | int | str):
        return thing
    if isinstance(thing, float | np.floating):
        if not math.isfinite(thing):
            raise StatisticsError(f"{thing} is not a value that JSON can represent")
        return float(thing)
    if isinstance(thing, np.integer | np.bool_):
        return to_plain(thing.item())
    if isinstance(thing, np.ndarray):
        return to_plain(thing.tolist())
    if is_dataclass(thing) and not isinstance(thing, type):
        return {field.name: to_plain(getattr(thing, field.name)) for field in fields(thing)}
    if isinstance(thing, Mapping):
        return {str(key): to_plain(value) for key, value in thing.items()}
    if isinstance(thing, Sequence):
        return [to_plain(value) for value in thing]
    raise StatisticsError(f"{type(thing).__name__} cannot be written as JSON")


def to_json(thing: object, *, indent: int | None = 2) -> str:
    """A result as JSON text without NaN and Infinity."""
    return json.dumps(to_plain(thing), indent=indent, ensure_ascii=False, allow_nan=False)


def without_dust(number: float, scale: float = 0.0) -> float:
    """Zero for a rounding error, below `DUST` or 12 digits of `scale`; never a negative zero."""
    return 0.0 if abs(number) < max(DUST, 10.0**-DIGITS * scale) else number


def _sweep(result: Interval | Estimate | PValue, *names: str) -> None:
    """Replace rounding errors of a result by zeros, relative to its largest number."""
    numbers = {name: getattr(result, name) for name in names}
    known = {name: number for name, number in numbers.items() if number is not None}
    scale = max(map(abs, known.values()), default=0.0)
    for name, number in known.items():
        if math.isfinite(number):
            object.__setattr__(result, name, without_dust(number, scale))


def _check_finite(name: str, *numbers: float | None) -> None:
    for number in numbers:
        if number is not None and not math.isfinite(number):
            raise StatisticsError(f"{name} is {number}: an undefined value is None with a reason")


def _check_interval(low: float | None, high: float | None, name: str) -> None:
    _check_finite(name, low, high)
    if (low is None) != (high is None):
        raise StatisticsError(f"{name}: an interval has two ends or none, got {low} and {high}")
    if low is not None and high is not None and low > high:
        raise StatisticsError(f"{name}: the interval's low end {low} is above its high end {high}")
