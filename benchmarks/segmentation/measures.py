"""Overlap and distance of two masks (Singh and Singh, equations 9 to 12)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Agreement:
    """How well a predicted mask agrees with the true one; distances are in pixels."""

    dice: float
    iou: float
    hd95: float
    asd: float


MEASURES: tuple[str, ...] = ("dice", "iou", "hd95", "asd")
"""The fields of `Agreement`, as tables order them; the first two are better when higher."""


def agreement(predicted: Mask, truth: Mask) -> Agreement | None:
    """Compare two masks of one structure.

    Dice = 2 |P ∩ G| / (|P| + |G|); IoU = |P ∩ G| / |P ∪ G|; with d(p, S_G) the distance of a
    surface pixel to the other surface, ASD is the mean and HD95 the 95th percentile (linear
    interpolation) over the distances of both surfaces together.

    Parameters
    ----------
    predicted, truth : ndarray, bool, shape (H, W)

    Returns
    -------
    Agreement or None
        None where neither mask has a pixel: there is nothing to find. Where only one is empty,
        which the paper leaves open, the distances are the diagonal of the image, the largest there
        is: leaving such a case out would reward a network for missing a structure.

    Raises
    ------
    ValueError
        The shapes differ.
    """
    if predicted.shape != truth.shape or truth.ndim != 2:
        raise ValueError(f"masks of shapes {predicted.shape} and {truth.shape} cannot be compared")
    found, wanted = int(predicted.sum()), int(truth.sum())
    if not found and not wanted:
        return None
    if not found or not wanted:
        diagonal = math.hypot(*truth.shape)
        return Agreement(0.0, 0.0, diagonal, diagonal)
    common = int((predicted & truth).sum())
    distances = surface_distances(predicted, truth)
    return Agreement(
        dice=2.0 * common / (found + wanted),
        iou=common / (found + wanted - common),
        hd95=float(np.percentile(distances, 95.0)),
        asd=float(distances.mean()),
    )


def surface(mask: Mask) -> Mask:
    """The pixels of a mask with a neighbour outside it, among four; the border is outside."""
    from scipy.ndimage import binary_erosion

    return np.asarray(mask & ~binary_erosion(mask), np.bool_)


def surface_distances(first: Mask, second: Mask) -> NDArray[np.float64]:
    """Distances, in pixels, of each surface pixel of either mask to the surface of the other.

    Both masks have at least one pixel.
    """
    from scipy.ndimage import distance_transform_edt

    one, other = surface(first), surface(second)
    to_other = np.asarray(distance_transform_edt(~other))[one]
    to_one = np.asarray(distance_transform_edt(~one))[other]
    return np.concatenate([to_other, to_one])
