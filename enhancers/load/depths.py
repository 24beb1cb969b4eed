"""The slices of a small volume beside one of them, for methods whose input is all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from enhancers.image import MedicalImage
from enhancers.load.window import as_source

FEWEST, MOST = 2, 9
"""How many slices are one input."""
MOST_PIXELS = 2**24
"""In all of them together; larger images go to methods slice by slice."""


def with_depths(image: MedicalImage, section: Callable[[int], NDArray[np.generic]]) -> MedicalImage:
    """The image with all slices of its plane and time, where they are few, gray and of one size.

    Parameters
    ----------
    image : MedicalImage
    section : callable
        Source values of a slice by its index, (H, W), in the order and units of the image's.
    """
    count = image.slice_count
    if not FEWEST <= count <= MOST or image.is_colour or image.pixels.size * count > MOST_PIXELS:
        return image
    slices = [
        image.source if index == image.slice_index else as_source(section(index))
        for index in range(count)
    ]
    if any(one.shape != image.source.shape for one in slices):
        return image
    return replace(image, depths=np.stack(slices))
