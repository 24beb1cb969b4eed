"""The gain and offset that bring a result closest to its truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from enhancers.image import Pixels


@dataclass(frozen=True, eq=False)
class Fit:
    """``pixels`` is ``gain * result + offset``, clipped to [0, 1]."""

    pixels: Pixels
    gain: float
    offset: float


def fit(result: Pixels, truth: Pixels) -> Fit:
    """Fit ``gain * result + offset`` to ``truth`` by least squares, with a gain of at least 0.

    Readers set brightness and contrast themselves, so a method that changes the illumination is
    measured by the rest. There is one pair of numbers for all channels. An inverted result has
    gain 0, so that it becomes the mean of the truth.

    Parameters
    ----------
    result, truth : ndarray, float32, equal shapes, in [0, 1]
    """
    x, y = result.ravel().astype(np.float64), truth.ravel().astype(np.float64)
    centred = x - x.mean()
    spread = float(centred @ centred)
    gain = max(0.0, float(centred @ (y - y.mean())) / spread) if spread > 1e-12 * x.size else 0.0
    offset = float(y.mean() - gain * x.mean())
    moved = np.clip(gain * result.astype(np.float64) + offset, 0.0, 1.0).astype(np.float32)
    return Fit(moved, gain, offset)
