"""Guidance of the hybrid toward its pseudo-label: start noise level, weight, regional weight."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from enhancers.image import Pixels
from enhancers.method import Modality, ParameterValue
from enhancers.networks.beta_schedule import BetaSchedule
from enhancers.networks.timesteps import TimestepPair, noise_level_step, timestep_pairs, timesteps
from enhancers.noise import estimate_rician_sigma, estimate_sigma, estimate_speckle_noise
from enhancers.parameter_values import as_float_or_none, as_int

MATCHED_CALLS = 2
"""Network calls from the image's noise level down; more only increase the pseudo-label's weight."""
DARK = 0.02
"""Pixels below this brightness are left out when speckle is measured."""
PAPER_WEIGHTS = {Modality.US: 0.586, Modality.MR: 0.488}
"""The paper's λ = 1200 and 1000, as w."""
DEFAULT_WEIGHT = 0.5
OWN_WEIGHTS = {Modality.US: 0.2}
"""Weights that are better than the paper's where sampling starts from the image's noise."""
REGION_WEIGHTS = (0.4, 0.9)
"""Weights for structure and for pure noise."""
WINDOW_SIGMA = 3.0
"""Gaussian σ in pixels of the window over which the local variance is measured."""
MIN_POWER = 1e-12


@dataclass(frozen=True)
class Guidance:
    """Typed parameters; ``weights`` are those for structure and for pure noise."""

    weights: tuple[float, float]
    steps: int
    strength: float | None
    output: str
    preview_every: int

    @classmethod
    def read(cls, params: Mapping[str, ParameterValue], modality: Modality) -> Guidance:
        """Read resolved parameters."""
        weight, strength = (
            as_float_or_none(params, "guidance"),
            as_float_or_none(params, "strength"),
        )
        # A start from pure noise needs the paper's weight: only the pseudo-label knows the image.
        automatic = weight is None and strength is None
        if weight is None:
            weight = PAPER_WEIGHTS.get(modality, DEFAULT_WEIGHT)
        if automatic:
            weight = OWN_WEIGHTS.get(modality, weight)
        weights = REGION_WEIGHTS if automatic and params["regions"] else (weight, weight)
        return cls(
            weights=weights,
            steps=as_int(params, "steps"),
            strength=strength,
            output=str(params["output"]),
            preview_every=as_int(params, "preview_every"),
        )

    @property
    def regional(self) -> bool:
        """Whether the weight differs from region to region."""
        return self.weights[0] != self.weights[1]

    @property
    def calls(self) -> int:
        """Number of network calls: the last ``strength`` share of the steps."""
        if self.strength is None:
            return MATCHED_CALLS
        return max(1, round(self.steps * self.strength))

    def sampling_steps(self, betas: BetaSchedule, level: float) -> tuple[TimestepPair, ...]:
        """The sampling steps for an image with noise of ``level`` in [0, 1] units."""
        if self.strength is None:
            highest = max(noise_level_step(betas.signal, 2 * level), 1)
            return timestep_pairs(betas.signal, [betas.offset, highest + betas.offset], betas.final)
        steps = timesteps(betas.signal, self.steps, offset=betas.offset, final=betas.final)
        return steps[-self.calls :]


def noise_level(gray: Pixels, modality: Modality, sigma: float | None) -> float:
    """Standard deviation of the noise in [0, 1] units; for speckle at the mean brightness.

    ``sigma`` is the parameter of the classical pipeline, for ultrasound a coefficient of variation.
    """
    if modality is not Modality.US:
        rician = modality is Modality.MR
        return (
            (estimate_rician_sigma if rician else estimate_sigma)(gray) if sigma is None else sigma
        )
    bright = gray[gray > DARK]
    if bright.size == 0:
        return 0.0
    variation = estimate_speckle_noise(gray) if sigma is None else sigma
    return variation * float(np.sqrt(np.mean(bright.astype(np.float64) ** 2)))


def regional_weight(gray: Tensor, noise: float, weights: tuple[float, float]) -> Tensor:
    """Weight of the pseudo-label per pixel, between the two ``weights``.

    Parameters
    ----------
    gray : Tensor, shape (1, 1, H, W), in [0, 1]
        The measured image.
    noise : float
        Its standard deviation σ, the same everywhere.
    weights : tuple of float
        Weights for structure and for pure noise, mixed by the Wiener attenuation σ² / (σ² + v),
        where v is the excess of the local variance over σ².

    Returns
    -------
    Tensor, shape (1, 1, H, W)
    """
    variance = blurred(gray.square(), WINDOW_SIGMA) - blurred(gray, WINDOW_SIGMA).square()
    power = noise * noise
    structure = (variance - power).clamp(min=0)
    # Without noise the pseudo-label cannot improve anything: the share is 0.
    share = power / (power + structure).clamp(min=MIN_POWER)
    return weights[0] + (weights[1] - weights[0]) * share


def blurred(x: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of an image (B, 1, H, W), σ in pixels."""
    radius = math.ceil(3 * sigma)
    grid = torch.arange(-radius, radius + 1, dtype=x.dtype, device=x.device)
    kernel = torch.exp(-0.5 * (grid / sigma) ** 2)
    kernel = kernel / kernel.sum()
    padded = F.pad(x, (radius,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, kernel[None, None, :, None]), kernel[None, None, None, :])
