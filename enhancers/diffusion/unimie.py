"""UniMIE: brightening by fitting y = f x + M, f and M unknown, while sampling x from the prior.

Fei et al., "Lightening anything in medical images", 2024, sections 2.1 and 4. Residual and exposure
are in [0, 1] units; the network works in [-1, 1].
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from enhancers.colour import luminance, with_luminance
from enhancers.devices import GpuPacing
from enhancers.diffusion.degradation_fit import (
    MIN_GAIN,
    DegradationFit,
    PixelDegradationFit,
    foreground,
)
from enhancers.diffusion.schedule import START, NoisePrefetcher, TimestepPair, timesteps
from enhancers.diffusion.tiled_networks import (
    PixelNetwork,
    channel_spread,
    gray_of,
    size_notes,
    tile_sizes,
)
from enhancers.diffusion.tiles import Padding, Predict, pad
from enhancers.image import MedicalImage, Pixels
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
from enhancers.parameter_values import as_float, as_float_or_none, as_int

MULTIPLE = 16
EXPOSURE_CELL, REFERENCE_CELL = 16, 8
REFERENCE_GUIDANCE = 0.509
REFERENCE_EXPOSURE = 100.0
"""Scales the default exposure weight to that of the published, squared exposure loss."""
DAMPING = 0.01
"""Gauss-Newton damping of the pull f r/(f² + 0.01), so that the measurement counts at f = 0.1."""
FIT_TRAVEL = 0.4
"""Sum of Adam's learning rates over a run. It limits the change of f and M for any number of steps;
otherwise the mask would finally absorb the anatomy."""
FIT_SIGNAL = 0.2
"""Smallest ābar at which f and M are fitted: before, the network's estimate is a blurred mean
image, and the mask would absorb the anatomy."""
EXPOSURE, HIGHLIGHT = 0.4, 0.995


@dataclass(frozen=True)
class Lighting:
    """Typed parameters, with ``guidance`` resolved."""

    exposure: float | None
    variant: str
    steps: int
    guidance: float
    exposure_weight: float
    smoothness: float
    preview_every: int

    @classmethod
    def read(cls, params: Mapping[str, ParameterValue]) -> Lighting:
        """Read resolved parameters."""
        variant, guidance = str(params["variant"]), as_float_or_none(params, "guidance")
        if guidance is None:
            guidance = REFERENCE_GUIDANCE if variant == "reference" else 1.0
        return cls(
            exposure=as_float_or_none(params, "exposure"),
            variant=variant,
            steps=as_int(params, "steps"),
            guidance=guidance,
            exposure_weight=as_float(params, "exposure_weight"),
            smoothness=as_float(params, "smoothness"),
            preview_every=as_int(params, "preview_every"),
        )


def work(image: MedicalImage, params: Mapping[str, ParameterValue]) -> float:
    """Planned network evaluations, counted in patches."""
    sizes = tile_sizes(network_entry(str(params["prior"]), "pixel"))
    height, width = (-(-max(side, sizes.least) // MULTIPLE) * MULTIPLE for side in image.shape)
    tiling = sizes.tiling(height, width, sizes.sides[0])
    return Lighting.read(params).steps * len(tiling.corners) * patches(*tiling.extent)


def exposure_that_fits(y: Tensor, body: Tensor) -> float:
    """The published exposure, or the largest that does not saturate highlights of the body.

    y / f of the body's `HIGHLIGHT` quantile reaches 1 when f equals that quantile.
    """
    inside = y[body > 0.5]
    if inside.numel() == 0:
        return EXPOSURE
    highlight = float(np.quantile(inside.cpu().numpy(), HIGHLIGHT))
    return min(EXPOSURE, float(inside.mean()) / max(highlight, MIN_GAIN))


def cell_means(u: Tensor, side: int) -> Tensor:
    """Replace every pixel by the mean of its ``side`` x ``side`` cell."""
    means = F.avg_pool2d(u, side, ceil_mode=True, count_include_pad=False)
    enlarged = F.interpolate(means, scale_factor=side, mode="nearest")
    return enlarged[..., : u.shape[-2], : u.shape[-1]]


def paper_step(
    pair: TimestepPair,
    x: Tensor,
    noise: Tensor,
    model: DegradationFit,
    body: Tensor,
    exposure: float,
    light: Lighting,
) -> tuple[Tensor, Tensor]:
    """Variant "paper": correct the clean estimate, then a deterministic step with the same ε."""
    u = (pair.clean(x, noise).clamp(-1, 1) + 1) / 2
    if pair.signal >= FIT_SIGNAL:
        model.fit(u)
    with torch.no_grad():
        pull = model.gain * model.residual(u) / (model.gain**2 + DAMPING)
        push = body * torch.sign(cell_means(u, EXPOSURE_CELL) - exposure)
        u = (u - light.guidance * pull - light.exposure_weight * push).clamp(0, 1)
        return pair.a * (2 * u - 1) + pair.s * noise, u


def reference_step(
    pair: TimestepPair,
    x: Tensor,
    noise: Tensor,
    z: Tensor,
    model: PixelDegradationFit,
    exposure: float,
    light: Lighting,
) -> tuple[Tensor, Tensor]:
    """Variant "reference": an ancestral step, then guidance of x_t itself.

    The exposure target is applied to the [-1, 1] image, as published, hence its brightness of
    (E + 1)/2.
    """
    x0 = pair.clean(x, noise).clamp(-1, 1)
    u = (x0 + 1) / 2
    over = cell_means(x0, REFERENCE_CELL) - exposure
    push = REFERENCE_EXPOSURE * light.exposure_weight * over
    guide = light.guidance * (2 * model.gain * model.residual(u) + push)
    model.fit(u)
    if pair.next_signal == 1.0:
        final = (x0 - guide).clamp(-1, 1)
        return final, (final + 1) / 2
    ratio = (1 - pair.next_signal) / (1 - pair.signal)
    fresh = math.sqrt(max(ratio * (1 - pair.signal / pair.next_signal), 0.0))
    kept = math.sqrt(max(pair.s**2 - fresh**2, 0.0))
    return pair.a * x0 + kept * noise + fresh * z - guide, u


def sample(
    predict: Predict,
    signal: Tensor,
    y: Tensor,
    body: Tensor,
    light: Lighting,
    *,
    seed: int,
    channels: int = 1,
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Enhance the measurement ``y``, (1, 1, H, W) in [0, 1]; ``channels`` is that of the network.

    Yields (steps made, clean estimate in [0, 1], gain f) after every step; the last is the result.
    f stays on the device, since reading it would wait for the step.
    """
    shape = (1, channels, *y.shape[-2:])
    exposure = light.exposure or exposure_that_fits(y, body)
    share = float((y * body).sum() / body.sum().clamp_min(1.0))
    gain = max(share / exposure, MIN_GAIN)
    fitted = DegradationFit(y, gain, light.smoothness, FIT_TRAVEL / light.steps)
    plain = PixelDegradationFit(y, torch.tensor(1.0, device=y.device), torch.zeros_like(y))
    pairs = timesteps(signal, light.steps)
    drawn = [pair.t for pair in pairs] if light.variant == "reference" else []
    with NoisePrefetcher(shape, seed, [START, *drawn], y.device) as noises:
        x = noises.take(START)
        for done, pair in enumerate(pairs, start=1):
            noise = predict(x, pair.t).clone()
            if light.variant == "paper":
                x, u = paper_step(pair, x, noise, fitted, body, exposure, light)
                yield done, u, fitted.gain.detach().clone()
            else:
                z = noises.take(pair.t)
                x, u = reference_step(pair, x, noise, z, plain, exposure, light)
                yield done, u, plain.gain


