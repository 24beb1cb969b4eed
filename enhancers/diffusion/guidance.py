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
from enhancers.noise import estimate_speckle_noise, measure_noise
from enhancers.noise_spectrum import NoiseSpectrum
from enhancers.parameter_values import as_float_or_none, as_int

MATCHED_CALLS = 2
"""Network calls of the two-call denoiser, from the image's noise level down; more only increase the
pseudo-label's weight."""
IMAGE_CALLS, PUBLISHED_STEPS = 5, 10
"""Automatic numbers of steps; from the image there are never fewer."""
AUTOMATIC = "automatic"
TWO_CALLS, FROM_IMAGE, PUBLISHED = "two-call denoiser", "from the image", "published"
DARK = 0.02
"""Pixels below this brightness are left out when speckle is measured."""
PAPER_WEIGHTS = {Modality.US: 0.586, Modality.MR: 0.488}
"""The paper's λ = 1200 and 1000, as w."""
DEFAULT_WEIGHT = 0.5
OWN_WEIGHTS = {Modality.US: 0.2}
"""Weights that are better than the paper's in the two-call denoiser."""
IMAGE_SHARE = 0.55
"""Share of the pseudo-label in the result from the image, whatever the number of calls. The network
then changes more than one gray level, and the result is not below the pseudo-label; with the
paper's weight in each of five calls (0.96) nothing of the network is left."""
REGION_WEIGHTS = (0.4, 0.9)
"""Weights for structure and for pure noise, in the two-call denoiser."""
WINDOW_SIGMA = 3.0
"""Gaussian σ in pixels of the window over which the local variance is measured."""
MIN_POWER = 1e-12


@dataclass(frozen=True)
class Guidance:
    """Typed parameters; ``weights`` are those for structure and for pure noise.

    ``strength`` is None where the start follows from the noise of the image; ``draws`` says whether
    noise is then drawn where the latents have less than their mean.
    """

    weights: tuple[float, float]
    steps: int
    strength: float | None
    draws: bool
    output: str
    preview_every: int
    notes: tuple[str, ...] = ()

    @classmethod
    def read(cls, params: Mapping[str, ParameterValue], modality: Modality) -> Guidance:
        """Read resolved parameters."""
        weight, strength = (
            as_float_or_none(params, "guidance"),
            as_float_or_none(params, "strength"),
        )
        preset, steps = params["preset"], as_float_or_none(params, "steps")
        if strength is None and preset == PUBLISHED:
            strength = 1.0
        output = str(params["output"])
        if output == AUTOMATIC:
            output = "full" if preset == PUBLISHED else "residual"
        calls = MATCHED_CALLS if preset == TWO_CALLS else max(int(steps or 0), IMAGE_CALLS)
        # A start from pure noise needs the paper's weight: only the pseudo-label knows the image.
        automatic = weight is None and strength is None
        if weight is None:
            weight = PAPER_WEIGHTS.get(modality, DEFAULT_WEIGHT)
        weights = weight, weight
        if automatic and preset == TWO_CALLS:
            own = OWN_WEIGHTS.get(modality, weight)
            weights = REGION_WEIGHTS if params["regions"] else (own, own)
        elif automatic:
            own = _per_call(IMAGE_SHARE, calls)
            totals = [1 - (1 - w) ** MATCHED_CALLS for w in REGION_WEIGHTS]
            low, high = (_per_call(total, calls) for total in totals)
            weights = (low, high) if params["regions"] else (own, own)
        return cls(
            weights=weights,
            steps=calls if strength is None else int(steps or PUBLISHED_STEPS),
            strength=strength,
            draws=preset != TWO_CALLS,
            output=output,
            preview_every=as_int(params, "preview_every"),
            notes=_notes(preset, as_float_or_none(params, "strength"), steps),
        )

    @property
    def regional(self) -> bool:
        """Whether the weight differs from region to region."""
        return self.weights[0] != self.weights[1]

    @property
    def calls(self) -> int:
        """Number of network calls: the last ``strength`` share of the steps."""
        if self.strength is None:
            return self.steps
        return max(1, round(self.steps * self.strength))

    def sampling_steps(self, betas: BetaSchedule, level: float) -> tuple[TimestepPair, ...]:
        """The sampling steps for latents with noise of ``level``, relative to their signal."""
        if self.strength is None:
            least = self.steps - 1
            most = len(betas.signal) - 1 - betas.offset
            highest = min(max(noise_level_step(betas.signal, level), least), most)
            between = [round(highest * step / least) + betas.offset for step in range(self.steps)]
            return timestep_pairs(betas.signal, between, betas.final)
        steps = timesteps(betas.signal, self.steps, offset=betas.offset, final=betas.final)
        return steps[-self.calls :]


def _per_call(share: float, calls: int) -> float:
    """The weight in each of ``calls`` calls that leaves the rest of ``share`` to the network."""
    return 1.0 - math.pow(1.0 - share, 1.0 / calls)


def _notes(preset: ParameterValue, strength: float | None, steps: float | None) -> tuple[str, ...]:
    """What was asked for that has no effect."""
    if strength is not None and preset != FROM_IMAGE:
        return (f"The start strength {strength:g} was given: it decides, not the preset {preset}.",)
    if strength is not None or steps is None:
        return ()
    if preset == TWO_CALLS:
        return (f"The two-call denoiser calls the network twice: {steps:g} steps have no effect.",)
    if preset == FROM_IMAGE and steps < IMAGE_CALLS:
        return (f"From the image takes at least {IMAGE_CALLS} steps: {steps:g} were asked for.",)
    return ()


def image_noise(gray: Pixels, modality: Modality, sigma: float | None) -> NoiseSpectrum:
    """The noise of an image in [0, 1] units; speckle stands for its noise at the mean brightness.

    ``sigma`` is the parameter of the classical pipeline, for ultrasound a coefficient of variation.
    """
    if modality is not Modality.US:
        if sigma is None:
            return measure_noise(gray, rician=modality is Modality.MR)
        return NoiseSpectrum.white(sigma)
    bright = gray[gray > DARK]
    if bright.size == 0:
        return NoiseSpectrum.white(0.0)
    variation = estimate_speckle_noise(gray) if sigma is None else sigma
    return NoiseSpectrum.white(variation * float(np.sqrt(np.mean(bright.astype(np.float64) ** 2))))


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
