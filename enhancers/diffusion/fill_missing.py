"""DDNM for missing pixels and missing lines of k-space: what was measured is kept, exactly.

Samples begin with pure noise, as published. A refined filling begins with an interpolation, from
which the network takes what is unlikely at a falling noise level, and after each call the measured
part is put back: plug-and-play restoration (K. Zhang et al., "Plug-and-play image restoration with
deep denoiser prior", IEEE Trans Pattern Anal Mach Intell 44 (2022), 6360) with DDNM's projection.
Nothing is drawn, and the result is closer to the truth than samples and their mean.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from enhancers.devices import GpuPacing
from enhancers.diffusion.missing_data import Problem, first_filling, read_problem
from enhancers.diffusion.null_space_steps import null_space_step
from enhancers.diffusion.timestep_noise import START, NoisePrefetcher
from enhancers.errors import ParameterError
from enhancers.image import MedicalImage
from enhancers.method import ParameterValue
from enhancers.method_interface import (
    Figure,
    ProgressTracker,
    Step,
    final_step,
    is_constant,
    patches,
    unchanged_step,
)
from enhancers.networks.lookup import network_entry
from enhancers.networks.tiled_networks import (
    MAX_TILE,
    OVERLAP,
    PixelNetwork,
    channel_spread,
    gray_of,
    size_notes,
    tile_sizes,
)
from enhancers.networks.timesteps import noise_level_step, timestep_pairs, timesteps
from enhancers.operators import NullSpaceOperator
from enhancers.parameter_values import as_float_or_none, as_int

TASKS = ("inpaint", "kspace")
"""Values of the parameter ``task`` that this module does."""
FILLING_STEPS, REFINING_STEPS = 40, 20
FIRST_LEVEL, LAST_LEVEL = 0.4, 0.01
"""Noise levels of the first and last call of a refined filling, in network space: the first covers
the errors of interpolation and of zero-filled k-space, the last is the network's own error."""
FILLING_ETA, NOISY_FILLING_ETA = 1.0, 0.3


@dataclass(frozen=True)
class Sampling:
    """Typed parameters; ``sigma`` is in [0, 1] units."""

    refined: bool
    sigma: float
    steps: int
    count: int
    eta: float
    preview_every: int

    @classmethod
    def read(cls, params: Mapping[str, ParameterValue]) -> Sampling:
        """Read resolved parameters.

        Raises
        ------
        ParameterError
            ``output`` is not for these tasks, or not for a refined filling.
        """
        if params["output"] == "one call":
            raise ParameterError(
                f"output=one call is for denoising; for task={params['task']} give sample or mean "
                "of samples."
            )
        refined = params["filling"] == "refined"
        if refined and params["output"] != "sample":
            raise ParameterError(
                f"output={params['output']} is for filling=sampled; a refined filling is one image."
            )
        sigma = as_float_or_none(params, "sigma") or 0.0
        eta = as_float_or_none(params, "eta")
        automatic = FILLING_ETA if sigma == 0.0 else NOISY_FILLING_ETA
        mean = params["output"] == "mean of samples"
        automatic_steps = REFINING_STEPS if refined else FILLING_STEPS
        return cls(
            refined=refined,
            sigma=sigma,
            steps=int(as_float_or_none(params, "steps") or automatic_steps),
            count=as_int(params, "samples") if mean else 1,
            eta=automatic if eta is None else eta,
            preview_every=as_int(params, "preview_every"),
        )


def work(image: MedicalImage, params: Mapping[str, ParameterValue]) -> float:
    """Planned network evaluations, in patches, without loading the network."""
    sampling = Sampling.read(params)
    return sampling.steps * sampling.count * patches(*image.shape)


