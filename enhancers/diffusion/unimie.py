"""UniMIE: brightening by the model y = f x + M, f and M unknown, while sampling x from the prior.

Fei et al., "Lightening anything in medical images", 2024, sections 2.1 and 4. Noise levels,
residual and exposure are in [0, 1] units; the network works in [-1, 1].
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from enhancers.colour import luminance
from enhancers.devices import GpuPacing
from enhancers.diffusion.timestep_noise import START, noise_for_timestep
from enhancers.diffusion.unimie_problem import (
    MULTIPLE,
    Lighting,
    Problem,
    find_problem,
    padded_planes,
    tile_count,
    unused_notes,
)
from enhancers.diffusion.unimie_reference import run_reference
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
from enhancers.networks.entry import NetworkEntry
from enhancers.networks.lookup import network_entry
from enhancers.networks.tiled_networks import PixelNetwork, channel_spread, size_notes, tile_sizes
from enhancers.networks.tiles import Padding, Predict
from enhancers.networks.timesteps import TimestepPair, noise_level_step, signal_of, timestep_pairs

GRAY_LEVEL = 1 / 255


def plan(signal: Tensor, level: float, steps: int) -> tuple[TimestepPair, ...]:
    """At most ``steps`` sampling steps, evenly spaced below the noise ``level``.

    Above it the measurement replaces the estimate, whatever the network predicts.
    """
    highest = noise_level_step(signal, 2 * level)
    wanted = np.unique(np.linspace(0, highest, steps).round().astype(int))
    return timestep_pairs(signal, [int(t) for t in wanted])


def calls_of(image: MedicalImage, light: Lighting, entry: NetworkEntry) -> int:
    """Planned network evaluations of the complete image, each plane counted."""
    if light.variant == "reference":
        return light.steps
    problem = find_problem(image, light, entry.channels)
    pairs = plan(signal_of(entry.schedule), float(problem.level.max()), light.steps)
    return len(pairs) * len(problem.planes)


def work(image: MedicalImage, params: Mapping[str, ParameterValue]) -> float:
    """Planned network evaluations, counted in patches."""
    entry = network_entry(str(params["prior"]), "pixel")
    sizes = tile_sizes(entry)
    height, width = (-(-max(side, sizes.least) // MULTIPLE) * MULTIPLE for side in image.shape)
    tiling = sizes.tiling(height, width, sizes.sides[0])
    calls = calls_of(image, Lighting.read(params), entry)
    return calls * len(tiling.corners) * patches(*tiling.extent)


def paper_step(
    pair: TimestepPair,
    x: Tensor,
    noise: Tensor,
    v: Tensor,
    level: Tensor,
    z: Tensor,
    guidance: float,
) -> tuple[Tensor, Tensor]:
    """Variant "paper": correct the clean estimate, then a deterministic step with the same ε.

    The correction κ (x̂0 - v) is the pull f r / f² of the residual r = f x̂0 + M - y, and v the
    brightened measurement. κ is 1 while the step's noise s exceeds that of v, then ``guidance``
    times the share a σ_v leaves of s, as λ of DDNM.

    Parameters
    ----------
    pair : TimestepPair
    x, noise, v, z : Tensor, shape (B, C, H, W)
        State, predicted ε, brightened measurement in [-1, 1], and drawn noise.
    level : Tensor, shape (B, 1, H, W)
        Noise of ``v`` in network units.
    guidance : float

    Returns
    -------
    Tensor, Tensor
        The next state, and the corrected clean estimate in [0, 1].
    """
    clean = pair.clean(x, noise).clamp(-1, 1)
    allowed = pair.s / (pair.a * level)
    measured = allowed >= 1
    kappa = torch.where(measured, 1.0, guidance * allowed)
    clean = clean - kappa * (clean - v)
    # The measurement brings κ a σ_v of the noise s that the next step expects; ε brings the rest.
    added = (pair.s**2 - (pair.a * level) ** 2).clamp_min(0).sqrt() * z
    rest = torch.where(measured, added, (pair.s - kappa * pair.a * level) * noise)
    return pair.a * clean + rest, (clean + 1) / 2


def sample(
    predict: Predict, signal: Tensor, v: Tensor, level: Tensor, light: Lighting, *, seed: int
) -> Iterator[tuple[int, Tensor]]:
    """Sample images of the brightened measurements ``v``, (B, C, H, W) in [0, 1].

    ``level`` is their noise, (B, 1, H, W) in [0, 1] units. Yields (steps made, clean estimate in
    [0, 1]) after every step; the last is the result.
    """
    v, level = 2 * v - 1, 2 * level
    z = noise_for_timestep(tuple(v.shape), seed, START).to(v.device)
    pairs = plan(signal, float(level.max()) / 2, light.steps)
    a, s = math.sqrt(pairs[0].signal), math.sqrt(1 - pairs[0].signal)
    x = a * v + (s**2 - (a * level) ** 2).clamp_min(0).sqrt() * z
    for done, pair in enumerate(pairs, start=1):
        noise = predict(x, pair.t).clone()
        x, u = paper_step(pair, x, noise, v, level, z, light.guidance)
        yield done, u


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
    if light.variant == "reference":
        yield from run_reference(image, light, network, seed, device, unused_notes(params))
        return
    problem = find_problem(image, light, network.prior.channels)
    v, padding = padded_planes(problem.planes, network)
    level, _ = padded_planes(problem.level, network)
    total = len(plan(network.prior.signal, float(problem.level.max()), light.steps))
    progress, pace, u, done = ProgressTracker(total), GpuPacing(device), v, 0
    steps = sample(
        network.predict, network.prior.signal, v.to(device), level.to(device), light, seed=seed
    )
    for done, u in steps:
        pace.tick()
        show = done % light.preview_every == 0 and done < total
        yield progress.step(done, _pixels(problem, u, padding) if show else None)
    pixels = _pixels(problem, u, padding)
    figures, notes = _report(problem, pixels)
    tiles = tile_count(network, v)
    yield final_step(
        pixels,
        figures=(*figures, *(() if image.is_colour else channel_spread(u))),
        calls=done * len(problem.planes) * tiles,
        notes=(*notes, *unused_notes(params), *size_notes(entry, *gray.shape), *network.notes),
    )


def _pixels(problem: Problem, u: Tensor, padding: Padding) -> Pixels:
    planes = u.clamp(0, 1).cpu().numpy()[..., : padding.height, : padding.width]
    return np.clip(problem.pixels(planes), 0.0, 1.0).astype(np.float32)


def _report(problem: Problem, pixels: Pixels) -> tuple[tuple[Figure, ...], tuple[str, ...]]:
    """What was estimated, and what the network changed in the brightened image."""
    change = np.abs(luminance(pixels) - luminance(problem.brightened)) / GRAY_LEVEL
    rms, share = float(np.sqrt(np.mean(change**2))), float(np.mean(change > 1.0))
    veil = problem.degradation.veil
    figures = (
        Figure("gain", "Exposure factor f", problem.degradation.exposure),
        Figure("uneven", "Lighting, brightest to darkest", problem.degradation.uneven),
        Figure("veil", "Veil, largest", 0.0 if veil is None else float(veil.max())),
        Figure("noise", "Noise σ after brightening", float(np.median(problem.level[0]))),
        Figure("network_rms", "Changed by the network, RMS", rms, "of 255 gray levels"),
        Figure("network_share", "Pixels it changed by over one level", 100 * share, "%"),
    )
    if rms >= 1.0:
        return figures, ()
    note = (
        f"The network changed the brightened image by {rms:.2f} of 255 gray levels (RMS), because "
        "it found hardly any noise: the result is the input with another exposure and lighting."
    )
    return figures, (note,)
