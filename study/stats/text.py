"""Results of statistics as lines of text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

from study.domain.formatting import p_digits, significant
from study.stats.estimate import Estimate, Interval, PValue
from study.stats.multiple_testing import CorrectedPValue

STEP = "  "
MANY = 12
"""Most numbers of a list that are printed on one line."""


def result_lines(key: str, thing: object, indent: str = "") -> Iterator[str]:
    """A result as lines of text, with its parts indented."""
    if isinstance(thing, Estimate):
        yield f"{indent}{_named(key, thing.name)}: {estimate_text(thing)}"
    elif isinstance(thing, PValue):
        yield f"{indent}{_named(key, thing.name)}: {p_text(thing)}"
    elif isinstance(thing, CorrectedPValue):
        shown = ", ".join(f"{f.name} {p_digits(getattr(thing, f.name))}" for f in fields(thing))
        yield f"{indent}{key}: {shown}"
    elif is_dataclass(thing) and not isinstance(thing, type):
        inside = {f.name: getattr(thing, f.name) for f in fields(thing)}
        if "first" in inside and "second" in inside:
            key = f"{inside.pop('first')} and {inside.pop('second')}"
        yield from result_lines(key, inside, indent)
    elif isinstance(thing, Mapping):
        yield f"{indent}{key}"
        for name, value in thing.items():
            yield from result_lines(str(name), value, indent + STEP)
    elif isinstance(thing, list | tuple):
        if all(value is None or isinstance(value, int | float | str) for value in thing):
            words = [significant(value) for value in thing]
            if len(words) > MANY:
                words = [*words[: MANY - 1], f"... {len(words)} in all"]
            yield f"{indent}{key}: {', '.join(words) or 'none'}"
            return
        yield f"{indent}{key}"
        for place, value in enumerate(thing, start=1):
            yield from result_lines(str(place), value, indent + STEP)
    else:
        yield f"{indent}{key}: {significant(thing)}"


def estimate_text(estimate: Estimate) -> str:
    """Value, interval, standard error, n, and the reason for a missing value or interval."""
    parts = ["undefined" if estimate.value is None else significant(estimate.value)]
    if estimate.low is not None:
        parts.append(_ends(estimate.low, estimate.high, estimate.level))
    if estimate.se is not None:
        parts.append(f"se {significant(estimate.se)}")
    parts.append(f"n {estimate.n}")
    if estimate.bootstrap is not None:
        parts.append(f"bootstrap {_interval(estimate.bootstrap)}")
    text = ", ".join(parts)
    return f"{text} ({estimate.reason})" if estimate.reason else text


def p_text(test: PValue) -> str:
    """P value, statistic, degrees of freedom and n, or the reason why it is undefined."""
    if test.p is None:
        return f"undefined, n {test.n} ({test.reason})"
    parts = [f"p {p_digits(test.p)}"]
    if test.statistic is not None:
        parts.append(f"statistic {significant(test.statistic)}")
    if test.df is not None:
        parts.append(f"df {significant(test.df)}")
    return ", ".join([*parts, f"n {test.n}"]) + f" ({test.method})"


def _interval(interval: Interval) -> str:
    if interval.low is None:
        return f"undefined: {interval.reason}"
    return _ends(interval.low, interval.high, interval.level)


def _ends(low: float | None, high: float | None, level: float) -> str:
    return f"{100 * level:g} % CI {significant(low)} to {significant(high)}"


def _named(key: str, name: str) -> str:
    return name if key.isdecimal() or key == name else f"{key} ({name})"