def run(
    image: MedicalImage, params: Mapping[str, ParameterValue], *, seed: int, device: str
) -> Iterator[Step]:
    """Fill in what is missing (see `Enhancer`)."""
    sampling = Sampling.read(params)
    if is_constant(image.pixels):
        yield unchanged_step(image.pixels)
        return
    problem = read_problem(image, params)
    if problem.share == 1.0:
        yield final_step(image.pixels, figures=_share(problem), notes=(_nothing_missing(params),))
        return
    entry = network_entry(str(params["prior"]), "pixel")
    network = PixelNetwork(entry.key, device, tile_sizes(entry, MAX_TILE, OVERLAP))
    operator, y = problem.measurement(network.prior.multiple, network.sizes.least, device)
    keep = sampling.sigma == 0.0
    progress = ProgressTracker(sampling.steps * sampling.count, "network call")
    pace, total, made = GpuPacing(device), torch.zeros(()), 0
    for index in range(sampling.count):
        estimate = y
        filled = (
            _refine(network, operator, y, sampling)
            if sampling.refined
            else _sample(network, operator, y, sampling, device, seed, index)
        )
        for estimate in filled:
            pace.tick()
            made += 1
            show = made % sampling.preview_every == 0
            preview = problem.preview(gray_of(estimate), keep=keep) if show else None
            yield progress.step(made, preview)
        total = total + estimate
    mean = total / sampling.count
    pixels = problem.result(gray_of(mean), operator, y, keep=keep)
    yield final_step(
        pixels,
        figures=(
            *_share(problem),
            Figure("sigma", "Noise σ used", sampling.sigma),
            Figure("consistency", "max |H x̂ − y|", problem.deviation(pixels)),
            *channel_spread((mean.clamp(-1, 1) + 1) / 2),
        ),
        calls=made,
        notes=(*problem.notes, *size_notes(entry, *image.shape), *network.notes),
    )


def _refine(
    network: PixelNetwork, operator: NullSpaceOperator, y: Tensor, sampling: Sampling
) -> Iterator[Tensor]:
    """Yields the filled image after every call; where y has noise, without it."""
    signal, noise = network.prior.signal, 2 * sampling.sigma
    x = first_filling(operator, y).expand(-1, network.prior.channels, -1, -1)
    y = y.expand(-1, network.prior.channels, -1, -1)
    for level in np.geomspace(FIRST_LEVEL, max(LAST_LEVEL, noise), sampling.steps):
        (pair,) = timestep_pairs(signal, [noise_level_step(signal, float(level))])
        x = math.sqrt(pair.signal) * x
        estimate = pair.clean(x, network.predict(x, pair.t)).clamp(-1, 1)
        kept = float(level**2 / (level**2 + noise**2))
        x = estimate - kept * operator.pinv(operator.forward(estimate) - y)
        yield estimate if noise else x


def _sample(
    network: PixelNetwork, operator: NullSpaceOperator, y: Tensor, sampling: Sampling, device: str,
    seed: int, index: int,
) -> Iterator[Tensor]:  # fmt: skip
    """One DDNM sample: yields a clean estimate after every call, and the sample as the last."""
    pairs = timesteps(network.prior.signal, sampling.steps)
    size = operator.pinv(y).shape[-2:]
    shape = (1, network.prior.channels, *size)
    y = y.expand(-1, network.prior.channels, -1, -1)
    times = [START, *(pair.t for pair in pairs)]
    with NoisePrefetcher(shape, seed, times, torch.device(device), index) as noises:
        x = noises.take(START)
        for pair in pairs:
            noise = network.predict(x, pair.t)
            x0 = pair.clean(x, noise).clamp(-1, 1)
            z = noises.take(pair.t)
            x = null_space_step(
                pair, x0, noise, y, z, operator, sigma=2 * sampling.sigma, eta=sampling.eta
            )
            yield x if pair is pairs[-1] else x0


def _share(problem: Problem) -> tuple[Figure, ...]:
    return (Figure("share", problem.share_label, 100 * problem.share, "%"),)


def _nothing_missing(params: Mapping[str, ParameterValue]) -> str:
    if params["task"] == "inpaint":
        return "No pixel is missing, so nothing was filled in."
    return (
        "All of k-space was sampled, so nothing was filled in. With degrade_first=true lines are "
        "left out first."
    )
