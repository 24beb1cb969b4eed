"""DDNM: the measurement is kept, and the network fills the null space of the degradation.

Wang, Yu, Zhang, "Zero-shot image restoration using denoising diffusion null-space model", ICLR
2023; for medical images Ma et al., MICCAI 2023 (Algorithm 1). Images and noise levels are in
network space, [-1, 1], where noise levels are twice those in [0, 1] units.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from enhancers.classical.restore_phase import in_phase
from enhancers.colour import luminance, with_luminance
from enhancers.devices import GpuPacing
from enhancers.diffusion import fill_missing
from enhancers.diffusion.null_space_steps import (
    coloured_step,
    denoise_step,
    make_consistent,
    null_space_step,
)
from enhancers.diffusion.timestep_noise import START, NoisePrefetcher, noise_for_timestep
from enhancers.image import MedicalImage, Pixels
from enhancers.method import ParameterValue
from enhancers.method_interface import (
    Figure,
    ProgressTracker,
    Step,
    final_step,
    is_constant,
    noise_figures,
    noise_notes,
    patches,
    unchanged_step,
)
from enhancers.networks.coloured_noise import (
    amplitudes,
    filtered,
    missing_noise,
    strengthened,
)
from enhancers.networks.lookup import network_entry
from enhancers.networks.tiled_networks import (
    LEAST_SIGMA,
    MAX_TILE,
    OVERLAP,
    PixelNetwork,
    channel_spread,
    gray_of,
    size_notes,
    tile_sizes,
)
from enhancers.networks.tiles import Padding, Predict, pad
from enhancers.networks.timesteps import (
    TimestepPair,
    noise_level_step,
    signal_of,
    timestep_pairs,
    timesteps,
)
from enhancers.noise import measure_noise
from enhancers.noise_spectrum import NoiseSpectrum
from enhancers.operators import BlockMean, Identity, NullSpaceOperator
from enhancers.parameter_values import as_float_or_none, as_int
from enhancers.restore_clipped import restore_clipped

DENOISING_STEPS, ENLARGING_STEPS = 100, 20
"""The published number, and a smaller one that suffices for enlarging."""
DENOISING_ETA, ENLARGING_ETA, NOISY_ENLARGING_ETA = 0.3, 1.0, 0.3
"""Shares of fresh noise; the published value is 0.85 for all.

With 1 a noisy measurement would be ignored once the noise of a step is below its own.
"""


@dataclass(frozen=True)
class Task:
    """Typed parameters. ``factor`` is 1 for denoising; ``sigma`` is in [0, 1] units.

    ``found`` is the noise that was measured, of which less than `LEAST_SIGMA` is a ``sigma`` of 0;
    None where the user gave a value, which is white noise's.
    """

    factor: int
    sigma: float
    found: NoiseSpectrum | None
    steps: int
    output: str
    samples: int
    eta: float
    respace: bool
    unclip: bool
    rician: bool
    degrade_first: bool
    preview_every: int

    @property
    def operator(self) -> NullSpaceOperator:
        """The degradation H."""
        return Identity() if self.factor == 1 else BlockMean(self.factor)

    @property
    def idle(self) -> bool:
        """Whether there is nothing to remove."""
        return self.factor == 1 and self.sigma == 0.0

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user is told about the noise."""
        if self.factor > 1:
            return ()
        if self.found is None:
            return noise_notes(self.sigma, told=True)
        return noise_notes(self.found.sigma, told=False, least=LEAST_SIGMA)

    @property
    def coloured(self) -> NoiseSpectrum | None:
        """The spectrum that the data term takes for noise that is not white."""
        if self.found is None or self.found.is_white or self.sigma == 0.0:
            return None
        return strengthened(self.found)

    @property
    def peak(self) -> float:
        """The noise of the frequency that has most."""
        return self.coloured.peak if self.coloured else self.sigma

    @property
    def count(self) -> int:
        """Number of samples to draw."""
        return self.samples if self.output == "mean of samples" else 1


