"""Measures of a result, by the definitions of the papers that the protocols follow."""

from __future__ import annotations

import math
from collections.abc import Sequence

from enhancers import metrics
from enhancers.colour import luminance
from enhancers.errors import MetricUnavailable
from enhancers.evaluation import texture
from enhancers.evaluation.measures import regions
from enhancers.evaluation.measures.body import body
from enhancers.evaluation.measures.catalog import MEASURES, Measure, measure
from enhancers.evaluation.measures.fit import Fit, fit
from enhancers.evaluation.problem import TestImage
from enhancers.image import Pixels, check_pixels
from enhancers.metrics import Score

__all__ = [
    "MEASURES",
    "Fit",
    "Measure",
    "Score",
    "available",
    "body",
    "fit",
    "measure",
    "score",
]


def available(key: str) -> str:
    """Empty where the measure can be computed on this machine, else the reason."""
    found = measure(key)
    return metrics.available(found.base) if found.base else ""


def score(
    pixels: Pixels, case: TestImage, keys: Sequence[str], *, degraded: Pixels | None = None
) -> tuple[Score, ...]:
    """Measure one result, in the order of ``keys``.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W) or (H, W, 3), in [0, 1]
        The result.
    case : TestImage
        With the truth and, for signal-to-noise ratios, the mask.
    keys : sequence of str
        Of `MEASURES`.
    degraded : ndarray, float32, in [0, 1], optional
        The input of the method, for LOE; its size may differ.

    Raises
    ------
    MetricUnavailable
        A key is unknown. A measure that cannot be computed gives a `Score` with a reason.
    """
    wanted = [measure(key) for key in keys]
    check_pixels(pixels)
    moved: Fit | None = None
    if pixels.shape == case.truth.shape and any(one.fitted for one in wanted):
        moved = fit(pixels, case.truth)
    return tuple(_score(one, pixels, case, degraded, moved) for one in wanted)


def _score(
    one: Measure, pixels: Pixels, case: TestImage, degraded: Pixels | None, moved: Fit | None
) -> Score:
    if one.base:
        shown = moved.pixels if one.fitted and moved is not None else pixels
        [found] = metrics.score(shown, reference=case.truth, source=degraded, keys=[one.base])
        return Score(one.key, found.value, found.reason)
    try:
        value = _own(one, luminance(pixels), case)
    except MetricUnavailable as error:
        return Score(one.key, None, str(error))
    return Score(one.key, value) if math.isfinite(value) else Score(one.key, None, "not finite")


def _own(one: Measure, gray: Pixels, case: TestImage) -> float:
    """The value of a measure that is not in `enhancers.metrics`."""
    if case.mask is None:
        raise MetricUnavailable("needs a mask")
    if one.needs == "discs":
        return _of_discs(one, gray, case)
    inside = body(case.truth, case.modality)
    if case.background is not None and not one.radius:
        inside = inside & case.background
    if one.key == "cnr":
        return regions.cnr(gray, case.mask, inside)
    if one.key == "snr":
        return regions.snr(gray, case.mask, inside)
    return regions.snr_around(gray, case.mask, inside, one.radius)


def _of_discs(one: Measure, gray: Pixels, case: TestImage) -> float:
    if case.group != texture.GROUP or case.mask is None or case.mask.shape != gray.shape:
        raise MetricUnavailable("needs the phantom with faint discs, at its own size")
    seen = [texture.cells(gray, case.mask)]
    if one.key == "detectability":
        return texture.detectability(seen).value
    noise = texture.noise_of(seen)
    return noise.deviation if one.key == "noise_left" else noise.mean_frequency
