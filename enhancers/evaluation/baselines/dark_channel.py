"""The dark channel prior on the inverted image: darkness is removed as if it were haze.

Dong et al., "Fast efficient algorithm for enhancement of low lighting video", ICME 2011, on He,
Sun and Tang, CVPR 2009, with the guided filter (He, Sun and Tang, ECCV 2010) for soft matting.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from enhancers.evaluation.baselines.baseline import Work
from enhancers.image import Pixels
from enhancers.method_interface import ProgressTracker, Step, final_step

PATCH_SHARE = 15 / 512
"""Side of the patch whose minimum is taken: 15 pixels of a 512-pixel image."""
OMEGA = 0.8
"""Share of the haze that is removed (Dong et al., eq. 4)."""
HAZIEST = 0.001
"""Share of the pixels from which the atmospheric light is estimated."""
LEAST_TRANSMISSION = 0.1
SMOOTHNESS = 1e-3
"""ε of the guided filter, in squared gray levels."""


def dark_channel(haze: Pixels, side: int) -> Pixels:
    """The minimum over patches of ``side`` pixels."""
    from scipy.ndimage import minimum_filter

    darkest: Pixels = minimum_filter(haze, side, mode="nearest")
    return darkest


def atmospheric_light(haze: Pixels, dark: Pixels) -> float:
    """The brightest of the pixels with the brightest patches."""
    count = max(1, round(HAZIEST * haze.size))
    haziest = np.argpartition(dark.ravel(), -count)[-count:]
    return max(float(haze.ravel()[haziest].max()), 1e-3)


def guided(guide: Pixels, image: Pixels, side: int) -> Pixels:
    """``image`` smoothed within the edges of ``guide``, by windows of ``side`` pixels."""
    from scipy.ndimage import uniform_filter

    def mean(values: Pixels) -> Pixels:
        averaged: Pixels = uniform_filter(values, side, mode="nearest")
        return averaged

    centre, level = mean(guide), mean(image)
    slope = (mean(guide * image) - centre * level) / (mean(guide * guide) - centre**2 + SMOOTHNESS)
    smooth: Pixels = mean(slope) * guide + mean(level - slope * centre)
    return smooth


def run(gray: Pixels, work: Work, *, seed: int, device: str) -> Iterator[Step]:
    """Invert, remove the haze, invert (see `Run`)."""
    watch = ProgressTracker(3, "part")
    yield watch.step(0)
    haze = np.float32(1.0) - gray
    side = max(3, round(PATCH_SHARE * max(gray.shape)) | 1)
    dark = dark_channel(haze, side)
    light = atmospheric_light(haze, dark)
    yield watch.step(1)
    clear = 1.0 - np.float32(OMEGA / light) * guided(haze, dark, 4 * side + 1)
    # Dong et al., eq. 5: what is near, and so darkest, is brightened more.
    clear = np.where(clear < 0.5, 2 * clear**2, clear)
    clear = np.maximum(clear, np.float32(LEAST_TRANSMISSION))
    yield watch.step(2)
    yield final_step(1.0 - ((haze - light) / clear + light))
