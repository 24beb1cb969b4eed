"""Restoration of the real part of an MR magnitude image.

A magnitude is the length of a complex signal: its noise is Rician, with a mean of 1.25 σ where the
signal is 0, which a network trained on Gaussian noise takes for signal. The part of the magnitude
in phase with the signal, m cos φ, has Gaussian noise and the signal as its mean; the angle φ was
lost. Given the signal A and m it has a von Mises distribution of concentration m A / σ² (from the
density of m and φ in Gudbjartsson and Patz, Magn Reson Med 34 (1995), 910): it is drawn from that,
as clipped noise is by `enhancers.restore_clipped`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from enhancers.classical.nlm import nlm
from enhancers.image import Pixels


def in_phase(magnitude: Pixels, sigma: float, seed: int) -> Pixels:
    """`restore_phase` with non-local means' estimate of the signal."""
    signal = nlm(magnitude, sigma=sigma, beta=1.2, noise="rician", patch=5, search=11)
    return restore_phase(magnitude, signal, sigma, seed=seed)


def restore_phase(
    magnitude: Pixels, signal: NDArray[np.floating], sigma: float, *, seed: int
) -> Pixels:
    """Replace magnitudes by draws of their part in phase with the signal.

    Parameters
    ----------
    magnitude : ndarray, float32, shape (H, W), at least 0
    signal : ndarray, shape (H, W), at least 0
        An estimate of the signal without noise.
    sigma : float
        Standard deviation of the noise in each of the two parts, in the same units; 0 changes
        nothing.
    seed : int

    Returns
    -------
    ndarray, float32, shape (H, W)
        Where ``signal`` is right, this is the signal plus Gaussian noise of ``sigma``; it is
        negative for about half of the pixels without signal.
    """
    if sigma <= 0.0:
        return magnitude
    rng = np.random.default_rng(seed)
    concentration = magnitude.astype(np.float64) * signal / sigma**2
    return (magnitude * np.cos(rng.vonmises(0.0, concentration))).astype(np.float32)
