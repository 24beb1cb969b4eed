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
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import torch
from torch import Tensor

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
    noise_figures,
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
from enhancers.noise import measure_noise
from enhancers.noise_map import noise_map
from enhancers.noise_spectrum import NoiseSpectrum
from enhancers.parameter_values import as_float_or_none
from enhancers.restore_clipped import restore_clipped

Turn = tuple[int, bool]
"""Quarter turns, and whether the image is mirrored before them."""

TURNS: tuple[Turn, ...] = tuple(product(range(4), (False, True)))
"""The eight symmetries of the square, without a change first."""


@dataclass(frozen=True, eq=False)
class Noise:
    """The noise to remove.

    Parameters
    ----------
    sigma : float
        In [0, 1] units.
    found : NoiseSpectrum or None
        If it was measured.
    rician : bool
    by_place : ndarray, float32, shape (H, W), or None
        Its standard deviation at each pixel, where it clearly differs.
    """

    sigma: float
    found: NoiseSpectrum | None
    rician: bool
    by_place: Pixels | None = None

    @property
    def least(self) -> float:
        """σ where it is least."""
        return self.sigma if self.by_place is None else float(self.by_place.min())

    @property
    def gain(self) -> Pixels | float:
        """By what an image is multiplied so that its noise is everywhere the least; up to 1."""
        return 1.0 if self.by_place is None else self.by_place.min() / self.by_place

    @property
    def lift(self) -> float:
        """Typical over least noise: the image that the network gets has neither faded nor grown."""
        if self.by_place is None:
            return 1.0
        return float(np.exp(np.log(self.by_place).mean()) / self.by_place.min())

    @property
    def figures(self) -> tuple[Figure, ...]:
        """What the user is told about it in numbers."""
        shown = self.found if self.found and self.sigma else NoiseSpectrum.white(self.sigma)
        figures = noise_figures(shown, "Noise σ used")
        if self.by_place is None:
            return figures
        low, high = (float(end) for end in (self.by_place.min(), self.by_place.max()))
        return (
            *figures,
            Figure("sigma_low", "Noise σ, least", low),
            Figure("sigma_high", "Noise σ, most", high),
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user is told about it."""
        if self.found is None:
            return noise_notes(self.sigma, told=True)
        notes = noise_notes(self.found.sigma, told=False, least=LEAST_SIGMA)
        return notes if self.by_place is None else (*notes, f"The noise is uneven: {self._where}.")

    @property
    def _where(self) -> str:
        """Where the noise is strongest and weakest, in words."""
        assert self.by_place is not None
        places = zip(("top", "middle", "bottom"), np.array_split(self.by_place, 3), strict=True)
        means = {
            f"{row} {column}": float(part.mean())
            for row, rows in places
            for column, part in zip(
                ("left", "middle", "right"), np.array_split(rows, 3, axis=1), strict=True
            )
        }
        least, most = (
            end(means, key=lambda place: means[place]).replace("middle middle", "middle")
            for end in (min, max)
        )
        return f"σ is largest at the {most} and least at the {least}"


def read_noise(params: Mapping[str, ParameterValue], gray: Pixels) -> Noise:
    """The noise of resolved parameters; an automatic σ is estimated on ``gray``."""
    rician = params["noise"] == "rician"
    sigma = as_float_or_none(params, "sigma")
    if sigma is not None:
        return Noise(sigma, None, rician)
    found = measure_noise(gray, rician=rician)
    return Noise(found.sigma if found.sigma >= LEAST_SIGMA else 0.0, found, rician)


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
    if noise.sigma == 0.0:
        yield final_step(image.pixels, figures=noise.figures, notes=noise.notes)
        return
    entry = network_entry(str(params["prior"]), "pixel")
    network = PixelNetwork(entry.key, device, tile_sizes(entry, MAX_TILE, OVERLAP))
    if noise.found is not None and not noise.rician:
        noise = replace(noise, by_place=noise_map(gray, noise.found))
    gray = gray * noise.gain
    if noise.rician:
        gray = in_phase(gray, noise.least, seed)
    elif params["unclip"]:
        gray = restore_clipped(gray, noise.least, seed=seed)
    gray = gray * noise.lift
    padded, padding = pad(gray, multiple=network.prior.multiple, least=network.sizes.least)
    y = torch.from_numpy(padded)[None, None].to(device) * 2 - 1
    clean, chosen = estimator(network, 2 * noise.least * noise.lift), turns(params)
    progress, pace = ProgressTracker(len(chosen), "network call"), GpuPacing(device)
    total = torch.zeros(())
    for made, turn in enumerate(chosen, start=1):
        total = total + _turned_back(clean(_turned(y, turn)), turn)
        pace.tick()
        yield progress.step(made)
    mean = (total / len(chosen) + 1) / 2
    found = padding.crop(gray_of(mean)[0, 0].numpy()) / (noise.gain * noise.lift)
    result = np.clip(found, 0.0, 1.0).astype(np.float32)
    yield final_step(
        with_luminance(image.pixels, result),
        figures=(*noise.figures, *channel_spread(mean.clamp(0, 1))),
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
