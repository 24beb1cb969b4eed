"""Restoration of noise that was clipped at black and white.

Values outside [0, 1] were stored as 0 and 1, which raises the mean of a black background by 0.4 σ
and makes its noise one-sided: a filter that averages keeps the raised mean, and a network trained
on Gaussian noise does not know such noise. Saturated pixels are censored samples of x + n: each is
replaced by a draw from the truncated part of its Gaussian, or by the mean of that part (imputation
of censored data; Tobin, "Estimation of relationships for limited dependent variables", 1958).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from enhancers.image import Pixels
from enhancers.noise_spectrum import NoiseSpectrum

WINDOW_SIGMA = 2.0
"""Gaussian σ in pixels of the window from which the mean of a saturated pixel is estimated."""

MARGIN = 8
"""Pixels that this window reaches in each direction."""

BAND = 1 << 20
"""Pixels of a band of rows: arrays of the full size would take 30 bytes per pixel."""


Shares = Callable[[slice], NDArray[np.float64]]
"""For rows of an image: a uniform variable in [0, 1) for each pixel."""


def restore_clipped(
    pixels: Pixels, sigma: float, *, seed: int | None, spectrum: NoiseSpectrum | None = None
) -> Pixels:
    """Replace saturated values by what clipping may have cut off their Gaussian noise.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W), in [0, 1]
    sigma : float
        Noise level in the same units; 0 changes nothing.
    seed : int or None
        Of the draws; None gives the expected value in place of a draw.
    spectrum : NoiseSpectrum, optional
        Of noise that is not white: neighbouring draws are then correlated as the noise is.

    Returns
    -------
    ndarray, float32, shape (H, W)
        Values between 0 and 1 are unchanged; zeros become negative, ones become larger than 1.
    """
    if sigma <= 0.0 or not (pixels.min() <= 0.0 or pixels.max() >= 1.0):
        return pixels
    shares = None if seed is None else _shares(seed, pixels.shape, spectrum)
    restored = pixels.copy()
    height, width = pixels.shape
    rows = max(1, BAND // width)
    for top in range(0, height, rows):
        _restore_band(pixels, restored, slice(top, min(top + rows, height)), sigma, shares)
    return restored


def _restore_band(
    pixels: Pixels, restored: Pixels, band: slice, sigma: float, shares: Shares | None
) -> None:
    """Write the rows of ``band``."""
    from scipy.ndimage import gaussian_filter

    first = max(0, band.start - MARGIN)
    local = gaussian_filter(pixels[first : band.stop + MARGIN], WINDOW_SIGMA)
    inside = pixels[band]
    clean = _mean_before_clipping(local[band.start - first :][: inside.shape[0]], sigma)
    share = None if shares is None else shares(band)
    for clipped, sign, distance in (
        (inside <= 0.0, -1.0, clean),
        (inside >= 1.0, 1.0, 1.0 - clean),
    ):
        z = distance[clipped] / sigma
        cut = _expected_tail(z) if share is None else _tail(z, share[clipped])
        restored[band][clipped] = clean[clipped] + sign * sigma * cut


def _shares(seed: int, shape: tuple[int, ...], spectrum: NoiseSpectrum | None) -> Shares:
    """Draws for bands of rows, which have to be asked for from the top down."""
    from scipy.special import ndtr

    rng = np.random.default_rng(seed)
    if spectrum is None:
        return lambda band: rng.uniform(size=(band.stop - band.start, shape[1]))
    white = np.fft.rfft2(rng.standard_normal(shape))
    noise = np.fft.irfft2(white * spectrum.amplitude((shape[0], shape[1])), s=shape)
    drawn = np.clip(ndtr(noise / spectrum.sigma), 0.0, 1.0 - 1e-9)
    return lambda band: drawn[band]


def _tail(z: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Draws of a standard normal variable above ``z``, from uniform variables in [0, 1)."""
    from scipy.special import log_ndtr, ndtri_exp

    drawn: NDArray[np.float64] = -ndtri_exp(np.log1p(-share) + log_ndtr(-z))
    return drawn


def _expected_tail(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of a standard normal variable above ``z`` (the inverse Mills ratio)."""
    from scipy.special import log_ndtr

    density = -0.5 * z * z - 0.5 * np.log(2.0 * np.pi)
    mean: NDArray[np.float64] = np.exp(density - log_ndtr(-z))
    return mean


def _mean_before_clipping(mean: Pixels, sigma: float) -> NDArray[np.float64]:
    """The x in [0, 1] for which x plus noise, clipped, has this mean."""
    from scipy.stats import norm

    x = np.linspace(0.0, 1.0, 513)
    above, below = x / sigma, (1.0 - x) / sigma
    clipped = (
        x * (norm.cdf(above) - norm.cdf(-below))
        + sigma * (norm.pdf(above) - norm.pdf(below))
        + norm.cdf(-below)
    )
    return np.interp(mean, clipped, x)
