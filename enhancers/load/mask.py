"""Masks of missing pixels from a file: not zero where a pixel is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from enhancers.errors import ImageReadError, ReadingRoomError
from enhancers.image import MedicalImage
from enhancers.load import Caps, load
from enhancers.measured import Known

_NOTHING_MISSING = (
    "The mask has the same value everywhere; give one that is zero where a pixel is known and not "
    "zero where it is missing."
)


def with_mask(image: MedicalImage, mask: Path | bytes, caps: Caps) -> MedicalImage:
    """The image with the mask of a file of the same size.

    Parameters
    ----------
    image : MedicalImage
    mask : Path or bytes
        PNG, TIFF, NIfTI or DICOM; of a volume, the slice with the index of the image's. A pixel is
        missing where any channel is not zero.
    caps : Caps

    Raises
    ------
    ImageReadError
        The mask cannot be read, has another size, or marks nothing or everything.
    """
    read = read_mask(lambda index: load(mask, slice_index=index, caps=caps), image)
    return image.with_known(read)


def read_mask(read: Callable[[int | None], MedicalImage], image: MedicalImage) -> Known:
    """The known pixels of an image, from the file of its mask.

    Parameters
    ----------
    read : callable
        From the index of a slice of the mask's file, or None for the default, to that slice.
    image : MedicalImage

    Raises
    ------
    ImageReadError
        As `with_mask`.
    """
    try:
        mask = read(None)
        if mask.slice_count > 1 and mask.slice_index != image.slice_index:
            mask = read(image.slice_index)
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
