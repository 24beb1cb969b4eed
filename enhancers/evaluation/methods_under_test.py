"""Who competes: a method with parameters, a baseline, or the degraded input itself."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from enhancers.errors import ParameterError, ReadingRoomError
from enhancers.evaluation.baselines.catalog import BASELINES
from enhancers.evaluation.problem import Degraded, Task
from enhancers.evaluation.protocols import Protocol
from enhancers.evaluation.variants import SWEEPS, VARIANTS
from enhancers.image import Pixels, from_array
from enhancers.method import PRIOR_KEY, ParameterValue, nearest
from enhancers.method_interface import Result
from enhancers.parameter_values import as_float, as_float_or_none
from enhancers.registry import METHODS, get, resolve
from enhancers.source_digest import source_digest

INPUT = "input"
"""Key of the degraded image, with its pixels replicated where it is smaller."""

SUITED: Mapping[str, tuple[Task, ...]] = {
    "null_space": ("denoise", "enlarge"),
    "pseudo_label": ("despeckle", "improve"),
    "unimie": ("lighten",),
    "nlm": ("denoise", "enlarge", "despeckle", "improve"),
    "tv": ("denoise", "enlarge", "despeckle", "improve"),
}
"""What methods were made for, where that is not everything."""

PIPELINES = ("classical", "pseudo_label")
"""Methods that run others, with parameters of theirs."""

Given = tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a candidate made of a degraded image: pixels (H, W) in [0, 1], and what it cost."""

    pixels: Pixels
    seconds: float
    calls: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class MethodUnderTest:
    """One competitor.

    Parameters
    ----------
    key : str
        As it is written: ``method:variant@name=value``.
    label : str
        What a reader reads.
    family : str
        The key without the strength that is being tried; equal among the strengths of a filter.
    kind : {"input", "method", "baseline"}
    method : str
        Key in the registry or among the baselines.
    given : tuple of (name, value)
        Parameters as text.
    once : bool
        Whether one seed is enough.
    """

    key: str
    label: str
    family: str
    kind: Literal["input", "method", "baseline"]
    method: str
    given: Given = ()
    once: bool = False

    def suits(self, task: Task) -> bool:
        """Whether it can do the task."""
        if self.kind == "baseline":
            return task in BASELINES[self.method].tasks
        return self.kind == "input" or task in SUITED.get(self.method, (task,))

    @property
    def sampled(self) -> bool:
        """Whether the result depends on the seed, so that several are of use."""
        if self.once or self.kind == "input":
            return False
        if self.kind == "baseline":
            return BASELINES[self.method].sampled or BASELINES[self.method].seeded
        return get(self.method).family == "diffusion"

    @property
    def by_device(self) -> bool:
        """Whether torch computes it, so that the last bits depend on the device."""
        if self.kind == "baseline":
            return True
        return self.kind == "method" and get(self.method).family == "diffusion"

    @property
    def module(self) -> str:
        """The module whose code makes the result."""
        if self.kind == "input":
            return __name__
        if self.kind == "baseline":
            return BASELINES[self.method].implementation
        return get(self.method).implementation

    def parameters(self, degraded: Degraded, task: Task) -> dict[str, ParameterValue]:
        """All that the result depends on besides pixels, seed and code.

        Raises
        ------
        ParameterError
            A parameter is unknown or out of range.
        """
        if self.kind == "input":
            return {"factor": degraded.factor}
        if self.kind == "baseline":
            prior, steps = self._asked()
            own = BASELINES[self.method].steps
            return {"task": task, "factor": degraded.factor, "sigma": degraded.sigma,
                    "prior": prior, "steps": steps or own}  # fmt: skip
        told = _told(self.method, degraded, task) | dict(self.given)
        return {
            **resolve(self.method, degraded.modality, told),
            "modality": degraded.modality.value,
            "factor": degraded.factor,
        }

    def stages(self, degraded: Degraded, task: Task) -> dict[str, dict[str, ParameterValue]]:
        """What the filters of a pipeline are given; nothing for what is no pipeline."""
        if self.method not in PIPELINES:
            return {}
        from enhancers.classical.pipelines import stages

        params = self.parameters(degraded, task)
        chosen = stages(
            degraded.modality,
            contrast=bool(params["contrast"]),
            sigma=as_float_or_none(params, "sigma"),
            clip_limit=as_float(params, "clip_limit"),
        )
        return {one.key: resolve(one.key, degraded.modality, one.given) for one in chosen}

    def prior(self, degraded: Degraded, task: Task) -> str:
        """Name and SHA-256 of the weights it samples from, empty for none.

        Raises
        ------
        NetworkMissing
        """
        if not self._samples():
            return ""
        from enhancers.networks.load import identity

        return identity(str(self.parameters(degraded, task)["prior"]))

    def _samples(self) -> bool:
        if self.kind == "baseline":
            return BASELINES[self.method].sampled
        return self.kind == "method" and get(self.method).prior is not None

    def contrasted(self, degraded: Degraded, task: Task) -> bool:
        """Whether it ends with a contrast step, after which a truth says nothing."""
        if task == "lighten" or self.kind != "method":
            return False
        return self.method == "clahe" or self.parameters(degraded, task).get("contrast") is True

    def _asked(self) -> tuple[str, int | None]:
        """The network and the steps that a baseline is given."""
        given = dict(self.given)
        steps, prior = given.get("steps"), given.get("prior", "pixel")
        return prior, int(steps) if steps else None

    def enhance(self, degraded: Degraded, task: Task, *, seed: int, device: str) -> Outcome:
        """Run, and wait for the result.

        Raises
        ------
        ReadingRoomError
            What the method raises.
        """
        started = time.perf_counter()
        if self.kind == "input":
            result = Result(_replicated(degraded))
        elif self.kind == "baseline":
            result = self._baseline(degraded, task, seed, device)
        else:
            result = self._method(degraded, task, seed, device)
        pixels = result.pixels
        wanted = tuple(side * degraded.factor for side in degraded.pixels.shape)
        if pixels.shape != wanted:
            raise ReadingRoomError(f"{self.key} returned {pixels.shape} where {wanted} was asked.")
        return Outcome(pixels, time.perf_counter() - started, result.calls, result.notes)

    def _baseline(self, degraded: Degraded, task: Task, seed: int, device: str) -> Result:
        from enhancers import devices
        from enhancers.settings import get_settings

        devices.limit_threads(get_settings().threads)
        prior, steps = self._asked()
        for step in BASELINES[self.method].run(
            degraded, task, seed=seed, device=device, prior=prior, steps=steps
        ):
            if step.result is not None:
                return step.result
        raise RuntimeError(f"{self.method} ended without a result")

    def _method(self, degraded: Degraded, task: Task, seed: int, device: str) -> Result:
        from enhancers.compare import enhance
        from enhancers.evaluation.baselines.bicubic import enlarged

        told = _told(self.method, degraded, task) | dict(self.given)
        image = from_array(degraded.pixels, degraded.modality)
        result = enhance(image, self.method, params=told, seed=seed, device=device)
        if degraded.factor > 1 and result.scale == 1:
            pixels = enlarged(result.pixels, degraded.factor).clip(0, 1)
            result = replace(result, pixels=pixels)
        return result

    def code(self) -> str:
        """Digest of the code that makes the result."""
        return source_digest(self.module)


