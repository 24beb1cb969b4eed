"""Separation of colour images into luminance and chroma, and replacement of the luminance.

The luminance is Rec. 601 luma, Y = 0.299 R + 0.587 G + 0.114 B, on the stored (gamma-encoded)
values; the chroma is the vector RGB - Y, as in YCbCr without its scale factors. The separation is
linear and exactly invertible: chroma can be resized or scaled without changing the luminance, and
scaling it changes saturation but not hue. Lab is perceptually more uniform, but its conversion to
RGB leaves the gamut, which only a search can correct.
"""

from __future__ import annotations

import numpy as np

from enhancers.image import Pixels

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of R, G and B in the luminance (ITU-R BT.601)."""

BAND = 1 << 18
"""Pixels of a band of rows: a large image is merged band by band, which needs less memory."""

MOST_SATURATION_GAIN = 4.0
"""Largest gain of saturation: more would amplify the colour noise of dark regions."""


def luminance(pixels: Pixels) -> Pixels:
    """The luminance of an image.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W) or (H, W, 3), in [0, 1]

    Returns
    -------
    ndarray, float32, shape (H, W), in [0, 1]
        A gray image is returned unchanged, not copied.
    """
    if pixels.ndim == 2:
        return pixels
    mixed: Pixels = pixels @ LUMA
    return np.clip(mixed, 0.0, 1.0, out=mixed)


def with_luminance(pixels: Pixels, new: Pixels, *, keep: str = "chroma") -> Pixels:
    """Replace the luminance of an image and keep its colours.

    Where the chroma does not fit into [0, 1] at the new luminance, it is scaled toward gray:
    luminance and hue are kept, saturation is reduced.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W) or (H, W, 3), in [0, 1]
        The original. For a gray original the result is ``new``, clipped.
    new : ndarray, float32, shape (kH, kW), k a whole number
        The new luminance; for k > 1 the chroma is enlarged k times, bicubically.
    keep : {"chroma", "saturation"}
        "chroma" adds the chroma as it was, right where detail or noise changed; "saturation" scales
        it with the luminance, right where the lighting changed (at most `MOST_SATURATION_GAIN`).

    Returns
    -------
    ndarray, float32, shape (kH, kW) or (kH, kW, 3), in [0, 1]

    Raises
    ------
    ValueError
        If the size of ``new`` is not a whole multiple of the original's, or ``keep`` is unknown.
    """
    if keep not in ("chroma", "saturation"):
        raise ValueError(f"keep must be 'chroma' or 'saturation', got {keep!r}")
    factor = _enlargement(pixels, new)
    if pixels.ndim == 2:
        within = new.dtype == np.float32 and new.min() >= 0.0 and new.max() <= 1.0
        return new if within else np.clip(new, 0.0, 1.0).astype(np.float32, copy=False)
    if factor > 1:
        return _merged(pixels, new, keep, factor)
    merged = np.empty(pixels.shape, np.float32)
    rows = max(1, BAND // pixels.shape[1])
    for top in range(0, len(pixels), rows):
        band = slice(top, top + rows)
        merged[band] = _merged(pixels[band], new[band], keep, factor)
    return merged


def _merged(pixels: Pixels, new: Pixels, keep: str, factor: int) -> Pixels:
    target = np.clip(new, 0.0, 1.0).astype(np.float32, copy=False)
    old = luminance(pixels)
    chroma = pixels - old[..., None]
    if factor > 1:
        chroma, old = _enlarged(chroma, factor), _enlarged(old, factor)
    if keep == "saturation":
        # The offset keeps the quotient at 1 for an unchanged luminance, down to black.
        offset = np.float32(1e-3)
        gain = np.minimum((target + offset) / (old + offset), np.float32(MOST_SATURATION_GAIN))
        chroma = chroma * gain[..., None]
    chroma *= _room(target, chroma)[..., None]
    merged: Pixels = np.clip(target[..., None] + chroma, 0.0, 1.0).astype(np.float32, copy=False)
    return merged


def _enlargement(pixels: Pixels, new: Pixels) -> int:
    height, width = pixels.shape[:2]
    factor: int = new.shape[0] // height
    if new.ndim != 2 or factor < 1 or new.shape != (height * factor, width * factor):
        raise ValueError(
            f"the new luminance {new.shape} must be a whole multiple of {(height, width)}"
        )
    return factor


def _enlarged(plane: Pixels, factor: int) -> Pixels:
    import cv2

    size = (plane.shape[1] * factor, plane.shape[0] * factor)
    enlarged: Pixels = cv2.resize(plane, size, interpolation=cv2.INTER_CUBIC)
    return enlarged


def _room(target: Pixels, chroma: Pixels) -> Pixels:
    """The largest factor in [0, 1] by which the chroma may be scaled to stay in the gamut."""
    tiny = np.float32(1e-12)
    above = (1.0 - target) / np.maximum(chroma.max(axis=-1), tiny)
    below = target / np.maximum(-chroma.min(axis=-1), tiny)
    room: Pixels = np.minimum(np.minimum(above, below), np.float32(1.0))
    return room
