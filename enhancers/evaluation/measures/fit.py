"""One gain and offset that bring a result nearest to its truth, the same rule for every method."""

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
    """Least squares of ``gain * result + offset`` to ``truth``, gain at least 0.

    Brightness and contrast are a reader's to set, so a method that relights is judged on what they
    cannot mend. Nothing else is fitted: no curve, and one pair of numbers for all channels. A
    result that falls where the truth rises gets gain 0, the truth's mean, and no credit for the
    inversion.

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
