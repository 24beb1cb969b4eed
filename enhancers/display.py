"""Conversion of pixels for the screen: exact windowing, differences, raw buffers, thumbnails."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from enhancers.image import Pixels, Window, check_pixels

U16_MAX = 65535
"""The 16-bit gray level of a pixel of 1.0."""

BAND = 1 << 20
"""Values of a band of rows."""


def to_u16(pixels: Pixels) -> NDArray[np.uint16]:
    """Quantise [0, 1] to 16 bits, ``round(pixels * 65535)``.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W) or (H, W, 3), in [0, 1]

    Returns
    -------
    ndarray, uint16, same shape
    """
    check_pixels(pixels)
    levels = np.empty(pixels.shape, np.uint16)
    # Double precision in bands of rows: a copy of a large image would take 8 bytes per pixel.
    rows = max(1, BAND // max(1, pixels[0].size))
    for top in range(0, len(pixels), rows):
        band = pixels[top : top + rows].astype(np.float64)
        levels[top : top + rows] = np.rint(band * U16_MAX)
    return levels


def window_u8(values: NDArray[np.uint16], low: int, high: int) -> NDArray[np.uint8]:
    """Window 16-bit levels to 8-bit gray levels, in integer arithmetic.

    ``clamp(floor(((v - low) * 255 * 2 + (high - low)) / (2 * (high - low))), 0, 255)``, which is
    the linear map of [low, high] to [0, 255], rounded half up. The viewer's script computes the
    same table, so that the screen can be checked bit for bit.

    Parameters
    ----------
    values : ndarray, uint16, any shape
    low, high : int
        The levels shown as 0 and as 255, ``low < high``; they may lie outside 0..65535.

    Returns
    -------
    ndarray, uint8, same shape
    """
    if low >= high:
        raise ValueError(f"a display window needs low < high, got {low}..{high}")
    levels = np.arange(U16_MAX + 1, dtype=np.int64)
    table = ((levels - low) * 510 + (high - low)) // (2 * (high - low))
    return np.clip(table, 0, 255).astype(np.uint8)[values]


def window_levels(low: float, high: float, window: Window) -> tuple[int, int]:
    """Source values as 16-bit levels of an image's window, at least one level apart.

    Parameters
    ----------
    low, high : float
        Source units, in the order of ``window``; outside it they give levels outside 0..65535.
    window : Window
        The image's own window, whose ends are the levels 0 and 65535.
    """
    scale = U16_MAX / (window.high - window.low)
    first = round((low - window.low) * scale)
    return first, max(first + 1, round((high - window.low) * scale))


_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def signed_difference(a: Pixels, b: Pixels) -> Pixels:
    """The difference ``b - a`` of two images in [0, 1], as ``(b - a + 1) / 2``.

    Parameters
    ----------
    a, b : ndarray, float32, shape (H, W) or (H, W, 3), in [0, 1]
        Of colour images the luminance (Rec. 601) is compared.

    Returns
    -------
    ndarray, float32, shape (H, W), in [0, 1]
        Equal pixels are 0.5.
    """
    if a.shape[:2] != b.shape[:2]:
        raise ValueError(f"images of {a.shape[:2]} and {b.shape[:2]} cannot be subtracted")
    signed = _luminance(b) - _luminance(a)
    signed += np.float32(1.0)
    signed *= np.float32(0.5)
    return np.clip(signed, 0.0, 1.0, out=signed)


def ssim_map(a: Pixels, b: Pixels) -> Pixels:
    """The structural similarity of two images at every pixel, from -1 to 1 (equal).

    Wang, Bovik, Sheikh, Simoncelli, IEEE Trans Image Process 13 (2004), 600, eq. 13: a Gaussian
    window of 11 x 11 pixels and σ 1.5, K1 = 0.01, K2 = 0.03, range 1; mirrored at the borders.

    Parameters
    ----------
    a, b : ndarray, float32, shape (H, W) or (H, W, 3), in [0, 1]
        Of colour images the luminance (Rec. 601) is compared.

    Returns
    -------
    ndarray, float32, shape (H, W)
    """
    import cv2

    if a.shape[:2] != b.shape[:2]:
        raise ValueError(f"images of {a.shape[:2]} and {b.shape[:2]} cannot be compared")
    x, y = (_luminance(pixels).astype(np.float64) for pixels in (a, b))

    def mean(plane: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(cv2.GaussianBlur(plane, (11, 11), 1.5, borderType=cv2.BORDER_REFLECT))

    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    top = (2 * mx * my + c1) * (2 * cov + c2)
    return (top / ((mx * mx + my * my + c1) * (vx + vy + c2))).astype(np.float32)


def _luminance(pixels: Pixels) -> Pixels:
    found: Pixels = pixels @ _LUMA if pixels.ndim == 3 else pixels
    return found


def raw_buffer(pixels: Pixels) -> bytes:
    """The pixels as bytes: little-endian uint16, row by row, RGB interleaved.

    The length is ``2 * H * W`` (times 3 for RGB) whatever the image shows.
    """
    return to_u16(pixels).astype("<u2", copy=False).tobytes()


def thumbnail(pixels: Pixels, size: int = 128) -> NDArray[np.uint8]:
    """A small 8-bit version whose longer side is at most ``size``, by averaging blocks.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W) or (H, W, 3), in [0, 1]
    size : int
        In pixels; a smaller image keeps its size.

    Returns
    -------
    ndarray, uint8, shape (h, w) or (h, w, 3)
    """
    height, width = pixels.shape[:2]
    longer = max(height, width)
    if longer > size:
        rows = _block_starts(height, max(1, height * size // longer))
        columns = _block_starts(width, max(1, width * size // longer))
        sums = np.add.reduceat(pixels.astype(np.float64), rows, axis=0)
        sums = np.add.reduceat(sums, columns, axis=1)
        area = np.outer(np.diff(rows, append=height), np.diff(columns, append=width))
        pixels = (sums / (area if pixels.ndim == 2 else area[..., None])).astype(np.float32)
    return window_u8(to_u16(np.clip(pixels, 0.0, 1.0)), 0, U16_MAX)


def _block_starts(length: int, count: int) -> NDArray[np.int64]:
    return np.arange(count, dtype=np.int64) * length // count
