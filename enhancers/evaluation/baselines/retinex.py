"""Multi-scale Retinex: the logarithm of the image over its surround, at three scales.

Jobson, Rahman, Woodell, IEEE Trans Image Process 6(7), 1997, eq. 2, with equal weights; on the
intensity, whose colours follow, as Petro, Sbert and Morel (IPOL 4, 2014, algorithm 2) recommend.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from enhancers.evaluation.baselines.baseline import Work
from enhancers.image import Pixels
from enhancers.method_interface import ProgressTracker, Step, final_step

SCALES = (15.0, 80.0, 250.0)
"""σ of the surrounds in pixels, for a `USUAL_SIDE` image; they grow with the longer side."""
USUAL_SIDE = 512
CUT = 1.0
"""Per cent of the pixels that turn black, and white, in the final stretch."""


def surround(gray: Pixels, sigma: float) -> Pixels:
    """The image blurred by a wide Gaussian, mirrored at the borders."""
    from scipy.ndimage import gaussian_filter

    blurred: Pixels = gaussian_filter(gray, sigma, mode="reflect")
    return blurred


def stretched(values: Pixels) -> Pixels:
    """``values`` with all but the outermost per cent on either side spread over [0, 1]."""
    low, high = np.percentile(values, (CUT, 100.0 - CUT))
    if high - low < 1e-6:
        low, high = values.min(), values.max()
    spread: Pixels = np.clip((values - low) / max(high - low, 1e-6), 0.0, 1.0).astype(np.float32)
    return spread


def run(gray: Pixels, work: Work, *, seed: int, device: str) -> Iterator[Step]:
    """Even out the light; one `Step` a scale (see `Run`)."""
    watch = ProgressTracker(len(SCALES), "scale")
    yield watch.step(0)
    # One gray level of 8 bits keeps the logarithm finite, as in the paper's own range.
    light = gray + np.float32(1 / 255)
    reflectance = np.zeros_like(gray)
    for done, sigma in enumerate(SCALES, start=1):
        wide = surround(light, sigma * max(gray.shape) / USUAL_SIDE)
        reflectance += (np.log(light) - np.log(wide)) / np.float32(len(SCALES))
        yield watch.step(done)
    yield final_step(stretched(reflectance))
