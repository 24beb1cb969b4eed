"""Reads methods as protocols and users write them: ``method:variant@name=value``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from enhancers.errors import ParameterError
from enhancers.evaluation.baselines.catalog import BASELINES
from enhancers.evaluation.methods_under_test import INPUT, MethodUnderTest
from enhancers.evaluation.protocol import Protocol
from enhancers.evaluation.variants import SWEEPS, VARIANTS
from enhancers.method import PRIOR_KEY, nearest
from enhancers.registry import get, methods


def method_under_test(text: str) -> MethodUnderTest:
    """The method that ``text`` names: ``method``, ``method:variant`` or ``method@name=value``.

    Raises
    ------
    ParameterError
        There is no such method, variant or parameter.
    """
    name, *pairs = text.strip().split("@")
    given = {}
    for pair in pairs:
        parameter, equals, value = pair.partition("=")
        if not equals or not parameter.strip():
            raise ParameterError(f"{text} is not method@name=value; {pair} has no value.")
        given[parameter.strip()] = value.strip()
    if name == INPUT:
        return MethodUnderTest(INPUT, "Degraded input", INPUT, "input", INPUT)
    variant = VARIANTS.get(name)
    method = variant.method if variant else name
    ending = "".join(f", {parameter} {value}" for parameter, value in given.items())
    if method in BASELINES:
        _check_baseline(method, given)
        label = BASELINES[method].label + ending
        return MethodUnderTest(text, label, text, "baseline", method, tuple(given.items()))
    known = [method.key for method in methods()]
    if method not in known:
        hint = nearest(name, [*known, *VARIANTS, *BASELINES, INPUT])
        raise ParameterError(f"No method {name}; {hint.rstrip('.')}.")
    label = (variant.label if variant else get(method).label) + ending
    merged = {**(variant.given if variant else {}), **given}
    for parameter, value in merged.items():
        get(method).parameter(parameter).check(value)
    return MethodUnderTest(
        text, label, text, "method", method, tuple(merged.items()), bool(variant and variant.once)
    )


def _check_baseline(key: str, given: Mapping[str, str]) -> None:
    """Check the parameters of a baseline; it has at most ``steps`` and ``prior``."""
    baseline = BASELINES[key]
    known = ["steps"] * bool(baseline.steps) + ["prior"] * baseline.sampled
    for name, value in given.items():
        if name not in known:
            raise ParameterError(f"{key} has no parameter {name}; {nearest(name, known)}.")
        if name == "steps" and not (value.isdecimal() and int(value)):
            raise ParameterError(f"steps={value} is not possible; give a whole number from 1.")
        if name == "prior" and not PRIOR_KEY.fullmatch(value):
            raise ParameterError(f"prior={value} is not possible; give the key of a network.")


def expand(texts: Sequence[str]) -> list[MethodUnderTest]:
    """The methods that ``texts`` name, each once; a filter at every strength of its sweep."""
    found: dict[str, MethodUnderTest] = {}
    for text in texts:
        for one in _strengths(method_under_test(text)):
            found.setdefault(one.key, one)
    return list(found.values())


def _strengths(one: MethodUnderTest) -> Iterator[MethodUnderTest]:
    name = one.key.split("@")[0]
    parameter, values = SWEEPS.get(name, ("", ()))
    if not values or parameter in dict(one.given):
        yield one
        return
    for value in values:
        strength = method_under_test(f"{one.key}@{parameter}={value:g}")
        yield replace(strength, family=one.key)


def chosen(protocol: Protocol, methods: Sequence[str]) -> list[MethodUnderTest]:
    """The methods of a protocol to run: the given ones, by default its own, or "all" of them.

    Raises
    ------
    ParameterError
        A method is unknown or suits no condition of the protocol.
    """
    if list(methods) == ["all"]:
        methods = (*protocol.methods, *protocol.more)
    found = expand(methods or protocol.methods)
    for one in found:
        if not any(one.suits(condition.task) for condition in protocol.conditions):
            tasks = " or ".join(dict.fromkeys(condition.task for condition in protocol.conditions))
            raise ParameterError(
                f"{one.key} cannot {tasks}, which {protocol.key} asks; leave it out."
            )
    return found
