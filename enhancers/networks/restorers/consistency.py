"""Consistency of a clean estimate with the projections of a CT or the k-space of an MR image."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from enhancers.degrade.acquisitions import hu_window
from enhancers.degrade.ct import WATER_PER_MM
from enhancers.image import MedicalImage, Pixels, Window
from enhancers.measured import CoilSpectrum, Projections, SampledSpectrum
from enhancers.networks.restorers.given import Given
from enhancers.networks.restorers.sampling import Correct
from enhancers.operators import Projection
from enhancers.scan_operator import scan_operator

AIR_HU = -1000.0


ROUNDS = 20
"""Steps toward samples of k-space: with more of them, noise comes back."""

Step = Callable[[Tensor], Tensor]
"""From images in [0, 1] of the window, (..., H, W), to images that agree better with the data."""


def is_measured(image: MedicalImage) -> bool:
    """Whether there is something to be consistent with."""
    known = image.measured
    return known is not None and any(
        part is not None for part in (known.projections, known.coils, known.spectrum)
    )


def is_sampled(image: MedicalImage) -> bool:
    """Whether there are samples of k-space."""
    return is_measured(image) and image.measured is not None and image.measured.projections is None


def step_toward(image: MedicalImage, weight: float = 1.0) -> Step | None:
    """The function from images to ones that agree better with what was measured of ``image``.

    A step x - ``weight`` A⁺ (A x - b), in which A⁺ is filtered back-projection for projections and
    the adjoint for k-space.

    Parameters
    ----------
    image : MedicalImage
    weight : float in (0, 1]
        With 1, samples of k-space are kept exactly, and low frequencies of a CT with their noise.

    Returns
    -------
    callable or None
        None where nothing was measured.
    """
    measured = image.measured
    if measured is None:
        return None
    if measured.projections is not None:
        return _of_projections(measured.projections, hu_window(image), weight)
    if (samples := measured.coils or measured.spectrum) is not None:
        return _of_samples(samples, image.window, weight)
    return None


def consistent(image: MedicalImage) -> Pixels:
    """A gray MR image after `ROUNDS` steps toward its samples of k-space, in [0, 1].

    Projections onto what was sampled and onto images with a smooth phase, in turn (Haacke,
    Lindskog and Lin, Journal of Magnetic Resonance 92, 1991): opposite frequencies tell of each
    other.

    Raises
    ------
    ValueError
        There are none.
    """
    step = step_toward(image) if is_sampled(image) else None
    if step is None:
        raise ValueError("no samples of k-space")
    unit = torch.from_numpy(image.pixels)[None, None]
    for _ in range(ROUNDS):
        unit = step(unit).clamp(0, 1)
    return np.asarray(unit[0, 0].numpy())


def correction(known: Given, weight: float = 1.0, rounds: int = 1) -> Correct | None:
    """`step_toward` the data of what a restorer was given, ``rounds`` times, for its estimates.

    Parameters
    ----------
    known : Given
    weight : float in (0, 1]
    rounds : int

    Returns
    -------
    callable or None
        For padded images in [-1, 1], (B, 1, H, W); None where nothing was measured.
    """
    step = step_toward(known.image, weight)
    if step is None:
        return None
    height, width = known.padding.height, known.padding.width

    def correct(estimate: Tensor) -> Tensor:
        inside = ((estimate[..., :height, :width].cpu() + 1) / 2).clamp(0, 1)
        for _ in range(rounds):
            inside = step(inside).clamp(0, 1)
        changed = estimate.clone()
        changed[..., :height, :width] = inside.to(estimate) * 2 - 1
        return changed

    return correct


def _of_projections(projections: Projections, window: Window, weight: float) -> Step:
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


def _of_samples(samples: CoilSpectrum | SampledSpectrum, window: Window, weight: float) -> Step:
    operator, data = scan_operator(samples, smooth=True)

    def corrected(unit: Tensor) -> Tensor:
        image = window.low + unit * (window.high - window.low)
        better = image + weight * operator.adjoint(data - operator.forward(image))
        return (better - window.low) / (window.high - window.low)

    return corrected
