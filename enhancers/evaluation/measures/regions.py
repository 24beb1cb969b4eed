"""Signal-to-noise and contrast-to-noise ratios of a marked structure and the tissue around it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from enhancers.errors import MetricUnavailable
from enhancers.image import Pixels

Mask = NDArray[np.bool_]

LEAST_SPREAD = 1e-6
"""Standard deviation below which a background is flat and a ratio has no meaning."""


def ring(mask: Mask, radius: int) -> Mask:
    """The pixels that a dilation by a disc of ``radius`` pixels adds to the mask."""
    from scipy.ndimage import distance_transform_edt

    distance = distance_transform_edt(~mask)
    return np.asarray((distance > 0) & (distance <= radius))


def snr_around(gray: Pixels, mask: Mask, inside: Mask, radius: int) -> float:
    """SNR = 20 log10(μ_s / σ_b) in dB, b the tissue within ``radius`` pixels of the structure.

    The regions are those of UniMIE (section 2.3, figure 3b), which gives no formula; this is the
    usual ratio of a mean signal to the standard deviation of its background.

    Parameters
    ----------
    gray : ndarray, float32, shape (H, W), in [0, 1]
        The image to measure.
    mask : ndarray, bool, shape (H, W)
        The structure.
    inside : ndarray, bool, shape (H, W)
        The tissue inside the body or sector, as `enhancers.evaluation.measures.body` finds it.
    radius : int
        In pixels.

    Raises
    ------
    MetricUnavailable
        A region is empty, the structure is black, or its surroundings are flat.
    """
    signal, background = _regions(gray, mask, inside & ring(mask, radius))
    level = float(signal.mean())
    if level <= 0.0:
        raise MetricUnavailable("the marked structure is black")
    return 20.0 * math.log10(level / _spread(background))


def snr(gray: Pixels, mask: Mask, inside: Mask) -> float:
    """SNR = 20 log10((1 - μ_s) / σ_b) in dB: s is the dark structure, b all other tissue.

    Morphology-consistent ultrasound enhancement, equation 12.

    Raises
    ------
    MetricUnavailable
        A region is empty, the structure is white, or the background is flat.
    """
    signal, background = _regions(gray, mask, inside & ~mask)
    darkness = 1.0 - float(signal.mean())
    if darkness <= 0.0:
        raise MetricUnavailable("the marked structure is white")
    return 20.0 * math.log10(darkness / _spread(background))


def cnr(gray: Pixels, mask: Mask, inside: Mask) -> float:
    """CNR = 20 log10(|μ_s - μ_b| / sqrt(σ_s² + σ_b²)) in dB (the same paper, equation 13).

    Raises
    ------
    MetricUnavailable
        A region is empty, both are flat, or their means are equal.
    """
    signal, background = _regions(gray, mask, inside & ~mask)
    difference = abs(float(signal.mean() - background.mean()))
    if difference < LEAST_SPREAD:
        raise MetricUnavailable("the marked structure is as bright as its background")
    noise = math.hypot(float(signal.std()), float(background.std()))
    if noise < LEAST_SPREAD:
        raise MetricUnavailable("structure and background are flat")
    return 20.0 * math.log10(difference / noise)


def _regions(
    gray: Pixels, mask: Mask, around: Mask
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if mask.shape != gray.shape:
        raise MetricUnavailable(
            f"the mask is {mask.shape[1]}x{mask.shape[0]} and the image "
            f"{gray.shape[1]}x{gray.shape[0]}"
        )
    if not mask.any() or not around.any():
        raise MetricUnavailable("the mask leaves no structure, or no tissue as its background")
    return gray[mask].astype(np.float64), gray[around].astype(np.float64)


def _spread(background: NDArray[np.float64]) -> float:
    spread = float(background.std())
    if spread < LEAST_SPREAD:
        raise MetricUnavailable("the background is flat")
    return spread
