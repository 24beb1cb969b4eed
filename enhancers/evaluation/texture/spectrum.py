"""The noise power spectrum: the amount and coarseness of the noise in a result."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Spectrum:
    """A radial noise power spectrum.

    Parameters
    ----------
    frequencies : ndarray, shape (K,)
        Centres of the bins, in cycles per pixel, up to 0.5; the corners are left out.
    power : ndarray, shape (K,)
        Mean power in each bin, in squared gray levels times squared pixels. The first bin is low,
        because a plane was subtracted.
    deviation : float
        Standard deviation of the noise, in gray levels: the root of the volume of the spectrum.
    mean_frequency : float
        Of the noise, weighted by its power, in cycles per pixel; 0 where there is no noise. White
        noise has 0.38, smoothed and blotchy noise less.
    """

    frequencies: Array
    power: Array
    deviation: float
    mean_frequency: float


def spectrum(regions: Array) -> Spectrum:
    """The spectrum of the noise in regions of uniform signal.

    Parameters
    ----------
    regions : ndarray, shape (N, S, S)
        The best plane of each is subtracted, so that shading does not count as noise.

    Raises
    ------
    ValueError
        There is no region, or they are smaller than 8 pixels.

    Notes
    -----
    NPS(f) = mean |DFT(region - plane)|² / S², as in ICRU report 87 with a pixel of side 1, so that
    the mean over all frequencies is the variance. Subtracting a plane costs 3 of S² degrees of
    freedom, which is corrected.
    """
    if regions.ndim != 3 or len(regions) == 0 or min(regions.shape[1:]) < 8:
        raise ValueError(f"regions must be (N, S, S) with S at least 8, got {regions.shape}")
    height, width = regions.shape[1:]
    flat = _without_plane(regions)
    power = (np.abs(np.fft.fft2(flat)) ** 2).mean(axis=0) / (height * width)
    power *= height * width / (height * width - 3)
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :])
    side = min(height, width)
    bins = np.rint(radius * side).astype(int).ravel()
    members = np.bincount(bins)[1 : side // 2 + 1]
    sums = np.bincount(bins, power.ravel())[1 : side // 2 + 1]
    total = float(power.sum())
    return Spectrum(
        frequencies=np.arange(1, side // 2 + 1) / side,
        power=sums / members,
        deviation=float(np.sqrt(power.mean())),
        mean_frequency=float((power * radius).sum()) / total if total > 1e-18 else 0.0,
    )


def _without_plane(regions: Array) -> Array:
    height, width = regions.shape[1:]
    y, x = np.mgrid[:height, :width].reshape(2, -1).astype(np.float64)
    basis, _ = np.linalg.qr(np.stack([np.ones_like(y), y - y.mean(), x - x.mean()], axis=1))
    values = regions.reshape(len(regions), -1)
    return np.asarray((values - (values @ basis) @ basis.T).reshape(regions.shape))