def read_task(params: Mapping[str, ParameterValue], gray: Pixels) -> Task:
    """The task of resolved parameters; an automatic σ is estimated on ``gray``."""
    name = str(params["task"])
    factor = 1 if name == "denoise" else int(name.removeprefix("sr"))
    rician = factor == 1 and params["noise"] == "rician"
    sigma, found = as_float_or_none(params, "sigma"), None
    if sigma is None:
        # No noise is assumed for enlarging.
        found = NoiseSpectrum.white(0.0) if factor > 1 else measure_noise(gray, rician=rician)
        sigma = found.sigma if found.sigma >= LEAST_SIGMA else 0.0
    steps = as_float_or_none(params, "steps")
    if steps is None:
        steps = DENOISING_STEPS if factor == 1 else ENLARGING_STEPS
    eta = as_float_or_none(params, "eta")
    if eta is None:
        enlarging = ENLARGING_ETA if sigma == 0.0 else NOISY_ENLARGING_ETA
        eta = DENOISING_ETA if factor == 1 else enlarging
    return Task(
        factor=factor,
        sigma=sigma,
        found=found,
        steps=int(steps),
        output=str(params["output"]),
        samples=as_int(params, "samples"),
        eta=eta,
        respace=bool(params["respace"]),
        unclip=bool(params["unclip"]),
        rician=rician,
        degrade_first=bool(params["degrade_first"]) and factor > 1,
        preview_every=as_int(params, "preview_every"),
    )


def plan(task: Task, signal: Tensor) -> tuple[tuple[TimestepPair, ...], int]:
    """The sampling steps of a run, and how many of the first need no network call.

    While s >= a σ, at the frequency that has most noise, denoising replaces the estimate by the
    measurement, whatever the network predicts: these steps are skipped without changing the result.
    """
    sigma = 2 * task.peak
    if task.factor > 1:
        return timesteps(signal, task.steps), 0
    if task.output == "one call":
        return timestep_pairs(signal, [noise_level_step(signal, sigma)]), 0
    pairs = timesteps(signal, task.steps)
    if task.respace:
        highest = noise_level_step(signal, sigma)
        wanted = np.unique(np.linspace(0, highest, task.steps).round().astype(int))
        pairs = timestep_pairs(signal, [int(t) for t in wanted])
    skipped = sum(pair.s >= pair.a * sigma for pair in pairs)
    return pairs, skipped


def work(image: MedicalImage, params: Mapping[str, ParameterValue]) -> float:
    """Planned network evaluations, in patches, without loading the network."""
    if params["task"] in fill_missing.TASKS:
        return fill_missing.work(image, params)
    task = read_task(params, luminance(image.pixels))
    if task.idle:
        return 0.0
    pairs, skipped = plan(task, signal_of(network_entry(str(params["prior"]), "pixel").schedule))
    scale = 1 if task.degrade_first else task.factor
    height, width = image.shape
    return (len(pairs) - skipped) * task.count * patches(height * scale, width * scale)


def sample(
    predict: Predict,
    task: Task,
    signal: Tensor,
    y: Tensor,
    *,
    seed: int,
    index: int = 0,
    channels: int = 1,
) -> Iterator[tuple[int, Tensor]]:
    """DDNM samples of the measurements ``y``, (B, 1, h, w), each (channels, H, W).

    All B share the noise, so that each sample equals the one it would be alone. Yields (calls made,
    clean estimates) after every network call; the last estimates are the samples.
    """
    pairs, skipped = plan(task, signal)
    operator, sigma = task.operator, 2 * task.sigma
    spectrum = None if task.coloured is None else amplitudes(task.coloured, y)

    def denoised(pair: TimestepPair, x0: Tensor, z: Tensor) -> Tensor:
        if spectrum is not None:
            return coloured_step(pair, x0, y, z, spectrum=spectrum, eta=task.eta)
        return denoise_step(pair, x0, y, z, sigma=sigma, eta=task.eta)

    shape = (1, channels, y.shape[-2] * task.factor, y.shape[-1] * task.factor)
    y = y.expand(-1, channels, -1, -1)
    if task.output == "one call":
        x = math.sqrt(pairs[0].signal) * y
        if spectrum is not None:
            z = noise_for_timestep(shape, seed, pairs[0].t, index).to(y.device)
            x = x + filtered(z, missing_noise(pairs[0], spectrum))
        yield 1, pairs[0].clean(x, predict(x, pairs[0].t))
        return
    sampled = pairs[skipped:]
    times = [START, *(pair.t for pair in pairs[max(skipped - 1, 0) :])]
    with NoisePrefetcher(shape, seed, times, y.device, index) as noises:
        x = noises.take(START).expand(y.shape[0], -1, -1, -1)
        if skipped:
            before = pairs[skipped - 1]
            z = noises.take(before.t)
            x = denoised(before, y, z)
        if not sampled:
            yield 0, x
        for call, pair in enumerate(sampled, start=1):
            noise = predict(x, pair.t)
            x0 = pair.clean(x, noise).clamp(-1, 1)
            z = noises.take(pair.t)
            if task.factor == 1:
                x = denoised(pair, x0, z)
            else:
                x = null_space_step(pair, x0, noise, y, z, operator, sigma=sigma, eta=task.eta)
            yield call, x if call == len(sampled) else x0


