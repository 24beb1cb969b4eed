"""The pixel spacing that a TIFF file states: resolution tags, ImageJ's description, OME metadata.

A resolution without a unit of length states only how high and wide pixels are. Sources: TIFF 6.0;
ImageJ's TiffDecoder; the OME-TIFF specification (PhysicalSizeX in micrometres unless a unit is
given).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from enhancers.geometry import is_length
from enhancers.load.raw import Spacing

_X_RESOLUTION, _Y_RESOLUTION, _UNIT = 282, 283, 296
_MM_PER_UNIT = {2: 25.4, 3: 10.0}
_MM = {
    "nm": 1e-6, "um": 1e-3, "µm": 1e-3, "μm": 1e-3, "micron": 1e-3, "microns": 1e-3,
    "micrometer": 1e-3, "micrometre": 1e-3, "mm": 1.0, "cm": 10.0, "dm": 100.0, "m": 1000.0,
    "in": 25.4, "inch": 25.4, "inches": 25.4, "å": 1e-7, "pm": 1e-9,
}  # fmt: skip
_SCREEN = ((1 / 72.0, 1 / 72.0), (1 / 96.0, 1 / 96.0))
_OME = re.compile(r"<(?:\w+:)?Pixels\b[^>]*>")
_OME_HEAD = 2**20


@dataclass(frozen=True)
class PixelSides:
    """Height and width of the pixels of a page.

    Parameters
    ----------
    sides : (height, width) or None
        In ``millimetres``; None where the file does not say.
    millimetres : float or None
        The unit of ``sides``; None where they have none, and only their ratio counts.
    """

    sides: Spacing | None = None
    millimetres: float | None = None

    @property
    def spacing(self) -> Spacing | None:
        """In mm, or None."""
        if self.sides is None or self.millimetres is None:
            return None
        found = self.sides[0] * self.millimetres, self.sides[1] * self.millimetres
        return found if is_length(*found) else None

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence on a spacing that may be none."""
        if self.sides not in _SCREEN or self.millimetres != 25.4:
            return ()
        return (
            f"The pixel spacing, {25.4 * self.sides[0]:.3g} mm, is that of {1 / self.sides[0]:g} "
            "dots per inch, which programs also write where they know none.",
        )


def pixel_sides(file: Any, page: Any) -> PixelSides:
    """Height and width of the pixels of a page.

    Parameters
    ----------
    file : tifffile.TiffFile
    page : tifffile.TiffPage
    """
    if file.is_ome:
        return _ome(str(file.ome_metadata or "")[:_OME_HEAD])
    per_row, per_column = (_resolution(page, tag) for tag in (_Y_RESOLUTION, _X_RESOLUTION))
    if per_row is None or per_column is None:
        return PixelSides()
    sides = 1 / per_row, 1 / per_column
    if file.is_imagej:
        unit = str((file.imagej_metadata or {}).get("unit", "")).replace("\\u00B5", "µ")
        return PixelSides(sides, _MM.get(unit.strip().lower()))
    tag = page.tags.get(_UNIT)
    return PixelSides(sides, _MM_PER_UNIT.get(int(tag.value) if tag is not None else 2))


def _resolution(page: Any, tag: int) -> float | None:
    """Pixels per unit; None where the number is missing or no number."""
    entry = page.tags.get(tag)
    try:
        above, below = entry.value
        found = float(above) / float(below)
    except (AttributeError, TypeError, ValueError, ZeroDivisionError):
        return None
    return found if math.isfinite(found) and found > 0 else None


def _ome(text: str) -> PixelSides:
    """The physical size of the first image."""
    found = _OME.search(text)
    known = [_physical_size(found[0], axis) for axis in "YX"] if found else []
    (height, down), (width, across) = known or [(math.nan, "")] * 2
    if not (math.isfinite(height * width) and min(height, width) > 0):
        return PixelSides()
    if down in _MM and across in _MM:
        return PixelSides((height * _MM[down], width * _MM[across]), 1.0)
    return PixelSides((height, width) if down == across else None)


def _physical_size(element: str, axis: str) -> tuple[float, str]:
    """A side and its unit; not a number where there is none."""
    size = re.search(rf'\bPhysicalSize{axis}="([^"]*)"', element)
    unit = re.search(rf'\bPhysicalSize{axis}Unit="([^"]*)"', element)
    try:
        value = float(size[1]) if size else math.nan
    except ValueError:
        value = math.nan
    return value, unit[1].strip().lower() if unit else "µm"
