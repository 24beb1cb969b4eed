"""The degradation y = f L x + V + n of a dark image: exposure factor f, lighting field L, veil V.

In the notation of Fei et al. (arXiv 2407.10236, eq. 10), y = f x + M, the mask is
M = f (L - 1) x + V: it follows the lighting where that varies over the image, and the veil
(`enhancers.diffusion.veil`) where there is one. f and L are found in closed form from the
losses of section 4.5: L is the field that brings the regions of 16 x 16 pixels closest to one
exposure (eq. 12, an absolute error, so that vessels, cells and lesions do not count), and smooth
because it has few coefficients (eq. 13).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from enhancers.diffusion.veil import find_veil, legendre_basis
from enhancers.image import Pixels

Array = NDArray[np.float64]

REGION = 16
"""Side in pixels of the regions of the exposure loss, as published."""
DEGREE = 3
"""Of the polynomial log L: the least that follows both vignettes and uneven fields of lamps."""
MIN_GAIN = 0.02
FOREGROUND = 0.5
"""Factor on Otsu's threshold for the body, so that dark tissue is included."""
DARKEST = 1e-3
"""Smallest mean of a region whose logarithm is taken."""
MOST_UNEVEN = 4.0
"""Largest ratio of L to its mean, either way."""
EXPOSURE = 0.4
"""The published exposure level."""
HIGHLIGHT = 0.995
"""Quantile of the evened body that an automatic exposure keeps below white."""
SMOOTHING = 1.0
"""Gaussian σ in pixels before the quantile is taken, which noise would raise."""
SAMPLED = 1 << 18
"""Pixels in which the gap between gray levels is looked for."""
ROUNDS = 15
"""Of the reweighted least squares that minimise the absolute error."""


@dataclass(frozen=True)
class Usual:
    """What well-exposed images of a modality have.

    Parameters
    ----------
    exposure : float
        Mean of the body.
    variation : float
        Root mean square of the fitted log L: slow changes that are anatomy. Infinite for images
        without a lamp, which alone may have a veil.
    """

    exposure: float = EXPOSURE
    variation: float = 0.2


@dataclass(frozen=True, eq=False)
class Degradation:
    """The estimated degradation of an image.

    Parameters
    ----------
    gain : ndarray, float32, shape (H, W)
        f L, positive.
    exposure : float
        f, the gain at a lighting of 1.
    uneven : float
        Ratio of the brightest to the darkest lighting, 1 for even lighting.
    veil : ndarray, float32, shape (H, W), or None
        What is added to the image, where that was found.
    """

    gain: Pixels
    exposure: float
    uneven: float
    veil: Pixels | None = None

    def undone(self, pixels: Pixels) -> Pixels:
        """(y - M)/f of an image, shape (H, W) or (H, W, C), clipped to [0, 1]."""
        axes = (..., None) if pixels.ndim == 3 else (...,)
        lit = pixels if self.veil is None else pixels - self.veil[axes]
        undone: Pixels = np.clip(lit / self.gain[axes], 0.0, 1.0)
        return undone


def find_degradation(
    gray: Pixels,
    body: Pixels,
    exposure: float | None,
    evenness: float | None,
    usual: Usual,
    noise: float,
) -> Degradation:
    """Exposure factor, lighting field and veil of an image.

    Parameters
    ----------
    gray : ndarray, float32, shape (H, W), in [0, 1]
    body : ndarray, float32, shape (H, W)
        Soft mask from `foreground`.
    exposure : float or None
        Desired mean of the body. None for the usual one, or what keeps highlights below white.
    evenness : float or None
        Share of the slow variation that counts as lighting, 0 to 1; the rest is anatomy. None for
        what exceeds the usual variation.
    usual : Usual
    noise : float
        σ of the noise.
    """
    # Under a lamp the edge of its field is taken for a veil.
    veil = find_veil(gray, noise) if math.isinf(usual.variation) else None
    if veil is not None:
        gray = np.maximum(gray - veil, 0.0)
    field = lighting_field(gray, body, evenness, usual.variation)
    even = gray / field
    inside = body > 0.5
    mean = float((even * body).sum()) / max(float(body.sum()), 1.0)
    f = mean / (exposure or usual.exposure)
    if exposure is None:
        # An image that is brighter than usual is not darkened.
        f = min(max(f, highlight(even, inside)), 1.0)
    f = max(f, MIN_GAIN)
    lit = field[inside] if inside.any() else field
    gain = np.maximum(f * field, np.float32(MIN_GAIN)).astype(np.float32)
    return Degradation(gain, f, float(lit.max() / lit.min()), veil)


