"""A phantom of faint discs: every cell of a grid has a disc in its middle or none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from enhancers.degrade import smooth_field
from enhancers.errors import ParameterError
from enhancers.evaluation.problem import TestImage
from enhancers.image import Pixels
from enhancers.method import Modality

GROUP = "discs"
"""The group of these images."""
CELL = 24
"""Side of the square around each place, in pixels."""
RADIUS = 4.0
"""Of a disc, in pixels."""
CONTRAST = 0.04
"""Contrast of a disc to its surroundings. In white noise of σ 0.1 an ideal observer has d' 2.8: a
disc is visible to a careful eye, and is lost where a filter smooths a little too much."""
TISSUE, SHADING = 0.45, 0.1
"""Gray level around the discs, and its range over the image."""
SOFTNESS = 1.0
"""Width in pixels of the edge of a disc."""
LEAST_CELLS = 4
"""Cells along a side that the observer needs for its training."""


@dataclass(frozen=True, eq=False)
class Discs:
    """The phantom.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W), in [0, 1]
    mask : ndarray, bool, shape (H, W)
        The discs.
    """

    pixels: Pixels
    mask: NDArray[np.bool_]


def discs(*, side: int = 256, seed: int = 0, contrast: float = CONTRAST) -> Discs:
    """Draw the phantom; the same arguments give the same bytes.

    Half the cells, drawn at random, hold a disc in their middle.

    Parameters
    ----------
    side : int
        In pixels, four cells or more.
    seed : int
        At least 0.
    contrast : float
        Of the discs; negative ones are darker than the tissue.

    Raises
    ------
    ParameterError
    """
    if side < LEAST_CELLS * CELL:
        raise ParameterError(f"side={side} is not possible; give {LEAST_CELLS * CELL} or more.")
    if seed < 0:
        raise ParameterError(f"seed={seed} is not possible; give 0 or more.")
    if not -0.4 <= contrast <= 0.4:
        raise ParameterError(f"contrast={contrast:g} is not possible; give -0.4 to 0.4.")
    rng = np.random.default_rng([71, seed])
    tissue = TISSUE + SHADING * (smooth_field((side, side), rng) - 0.5)
    disc = _disc()
    corners = places(side, side)
    present = rng.permutation(len(corners)) < len(corners) // 2
    mask = np.zeros((side, side), np.bool_)
    for (top, left), has in zip(corners, present, strict=True):
        if has:
            cell = slice(top, top + CELL), slice(left, left + CELL)
            tissue[cell] += contrast * disc
            mask[cell] = disc > 0.5
    return Discs(np.clip(tissue, 0.0, 1.0).astype(np.float32), mask)


def places(height: int, width: int) -> list[tuple[int, int]]:
    """Upper left corners of the cells of an image of this size, row by row."""
    rows, columns = (range(0, side - CELL + 1, CELL) for side in (height, width))
    return [(top, left) for top in rows for left in columns]


def disc_case(number: int, *, side: int = 256, contrast: float = CONTRAST) -> TestImage:
    """The phantom with this seed as a test image."""
    drawn = discs(side=side, seed=number, contrast=contrast)
    key = f"discs-{number}"
    return TestImage(key, Modality.CT, drawn.pixels, drawn.mask, number, GROUP, key)


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells with a disc and cells without, each of shape (N, `CELL`, `CELL`)."""

    present: NDArray[np.float64]
    absent: NDArray[np.float64]


def cells(pixels: Pixels, mask: NDArray[np.bool_]) -> Cells:
    """The cells of an image (H, W), sorted by the mask's value in their middle."""
    found: dict[bool, list[NDArray[np.float64]]] = {True: [], False: []}
    for top, left in places(*pixels.shape):
        cell = pixels[top : top + CELL, left : left + CELL].astype(np.float64)
        found[bool(mask[top + CELL // 2, left + CELL // 2])].append(cell)
    empty = np.zeros((0, CELL, CELL))
    return Cells(*(np.stack(found[has]) if found[has] else empty for has in (True, False)))


def distances() -> NDArray[np.float64]:
    """Distance of each pixel of a cell from its middle, shape (`CELL`, `CELL`)."""
    along = np.arange(CELL) - (CELL - 1) / 2
    return np.asarray(np.hypot(along[:, None], along[None, :]))


def _disc() -> NDArray[np.float64]:
    return np.asarray(np.clip((RADIUS - distances()) / SOFTNESS + 0.5, 0.0, 1.0))
