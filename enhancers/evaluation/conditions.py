"""Degrades a case by the condition of a protocol, the same for every method."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from enhancers.degrade import degrade, degrade_image
from enhancers.errors import ReadingRoomError
from enhancers.evaluation.problem import Degraded, TestImage
from enhancers.evaluation.protocol import Condition
from enhancers.evaluation.slice_stack import DegradedSlice, Slice
from enhancers.image import MedicalImage, Pixels, from_array

PARTIAL = ("missing", "kspace")
"""Degradations that leave part of the measurement as it is, and nothing of the rest."""


def degraded_case(case: TestImage, condition: Condition) -> tuple[TestImage, Degraded]:
    """The case, cropped to complete blocks, and its degraded version; repeatable to the byte.

    Level and noise are drawn by the seed of the case. CT with known units is degraded in HU.
    Neighbours are degraded at the same level, with independent noise. Where only part of the image
    is measured, methods are given that part, which has no noise.
    """
    case = cropped(case, condition.factor)
    level = float(np.random.default_rng(case.seed).uniform(condition.low, condition.high))
    # Samples of k-space are in the units of the pixels that methods are given.
    image = from_array(case.truth, case.modality) if condition.kind in PARTIAL else case.medical
    left = _degrade(image, condition, level, case.seed)
    pixels = _shrink(left.pixels, condition.factor)
    sigma = None
    if condition.noise_known:
        sigma = level / condition.factor
        if left.measured is not None:
            sigma = 0.0
        elif condition.kind != "gaussian":
            sigma = _noise_sigma(pixels, _shrink(case.truth, condition.factor))
    given = Degraded(
        pixels, case.modality, sigma, condition.factor, condition.kind, level, left.measured
    )
    if isinstance(case, Slice):
        given = DegradedSlice(**vars(given), neighbours=_neighbours(case, condition, level))
    return case, given


def _neighbours(case: Slice, condition: Condition, level: float) -> tuple[Pixels, ...]:
    """The degraded neighbours, in the units of the case, with seeds derived from the case's."""
    image, degraded = case.medical, []
    for place, pixels in enumerate(case.neighbours, start=1):
        source = image.window.to_source(pixels).astype(np.float32)
        neighbour = replace(image, pixels=pixels, source=source)
        seed = int(np.random.SeedSequence([case.seed, place]).generate_state(1)[0])
        left = _degrade(neighbour, condition, level, seed)
        degraded.append(_shrink(left.pixels, condition.factor))
    return tuple(degraded)


def _degrade(image: MedicalImage, condition: Condition, level: float, seed: int) -> MedicalImage:
    if condition.kind == "none":
        return image
    return degrade_image(image, condition.kind, level, seed=seed)


def _shrink(pixels: Pixels, factor: int) -> Pixels:
    return degrade(pixels, "downsample", factor, seed=0) if factor > 1 else pixels


def _noise_sigma(pixels: Pixels, clean: Pixels) -> float:
    """Standard deviation of the noise where no pixel was clipped, rounded to four decimals."""
    inside = (pixels > 0) & (pixels < 1)
    if not inside.any() or np.array_equal(pixels, clean):
        return 0.0
    error = pixels[inside].astype(np.float64) - clean[inside]
    return round(min(float(np.sqrt(np.mean(error**2))), 0.5), 4)


def cropped(case: TestImage, multiple: int) -> TestImage:
    """The case cropped so that ``multiple`` divides its height and width."""
    height, width = (side - side % multiple for side in case.truth.shape)
    if (height, width) == case.truth.shape:
        return case
    if not height or not width:
        raise ReadingRoomError(
            f"{case.key} has {case.truth.shape[1]}x{case.truth.shape[0]} pixels, too few to be "
            f"shrunk {multiple} times; leave it out."
        )
    inside = (slice(height), slice(width))
    image = case.image
    if image is not None:
        image = replace(image, pixels=image.pixels[inside], source=image.source[inside])
    mask = None if case.mask is None else case.mask[inside]
    background = None if case.background is None else case.background[inside]
    smaller = replace(
        case, truth=np.ascontiguousarray(case.truth[inside]), mask=mask, image=image,
        background=background,
    )  # fmt: skip
    if isinstance(smaller, Slice):
        neighbours = tuple(np.ascontiguousarray(one[inside]) for one in smaller.neighbours)
        smaller = replace(smaller, neighbours=neighbours)
    return smaller
