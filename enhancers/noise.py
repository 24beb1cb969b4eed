"""Noise estimation: clipped Gaussian noise, Rician noise and speckle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from enhancers.correlated_noise import correlated_noise
from enhancers.image import Pixels
from enhancers.noise_moments import (
    FLAT_SHARE,
    MAD_TO_SIGMA,
    Features,
    clipped_moments,
    fixed_point,
    rician_moments,
)
from enhancers.noise_spectrum import NoiseSpectrum

Array = NDArray[np.float64]

HIGH_PASS = (1.0, -6.0, 15.0, -20.0, 15.0, -6.0, 1.0)
"""Sixth difference, whose residual of anatomy near the Nyquist frequency is smallest (compare
Immerkær, Comput Vis Image Underst 64 (1996), 300, who uses the second difference)."""

SMOOTHING = 2.0
"""Gaussian σ in pixels for local mean and gradient. At this scale they are almost independent of
the high-pass residual, so that selecting pixels by them does not bias it."""

SHADOW = 0.06
"""Distance of a local mean from black and white at which speckle is measured."""

BAND = 1 << 17
"""Pixels of a band of rows or columns."""

MAX_PIXELS = 250_000


def estimate_sigma(pixels: Pixels) -> float:
    """Standard deviation of Gaussian noise that was added before clipping to [0, 1].

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W) or (H, W, 3), in [0, 1]
        In colour the channels' estimates are averaged (root mean square).

    Returns
    -------
    float
        σ in units of the gray range, 0 to 0.5; 0 for a constant image.

    Notes
    -----
    Of white noise the σ of its one amplitude, of correlated noise the root mean square over its
    spectrum (see `measure_noise`). Noise that the image already had is included, since it cannot be
    distinguished from added noise.
    """
    if pixels.ndim == 3:
        squares = [estimate_sigma(pixels[..., channel]) ** 2 for channel in range(3)]
        return float(np.sqrt(np.mean(squares)))
    return measure_noise(pixels).sigma


def measure_noise(pixels: Pixels, *, rician: bool = False) -> NoiseSpectrum:
    """The spectrum of the noise that was added before clipping to [0, 1].

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W), in [0, 1]
    rician : bool
        Whether it is the noise of magnitude MR (see `estimate_rician_sigma`), which is taken as
        white.

    Returns
    -------
    NoiseSpectrum
        White, unless lower frequencies clearly have more noise than the highest.

    Notes
    -----
    The amplitude of white noise is the median absolute residual of a sixth difference on pixels in
    flat regions away from black and white, divided by the share of σ that remains after clipping at
    their local mean. Since selection and correction depend on σ, both are repeated until σ
    converges. Noise of CT, of interpolated and of compressed images has next to nothing at these
    frequencies: see `enhancers.correlated_noise`.
    """
    if rician:
        return NoiseSpectrum.white(estimate_rician_sigma(pixels))
    white = fixed_point(
        _features(pixels), clipped_moments, lambda signal: np.minimum(signal, 1 - signal)
    )
    return correlated_noise(pixels, white) or NoiseSpectrum.white(white)


def estimate_rician_sigma(pixels: Pixels) -> float:
    """Standard deviation of the complex noise behind an MR magnitude image.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W), in [0, 1]
        A colour image is averaged to gray.

    Returns
    -------
    float
        σ of one component (real or imaginary), 0 to 0.5.

    Notes
    -----
    As `estimate_sigma`, with the Rician variance at each local mean: 0.429 σ² in a background of
    air (Rayleigh), σ² in bright tissue (Koay and Basser, J Magn Reson 179 (2006), 317). A
    background set to zero by the scanner is left out.
    """
    gray = pixels.mean(2) if pixels.ndim == 3 else pixels
    features = _features(gray)
    # Air has a mean of 1.25 σ: clearly lower values were set to zero and hold no noise.
    return fixed_point(features, rician_moments, lambda signal: 1.0 - signal, floor=1.1)


def estimate_speckle_noise(pixels: Pixels) -> float:
    """Coefficient of variation of the speckle, without the coarser texture of the tissue.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W) or (H, W, 3), in [0, 1]

    Returns
    -------
    float
        Standard deviation over mean of noise that is multiplied to the image, at least 0.

    Notes
    -----
    As `estimate_sigma`, the median absolute residual of a sixth difference in flat regions, over
    the local mean. Speckle of a scanner is correlated over a pixel or two, which such a filter does
    not pass; so the same is measured on means of 2 x 2 pixels, where white speckle is half as
    strong, and the larger value counts. On most ultrasound without noise it reads 0.01 to 0.03; the
    variation of the most homogeneous windows (Yu and Acton, IEEE Trans Image Process 11 (2002),
    1260), in which texture counts as speckle, reads 0.06 to 0.20. Speckle of a point spread of
    1 pixel (standard deviation) is read 20 % low, of 1.5 pixels 50 % low.
    """
    gray = _gray(pixels)
    height, width = (side // 2 for side in gray.shape)
    fine = _relative_residual(gray)
    if min(height, width) < 3 * len(HIGH_PASS):
        return fine
    pairs = gray[: 2 * height : 2, : 2 * width] + gray[1 : 2 * height : 2, : 2 * width]
    means = (pairs[:, ::2] + pairs[:, 1::2]) * np.float32(0.25)
    return max(fine, 2.0 * _relative_residual(means))


def _relative_residual(gray: Pixels) -> float:
    features = _features(gray)
    inside = (features.mean > SHADOW) & (features.mean < 1.0 - SHADOW)
    if not inside.any():
        return 0.0
    slope = features.gradient / np.maximum(features.mean, SHADOW)
    flat = inside & (slope <= np.quantile(slope[inside], FLAT_SHARE))
    return float(MAD_TO_SIGMA * np.median(np.abs(features.residual[flat]) / features.mean[flat]))


def _gray(pixels: Pixels) -> Pixels:
    gray: Pixels = pixels.mean(2) if pixels.ndim == 3 else pixels
    return gray


def _features(pixels: NDArray[np.floating]) -> Features:
    # Mirrored borders repeat the noise, which reduces the residual there.
    height, width = pixels.shape
    border = len(HIGH_PASS) // 2 if min(pixels.shape) >= 3 * len(HIGH_PASS) // 2 else 0
    step = max(1, pixels.size // MAX_PIXELS)
    taken: list[tuple[Array, ...]] = []
    # In bands of rows, whose results do not depend on the bands: the planes of a large image would
    # take 70 bytes per pixel.
    rows = max(1, BAND // width)
    for top in range(border, height - border, rows):
        bottom = min(top + rows, height - border)
        first = -((top - border) * (width - 2 * border)) % step
        planes = _filtered(pixels, top, bottom)
        taken.append(
            tuple(plane[:, border : width - border].ravel()[first::step].copy() for plane in planes)
        )
    return Features(*(np.concatenate(parts) for parts in zip(*taken, strict=True)))


def _filtered(pixels: NDArray[np.floating], top: int, bottom: int) -> tuple[Array, Array, Array]:
    """Residual, local mean and gradient of some rows."""
    from scipy.ndimage import correlate1d, gaussian_filter

    reach = max(len(HIGH_PASS), int(4.0 * SMOOTHING + 0.5) + 1)
    start, stop = max(0, top - reach), min(len(pixels), bottom + reach)
    image = np.asarray(pixels[start:stop], np.float64)
    kept = slice(top - start, bottom - start)
    kernel = np.asarray(HIGH_PASS) / np.linalg.norm(HIGH_PASS)
    residual = correlate1d(correlate1d(image, kernel, 0, mode="reflect"), kernel, 1, mode="reflect")
    mean = gaussian_filter(image, SMOOTHING)
    slopes = [gaussian_filter(image, SMOOTHING, order=order)[kept] for order in ((0, 1), (1, 0))]
    return residual[kept], mean[kept], np.hypot(*slopes)
