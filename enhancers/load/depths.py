"""The slices of a small volume beside one of them, for methods whose input is all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from enhancers.errors import ReadingRoomError
from enhancers.image import MedicalImage
from enhancers.load.window import as_source

FEWEST, MOST = 2, 9
"""How many slices are one input."""
ALONE = "Another slice cannot be read, so that the slices are no single input for a method."
MOST_PIXELS = 2**24
"""In all of them together; larger images go to methods slice by slice."""


def with_depths(
    image: MedicalImage, sections: Callable[[Sequence[int]], Iterable[NDArray[np.generic]]]
) -> MedicalImage:
    """The image with all slices of its plane and time, where they are few, gray and of one size.

    Parameters
    ----------
    image : MedicalImage
    sections : callable
        Source values of slices by their indices, (H, W), in the units of the image's. Where one of
        them cannot be read the image comes alone.
    """
    count = image.slice_count
    if not FEWEST <= count <= MOST or image.is_colour or image.pixels.size * count > MOST_PIXELS:
        return image
    others = [index for index in range(count) if index != image.slice_index]
    try:
        slices = [as_source(values) for values in sections(others)]
    except ReadingRoomError:
        return replace(image, warnings=(*image.warnings, ALONE))
    slices.insert(image.slice_index, image.source)
    if any(one.shape != image.source.shape for one in slices):
        return image
    return replace(image, depths=np.stack(slices))
