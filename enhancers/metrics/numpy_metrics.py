"""The metrics computed with numpy: NMSE, entropy and LOE."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from enhancers.colour import luminance
from enhancers.errors import MetricUnavailable
from enhancers.image import Pixels

GRID_SHORT = 50
GRID_LONG = 100


def nmse(pixels: Pixels, truth: Pixels) -> float:
    """Squared error relative to the energy of the truth, ``‖x - y‖² / ‖y‖²``, over all channels.

    Raises
    ------
    MetricUnavailable
        The truth is zero everywhere.
    """
    wanted = truth.astype(np.float64)
    energy = float(np.sum(wanted**2))
    if energy == 0.0:
        raise MetricUnavailable("the truth is black")
    return float(np.sum((pixels - wanted) ** 2)) / energy


def entropy(pixels: Pixels) -> float:
    """Shannon entropy in bit of the luminance in 256 levels.

    pyiqa's version allocates pixels times levels (2 GB at 1024x1024), so it is not used.
    """
    counts = np.bincount(_levels(luminance(pixels)).ravel(), minlength=256)
    shares = counts[counts > 0] / counts.sum()
    return max(0.0, -float(np.sum(shares * np.log2(shares))))


def loe(pixels: Pixels, source: Pixels) -> float:
    """Lightness order error against the input: order changes per pixel, 0 to the sample count.

    Lightness is the largest channel in 256 levels. Both images are sampled (not averaged, which
    would mix orders) on the same grid of at most 50x100 points, so their sizes may differ.

    References
    ----------
    S. Wang, J. Zheng, H.-M. Hu, B. Li, "Naturalness preserved enhancement algorithm for
    non-uniform illumination images", IEEE Transactions on Image Processing 22(9), 2013, eq. 17-19.
    """
    grid = loe_grid(source.shape[0], source.shape[1])
    before, after = _lightness(source, grid), _lightness(pixels, grid)
    changed = 0
    # Blocks of rows of the order matrix limit the memory.
    for start in range(0, before.size, 512):
        rows = slice(start, start + 512)
        order_before = before[rows, None] >= before[None, :]
        order_after = after[rows, None] >= after[None, :]
        changed += int(np.count_nonzero(order_before != order_after))
    return changed / before.size


def loe_grid(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of the sampling grid of LOE for an image of this size."""
    scale = min(1.0, GRID_SHORT / min(height, width), GRID_LONG / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def _lightness(pixels: Pixels, grid: tuple[int, int]) -> NDArray[np.uint8]:
    rows = ((np.arange(grid[0]) + 0.5) * pixels.shape[0] / grid[0]).astype(int)
    columns = ((np.arange(grid[1]) + 0.5) * pixels.shape[1] / grid[1]).astype(int)
    sampled = pixels[np.ix_(rows, columns)]
    return _levels(sampled if sampled.ndim == 2 else sampled.max(axis=2)).ravel()


def _levels(unit: Pixels) -> NDArray[np.uint8]:
    levels: NDArray[np.uint8] = np.rint(unit * np.float32(255)).astype(np.uint8)
    return levels
