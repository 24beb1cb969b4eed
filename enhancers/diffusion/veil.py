"""The veil M of an image y = f x + M: light that varies slowly over the image and is added to it.

Where an anatomy is surrounded by black, the black shows the veil alone. Regions of 8 x 8 pixels
without any structure that lie on one smooth surface, under which next to nothing lies, are taken
for it. In an image without a black background nothing is found.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from enhancers.image import Pixels

Array = NDArray[np.float64]

REGION = 8
DEGREE = 4
"""Of the polynomial: the veil has no detail finer than about half the image."""
SMOOTHNESS = 3e-4
"""Penalty of a term, times its degree squared: the body is interpolated from what surrounds it."""
NOISIEST = 0.006
"""σ above which black regions cannot be told from dark anatomy, and no veil is looked for."""
FLAT = 0.0025
"""Standard deviation below which a region has no structure, about half a gray level of 8 bits."""
CLOSE = 0.003
"""Distance from the surface at which a region is on it."""
LEAST_SHARE = 0.2
"""Of the image, that has to lie on the surface."""
MOST_BELOW = 0.06
"""Of the image, that may lie below the surface."""
LOW_QUANTILE = 0.1
ROUNDS = 30


def find_veil(gray: Pixels, noise: float) -> Pixels | None:
    """The veil of an image, float32 (H, W), not negative; None where none can be told.

    Parameters
    ----------
    gray : ndarray, float32, shape (H, W), in [0, 1]
    noise : float
        Its noise σ.
    """
    if noise > NOISIEST or min(gray.shape) < 4 * REGION:
        return None
    rows, columns = (side // REGION for side in gray.shape)
    cut = gray[: rows * REGION, : columns * REGION].astype(np.float64)
    regions = cut.reshape(rows, REGION, columns, REGION).swapaxes(1, 2).reshape(rows * columns, -1)
    means, flat = regions.mean(1), regions.std(1) < max(FLAT, 1.3 * noise)
    if flat.mean() < LEAST_SHARE:
        return None
    basis, degrees = legendre_basis((rows, columns), DEGREE)
    basis = basis.reshape(rows * columns, -1)
    coefficients = _surface(basis[flat], degrees, means[flat], noise)
    above = means - basis @ coefficients
    on = flat & (np.abs(above) < max(CLOSE, noise / 2))
    if on.mean() < LEAST_SHARE or np.mean(above < -max(CLOSE, noise / 2)) > MOST_BELOW:
        return None
    whole, _ = legendre_basis(gray.shape, DEGREE)
    veil: Pixels = np.maximum(whole @ coefficients, 0.0).astype(np.float32)
    return veil


def legendre_basis(shape: tuple[int, ...], degree: int) -> tuple[Array, Array]:
    """Products of Legendre polynomials of total degree up to ``degree``, and their degrees.

    The polynomials have shape (H, W, terms), their total degrees (terms,).
    """
    from numpy.polynomial import legendre

    y, x = (legendre.legvander((np.arange(n) + 0.5) / n * 2 - 1, degree) for n in shape)
    pairs = [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)]
    basis = np.stack([y[:, None, i] * x[None, :, j] for i, j in pairs], axis=-1)
    return basis, np.array([float(i + j) for i, j in pairs])


def _surface(basis: Array, degrees: Array, values: Array, noise: float) -> Array:
    """Coefficients of the smooth surface at the lower end on which most values lie."""
    penalty = SMOOTHNESS * len(values) * np.diag(degrees**2)
    tiny = 1e-9 * np.eye(len(degrees))

    def solved(weights: Array, strength: float) -> Array:
        weighted = basis * weights[:, None]
        normal = weighted.T @ basis + strength * penalty + tiny
        return np.asarray(np.linalg.solve(normal, weighted.T @ values), np.float64)

    coefficients = solved(np.ones(len(values)), 0.0)
    for _ in range(ROUNDS):
        error = values - basis @ coefficients
        side = np.where(error > 0, LOW_QUANTILE, 1 - LOW_QUANTILE)
        coefficients = solved(side / np.maximum(np.abs(error), 1e-3), 0.0)
    scale = max(CLOSE, noise)
    for _ in range(ROUNDS):
        error = values - basis @ coefficients
        weights = 1 / (1 + (error / scale) ** 2) ** 2
        coefficients = solved(weights, float(weights.mean()))
    return coefficients