def highlight(even: Pixels, inside: NDArray[np.bool_]) -> float:
    """The `HIGHLIGHT` quantile of the body, 1 for an image without a body."""
    from scipy.ndimage import gaussian_filter

    if not inside.any():
        return 1.0
    return float(np.quantile(gaussian_filter(even, SMOOTHING)[inside], HIGHLIGHT))


def lighting_field(
    gray: Pixels, body: Pixels, evenness: float | None, variation: float = 0.0
) -> Pixels:
    """The lighting L, float32 (H, W), with a geometric mean of 1 in the body.

    log L is a polynomial of degree `DEGREE` in the coordinates, fitted to the logarithms of the
    region means by least absolute deviations, times ``evenness``. None shrinks it by
    1 - (``variation``/RMS)² (James and Stein), at least to 0: what anatomy alone would vary stays.
    """
    flat = np.ones_like(gray)
    means, weights = _regions(gray, body)
    basis, _ = legendre_basis(means.shape, DEGREE)
    used = weights > 0.5
    if evenness == 0.0 or used.sum() < 4 * basis.shape[-1]:
        return flat
    logs = np.log(np.maximum(means[used], DARKEST))
    coefficients = _least_absolute(basis[used], logs, weights[used])
    whole, _ = legendre_basis(gray.shape, DEGREE)
    log_field = whole @ coefficients
    weight = float(body.sum())
    log_field -= float((log_field * body).sum()) / weight
    if evenness is None:
        power = float((log_field**2 * body).sum()) / weight
        evenness = max(0.0, 1.0 - variation**2 / max(power, 1e-12))
    limit = np.log(MOST_UNEVEN)
    field: Pixels = np.exp(np.clip(evenness * log_field, -limit, limit)).astype(np.float32)
    return field


def _regions(gray: Pixels, body: Pixels) -> tuple[Array, Array]:
    """Mean of the body in each region, and the share of the region that it covers."""
    rows, columns = (max(side // REGION, 1) for side in gray.shape)
    edges = [np.linspace(0, side, n + 1).astype(int) for side, n in
             zip(gray.shape, (rows, columns), strict=True)]  # fmt: skip

    def sums(values: Pixels) -> Array:
        down = np.add.reduceat(values.astype(np.float64), edges[0][:-1], axis=0)
        return np.asarray(np.add.reduceat(down, edges[1][:-1], axis=1))

    covered = sums(body)
    areas = np.outer(np.diff(edges[0]), np.diff(edges[1]))
    return sums(gray * body) / np.maximum(covered, 1e-6), covered / areas


def _least_absolute(basis: Array, values: Array, weights: Array) -> Array:
    """Coefficients of least weighted absolute error, by reweighted least squares."""
    each: Array = weights
    coefficients: Array = np.zeros(basis.shape[1])
    for _ in range(ROUNDS):
        weighted = basis * each[:, None]
        normal = weighted.T @ basis + 1e-9 * np.eye(basis.shape[1])
        coefficients = np.asarray(np.linalg.solve(normal, weighted.T @ values), np.float64)
        error = np.abs(values - basis @ coefficients)
        each = weights / np.maximum(error, 0.3 * float(np.median(error)) + 1e-4)
    return coefficients


def rounding_noise(pixels: Pixels) -> float:
    """Standard deviation of the rounding to gray levels, which brightening multiplies as well.

    It is read from the smallest gap between values: 0.0011 for 8 bits, next to 0 for 16.
    """
    levels = np.unique(pixels.ravel()[:: max(1, pixels.size // SAMPLED)])
    return float(np.diff(levels).min()) / np.sqrt(12.0) if levels.size > 1 else 0.0


def foreground(gray: Pixels) -> Pixels:
    """Soft foreground mask of the body in [0, 1], which keeps a black background black."""
    from scipy.ndimage import gaussian_filter
    from skimage.filters import threshold_otsu

    smooth = gaussian_filter(gray, 2.0)
    above: NDArray[np.bool_] = smooth > FOREGROUND * threshold_otsu(smooth)
    mask: Pixels = gaussian_filter(above.astype(np.float32), 2.0)
    return mask
