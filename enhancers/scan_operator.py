"""The operator of an MR scan, for what was sampled of k-space, and the phase of its image."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from enhancers.measured import CoilSpectrum, SampledSpectrum
from enhancers.operators import CoilKSpace, RealImage

if TYPE_CHECKING:
    from torch import Tensor

PHASE_SHARE = 0.07
"""Standard deviation of the Gaussian over which a phase is averaged, of the shorter side."""
PHASE_ROUNDS = 6
"""Of `smooth_phase` for an image whose phase is not known yet."""


def scan_operator(samples: CoilSpectrum | SampledSpectrum) -> tuple[CoilKSpace, Tensor]:
    """The operator of a scan, for complex images, and its samples, (1, coils, H, W).

    A `SampledSpectrum` has one coil.
    """
    import torch

    mask = torch.from_numpy(samples.sampled.astype(np.float32))
    if isinstance(samples, CoilSpectrum):
        seen, values = samples.sensitivities, samples.samples
    else:
        seen, values = np.ones((1, *mask.shape), np.complex64), samples.samples[None]
    return CoilKSpace(mask, torch.from_numpy(seen)), torch.from_numpy(values)[None]


def with_phase(operator: CoilKSpace, phase: Tensor) -> RealImage:
    """The operator for real images, which have this phase, (H, W)."""
    return RealImage(CoilKSpace(operator.mask, operator.sensitivities * phase))


def smooth_phase(image: Tensor, start: Tensor | None = None, rounds: int = 1) -> Tensor:
    """The phase of a complex image, (1, 1, H, W), without its fine detail, as exp(i φ).

    In each round what is left of the image's phase is averaged over 7 % of its side, so that
    neither a slope nor an edge biases it. Opposite edges do not meet.

    Parameters
    ----------
    image : Tensor
    start : Tensor, optional
        A phase to begin with; by default none.
    rounds : int
    """
    import torch

    height, width = image.shape[-2:]
    reach = PHASE_SHARE * min(height, width)
    sides = [side + math.ceil(4 * reach) for side in (height, width)]
    y, x = (torch.fft.fftfreq(side, device=image.device).square() for side in sides)
    passed = torch.exp(-2 * (math.pi * reach) ** 2 * (y[:, None] + x))
    phase = torch.ones_like(image) if start is None else start
    for _ in range(rounds):
        left = torch.fft.fft2(image * phase.conj(), s=sides) * passed
        low = torch.fft.ifft2(left)[..., :height, :width]
        phase = phase * torch.polar(torch.ones_like(low.real), low.angle())
    return phase
