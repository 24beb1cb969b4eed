"""Conversion of pixels for the screen: exact windowing, presets, differences, raw buffers."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from enhancers.errors import ParameterError
from enhancers.image import EACH_SLICE, MedicalImage, Pixels, Window, check_pixels
from enhancers.method import Modality

U16_MAX = 65535
"""The 16-bit gray level of a pixel of 1.0."""

SAMPLE = 1 << 22
"""Values that the automatic window looks at."""

BAND = 1 << 20
"""Values of a band of rows."""

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
        Source values shown as black and as white.
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


def auto_window(pixels: Pixels, window: Window) -> tuple[float, float]:
    """The 1st and 99th percentile in source units; the full window where they coincide.

    Parameters
    ----------
    pixels : ndarray, float32, shape (H, W) or (H, W, 3), in [0, 1] of ``window``
    window : Window
    """
    values = pixels.reshape(-1)
    # Every n-th value of a large image: to sort all of them would take seconds.
    low, high = np.percentile(values[:: max(1, values.size // SAMPLE)], (1.0, 99.0))
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
            low, high = window.ends
            overlap = min(preset.high, high) - max(preset.low, low)
            if overlap >= (preset.high - preset.low) / 2:
                turned = Window(preset.low, preset.high).turned(window.inverted)
                found.append(replace(preset, low=turned.low, high=turned.high))
    return tuple(found)


def file_presets(
    image: MedicalImage, shown: Window, *, each_slice: bool = False
) -> tuple[Preset, ...]:
    """The windows that the image's file states, without the one that is ``shown`` already.

    With ``each_slice`` the slice's own stays, which is the same on this slice and not on others.
    """
    return tuple(
        Preset(f"file: {one.name}", f"{one.name} (file)", one.window.low, one.window.high)
        for one in image.windows
        if one.window != shown or (each_slice and one.name == EACH_SLICE)
    )


def window_ends(text: str) -> tuple[float, float] | None:
    """The limits that LOW:HIGH gives; None for a name.

    Raises
    ------
    ParameterError
        They are no finite numbers in ascending order.
    """
    low, colon, high = text.partition(":")
    if not colon:
        return None
    try:
        ends = float(low), float(high)
    except ValueError:
        ends = math.nan, math.nan
    if not (math.isfinite(ends[0]) and math.isfinite(ends[1]) and ends[0] < ends[1]):
        raise ParameterError(
            f"The window {text} is not possible; give LOW:HIGH, two numbers, the lower one first."
        )
    return ends


def window_limits(image: MedicalImage, text: str) -> tuple[float, float]:
    """The limits of a window in source units.

    Parameters
    ----------
    image : MedicalImage
    text : str
        LOW:HIGH; or the name, or its beginning, of a window that the file states or that is usual
        for the image (`PRESETS`).

    Raises
    ------
    ParameterError
        There is no such window, or it is not possible.
    """
    if (ends := window_ends(text)) is not None:
        return ends
    usual = PRESETS.get(image.modality, ()) if image.units == "HU" else ()
    known = {one.name: one.window.ends for one in image.windows}
    known |= {one.label: (one.low, one.high) for one in usual if one.label not in known}
    asked = _plain(text)
    found = [name for name in known if _plain(name) == asked] or [
        name for name in known if asked and _plain(name).startswith(asked)
    ]
    if len(found) == 1:
        return known[found[0]]
    names = f", or one of these names: {', '.join(known)}" if known else ""
    raise ParameterError(
        f"There is no window {text} for this image; give LOW:HIGH in {image.units.rstrip('.')}"
        f"{names}."
    )


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", " ", name).strip().lower()


_LUMA = np.array([0.299, 0.587, 0.114], np.float32)

FINEST = 64.0
"""Widest range shown, in widths of the processing window, which then has 1024 levels of its own."""


def full_window(image: MedicalImage) -> Window:
    """The window that shows every source value: the image's own, and what it cuts off.

    A range of more than `FINEST` windows, as metal or a damaged pixel may cause, is cut: 16 bits
    would leave too few levels for the window itself.
    """
    low, high = image.window.ends
    reach = (FINEST - 1) / 2 * image.window.width
    return Window(
        max(min(float(image.source.min()), low), low - reach),
        min(max(float(image.source.max()), high), high + reach),
    ).turned(image.window.inverted)


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
