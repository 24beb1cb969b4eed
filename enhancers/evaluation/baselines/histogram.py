"""Illumination by the histogram alone: global equalisation, and a gamma curve."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from enhancers.evaluation.baselines.baseline import Work
from enhancers.image import Pixels
from enhancers.method_interface import Figure, Step, final_step

BINS = 4096
"""More than 256, so that the result of a 16-bit image has no steps."""
WELL_EXPOSED = 0.4
"""Mean gray level that the gamma curve aims at, as UniMIE's exposure level."""
GAMMAS = 0.1, 10.0


def equalised(gray: Pixels) -> Pixels:
    """Each gray level replaced by the share of pixels below it; black stays black."""
    levels = np.rint(gray * np.float32(BINS - 1)).astype(np.intp)
    below = np.cumsum(np.bincount(levels.ravel(), minlength=BINS))
    darkest = int(below[levels.min()])
    curve = (below - darkest) / max(gray.size - darkest, 1)
    mapped: Pixels = np.clip(curve, 0.0, 1.0).astype(np.float32)[levels]
    return mapped


def gamma_for(gray: Pixels) -> float:
    """The exponent that brings the mean of the body to `WELL_EXPOSED`, by bisection.

    The body is what UniMIE's exposure is measured on, so that both aim at the same.
    """
    from enhancers.diffusion.lighting import foreground

    body = foreground(gray) > 0.5
    tissue = (gray[body] if body.any() else gray).astype(np.float64)
    low, high = (math.log(gamma) for gamma in GAMMAS)
    for _ in range(40):
        middle = (low + high) / 2
        # A larger exponent darkens.
        if float(np.mean(tissue ** math.exp(middle))) > WELL_EXPOSED:
            low = middle
        else:
            high = middle
    return math.exp((low + high) / 2)


def equalise(gray: Pixels, work: Work, *, seed: int, device: str) -> Iterator[Step]:
    """Equalise the histogram (see `Run`)."""
    yield Step(0.0, note="equalising")
    yield final_step(equalised(gray))


def gamma(gray: Pixels, work: Work, *, seed: int, device: str) -> Iterator[Step]:
    """Apply the gamma curve that exposes the foreground well (see `Run`)."""
    yield Step(0.0, note="choosing the curve")
    exponent = gamma_for(gray)
    yield final_step(
        (gray ** np.float32(exponent)), figures=(Figure("gamma", "Exponent γ", exponent),)
    )
