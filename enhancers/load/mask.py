"""Masks of missing pixels from a file: not zero where a pixel is missing."""

from __future__ import annotations

import numpy as np

from enhancers.errors import ImageReadError, ReadingRoomError
from enhancers.image import MedicalImage
from enhancers.load.same_place import PlaceReader, in_same_place
from enhancers.measured import Known

_NOTHING_MISSING = (
    "The mask has the same value everywhere; give one that is zero where a pixel is known and not "
    "zero where it is missing."
)


def read_mask(read: PlaceReader, image: MedicalImage) -> Known:
    """The known pixels of an image, from the file of its mask.

    Parameters
    ----------
    read : callable
        Of the mask's file: PNG, TIFF, NIfTI or DICOM. A pixel is missing where any channel is not
        zero.
    image : MedicalImage
        Of whose place a volume of masks has one.

    Raises
    ------
    ImageReadError
        The mask cannot be read, has another size or number of slices, or marks nothing or
        everything.
    """
    try:
        mask = in_same_place(read, image, "mask")
    except ReadingRoomError as error:
        raise unusable(error) from None
    return known_pixels(mask, image.shape)


def known_pixels(mask: MedicalImage, shape: tuple[int, int]) -> Known:
    """The pixels that a mask, read as an image, leaves known in an image of this shape.

    Raises
    ------
    ImageReadError
        The mask has another size, was stored as JPEG, or marks nothing or everything.
    """
    if mask.shape != shape:
        raise ImageReadError(
            f"The mask has {mask.shape[1]} x {mask.shape[0]} pixels and the image {shape[1]} x "
            f"{shape[0]}; give a mask of the same size."
        )
    if mask.format == "JPEG":
        raise ImageReadError(
            "The mask is a JPEG file, whose compression changes zeros at edges; save it as PNG."
        )
    missing = mask.source != 0
    known = ~(missing.any(2) if mask.is_colour else missing)
    if not known.any():
        raise ImageReadError(
            "The mask marks every pixel as missing; it must be zero where a pixel is known."
        )
    if known.all():
        raise ImageReadError(_NOTHING_MISSING)
    return np.asarray(known)


def unusable(error: ReadingRoomError) -> ImageReadError:
    """The error of a mask that could not be read."""
    text = str(error)
    if "constant" in text:
        return ImageReadError(_NOTHING_MISSING)
    return ImageReadError(f"The mask cannot be read. {text}")