def _replicated(degraded: Degraded) -> Pixels:
    return degraded.pixels.repeat(degraded.factor, 0).repeat(degraded.factor, 1)


def _told(method: str, degraded: Degraded, task: Task) -> dict[str, ParameterValue]:
    """What the protocol tells a method of the registry: the task and the noise."""
    if method == "null_space":
        name = f"sr{degraded.factor}" if task == "enlarge" else "denoise"
        return {"task": name, "sigma": degraded.sigma}
    # Only there is the parameter the standard deviation of additive noise.
    if task in ("denoise", "enlarge") and method == "nlm":
        return {"sigma": degraded.sigma, "noise": "gaussian"}
    if task == "denoise" and method in ("classical", "pseudo_label") and degraded.modality != "US":
        return {"sigma": degraded.sigma}
    return {}


def method_under_test(text: str) -> MethodUnderTest:
    """Read ``method``, ``method:variant`` or ``method@name=value``.

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
    known = [method.key for method in METHODS]
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
    """Raise ParameterError unless ``given`` are steps or the network of one that has them."""
    one = BASELINES[key]
    known = ["steps"] * bool(one.steps) + ["prior"] * one.sampled
    for name, value in given.items():
        if name not in known:
            raise ParameterError(f"{key} has no parameter {name}; {nearest(name, known)}.")
        if name == "steps" and not (value.isdecimal() and int(value)):
            raise ParameterError(f"steps={value} is not possible; give a whole number from 1.")
        if name == "prior" and not PRIOR_KEY.fullmatch(value):
            raise ParameterError(f"prior={value} is not possible; give the key of a network.")


def expand(texts: Sequence[str]) -> list[MethodUnderTest]:
    """The candidates that ``texts`` name, each once, a filter at every strength of its sweep."""
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
    """The candidates of a protocol: its own for none, all there are for "all".

    Raises
    ------
    ParameterError
        One is unknown or can do nothing of what the protocol asks.
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
