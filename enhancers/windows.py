"""The windows that an image is shown and processed in: of its file, usual ones, typed ones."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

import numpy as np

from enhancers.display import U16_MAX
from enhancers.errors import ParameterError
from enhancers.image import EACH_SLICE, MedicalImage, Pixels, Window
from enhancers.method import Modality

SAMPLE = 1 << 22
"""Values that the automatic window looks at."""

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
