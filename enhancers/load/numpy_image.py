"""Real NumPy arrays as images: one slice, or slices along the first axis, gray or colour.

An array says nothing of units, spacing or orientation; a note says what was assumed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhancers.errors import ImageReadError
from enhancers.load.raw import Caps, RawSlice, drop_alpha, pick_slice, sample_of

_ASSUMED = "The array is read as rows and columns{}; it states no units, spacing or orientation."


def layout(shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[int, int, int, int]:
    """Slices, rows, columns and channels of an array.

    Raises
    ------
    ImageReadError
        It is no image.
    """
    if dtype.kind not in "biuf":
        raise ImageReadError(
            f"The NumPy array is {dtype}; save an image as integers or floats, or complex MR data."
        )
    while len(shape) > 2 and shape[0] == 1:
        shape = shape[1:]
    colour = len(shape) in (3, 4) and shape[-1] in (3, 4) and dtype.kind == "u"
    plain = shape[:-1] if colour else shape
    if len(plain) not in (2, 3):
        raise ImageReadError(
            f"The NumPy array has the shape {shape}; give (rows, columns) or (slices, rows, "
            "columns), and as a last axis the colours of 8 or 16 bits."
        )
    slices = plain[0] if len(plain) == 3 else 1
    return slices, plain[-2], plain[-1], shape[-1] if colour else 1


def read_image(values: NDArray[Any], slice_index: int | None, caps: Caps, size: int) -> RawSlice:
    """One slice of an array of a file of ``size`` bytes.

    Raises
    ------
    ImageReadError, ParameterError
    """
    slices, rows, columns, channels = layout(values.shape, values.dtype)
    caps.check_size(rows, columns, min(channels, 3), size)
    stack = values.reshape(slices, rows, columns, channels)
    index = pick_slice(slice_index, slices, slices // 2)

    def plane(place: int) -> NDArray[Any]:
        return stack[place] if channels > 1 else stack[place, ..., 0]

    shown = plane(index)
    stacked = " of slices along the first axis" if slices > 1 else ""
    notes: tuple[str, ...] = (_ASSUMED.format(stacked),)
    if shown.dtype == np.bool_:
        shown = shown.astype(np.uint8) * np.uint8(255)
    if channels == 4:
        shown, more = drop_alpha(shown, float(np.iinfo(shown.dtype).max))
        notes += more
    whole = shown.dtype.kind in "iu" and shown.dtype.itemsize <= 2
    limits = np.iinfo(shown.dtype) if whole else None
    sample = None
    if slices > 1 and (limits is None or limits.bits > 8):
        sample = sample_of(slices, plane)
    return RawSlice(
        shown, "NumPy", "gray level" if shown.dtype.kind == "u" else "a.u.",
        limits.bits if limits else 32,
        (float(limits.min), float(limits.max)) if limits else None,
        sample=sample, slice_index=index, slice_count=slices, warnings=notes,
    )  # fmt: skip
