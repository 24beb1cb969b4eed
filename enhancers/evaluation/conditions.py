"""From a clean case to what every method is given, by the condition of a protocol."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from enhancers.degrade import degrade, degrade_image
from enhancers.errors import ReadingRoomError
from enhancers.evaluation.problem import Degraded, TestImage
from enhancers.evaluation.protocols import Condition
from enhancers.evaluation.slice_stack import DegradedSlice, Slice
from enhancers.image import MedicalImage, Pixels


def degraded_case(case: TestImage, condition: Condition) -> tuple[TestImage, Degraded]:
    """The case, cropped to whole blocks, and its degraded version; the same bytes every time.

    The level is drawn by the seed of the case, and so is the noise. CT that comes with its units
    is degraded in HU. Neighbours are degraded alike, with noise of their own.
    """
    case = cropped(case, condition.factor)
    level = float(np.random.default_rng(case.seed).uniform(condition.low, condition.high))
    small = _worse(case.medical, condition, level, case.seed)
    sigma = None
    if condition.told:
        sigma = level / condition.factor
        if condition.kind != "gaussian":
            sigma = _noise(small, _shrunk(case.truth, condition.factor))
    given = Degraded(small, case.modality, sigma, condition.factor, condition.kind, level)
    if isinstance(case, Slice):
        given = DegradedSlice(**vars(given), neighbours=_neighbours(case, condition, level))
    return case, given


def _neighbours(case: Slice, condition: Condition, level: float) -> tuple[Pixels, ...]:
    """The neighbours in the units of the case, each with a seed that the case's determines."""
    image, worse = case.medical, []
    for place, pixels in enumerate(case.neighbours, start=1):
        source = image.window.to_source(pixels).astype(np.float32)
        beside = replace(image, pixels=pixels, source=source)
        seed = int(np.random.SeedSequence([case.seed, place]).generate_state(1)[0])
        worse.append(_worse(beside, condition, level, seed))
    return tuple(worse)


def _worse(image: MedicalImage, condition: Condition, level: float, seed: int) -> Pixels:
    pixels = image.pixels
    if condition.kind != "none":
        pixels = degrade_image(image, condition.kind, level, seed=seed).pixels
    return _shrunk(pixels, condition.factor)


def _shrunk(pixels: Pixels, factor: int) -> Pixels:
    return degrade(pixels, "downsample", factor, seed=0) if factor > 1 else pixels


def _noise(pixels: Pixels, clean: Pixels) -> float:
    """Root mean square of the noise where nothing was clipped, rounded as one would state it."""
    inside = (pixels > 0) & (pixels < 1)
    if not inside.any() or np.array_equal(pixels, clean):
        return 0.0
    error = pixels[inside].astype(np.float64) - clean[inside]
    return round(min(float(np.sqrt(np.mean(error**2))), 0.5), 4)


def cropped(case: TestImage, multiple: int) -> TestImage:
    """The case with the rows and columns dropped that ``multiple`` leaves over."""
    height, width = (side - side % multiple for side in case.truth.shape)
    if (height, width) == case.truth.shape:
        return case
    if not height or not width:
        raise ReadingRoomError(
            f"{case.key} has {case.truth.shape[1]}x{case.truth.shape[0]} pixels, too few to be "
            f"shrunk {multiple} times; leave it out."
        )
    kept = (slice(height), slice(width))
    image = case.image
    if image is not None:
        image = replace(image, pixels=image.pixels[kept], source=image.source[kept])
    mask = None if case.mask is None else case.mask[kept]
    smaller = replace(case, truth=np.ascontiguousarray(case.truth[kept]), mask=mask, image=image)
    if isinstance(smaller, Slice):
        neighbours = tuple(np.ascontiguousarray(one[kept]) for one in smaller.neighbours)
        smaller = replace(smaller, neighbours=neighbours)
    return smaller
