"""UniMIE as its published code computes it, on the luminance: for comparison.

It amounts to a global gain with a pull to a fixed brightness: the mask hardly moves.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from enhancers.colour import luminance, with_luminance
from enhancers.devices import GpuPacing
from enhancers.diffusion.degradation_fit import PixelDegradationFit
from enhancers.diffusion.lighting import EXPOSURE
from enhancers.diffusion.timestep_noise import START, NoisePrefetcher
from enhancers.diffusion.unimie_problem import Lighting, padded_planes, tile_count
from enhancers.image import MedicalImage, Pixels
from enhancers.method_interface import Figure, ProgressTracker, Step, final_step
from enhancers.networks.tiled_networks import PixelNetwork, channel_spread, gray_of, size_notes
from enhancers.networks.tiles import Predict
from enhancers.networks.timesteps import TimestepPair, timesteps

CELL = 8
EXPOSURE_SCALE = 100.0
"""Scales the default exposure weight to that of the published, squared exposure loss."""


def cell_means(u: Tensor, side: int) -> Tensor:
    """Replace every pixel by the mean of its ``side`` x ``side`` cell."""
    means = F.avg_pool2d(u, side, ceil_mode=True, count_include_pad=False)
    enlarged = F.interpolate(means, scale_factor=side, mode="nearest")
    return enlarged[..., : u.shape[-2], : u.shape[-1]]


def reference_step(
    pair: TimestepPair,
    x: Tensor,
    noise: Tensor,
    z: Tensor,
    model: PixelDegradationFit,
    exposure: float,
    light: Lighting,
) -> tuple[Tensor, Tensor]:
    """An ancestral step, then guidance of x_t itself.

    The exposure target is applied to the [-1, 1] image, as published, hence its brightness of
    (E + 1)/2.
    """
    x0 = pair.clean(x, noise).clamp(-1, 1)
    u = (x0 + 1) / 2
    over = cell_means(x0, CELL) - exposure
    push = EXPOSURE_SCALE * light.exposure_weight * over
    guide = light.guidance * (2 * model.gain * model.residual(u) + push)
    model.fit(u)
    if pair.next_signal == 1.0:
        final = (x0 - guide).clamp(-1, 1)
        return final, (final + 1) / 2
    ratio = (1 - pair.next_signal) / (1 - pair.signal)
    fresh = math.sqrt(max(ratio * (1 - pair.signal / pair.next_signal), 0.0))
    kept = math.sqrt(max(pair.s**2 - fresh**2, 0.0))
    return pair.a * x0 + kept * noise + fresh * z - guide, u


def sample_reference(
    predict: Predict, model: PixelDegradationFit, signal: Tensor, light: Lighting, *, seed: int,
    channels: int = 1,
) -> Iterator[tuple[int, Tensor]]:  # fmt: skip
    """The published code's sampling of the measurement of ``model``; yields as `sample`."""
    y = model.y
    shape = (1, channels, *y.shape[-2:])
    pairs = timesteps(signal, light.steps)
    with NoisePrefetcher(shape, seed, [START, *(pair.t for pair in pairs)], y.device) as noises:
        x = noises.take(START)
        for done, pair in enumerate(pairs, start=1):
            noise = predict(x, pair.t).clone()
            z = noises.take(pair.t)
            x, u = reference_step(pair, x, noise, z, model, light.exposure or EXPOSURE, light)
            yield done, u


def run_reference(
    image: MedicalImage, light: Lighting, network: PixelNetwork, seed: int, device: str,
    notes: tuple[str, ...] = (),
) -> Iterator[Step]:  # fmt: skip
    """Run the variant; the colours keep their saturation."""
    gray = luminance(image.pixels)
    y, padding = padded_planes(gray[None, None], network)
    y = y.to(device)
    model = PixelDegradationFit(y, torch.tensor(1.0, device=y.device), torch.zeros_like(y))
    progress, pace, u = ProgressTracker(light.steps), GpuPacing(device), y
    steps = sample_reference(
        network.predict, model, network.prior.signal, light, seed=seed,
        channels=network.prior.channels,
    )  # fmt: skip

    def merged(u: Tensor) -> Pixels:
        one = padding.crop(gray_of(u)[0, 0].clamp(0, 1).cpu().numpy().astype(np.float32))
        return with_luminance(image.pixels, one, keep="saturation")

    for done, u in steps:
        pace.tick()
        show = done % light.preview_every == 0 and done < light.steps
        yield progress.step(done, merged(u) if show else None)
    yield final_step(
        merged(u),
        figures=(Figure("gain", "Exposure factor f", float(model.gain)), *channel_spread(u)),
        calls=light.steps * tile_count(network, y),
        notes=(*notes, *size_notes(network.entry, *gray.shape), *network.notes),
    )
