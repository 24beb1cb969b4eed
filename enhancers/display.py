"""Conversion of pixels for the screen: exact windowing, presets, difference maps, raw buffers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from enhancers.image import Pixels, Window, check_pixels
from enhancers.method import Modality

U16_MAX = 65535
"""The 16-bit gray level of a pixel of 1.0."""

FULL = "full"
AUTO = "auto"


@dataclass(frozen=True)
class Preset:
    """A named display window in source units.

    Parameters
    ----------
    key : str
        Stable name, such as "lung".
    label : str
        Name for the user.
    low, high : float
        Source values shown as black and as white, ``low < high``.
    """

    key: str
    label: str
    low: float
    high: float


def _hounsfield(key: str, label: str, level: float, width: float) -> Preset:
    return Preset(key, label, level - width / 2, level + width / 2)


PRESETS: dict[Modality, tuple[Preset, ...]] = {
    Modality.CT: (
        _hounsfield("soft-tissue", "Soft tissue", 40, 400),
        _hounsfield("lung", "Lung", -600, 1500),
        _hounsfield("bone", "Bone", 300, 1500),
        _hounsfield("brain", "Brain", 40, 80),
        _hounsfield("liver", "Liver", 60, 160),
    )
}
"""The usual windows of modalities whose values have absolute units (HU)."""


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
    return np.rint(pixels.astype(np.float64) * U16_MAX).astype(np.uint16)


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
        Source units, ``low < high``; outside ``window`` they give levels outside 0..65535.
    window : Window
        The image's own window, whose ends are the levels 0 and 65535.
    """
    scale = U16_MAX / (window.high - window.low)
    first = round((low - window.low) * scale)
    return first, max(first + 1, round((high - window.low) * scale))


def auto_window(pixels: Pixels, window: Window) -> tuple[float, float]:
    """The 1st and 99th percentile in source units; the full window where they coincide.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W) or (H, W, 3), in [0, 1] of ``window``
    window : Window
    """
    low, high = np.percentile(pixels, (1.0, 99.0))
    if high - low < 2.0 / U16_MAX:
        return window.low, window.high
    ends = window.to_source(np.array([low, high]))
    return float(ends[0]), float(ends[1])


def presets_for(
    modality: Modality, window: Window, units: str, pixels: Pixels | None = None
) -> tuple[Preset, ...]:
    """The display windows for an image: full, automatic, then those of the modality.

    A preset with more than half of its range outside the image's window is left out, because those
    values were clipped.

    Parameters
    ----------
    modality : Modality
    window : Window
        The image's own window, in ``units``.
    units : str
        Units of the source values; the CT presets need "HU".
    pixels : ndarray, float32, in [0, 1], optional
        The image, for the automatic window.
    """
    found = [Preset(FULL, "Full range", window.low, window.high)]
    if pixels is not None:
        found.append(Preset(AUTO, "Auto (1-99 %)", *auto_window(pixels, window)))
    if units == "HU":
        for preset in PRESETS.get(modality, ()):
            overlap = min(preset.high, window.high) - max(preset.low, window.low)
            if overlap >= (preset.high - preset.low) / 2:
                found.append(preset)
    return tuple(found)


_DIVERGING = np.array(
    [
        [0.66, 0.86, 1.00],
        [0.12, 0.45, 0.92],
        [0.00, 0.00, 0.00],
        [0.84, 0.27, 0.10],
        [1.00, 0.80, 0.58],
    ]
)
"""Colours of -1, -1/2, 0, 1/2 and 1: light blue, blue, black, red-orange, light orange.

Blue and orange can be distinguished with every common colour deficiency, and lightness grows with
the absolute difference.
"""

_LUMA = np.array([0.299, 0.587, 0.114])


def difference_map(a: Pixels, b: Pixels, *, gain: float = 4.0) -> Pixels:
    """Colour the signed difference ``b - a``: blue where b is darker, orange where it is brighter.

    Zero is black. The colours saturate where ``|b - a| = 1 / gain`` of the window;
    `difference_legend` says so in source units.

    Parameters
    ----------
    a, b : ndarray, float32, shape (H, W) or (H, W, 3), in [0, 1]
        Of colour images the luminance (Rec. 601) is compared.
    gain : float
        At least 1; larger shows smaller differences.

    Returns
    -------
    ndarray, float32, shape (H, W, 3), in [0, 1]
    """
    if a.shape[:2] != b.shape[:2]:
        raise ValueError(f"images of {a.shape[:2]} and {b.shape[:2]} cannot be subtracted")
    if not gain >= 1.0:
        raise ValueError(f"the gain of a difference map is at least 1, got {gain}")
    signed = np.clip((_luminance(b) - _luminance(a)) * gain, -1.0, 1.0)
    anchors = np.linspace(-1.0, 1.0, len(_DIVERGING))
    channels = [np.interp(signed, anchors, _DIVERGING[:, i]) for i in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def difference_legend(gain: float, window: Window, units: str) -> str:
    """The meaning of the colours of a difference map, in one sentence.

    Parameters
    ----------
    gain : float
        As given to `difference_map`.
    window : Window
        The image's own window, in ``units``.
    """
    full = (window.high - window.low) / gain
    shown = f"{full:,.0f}" if full >= 100 else f"{full:.3g}"
    return f"Blue: darker, orange: brighter, black: equal; full colour at ±{shown} {units}."


def _luminance(pixels: Pixels) -> NDArray[np.float64]:
    values = pixels.astype(np.float64)
    return values @ _LUMA if values.ndim == 3 else values


def raw_buffer(pixels: Pixels) -> bytes:
    """The pixels as bytes: little-endian uint16, row by row, RGB interleaved.

    The length is ``2 * H * W`` (times 3 for RGB) whatever the image shows.
    """
    return to_u16(pixels).astype("<u2").tobytes()


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
