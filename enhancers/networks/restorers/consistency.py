"""Consistency of a clean estimate with the projections of a CT or the k-space of an MR image.

For k-space: steps toward the samples and projections onto images with a smooth phase, in turn
(Haacke, Lindskog and Lin, "A fast, iterative, partial-Fourier technique capable of local phase
recovery", Journal of Magnetic Resonance 92, 1991), so that opposite frequencies tell of each other.
Samples count by how far the estimate is from them beyond their noise, so that noise stays out.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from enhancers.degrade.acquisitions import hu_window
from enhancers.degrade.ct import WATER_PER_MM
from enhancers.image import MedicalImage, Window
from enhancers.measured import CoilSpectrum, Projections, SampledSpectrum
from enhancers.networks.restorers.given import Given
from enhancers.networks.restorers.sampling import Correct
from enhancers.operators import Projection
from enhancers.scan_operator import PHASE_ROUNDS, scan_operator, smooth_phase

AIR_HU = -1000.0
ROUNDS = 20
"""Steps toward samples of k-space."""
OUTER = (0.25, 0.42)
"""From these frequencies on, along both axes, samples are taken for noise."""
NEAR = 9
"""Side of the square of frequencies over which the distance from the samples is averaged."""

Step = Callable[[Tensor], Tensor]
"""From images in [0, 1] of the window, (1, 1, H, W), to images that agree better with the data."""


def is_measured(image: MedicalImage) -> bool:
    """Whether there is something to be consistent with."""
    known = image.measured
    return known is not None and any(
        part is not None for part in (known.projections, known.coils, known.spectrum)
    )


def is_projected(image: MedicalImage) -> bool:
    """Whether the projections of a CT are at hand."""
    return image.measured is not None and image.measured.projections is not None


def has_known_phase(image: MedicalImage) -> bool:
    """Whether the complex image of a scan is known to be real."""
    spectrum = image.measured and image.measured.spectrum
    return bool(spectrum and spectrum.real)


def correction(known: Given, weight: float = 1.0, rounds: int = ROUNDS) -> Correct | None:
    """The function from a clean estimate to one that agrees better with what was measured.

    For projections a step x - ``weight`` A⁺ (A x - b) with filtered back-projection as A⁺; for
    k-space ``rounds`` steps with the adjoint.

    Parameters
    ----------
    known : Given
    weight : float in (0, 1]
    rounds : int

    Returns
    -------
    callable or None
        For padded images in [-1, 1], (1, 1, H, W); None where nothing was measured.
    """
    image = known.image
    measured = image.measured
    if measured is None:
        return None
    if measured.projections is not None:
        step = _of_projections(measured.projections, hu_window(image), weight)
    elif (samples := measured.coils or measured.spectrum) is not None:
        step = _of_samples(samples, image.window, weight, rounds)
    else:
        return None
    height, width = known.padding.height, known.padding.width

    def correct(estimate: Tensor) -> Tensor:
        inside = ((estimate[..., :height, :width].cpu() + 1) / 2).clamp(0, 1)
        changed = estimate.clone()
        changed[..., :height, :width] = step(inside).clamp(0, 1).to(estimate) * 2 - 1
        return changed

    return correct


def _of_projections(projections: Projections, window: Window, weight: float) -> Step:
    operator = Projection(projections.beam)
    values = torch.from_numpy(projections.values)[None, None]
    found = operator.pinv(values) / WATER_PER_MM * 1000 + AIR_HU
    rows, columns = projections.inset

    def corrected(unit: Tensor) -> Tensor:
        hu = _beyond(window, unit, found[..., rows, columns])
        square = torch.full_like(found, AIR_HU)
        square[..., rows, columns] = hu
        attenuation = (WATER_PER_MM * (1 + square / 1000)).clamp(min=0)
        missing = operator.pinv(values - operator.forward(attenuation)) / WATER_PER_MM * 1000
        better = hu + weight * missing[..., rows, columns]
        return (better - window.low) / (window.high - window.low)

    return corrected


def _of_samples(
    samples: CoilSpectrum | SampledSpectrum, window: Window, weight: float, rounds: int
) -> Step:
    operator, data = scan_operator(samples)
    sampled = torch.from_numpy(samples.sampled.astype(np.float32))
    real = isinstance(samples, SampledSpectrum) and samples.real
    filled = operator.adjoint(data)
    first = torch.ones_like(filled) if real else smooth_phase(filled, rounds=PHASE_ROUNDS)
    found = filled.real if real else filled.abs()
    noise = _noise_power(data, samples.sampled)

    def corrected(unit: Tensor) -> Tensor:
        image, phase = _beyond(window, unit, found), first
        missing = data - operator.forward(image * phase)
        wanted = data - missing * (1 - _beyond_noise(missing, sampled, noise))
        for _ in range(rounds):
            missing = wanted - operator.forward(image * phase)
            better = image * phase + weight * operator.adjoint(missing)
            if not real:
                phase = smooth_phase(better, phase)
            image = (better * phase.conj()).real
            image = image if real else image.clamp(min=0)
        return (image - window.low) / (window.high - window.low)

    return corrected


def _beyond(window: Window, unit: Tensor, found: Tensor) -> Tensor:
    """Source values of an image; beyond the window, where it says nothing, those of ``found``."""
    low, high = min(window.ends), max(window.ends)
    source = window.low + unit * (window.high - window.low)
    source = torch.where(source <= low, found.clamp(max=low), source)
    return torch.where(source >= high, found.clamp(min=high), source)


def _noise_power(data: Tensor, sampled: np.ndarray) -> float:
    """The mean squared noise of samples, (1, coils, H, W), from the median at high frequencies."""
    rows, columns = (
        np.abs(np.fft.fftfreq(side)) > least
        for side, least in zip(sampled.shape, OUTER, strict=True)
    )
    outer = data[..., torch.from_numpy(sampled & rows[:, None] & columns)].abs().square()
    return float(outer.median()) / math.log(2) if outer.numel() else 0.0


def _beyond_noise(missing: Tensor, sampled: Tensor, noise: float) -> Tensor:
    """Weights of what is missing, (1, 1, H, W): the share of its power that is not noise."""
    power = missing.abs().square().mean(1, keepdim=True)
    near = torch.nn.functional.avg_pool2d(
        torch.fft.fftshift(torch.stack([power[0, 0], sampled]), dim=(-2, -1))[None],
        NEAR, stride=1, padding=NEAR // 2,
    )  # fmt: skip
    mean = (near[:, :1] / near[:, 1:].clamp(min=1e-6)).clamp(min=1e-30)
    weights: Tensor = torch.fft.ifftshift((1 - noise / mean).clamp(min=0), dim=(-2, -1))
    return weights
