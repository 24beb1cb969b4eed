"""A method under test: one of the registry with parameters, a baseline, or the degraded input."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from enhancers.errors import ReadingRoomError
from enhancers.evaluation.baselines.catalog import BASELINES
from enhancers.evaluation.problem import Degraded, Task
from enhancers.image import Pixels, from_array
from enhancers.method import ParameterValue
from enhancers.method_interface import Result
from enhancers.parameter_values import as_float, as_float_or_none
from enhancers.registry import get, resolve
from enhancers.source_digest import source_digest

INPUT = "input"
"""Key of the degraded image itself; where it is smaller, its pixels are replicated."""

SUITED: Mapping[str, tuple[Task, ...]] = {
    "null_space": ("denoise", "enlarge", "despeckle", "inpaint", "kspace"),
    "denoiser": ("denoise", "despeckle"),
    "pseudo_label": ("despeckle", "improve"),
    "unimie": ("lighten",),
    "pix2pix": ("denoise", "despeckle", "kspace"),
    "restormer": ("denoise", "despeckle", "kspace"),
    "diffusion_unet": ("denoise", "despeckle", "kspace"),
    "morphology": (),
    "nlm": ("denoise", "enlarge", "despeckle", "improve"),
    "tv": ("denoise", "enlarge", "despeckle", "improve"),
}
"""The tasks of methods that do not suit all of `WITH_ALL_MEASURED`, or suit others."""

WITH_ALL_MEASURED: tuple[Task, ...] = ("denoise", "enlarge", "despeckle", "lighten", "improve")

PIPELINES = ("classical", "pseudo_label")
"""Methods that run other methods, with parameters of these."""

Given = tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class Outcome:
    """The result on a degraded image, (H, W) in [0, 1], with run time and network calls."""

    pixels: Pixels
    seconds: float
    calls: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class MethodUnderTest:
    """One method of a comparison.

    Parameters
    ----------
    key : str
        As it is written: ``method:variant@name=value``.
    label : str
        Its name in tables and plots.
    family : str
        The key without the strength of a sweep; equal for all strengths of a filter.
    kind : {"input", "method", "baseline"}
    method : str
        Key in the registry or among the baselines.
    given : tuple of (name, value)
        Parameters as text.
    once : bool
        Whether one seed is enough even if the result depends on it.
    """

    key: str
    label: str
    family: str
    kind: Literal["input", "method", "baseline"]
    method: str
    given: Given = ()
    once: bool = False

    def suits(self, task: Task) -> bool:
        """Whether it can be used for the task."""
        if self.kind == "baseline":
            return task in BASELINES[self.method].tasks
        return self.kind == "input" or task in SUITED.get(self.method, WITH_ALL_MEASURED)

    @property
    def sampled(self) -> bool:
        """Whether the result depends on the seed, so that it runs with several."""
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
        return self.kind == "method" and get(self.method).family != "classical"

    @property
    def module(self) -> str:
        """The module that computes the result."""
        if self.kind == "input":
            return __name__
        if self.kind == "baseline":
            return BASELINES[self.method].implementation
        return get(self.method).implementation

    def parameters(self, degraded: Degraded, task: Task) -> dict[str, ParameterValue]:
        """Everything that the result depends on besides pixels, seed and code.

        Raises
        ------
        ParameterError
            A parameter is unknown or out of range.
        """
        if self.kind == "input":
            return {"factor": degraded.factor}
        if self.kind == "baseline":
            prior, steps = self._prior_and_steps()
            default = BASELINES[self.method].steps
            return {"task": task, "factor": degraded.factor, "sigma": degraded.sigma,
                    "prior": prior, "steps": steps or default}  # fmt: skip
        given = self._given(degraded, task)
        return {
            **resolve(self.method, degraded.modality, given),
            "modality": degraded.modality.value,
            "factor": degraded.factor,
        }

    def stages(self, degraded: Degraded, task: Task) -> dict[str, dict[str, ParameterValue]]:
        """The parameters of each filter of a pipeline; empty for other methods."""
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
        """Key and SHA-256 of the network it samples from; empty for none.

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
        """Whether it ends with a contrast step, after which no truth can be compared with."""
        if task == "lighten" or self.kind != "method":
            return False
        return self.method == "clahe" or self.parameters(degraded, task).get("contrast") is True

    def _prior_and_steps(self) -> tuple[str, int | None]:
        """The network and the number of steps of a baseline."""
        given = dict(self.given)
        steps, prior = given.get("steps"), given.get("prior", "pixel")
        return prior, int(steps) if steps else None

    def enhance(self, degraded: Degraded, task: Task, *, seed: int, device: str) -> Outcome:
        """Run the method and wait for its result.

        Raises
        ------
        ReadingRoomError
            The method failed, or its result has another size than asked for.
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
        prior, steps = self._prior_and_steps()
        for step in BASELINES[self.method].run(
            degraded, task, seed=seed, device=device, prior=prior, steps=steps
        ):
            if step.result is not None:
                return step.result
        raise RuntimeError(f"{self.method} ended without a result")

    def _method(self, degraded: Degraded, task: Task, seed: int, device: str) -> Result:
        from enhancers.compare import enhance
        from enhancers.evaluation.baselines.bicubic import enlarged

        given = self._given(degraded, task)
        image = replace(from_array(degraded.pixels, degraded.modality), measured=degraded.measured)
        result = enhance(image, self.method, params=given, seed=seed, device=device)
        if degraded.factor > 1 and result.scale == 1:
            pixels = enlarged(result.pixels, degraded.factor).clip(0, 1)
            result = replace(result, pixels=pixels)
        return result

    def _given(self, degraded: Degraded, task: Task) -> dict[str, ParameterValue]:
        """The parameters given to a method of the registry; its own take precedence."""
        return {**_from_protocol(self.method, degraded, task), **dict(self.given)}

    def code(self) -> str:
        """Digest of the code that computes the result."""
        return source_digest(self.module)


def _replicated(degraded: Degraded) -> Pixels:
    return degraded.pixels.repeat(degraded.factor, 0).repeat(degraded.factor, 1)


def _from_protocol(method: str, degraded: Degraded, task: Task) -> dict[str, ParameterValue]:
    """The task and the noise level, as parameters of a method of the registry."""
    if method in ("null_space", "denoiser"):
        noise = "rician" if degraded.kind == "rician" else "gaussian"
        given: dict[str, ParameterValue] = {"sigma": degraded.sigma, "noise": noise}
        if method == "null_space":
            names = {"enlarge": f"sr{degraded.factor}", "inpaint": "inpaint", "kspace": "kspace"}
            given["task"] = names.get(task, "denoise")
        return given
    # For other tasks the parameter is not the standard deviation of additive noise.
    if task in ("denoise", "enlarge") and method in ("nlm", "tv"):
        known: dict[str, ParameterValue] = {"sigma": degraded.sigma}
        return {**known, "noise": "gaussian"} if method == "nlm" else known
    if task == "denoise" and method in ("classical", "pseudo_label") and degraded.modality != "US":
        return {"sigma": degraded.sigma}
    return {}
