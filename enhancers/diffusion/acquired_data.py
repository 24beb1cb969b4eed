"""Consistency of a clean estimate with the projections of a CT or the k-space of an MR image."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from enhancers.degrade.acquisitions import hu_window
from enhancers.degrade.ct import WATER_PER_MM
from enhancers.image import MedicalImage, Window
from enhancers.measured import CoilSpectrum, Projections, SampledSpectrum
from enhancers.networks.restorers.given import Given
from enhancers.networks.restorers.sampling import Correct
from enhancers.operators import CoilKSpace, Projection

AIR_HU = -1000.0


def is_measured(image: MedicalImage) -> bool:
    """Whether there is something to be consistent with."""
    known = image.measured
    return known is not None and any(
        part is not None for part in (known.projections, known.coils, known.spectrum)
    )


def correction(known: Given, weight: float) -> Correct | None:
    """The function from a clean estimate to one that agrees better with what was measured.

    A step x - ``weight`` A⁺ (A x - b), in which A⁺ is filtered back-projection for projections and
    the adjoint for k-space.

    Parameters
    ----------
    known : Given
    weight : float in (0, 1]
        With 1, samples of k-space are kept exactly, and low frequencies of a CT with their noise.

    Returns
    -------
    callable or None
        None where nothing was measured.
    """
    image = known.image
    measured = image.measured
    if measured is None:
        return None
    if measured.projections is not None:
        corrected = _of_projections(measured.projections, hu_window(image), weight)
    elif (samples := measured.coils or measured.spectrum) is not None:
        corrected = _of_samples(samples, image.window, weight)
    else:
        return None
    height, width = known.padding.height, known.padding.width

    def correct(estimate: Tensor) -> Tensor:
        inside = ((estimate[..., :height, :width].cpu() + 1) / 2).clamp(0, 1)
        changed = estimate.clone()
        changed[..., :height, :width] = corrected(inside).clamp(0, 1).to(estimate) * 2 - 1
        return changed

    return correct


def _of_projections(projections: Projections, window: Window, weight: float) -> Correct:
    operator = Projection(projections.beam)
    values = torch.from_numpy(projections.values)[None, None]
    found = operator.pinv(values) / WATER_PER_MM * 1000 + AIR_HU
    rows, columns = projections.inset
    low, high = min(window.ends), max(window.ends)

    def corrected(unit: Tensor) -> Tensor:
        # Beyond the window the estimate says nothing: there the reconstruction stays.
        hu = window.low + unit * (window.high - window.low)
        there = found[..., rows, columns]
        hu = torch.where(hu <= low, there.clamp(max=low), hu)
        hu = torch.where(hu >= high, there.clamp(min=high), hu)
        square = torch.full_like(found, AIR_HU)
        square[..., rows, columns] = hu
        attenuation = (WATER_PER_MM * (1 + square / 1000)).clamp(min=0)
        missing = operator.pinv(values - operator.forward(attenuation)) / WATER_PER_MM * 1000
        better = hu + weight * missing[..., rows, columns]
        return (better - window.low) / (window.high - window.low)

    return corrected


def _of_samples(samples: CoilSpectrum | SampledSpectrum, window: Window, weight: float) -> Correct:
    mask = torch.from_numpy(samples.sampled.astype(np.float32))
    if isinstance(samples, CoilSpectrum):
        seen = torch.from_numpy(samples.sensitivities)
        data = torch.from_numpy(samples.samples)[None]
    else:
        seen = torch.ones((1, *mask.shape), dtype=torch.complex64)
        data = torch.from_numpy(samples.samples)[None, None]
    operator = CoilKSpace(mask, seen)
    phase = torch.ones((), dtype=torch.complex64)
    real = isinstance(samples, SampledSpectrum) and samples.real
    if not real:
        # Phase is smooth: that of the frequencies around zero, all of which were sampled.
        smooth = operator.adjoint(data * _centre(samples.sampled))
        phase = torch.polar(torch.ones_like(smooth.real), smooth.angle())

    def corrected(unit: Tensor) -> Tensor:
        image = (window.low + unit * (window.high - window.low)) * phase
        better = image + weight * operator.adjoint(data - operator.forward(image))
        shown = better.real if real else better.abs()
        return (shown - window.low) / (window.high - window.low)

    return corrected


def _centre(sampled: np.ndarray) -> Tensor:
    """A window that is 1 at the zero frequency and 0 where lines begin to be missing, (H, W)."""
    parts = []
    for axis in (0, 1):
        side = sampled.shape[axis]
        frequency = np.abs(np.fft.fftfreq(side))
        missing = frequency[~sampled.any(axis=1 - axis)]
        reach = missing.min() if missing.size else 0.5
        inside = np.where(frequency < reach, np.cos(np.pi * frequency / (2 * reach)) ** 2, 0.0)
        parts.append(inside)
    return torch.from_numpy(np.outer(*parts).astype(np.float32))