def run(
    image: MedicalImage, params: Mapping[str, ParameterValue], *, seed: int, device: str
) -> Iterator[Step]:
    """Run UniMIE (see `Enhancer`)."""
    gray = luminance(image.pixels)
    if is_constant(gray):
        yield unchanged_step(image.pixels)
        return
    light = Lighting.read(params)
    entry = network_entry(str(params["prior"]), "pixel")
    network = PixelNetwork(entry.key, device, tile_sizes(entry))
    multiple = math.lcm(MULTIPLE, network.prior.multiple)
    padded, padding = pad(gray, multiple=multiple, least=network.sizes.least)
    y = torch.from_numpy(padded)[None, None].to(device)
    body = torch.from_numpy(foreground(padded))[None, None].to(device)
    progress, pace = ProgressTracker(light.steps), GpuPacing(device)
    u, gain = y, torch.ones(())
    steps = sample(
        network.predict,
        network.prior.signal,
        y,
        body,
        light,
        seed=seed,
        channels=network.prior.channels,
    )
    for state in steps:
        done, u, gain = state
        pace.tick()
        show = done % light.preview_every == 0 and done < light.steps
        yield progress.step(done, _merged(image, u, padding) if show else None)
    height, width = padded.shape
    tiling = network.sizes.tiling(height, width, network.fallback.current.tile)
    yield final_step(
        _merged(image, u, padding),
        figures=(Figure("gain", "Exposure factor f", float(gain)), *channel_spread(u)),
        calls=light.steps * len(tiling.corners),
        notes=(*size_notes(entry, *gray.shape), *network.notes),
    )


def _merged(image: MedicalImage, u: Tensor, padding: Padding) -> Pixels:
    gray = gray_of(u)[0, 0].clamp(0, 1).cpu().numpy().astype(np.float32)
    return with_luminance(image.pixels, padding.crop(gray), keep="saturation")
