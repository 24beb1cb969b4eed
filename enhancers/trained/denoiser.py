"""The embedded network as a denoiser: its estimate of the clean image, from one call.

A diffusion network is trained to estimate the clean image at every noise level. Given an image with
noise of one of these levels it is a Gaussian denoiser that knows the level (Ho, Jain and Abbeel,
"Denoising diffusion probabilistic models", NeurIPS 2020, equation 15). Nothing is sampled: the
result is the mean of what the image may have been, smoother than any of it. Averaging the estimates
of turned and mirrored copies, turned back, brings it closer to the truth.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from torch import Tensor

from enhancers.classical.restore_clipped import restore_clipped
from enhancers.classical.restore_phase import in_phase
from enhancers.colour import luminance, with_luminance
from enhancers.devices import GpuPacing
from enhancers.image import MedicalImage, Pixels
from enhancers.method import ParameterValue
from enhancers.method_interface import (
    Figure,
    ProgressTracker,
    Step,
    final_step,
    noise_notes,
    patches,
    skips_constant_images,
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
from enhancers.networks.tiles import pad
from enhancers.networks.timesteps import noise_level_step, timestep_pairs
from enhancers.noise import estimate_rician_sigma, estimate_sigma
from enhancers.parameter_values import as_float_or_none

Turn = tuple[int, bool]
"""Quarter turns, and whether the image is mirrored before them."""

TURNS: tuple[Turn, ...] = tuple(product(range(4), (False, True)))
"""The eight symmetries of the square, without a change first."""


@dataclass(frozen=True)
class Noise:
    """The noise to remove: ``sigma`` in [0, 1] units, ``found`` if it was measured."""

    sigma: float
    found: float | None
    rician: bool

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user is told about it."""
        if self.found is None:
            return noise_notes(self.sigma, told=True)
        return noise_notes(self.found, told=False, least=LEAST_SIGMA)


def read_noise(params: Mapping[str, ParameterValue], gray: Pixels) -> Noise:
    """The noise of resolved parameters; an automatic σ is estimated on ``gray``."""
    rician = params["noise"] == "rician"
    sigma = as_float_or_none(params, "sigma")
    if sigma is not None:
        return Noise(sigma, None, rician)
    found = estimate_rician_sigma(gray) if rician else estimate_sigma(gray)
    return Noise(found if found >= LEAST_SIGMA else 0.0, found, rician)


def turns(params: Mapping[str, ParameterValue]) -> tuple[Turn, ...]:
    """The copies whose estimates are averaged."""
    return TURNS if params["flips"] else TURNS[:1]


def work(image: MedicalImage, params: Mapping[str, ParameterValue]) -> float:
    """Planned network evaluations, in patches, without loading the network."""
    if read_noise(params, luminance(image.pixels)).sigma == 0.0:
        return 0.0
    return len(turns(params)) * patches(*image.shape)


@skips_constant_images
def run(
    image: MedicalImage, params: Mapping[str, ParameterValue], *, seed: int, device: str
) -> Iterator[Step]:
    """Denoise the luminance; one `Step` per call (see `Enhancer`)."""
    yield Step(0.0, note="measuring the noise")
    gray = luminance(image.pixels)
    noise = read_noise(params, gray)
    figures = (Figure("sigma", "Noise σ used", noise.sigma),)
    if noise.sigma == 0.0:
        yield final_step(image.pixels, figures=figures, notes=noise.notes)
        return
    entry = network_entry(str(params["prior"]), "pixel")
    network = PixelNetwork(entry.key, device, tile_sizes(entry, MAX_TILE, OVERLAP))
    if noise.rician:
        gray = in_phase(gray, noise.sigma, seed)
    elif params["unclip"]:
        gray = restore_clipped(gray, noise.sigma, seed=seed)
    padded, padding = pad(gray, multiple=network.prior.multiple, least=network.sizes.least)
    y = torch.from_numpy(padded)[None, None].to(device) * 2 - 1
    clean, chosen = estimator(network, 2 * noise.sigma), turns(params)
    progress, pace = ProgressTracker(len(chosen), "network call"), GpuPacing(device)
    total = torch.zeros(())
    for made, turn in enumerate(chosen, start=1):
        total = total + _turned_back(clean(_turned(y, turn)), turn)
        pace.tick()
        yield progress.step(made)
    mean = ((total / len(chosen)).clamp(-1, 1) + 1) / 2
    result = padding.crop(gray_of(mean)[0, 0].numpy().astype(np.float32))
    yield final_step(
        with_luminance(image.pixels, result),
        figures=(*figures, *channel_spread(mean)),
        calls=len(chosen),
        notes=(*noise.notes, *size_notes(entry, *image.shape), *network.notes),
    )


def estimator(network: PixelNetwork, sigma: float) -> Callable[[Tensor], Tensor]:
    """The function from noisy to clean images, (1, 1, H, W) to (1, C, H, W) on the CPU.

    Parameters
    ----------
    network : PixelNetwork
    sigma : float
        Noise in network units, twice the value in [0, 1] units.
    """
    signal = network.prior.signal
    (pair,) = timestep_pairs(signal, [noise_level_step(signal, sigma)])

    def clean(y: Tensor) -> Tensor:
        x = math.sqrt(pair.signal) * y.expand(-1, network.prior.channels, -1, -1)
        return pair.clean(x, network.predict(x, pair.t)).cpu()

    return clean


def _turned(x: Tensor, turn: Turn) -> Tensor:
    quarters, mirrored = turn
    return torch.rot90(x.flip(-1) if mirrored else x, quarters, (-2, -1))


def _turned_back(x: Tensor, turn: Turn) -> Tensor:
    quarters, mirrored = turn
    back = torch.rot90(x, -quarters, (-2, -1))
    return back.flip(-1) if mirrored else back