def run(
    image: MedicalImage, params: Mapping[str, ParameterValue], *, seed: int, device: str
) -> Iterator[Step]:
    """Denoise, enlarge or fill in what is missing (see `Enhancer`)."""
    if params["task"] in fill_missing.TASKS:
        yield from fill_missing.run(image, params, seed=seed, device=device)
        return
    gray = luminance(image.pixels)
    task = read_task(params, gray)
    scale = 1 if task.degrade_first else task.factor
    if is_constant(gray):
        enlarged = np.kron(gray, np.ones((scale, scale), np.float32))
        yield unchanged_step(with_luminance(image.pixels, enlarged), scale=scale)
        return
    if task.idle:
        yield final_step(image.pixels, figures=_noise_figures(task), notes=task.notes)
        return
    entry = network_entry(str(params["prior"]), "pixel")
    network = PixelNetwork(entry.key, device, tile_sizes(entry, MAX_TILE, OVERLAP))
    low, padding = _measurement(gray, task, network)
    if task.rician:
        low = in_phase(low, task.sigma, seed)
    elif task.factor == 1 and task.unclip:
        level = task.coloured.sigma if task.coloured else task.sigma
        low = restore_clipped(low, level, seed=seed, spectrum=task.coloured)
    y = torch.from_numpy(low)[None, None].to(device) * 2 - 1
    progress, pace = ProgressTracker(_total_calls(task, network), "network call"), GpuPacing(device)
    total, made = torch.zeros(()), 0
    for index in range(task.count):
        estimate, call = y, 0
        for call, estimate in _sampled(network, task, y, seed, index):
            pace.tick()
            show = call % task.preview_every == 0
            preview = _merged(image, estimate, padding, scale) if show else None
            yield progress.step(made + call, preview)
        made += call
        total = total + estimate.cpu()
    mean = total / task.count
    x = gray_of(mean)
    if task.factor > 1 and task.sigma == 0.0:
        x = make_consistent(x, y.cpu(), task.operator)
    yield final_step(
        _merged(image, x, padding, scale),
        figures=(*_figures(task, x, y.cpu()), *channel_spread((mean.clamp(-1, 1) + 1) / 2)),
        calls=made,
        scale=scale,
        notes=(
            *task.notes,
            *size_notes(entry, *(side * scale for side in gray.shape)),
            *network.notes,
        ),
    )


def _sampled(
    network: PixelNetwork, task: Task, y: Tensor, seed: int, index: int
) -> Iterator[tuple[int, Tensor]]:
    return sample(
        network.predict, task, network.prior.signal, y, seed=seed, index=index,
        channels=network.prior.channels,
    )  # fmt: skip


def _measurement(gray: Pixels, task: Task, network: PixelNetwork) -> tuple[Pixels, Padding]:
    """The measured image, padded so that its enlargement fits the network."""
    multiple, least = network.prior.multiple, network.sizes.least
    if task.degrade_first:
        padded, padding = pad(gray, multiple=math.lcm(multiple, task.factor), least=least)
        tensor = torch.from_numpy(padded)[None, None]
        return task.operator.forward(tensor)[0, 0].numpy(), padding
    small = multiple // math.gcd(multiple, task.factor)
    return pad(gray, multiple=small, least=-(-least // task.factor))


def _total_calls(task: Task, network: PixelNetwork) -> int:
    pairs, skipped = plan(task, network.prior.signal)
    return (len(pairs) - skipped) * task.count


def _merged(image: MedicalImage, estimate: Tensor, padding: Padding, scale: int) -> Pixels:
    gray = ((gray_of(estimate)[0, 0].clamp(-1, 1) + 1) / 2).cpu().numpy().astype(np.float32)
    return with_luminance(image.pixels, padding.crop(gray, scale))


def _noise_figures(task: Task) -> tuple[Figure, ...]:
    found = task.found if task.found and task.sigma > 0.0 else None
    return noise_figures(found or NoiseSpectrum.white(task.sigma), "Noise σ used")


def _figures(task: Task, x: Tensor, y: Tensor) -> tuple[Figure, ...]:
    figures = [*_noise_figures(task)]
    if task.factor > 1:
        left = float((task.operator.forward(x) - y).abs().max()) / 2
        figures.append(Figure("consistency", "max |H x̂ − y|", left))
    return tuple(figures)
