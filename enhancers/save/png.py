"""16-bit PNG: the gray levels of [0, 1], exactly."""

from __future__ import annotations

import struct
import zlib
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from enhancers.files import write_atomic
from enhancers.geometry import shown_aspect
from enhancers.image import Pixels, check_pixels

WHITE = 65535
"""The 16-bit gray level of 1.0."""


_IHDR_END = 33
_MOST_DENSITY = 10_000


def to_png16(pixels: Pixels, aspect: tuple[float, float] | None = None) -> bytes:
    """Encode as a 16-bit gray or RGB PNG: exactly ``round(x * 65535)``.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W) or (H, W, 3), in [0, 1]
    aspect : (height, width), optional
        Of a pixel. What is no square is stated, to four digits.

    Raises
    ------
    ValueError
        The pixels are not finite, not in [0, 1] or of another shape.
    """
    import cv2

    check_pixels(pixels)
    levels = np.rint(pixels.astype(np.float64) * WHITE).astype(np.uint16)
    if levels.ndim == 3:
        levels = levels[..., ::-1]
    done, data = cv2.imencode(".png", np.ascontiguousarray(levels))
    if not done:
        raise ValueError(f"an image of {pixels.shape} could not be encoded as PNG")
    encoded = bytes(data.tobytes())
    height, width = shown_aspect(aspect)
    if height == width:
        return encoded
    return encoded[:_IHDR_END] + _density(height / width) + encoded[_IHDR_END:]


def _density(ratio: float) -> bytes:
    """The chunk of how many pixels there are across and down the same length."""
    exact = Fraction(ratio).limit_denominator(_MOST_DENSITY)
    content = b"pHYs" + struct.pack(">IIB", exact.numerator, exact.denominator, 0)
    return struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))


def read_png16(data: bytes) -> NDArray[np.uint16]:
    """Gray levels of a PNG that `to_png16` wrote, (H, W) or (H, W, 3) in RGB order."""
    import cv2

    levels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if levels is None or levels.dtype != np.uint16:
        raise ValueError("these bytes are no 16-bit PNG")
    return np.ascontiguousarray(levels[..., ::-1] if levels.ndim == 3 else levels)


def save_png16(path: Path, pixels: Pixels, aspect: tuple[float, float] | None = None) -> None:
    """Write the pixels as `to_png16` does; the file is written atomically."""
    write_atomic(Path(path), to_png16(pixels, aspect))
