"""Noise that differs from place to place: a smooth map of its standard deviation.

Sensitivities of coils make noise grow toward the middle or one side, and the paths of X-rays make
that of CT a function of the radius. Its logarithm is modelled as a polynomial of second degree
in the coordinates, which has both, and fitted to the noise of small cells. A map is given only
where the cells are clear evidence of one: noise that is even is left to its one number.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from enhancers.image import Pixels
from enhancers.noise import HIGH_PASS, SMOOTHING
from enhancers.noise_moments import FLAT_SHARE, MAD_TO_SIGMA, Features
from enhancers.noise_spectrum import NoiseSpectrum

Array = NDArray[np.float64]

CELLS = 16
"""Cells along each side."""
FEWEST_CELLS, FEWEST_PIXELS = 40, 16
LEAST_SIGMA = 0.015
"""Less noise is not told from texture, which differs from place to place as well."""
CLEAR = 2.5
"""Distance of a cell's mean from black and white in σ: noise that was clipped reads low."""
LEAST_RATIO, LEAST_F = 1.5, 6.0
"""Evidence of a map: the ratio of its 95th to its 5th percentile, and the F statistic of its terms
(1.2 and 3.1 for even noise on phantoms of MR and CT, whose texture is uneven)."""
ROUNDS = 5


def noise_map(pixels: Pixels, noise: NoiseSpectrum) -> Pixels | None:
    """The standard deviation of the noise at each pixel, where it clearly differs.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W), in [0, 1]
    noise : NoiseSpectrum
        The noise of the image as a whole (see `enhancers.noise.measure_noise`).

    Returns
    -------
    ndarray, float32, shape (H, W), or None
        None where the noise is even, weak, or measured in too few places; and for correlated noise,
        which is not told from texture, that differs from place to place as well.
    """
    if noise.sigma < LEAST_SIGMA or not noise.is_white:
        return None
    cells = _cells(pixels, noise.sigma)
    if len(cells) < FEWEST_CELLS:
        return None
    terms = _terms(cells[:, 0], cells[:, 1])
    values = cells[:, 2]
    weights = np.ones(len(values))
    for _ in range(ROUNDS):
        root = np.sqrt(weights)
        found, *_ = np.linalg.lstsq(terms * root[:, None], values * root, rcond=None)
        left = values - terms @ found
        spread = MAD_TO_SIGMA * float(np.median(np.abs(left))) + 1e-9
        weights = 1.0 / np.maximum(1.0, np.abs(left) / (1.5 * spread))
    fitted = terms @ found
    low, high = np.quantile(fitted, [0.05, 0.95])
    mean = float(np.average(values, weights=weights))
    unexplained = float((weights * left**2).sum())
    explained = float((weights * (values - mean) ** 2).sum()) - unexplained
    free = len(values) - terms.shape[1]
    statistic = (explained / (terms.shape[1] - 1)) / max(unexplained / free, 1e-12)
    if high - low < np.log(LEAST_RATIO) or statistic < LEAST_F:
        return None
    row, column = (np.linspace(-1.0, 1.0, side) for side in pixels.shape)
    plane = _terms(*np.meshgrid(row, column, indexing="ij")) @ found
    # A polynomial grows fast beyond the places where it was measured.
    return np.asarray(np.exp(plane.clip(fitted.min(), fitted.max())), np.float32)


def _features(pixels: Pixels) -> Features:
    """Residual, local mean and gradient of each pixel, shape (H, W)."""
    from scipy.ndimage import correlate1d, gaussian_filter

    image = np.asarray(pixels, np.float64)
    kernel = np.asarray(HIGH_PASS) / np.linalg.norm(HIGH_PASS)
    residual = correlate1d(correlate1d(image, kernel, 0, mode="reflect"), kernel, 1)
    slopes = (gaussian_filter(image, SMOOTHING, order=order) for order in ((0, 1), (1, 0)))
    return Features(residual, gaussian_filter(image, SMOOTHING), np.hypot(*slopes))


def _terms(row: Array, column: Array) -> Array:
    """The polynomial's terms along the last axis."""
    return np.stack([np.ones_like(row), row, column, row**2, row * column, column**2], -1)


def _cells(pixels: Pixels, sigma: float) -> Array:
    """Place (row and column, -1 to 1) and log σ of each cell that can be measured."""
    found = _features(pixels)
    usable = (found.mean > CLEAR * sigma) & (found.mean < 1 - CLEAR * sigma)
    if not usable.any():
        return np.empty((0, 3))
    usable &= found.gradient <= np.quantile(found.gradient[usable], FLAT_SHARE)
    cells = []
    edges = [np.linspace(0, side, CELLS + 1).astype(int) for side in usable.shape]
    for i in range(CELLS):
        for j in range(CELLS):
            part = np.s_[edges[0][i] : edges[0][i + 1], edges[1][j] : edges[1][j + 1]]
            residual = np.abs(found.residual[part][usable[part]])
            if len(residual) >= FEWEST_PIXELS and (size := float(np.median(residual))) > 0:
                place = [2 * (k + 0.5) / CELLS - 1 for k in (i, j)]
                cells.append([*place, np.log(MAD_TO_SIGMA * size)])
    return np.array(cells).reshape(-1, 3)
