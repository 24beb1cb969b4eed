"""The spectrum of noise: how much of it there is at which frequency, and how neighbours correlate.

White noise has the same power at every frequency. Reconstruction kernels of CT, interpolation and
compression leave little at the highest ones, where anatomy disturbs a measurement least: noise that
is measured there alone is read too low. It is therefore measured in several bands, each by the
residual of a separable filter on flat parts of the image.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

GRID = 128
"""Side of the frequency grid on which means over the spectrum are taken."""


@dataclass(frozen=True)
class NoiseSpectrum:
    """The amplitude of isotropic noise by frequency, as the σ that white noise would have.

    Parameters
    ----------
    frequencies : tuple of float
        Radial frequencies in cycles per pixel, ascending.
    sigmas : tuple of float
        The amplitude at each, in [0, 1] units; linear between them, constant beyond.
    """

    frequencies: tuple[float, ...]
    sigmas: tuple[float, ...]

    @classmethod
    def white(cls, sigma: float) -> NoiseSpectrum:
        """The spectrum of white noise of standard deviation ``sigma``."""
        return cls((0.0,), (sigma,))

    def scaled(self, factor: float) -> NoiseSpectrum:
        """The spectrum with every amplitude times ``factor``."""
        return NoiseSpectrum(self.frequencies, tuple(factor * sigma for sigma in self.sigmas))

    @property
    def is_white(self) -> bool:
        """Whether every frequency has the same amplitude."""
        return len(set(self.sigmas)) == 1

    @property
    def peak(self) -> float:
        """The largest amplitude."""
        return max(self.sigmas)

    @functools.cached_property
    def sigma(self) -> float:
        """Standard deviation of the noise of a pixel: the root mean square over all frequencies."""
        plane = np.interp(_radius((GRID, GRID), half=False), *self._points)
        return float(np.sqrt(np.mean(plane**2)))

    @functools.cached_property
    def correlation(self) -> float:
        """Correlation of the noise of two neighbouring pixels, -1 to 1; 0 for white noise."""
        power = np.square(np.interp(_radius((GRID, GRID), half=False), *self._points))
        shift = np.cos(2 * np.pi * np.fft.fftfreq(GRID))
        return float((power * shift).sum() / max(float(power.sum()), 1e-30))

    def amplitude(self, shape: tuple[int, int]) -> Array:
        """The amplitude at the frequencies of `numpy.fft.rfft2`; shape (H, W // 2 + 1)."""
        amplitude: Array = np.interp(_radius(shape, half=True), *self._points)
        return amplitude

    @property
    def _points(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        return self.frequencies, self.sigmas


def _radius(shape: tuple[int, int], *, half: bool) -> Array:
    """Radial frequency in cycles per pixel at the frequencies of a 2-D FFT."""
    columns = np.fft.rfftfreq(shape[1]) if half else np.fft.fftfreq(shape[1])
    radius: Array = np.hypot(np.fft.fftfreq(shape[0])[:, None], columns[None, :])
    return radius
