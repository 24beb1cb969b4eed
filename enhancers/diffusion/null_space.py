"""DDNM: what was measured is kept, the network fills the null space of the measurement.

Wang, Yu, Zhang, "Zero-shot image restoration using denoising diffusion null-space model", ICLR
2023; for medical images Ma et al., MICCAI 2023 (Algorithm 1). Images here are in network space,
[-1, 1], and so is the noise level, twice the value in [0, 1] units.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from enhancers.base import Figure, Step, Stopwatch, finished, is_constant, patches, unchanged
from enhancers.colour import luminance, with_luminance
from enhancers.diffusion.clipping import unclip
from enhancers.diffusion.schedule import Moment, keyed_noise, noise_level_step, timeline
from enhancers.diffusion.schedule import moments as moments_at
from enhancers.diffusion.tiles import Padding, Predict, Tiling, pad
from enhancers.image import MedicalImage, Pixels
from enhancers.method import ParameterValue
from enhancers.noise import estimate_sigma
from enhancers.operators import BlockMean, Identity, Operator
from enhancers.priors.load import PixelPrior, pixel_prior
from enhancers.values import number, optional, whole

WHOLE = 1024
"""Longest side that goes through the network in one piece."""
OVERLAP = 64
START = 1000
"""Key of the initial noise: no timestep has it."""
CONSISTENCY = 5e-4
"""Most |H x - y| left after the final projections, in [0, 1] units."""
ROUNDS = 200
DENOISING_STEPS, ENLARGING_STEPS = 100, 20
"""The published schedule, and one that serves enlargement as well on a CPU."""


@dataclass(frozen=True)
class Task:
    """The parameters, typed. ``factor`` is 1 for denoising; ``sigma`` is in [0, 1] units."""

    factor: int
    sigma: float
    steps: int
    output: str
    samples: int
    eta: float
    respace: bool
    unclip: bool
    degrade_first: bool
    preview_every: int

    @property
    def operator(self) -> Operator:
        """The degradation H."""
        return Identity() if self.factor == 1 else BlockMean(self.factor)

    @property
    def count(self) -> int:
        """How many samples are drawn."""
        return self.samples if self.output == "mean of samples" else 1


def read_task(params: Mapping[str, ParameterValue], gray: Pixels) -> Task:
    """The task that resolved parameters describe; automatic σ is estimated on ``gray``."""
    name = str(params["task"])
    factor = 1 if name == "denoise" else int(name.removeprefix("sr"))
    sigma = optional(params, "sigma")
    if sigma is None:
        sigma = estimate_sigma(gray) if factor == 1 else 0.0
    steps = optional(params, "steps")
    if steps is None:
        steps = DENOISING_STEPS if factor == 1 else ENLARGING_STEPS
    return Task(
        factor=factor,
        sigma=sigma,
        steps=int(steps),
        output=str(params["output"]),
        samples=whole(params, "samples"),
        eta=number(params, "eta"),
        respace=bool(params["respace"]),
        unclip=bool(params["unclip"]),
        degrade_first=bool(params["degrade_first"]) and factor > 1,
        preview_every=whole(params, "preview_every"),
    )


def plan(task: Task, signal: Tensor) -> tuple[tuple[Moment, ...], int]:
    """The moments of a run and how many of the first need no network call.

    While s >= a σ a denoiser replaces the estimate by the measurement, whatever the network says,
    so those moments can be skipped without changing the result.
    """
    sigma = 2 * task.sigma
    if task.factor > 1:
        return timeline(signal, task.steps), 0
    if task.output == "one call":
        return moments_at(signal, [noise_level_step(signal, sigma)]), 0
    moments = timeline(signal, task.steps)
    if task.respace:
        highest = noise_level_step(signal, sigma)
        wanted = np.unique(np.linspace(0, highest, task.steps).round().astype(int))
        moments = moments_at(signal, [int(t) for t in wanted])
    dead = sum(moment.s >= moment.a * sigma for moment in moments)
    return moments, dead


def work(image: MedicalImage, params: Mapping[str, ParameterValue]) -> float:
    """Planned network evaluations, in patches, without loading the network."""
    from enhancers.priors.networks import scheduler

    task = read_task(params, luminance(image.pixels))
    moments, dead = plan(task, scheduler().alphas_cumprod)
    scale = 1 if task.degrade_first else task.factor
    height, width = image.shape
    return (len(moments) - dead) * task.count * patches(height * scale, width * scale)


def denoise_step(
    moment: Moment, x0: Tensor, y: Tensor, z: Tensor, *, sigma: float, eta: float
) -> Tensor:
    """x_next of a denoiser (H = I) from the clean estimate ``x0`` and the measurement ``y``."""
    a, s = moment.a, moment.s
    if s >= a * sigma:
        return a * y + math.sqrt(s * s - a * a * sigma * sigma) * z
    pull = s * math.sqrt(1 - eta * eta) / (a * sigma)
    return a * (x0 - pull * (x0 - y)) + s * eta * z


def null_space_step(
    moment: Moment,
    x0: Tensor,
    noise: Tensor,
    y: Tensor,
    z: Tensor,
    operator: Operator,
    *,
    sigma: float,
    eta: float,
) -> Tensor:
    """x_next of an enlargement: the range space follows the measurement, the rest the network.

    ``sigma`` = 0 is the noise-free form; otherwise the range space is treated as a denoiser of
    noise σ / singular value, in closed form by block means.
    """
    a, s = moment.a, moment.s
    if sigma == 0.0:
        consistent = x0 - operator.pinv(operator.forward(x0) - y)
        return a * consistent + s * (eta * z + math.sqrt(1 - eta * eta) * noise)

    def in_range(x: Tensor) -> Tensor:
        return operator.pinv(operator.forward(x))

    level = sigma / operator.singular_value
    z_range, x0_range = in_range(z), in_range(x0)
    if s >= a * level:
        kept = a * operator.pinv(y) + math.sqrt(s * s - a * a * level * level) * z_range
    else:
        pull = s * math.sqrt(1 - eta * eta) / (a * level)
        kept = a * (x0_range - pull * (x0_range - operator.pinv(y))) + s * eta * z_range
    free = a * (x0 - x0_range)
    free = free + s * (eta * (z - z_range) + math.sqrt(1 - eta * eta) * (noise - in_range(noise)))
    return kept + free


def make_consistent(x: Tensor, y: Tensor, operator: Operator) -> Tensor:
    """Alternate clipping to [-1, 1] with H x = y until both hold to `CONSISTENCY`."""
    for _ in range(ROUNDS):
        x = x.clamp(-1, 1)
        residual = operator.forward(x) - y
        if float(residual.abs().max()) / 2 <= CONSISTENCY:
            break
        x = x - operator.pinv(residual)
    return x.clamp(-1, 1)


def sample(
    predict: Predict,
    task: Task,
    signal: Tensor,
    y: Tensor,
    *,
    seed: int,
    index: int = 0,
) -> Iterator[tuple[int, Tensor]]:
    """One DDNM sample of the measurement ``y``, (1, 1, h, w).

    Yields (calls made, clean estimate) after every network call; the last estimate is the sample.
    """
    moments, dead = plan(task, signal)
    operator, sigma = task.operator, 2 * task.sigma
    shape = (1, 1, y.shape[-2] * task.factor, y.shape[-1] * task.factor)

    def noise_of(t: int) -> Tensor:
        return keyed_noise(shape, seed, t, index).to(y.device)

    if task.output == "one call":
        x = math.sqrt(moments[0].signal) * y
        yield 1, moments[0].clean(x, predict(x, moments[0].t))
        return
    x = noise_of(START)
    if dead:
        before = moments[dead - 1]
        x = denoise_step(before, y, y, noise_of(before.t), sigma=sigma, eta=task.eta)
    if dead == len(moments):
        yield 0, x
    for call, moment in enumerate(moments[dead:], start=1):
        noise = predict(x, moment.t)
        x0 = moment.clean(x, noise).clamp(-1, 1)
        z = noise_of(moment.t)
        if task.factor == 1:
            x = denoise_step(moment, x0, y, z, sigma=sigma, eta=task.eta)
        else:
            x = null_space_step(moment, x0, noise, y, z, operator, sigma=sigma, eta=task.eta)
        yield call, x if moment.next_signal == 1.0 else x0


def run(
    image: MedicalImage, params: Mapping[str, ParameterValue], *, seed: int, device: str
) -> Iterator[Step]:
    """Denoise or enlarge; see `enhancers.base.Enhancer`."""
    gray = luminance(image.pixels)
    task = read_task(params, gray)
    scale = 1 if task.degrade_first else task.factor
    if is_constant(gray):
        enlarged = np.kron(gray, np.ones((scale, scale), np.float32))
        yield unchanged(with_luminance(image.pixels, enlarged), scale=scale)
        return
    prior = pixel_prior(device, str(params["prior"]))
    low, padding = _measurement(gray, task, prior)
    if task.factor == 1 and task.unclip:
        low = unclip(low, task.sigma, seed=seed)
    y = torch.from_numpy(low)[None, None].to(device) * 2 - 1
    predict = _whole_or_tiled(prior, y, task)
    watch = Stopwatch(_total_calls(task, prior), "network call")
    total, made = torch.zeros(()), 0
    for index in range(task.count):
        estimate = y
        for call, estimate in sample(predict, task, prior.signal, y, seed=seed, index=index):
            show = call % task.preview_every == 0
            preview = _merged(image, estimate, padding, scale) if show else None
            yield watch.step(made + call, preview)
        made += call
        total = total + estimate.cpu()
    x = total / task.count
    if task.factor > 1 and task.sigma == 0.0:
        x = make_consistent(x, y.cpu(), task.operator)
    yield finished(
        _merged(image, x, padding, scale),
        figures=_figures(task, x, y.cpu()),
        calls=made,
        scale=scale,
    )


def _measurement(gray: Pixels, task: Task, prior: PixelPrior) -> tuple[Pixels, Padding]:
    """The measured image, padded so that the network takes its enlargement."""
    if task.degrade_first:
        padded, padding = pad(gray, multiple=math.lcm(prior.multiple, task.factor))
        tensor = torch.from_numpy(padded)[None, None]
        return task.operator.forward(tensor)[0, 0].numpy(), padding
    return pad(gray, multiple=prior.multiple // math.gcd(prior.multiple, task.factor))


def _whole_or_tiled(prior: PixelPrior, y: Tensor, task: Task) -> Predict:
    height, width = (side * task.factor for side in y.shape[-2:])
    tiling = Tiling(height, width, WHOLE, WHOLE - OVERLAP)
    return lambda x, t: tiling.predict(prior.predict, x, t)


def _total_calls(task: Task, prior: PixelPrior) -> int:
    moments, dead = plan(task, prior.signal)
    return (len(moments) - dead) * task.count


def _merged(image: MedicalImage, estimate: Tensor, padding: Padding, scale: int) -> Pixels:
    gray = ((estimate[0, 0].clamp(-1, 1) + 1) / 2).cpu().numpy().astype(np.float32)
    return with_luminance(image.pixels, padding.crop(gray, scale))


def _figures(task: Task, x: Tensor, y: Tensor) -> tuple[Figure, ...]:
    figures = [Figure("sigma", "Noise σ used", task.sigma)]
    if task.factor > 1:
        left = float((task.operator.forward(x) - y).abs().max()) / 2
        figures.append(Figure("consistency", "max |H x̂ − y|", left))
    return tuple(figures)
