"""The pixel spacing that a TIFF file states: resolution tags, ImageJ's description, OME metadata.

A resolution without a unit, which means only an aspect ratio, is none. Sources: TIFF 6.0; ImageJ's
TiffDecoder; the OME-TIFF specification (PhysicalSizeX in micrometres unless a unit is given).
"""

from __future__ import annotations

import math
import re
from typing import Any

from enhancers.load.raw import Spacing

_X_RESOLUTION, _Y_RESOLUTION, _UNIT = 282, 283, 296
_MM_PER_UNIT = {2: 25.4, 3: 10.0}
_MM = {
    "nm": 1e-6, "um": 1e-3, "µm": 1e-3, "μm": 1e-3, "micron": 1e-3, "microns": 1e-3,
    "micrometer": 1e-3, "micrometre": 1e-3, "mm": 1.0, "cm": 10.0, "dm": 100.0, "m": 1000.0,
    "in": 25.4, "inch": 25.4, "inches": 25.4, "å": 1e-7, "pm": 1e-9,
}  # fmt: skip
_SCREEN = (72.0, 96.0)
_OME = re.compile(r"<(?:\w+:)?Pixels\b[^>]*>")
_OME_HEAD = 2**20


def spacing(file: Any, page: Any) -> tuple[Spacing | None, tuple[str, ...]]:
    """Row and column spacing of a page in mm, or None, and notes.

    Parameters
    ----------
    file : tifffile.TiffFile
    page : tifffile.TiffPage
    """
    if file.is_ome:
        return _ome(str(file.ome_metadata or "")[:_OME_HEAD]), ()
    per_row, per_column = (_resolution(page, tag) for tag in (_Y_RESOLUTION, _X_RESOLUTION))
    if per_row is None or per_column is None:
        return None, ()
    if file.is_imagej:
        unit = str((file.imagej_metadata or {}).get("unit", "")).replace("\\u00B5", "µ")
        millimetres = _MM.get(unit.strip().lower())
        return _pair(millimetres, per_row, per_column), ()
    tag = page.tags.get(_UNIT)
    millimetres = _MM_PER_UNIT.get(int(tag.value) if tag is not None else 2)
    found = _pair(millimetres, per_row, per_column)
    if found is not None and millimetres == 25.4 and per_row == per_column and per_row in _SCREEN:
        return found, (
            f"The pixel spacing, {found[0]:.3g} mm, is that of {per_row:g} dots per inch, which "
            "programs also write where they know none.",
        )
    return found, ()


def _resolution(page: Any, tag: int) -> float | None:
    """Pixels per unit; None where the number is missing or no number."""
    entry = page.tags.get(tag)
    try:
        above, below = entry.value
        found = float(above) / float(below)
    except (AttributeError, TypeError, ValueError, ZeroDivisionError):
        return None
    return found if math.isfinite(found) and found > 0 else None


def _pair(millimetres: float | None, per_row: float, per_column: float) -> Spacing | None:
    return None if millimetres is None else (millimetres / per_row, millimetres / per_column)


def _ome(text: str) -> Spacing | None:
    """The physical size of the first image."""
    found = _OME.search(text)
    sizes = [_physical_size(found[0], axis) for axis in "YX"] if found else [None]
    return None if None in sizes else (float(sizes[0] or 0), float(sizes[1] or 0))


def _physical_size(element: str, axis: str) -> float | None:
    size = re.search(rf'\bPhysicalSize{axis}="([^"]*)"', element)
    unit = re.search(rf'\bPhysicalSize{axis}Unit="([^"]*)"', element)
    try:
        value = float(size[1]) if size else math.nan
    except ValueError:
        return None
    millimetres = _MM.get(unit[1].strip().lower() if unit else "µm")
    if millimetres is None or not (math.isfinite(value) and value > 0):
        return None
    return value * millimetres
