"""Metrics of large images are taken at a reduced size, which takes seconds instead of minutes."""

from __future__ import annotations

import math

import numpy as np

from enhancers.image import Pixels

MEASURED_PIXELS = 1 << 22
"""Size above which an image is reduced, to at most a quarter of this size."""


def shrink_of(shape: tuple[int, ...]) -> int:
    """The factor by which the sides of an image (rows, columns) are reduced for its metrics."""
    pixels = shape[0] * shape[1]
    if pixels <= MEASURED_PIXELS:
        return 1
    return math.ceil(2 * math.sqrt(pixels / MEASURED_PIXELS))


def reduced(pixels: Pixels, shrink: int) -> Pixels:
    """An image in [0, 1] with its sides reduced by averaging over areas."""
    if shrink == 1:
        return pixels
    import cv2

    size = (pixels.shape[1] // shrink, pixels.shape[0] // shrink)
    smaller: Pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return np.clip(smaller, 0.0, 1.0, out=smaller)
