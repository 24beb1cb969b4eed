"""Ultrasound of low signal: speckle and noise of the envelope, before it is log-compressed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Probe:
    """How echoes are seen.

    Parameters
    ----------
    axial, lateral : float
        Standard deviation of the point spread in pixels, along the beam (rows) and across.
    dynamic_range : float
        From black to white in dB, of the image that is degraded and of the result.
    """

    axial: float = 1.0
    lateral: float = 2.0
    dynamic_range: float = 60.0


@dataclass(frozen=True, eq=False)
class Echoes:
    """An ultrasound image of low signal, and what it is without noise. In [0, 1], shape (H, W).

    Parameters
    ----------
    noisy : ndarray
        With speckle and noise.
    speckled : ndarray
        With speckle alone: how a probe without noise would show the same tissue.
    """

    noisy: Array
    speckled: Array


def echoes(image: Array, snr: float, rng: np.random.Generator, probe: Probe) -> Echoes:
    """Fully developed speckle on the envelope of a log-compressed image, and additive noise.

    Many scatterers in each resolution cell make the signal a complex Gaussian process, correlated
    by the point spread, whose amplitude is Rayleigh distributed (Wagner et al., IEEE Trans Sonics
    Ultrason 30, 1983, 156); its mean power is that of the envelope. Complex white noise is added to
    it, and the amplitude of the sum is log-compressed.

    Parameters
    ----------
    image : ndarray, shape (H, W), in [0, 1]
    snr : float
        10 log10 of the mean power of the signal, speckle included, over that of the noise, in dB.
        The mean is over the pixels with a signal, those that are not black.
    rng : numpy Generator
    probe : Probe
    """
    envelope = np.where(image > 0, 10 ** ((image - 1) * probe.dynamic_range / 20), 0.0)
    signal = envelope * _scatterers(image.shape, rng, probe)
    field = envelope > 0
    power = float((np.abs(signal[field]) ** 2).mean()) if field.any() else 0.0
    noise = math.sqrt(power / 10 ** (snr / 10)) * _complex_normal(image.shape, rng)
    return Echoes(_compressed(signal + noise, probe), _compressed(signal, probe))


def _scatterers(
    shape: tuple[int, int], rng: np.random.Generator, probe: Probe
) -> NDArray[np.complex128]:
    """A complex Gaussian process of mean power 1, as smooth as the point spread."""
    from scipy.ndimage import gaussian_filter

    spread = (probe.axial, probe.lateral)
    drawn = _complex_normal(shape, rng)
    real, imaginary = (
        gaussian_filter(part, spread, mode="wrap") for part in (drawn.real, drawn.imag)
    )
    smooth = real + 1j * imaginary
    return np.asarray(smooth / np.sqrt((np.abs(smooth) ** 2).mean()), np.complex128)


def _complex_normal(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.complex128]:
    """Complex white noise of mean power 1."""
    real, imaginary = rng.standard_normal((2, *shape)) / math.sqrt(2)
    return np.asarray(real + 1j * imaginary, np.complex128)


def _compressed(signal: NDArray[np.complex128], probe: Probe) -> Array:
    decibels = 20 * np.log10(np.maximum(np.abs(signal), 1e-30))
    return np.asarray(np.clip(1 + decibels / probe.dynamic_range, 0.0, 1.0), np.float64)
