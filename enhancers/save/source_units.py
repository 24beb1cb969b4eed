"""A result in the units of its source."""

from __future__ import annotations

import numpy as np

from enhancers.image import MedicalImage, Pixels

FADE = 0.01
"""Part of the window's width beyond its ends over which the change by a method fades out."""


def in_source_units(image: MedicalImage, pixels: Pixels) -> Pixels:
    """A result of ``image`` in its source units (HU for CT), as float32.

    The method saw the source clipped by the window. Its change of the clipped image is added to the
    source: inside the window that gives the result. Beyond it, where the method saw black or white
    only, the change fades out over `FADE` of the window's width: bone and air keep their values,
    and there is no jump at the ends. A result of another size than the image is only mapped.
    """
    window = image.window
    if pixels.shape != image.source.shape:
        return window.to_source(pixels).astype(np.float32)
    low, high = window.ends
    change = window.to_source(pixels) - window.to_source(image.pixels)
    beyond = np.maximum(low - image.source, image.source - high) / (FADE * window.width)
    change *= np.clip(1.0 - beyond, 0.0, 1.0)
    return (image.source + change).astype(np.float32)
