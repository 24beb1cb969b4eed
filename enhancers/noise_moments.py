"""Moments of clipped Gaussian and of Rician noise, and the σ that flat pixels agree with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FLAT_SHARE = 0.4
"""Share of the usable pixels, those of lowest gradient, from which noise is estimated."""

MARGIN = 1.5
"""Distance of a usable pixel's mean from black and white in σ; reduced where pixels are too few."""

AIR = 1.6
"""Local means below this many σ count as air, where Rician noise has a mean of 1.25 σ."""

MAX_SIGMA = 0.5
MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, eq=False)
class Features:
    """Per pixel: high-pass residual (unit gain on white noise), local mean, local gradient."""

    residual: Array
    mean: Array
    gradient: Array


Moments = Callable[[float], tuple[Array, Array, Array]]
"""For a σ: signal values, and the mean and variance of the noisy pixel at each."""


def fixed_point(
    features: Features,
    moments: Moments,
    headroom: Callable[[Array], Array],
    floor: float = -np.inf,
) -> float:
    """Fixed point: the σ that its own pixel selection and variance correction reproduce.

    ``headroom`` is the distance of a signal from where clipping sets in; pixels whose local mean
    is below ``floor`` σ are left out.
    """
    sigma = 0.1
    for _ in range(15):
        signal, mean, variance = moments(sigma)
        chosen = usable(
            headroom(np.interp(features.mean, mean, signal)) / sigma,
            features.gradient,
            features.mean > floor * sigma,
        )
        share = np.sqrt(np.interp(features.mean[chosen], mean, variance)) / sigma
        spread = np.median(np.abs(features.residual[chosen]) / np.maximum(share, 1e-3))
        found = float(np.clip(MAD_TO_SIGMA * spread, 1e-5, MAX_SIGMA))
        settled = abs(found - sigma) <= 1e-3 * sigma
        sigma = found
        if settled:
            break
    return 0.0 if sigma <= 1e-5 else sigma


def usable(room: Array, gradient: Array, allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels of lowest gradient among those far enough from black and white."""
    enough = max(16, min(1500, room.size // 20))
    if allowed.sum() < enough:
        allowed = np.ones_like(allowed)
    margin = MARGIN
    chosen = allowed & (room > margin)
    while chosen.sum() < enough and margin > 0.0:
        margin -= 0.25
        chosen = allowed & (room > margin)
    if chosen.sum() < 16:
        chosen = allowed & (room >= np.quantile(room[allowed], 0.9))
    return chosen & (gradient <= np.quantile(gradient[chosen], FLAT_SHARE))


def clipped_moments(sigma: float) -> tuple[Array, Array, Array]:
    """Signal, mean and variance of clip(signal + σ n, 0, 1)."""
    from scipy.special import ndtr

    signal = np.linspace(-4.0 * sigma, 1.0 + 4.0 * sigma, 600)
    low, high = -signal / sigma, (1.0 - signal) / sigma
    below, upto = ndtr(low), ndtr(high)
    density_low, density_high = (np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) for z in (low, high))
    inside = upto - below
    drop = density_low - density_high
    mean = signal * inside + sigma * drop + (1.0 - upto)
    square = (signal**2 + sigma**2) * inside + 2.0 * signal * sigma * drop
    square += sigma**2 * (low * density_low - high * density_high) + (1.0 - upto)
    return signal, mean, np.maximum(square - mean**2, 0.0)


def rician_moments(sigma: float) -> tuple[Array, Array, Array]:
    """Signal, mean and variance of sqrt((signal + σ n1)² + (σ n2)²)."""
    from scipy.special import i0e, i1e

    signal = np.linspace(0.0, 1.0 + 4.0 * sigma, 600)
    half = 0.25 * (signal / sigma) ** 2
    laguerre = (1.0 + 2.0 * half) * i0e(half) + 2.0 * half * i1e(half)
    mean = sigma * np.sqrt(0.5 * np.pi) * laguerre
    variance = np.maximum(2.0 * sigma**2 + signal**2 - mean**2, 0.0)
    # Such a low local mean is air, whose fluctuation must not count as signal.
    variance[mean < AIR * sigma] = (2.0 - 0.5 * np.pi) * sigma**2
    return signal, mean, variance
