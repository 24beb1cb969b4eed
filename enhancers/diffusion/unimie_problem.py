"""What UniMIE samples: typed parameters, the brightened image, its planes and their noise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from enhancers.colour import luminance
from enhancers.diffusion.lighting import (
    Degradation,
    Usual,
    find_degradation,
    foreground,
    rounding_noise,
)
from enhancers.image import MedicalImage, Pixels
from enhancers.method import Modality, ParameterValue
from enhancers.networks.tiled_networks import PixelNetwork
from enhancers.networks.tiles import Padding, pad
from enhancers.noise import estimate_sigma
from enhancers.parameter_values import as_float_or_none, as_int
from enhancers.registry import get

MULTIPLE = 16
USUAL = {
    Modality.FUNDUS: Usual(0.31, 0.25),
    Modality.ENDOSCOPY: Usual(0.34, 0.23),
    Modality.MICROSCOPY: Usual(0.71, 0.08),
    Modality.MR: Usual(0.55, math.inf),
    Modality.CT: Usual(0.43, math.inf),
    Modality.XR: Usual(0.56, 0.25),
    Modality.US: Usual(0.28, math.inf),
}
"""Of images of training subjects, 10 to 16 per modality, and of endoscopy phantoms; the variation
is 1 to 1.5 times theirs, whichever restored evenly and unevenly lit images of them best. MR, CT and
ultrasound have no lamp: what they vary is anatomy, or the field of coils, which N4 corrects. An
exposure of 0.4 for all, as published, turns X-rays gray."""
REFERENCE_GUIDANCE = 0.509
REFERENCE_EXPOSURE_WEIGHT = 0.001
UNUSED = {"paper": ("exposure_weight",), "reference": ("evenness", "sigma")}
"""Parameters that are for the other variant alone."""
GUIDANCE = 0.5
"""κ as a share of what the noise allows. At noise of 0.02 and 0.05 shares from 0 to 1 were within
0.2 dB, and 0.5 had the best SSIM in four steps."""
LEAST_LEVEL = 1e-4
"""Keeps quotients by the noise finite where there is none."""
NOISIEST = 0.995
"""Quantile of the noise after brightening at which sampling starts: the darkest corner would set
the start for all."""
PLANE_NOISE = (1 / math.sqrt(3), 1 / math.sqrt(2), math.sqrt(6) / 4)
"""Noise of the opponent planes relative to that of the colour channels."""


@dataclass(frozen=True)
class Lighting:
    """Typed parameters, with ``guidance`` resolved."""

    exposure: float | None
    evenness: float | None
    sigma: float | None
    variant: str
    steps: int
    guidance: float
    exposure_weight: float
    preview_every: int

    @classmethod
    def read(cls, params: Mapping[str, ParameterValue]) -> Lighting:
        """Read resolved parameters."""
        variant, guidance = str(params["variant"]), as_float_or_none(params, "guidance")
        weight = as_float_or_none(params, "exposure_weight")
        if guidance is None:
            guidance = REFERENCE_GUIDANCE if variant == "reference" else GUIDANCE
        return cls(
            exposure=as_float_or_none(params, "exposure"),
            evenness=as_float_or_none(params, "evenness"),
            sigma=as_float_or_none(params, "sigma"),
            variant=variant,
            steps=as_int(params, "steps"),
            guidance=guidance,
            exposure_weight=REFERENCE_EXPOSURE_WEIGHT if weight is None else weight,
            preview_every=as_int(params, "preview_every"),
        )


def unused_notes(params: Mapping[str, ParameterValue]) -> tuple[str, ...]:
    """Notes on parameters that were given and have no effect in the chosen variant."""
    variant, method = str(params["variant"]), get("unimie")
    return tuple(
        f"{method.parameter(name).label} has no effect in the variant {variant}."
        for name in UNUSED[variant]
        if params[name] is not None
    )


@dataclass(frozen=True, eq=False)
class Problem:
    """An image as the sampler needs it.

    Parameters
    ----------
    image : MedicalImage
    degradation : Degradation
    brightened : ndarray, float32, shape (H, W) or (H, W, 3), in [0, 1]
        (y - M)/f: the input divided by the gain.
    planes : ndarray, float32, shape (B, C, H, W), in [0, 1]
        What the network gets: the image, its channels, or for a gray network its opponent planes.
    level : ndarray, float32, shape (B, 1, H, W)
        Noise of the planes.
    """

    image: MedicalImage
    degradation: Degradation
    brightened: Pixels
    planes: Pixels
    level: Pixels

    def pixels(self, planes: Pixels) -> Pixels:
        """The image of estimated planes."""
        if planes.shape[0] == 3:
            return from_planes(planes[:, 0])
        if self.image.is_colour:
            return np.ascontiguousarray(planes[0].transpose(1, 2, 0))
        return np.asarray(planes[0].mean(axis=0))


def find_problem(image: MedicalImage, light: Lighting, channels: int) -> Problem:
    """Degradation, planes and noise of an image for a network with this number of channels."""
    pixels, gray = image.pixels, luminance(image.pixels)
    body = foreground(gray)
    usual = USUAL.get(image.modality, Usual())
    noise = estimate_sigma(gray) if light.sigma is None else light.sigma
    degradation = find_degradation(gray, body, light.exposure, light.evenness, usual, noise)
    gain, brightened = degradation.gain, degradation.undone(pixels)
    factors: tuple[float, ...] = (1.0,)
    if image.is_colour and channels == 1:
        planes = to_planes(brightened)[:, None]
        noisy, factors = list(to_planes(pixels)), PLANE_NOISE
    else:
        stacked = brightened.transpose(2, 0, 1) if image.is_colour else brightened[None]
        planes = np.repeat(stacked, channels // len(stacked), axis=0)[None]
        noisy = [pixels]
    least = rounding_noise(pixels)
    sigmas = [
        factor * light.sigma if light.sigma is not None
        else max(estimate_sigma(plane), factor * least)
        for plane, factor in zip(noisy, factors, strict=True)
    ]  # fmt: skip
    level = np.asarray(sigmas, np.float32)[:, None, None, None] / gain
    inside = body > 0.5
    most = float(np.quantile(level[..., inside] if inside.any() else level, NOISIEST))
    level = np.clip(level, LEAST_LEVEL, max(most, LEAST_LEVEL))
    return Problem(image, degradation, brightened, np.ascontiguousarray(planes), level)


def to_planes(rgb: Pixels) -> Pixels:
    """Opponent planes (3, H, W) in [0, 1]: mean, red against blue, green against both."""
    red, green, blue = (rgb[..., channel] for channel in range(3))
    mean = (red + green + blue) / 3
    return np.stack([mean, (red - blue) / 2 + 0.5, (2 * green - red - blue) / 4 + 0.5])


def from_planes(planes: Pixels) -> Pixels:
    """The colours (H, W, 3) of opponent planes, not clipped."""
    mean, across, green = planes[0], 2 * (planes[1] - 0.5), 4 * (planes[2] - 0.5)
    # green = 2 G - R - B = 3 G - 3 mean, and across = R - B.
    both = mean - green / 6
    return np.stack([both + across / 2, mean + green / 3, both - across / 2], axis=-1)


def padded_planes(planes: Pixels, network: PixelNetwork) -> tuple[Tensor, Padding]:
    """Planes (B, C, H, W) padded by reflection to a size that the network takes."""
    multiple = math.lcm(MULTIPLE, network.prior.multiple)
    flat = planes.reshape(-1, *planes.shape[-2:])
    parts = [pad(plane, multiple=multiple, least=network.sizes.least) for plane in flat]
    stacked = np.stack([plane for plane, _ in parts]).astype(np.float32, copy=False)
    shape = (*planes.shape[:2], *stacked.shape[-2:])
    return torch.from_numpy(stacked.reshape(shape)), parts[0][1]


def tile_count(network: PixelNetwork, x: Tensor) -> int:
    """Number of tiles of a padded image, as the memory allows now."""
    height, width = x.shape[-2:]
    return len(network.sizes.tiling(height, width, network.fallback.current.tile).corners)
