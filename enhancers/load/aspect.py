"""How high and wide pixels are, for display."""

from __future__ import annotations

from enhancers.geometry import shown_aspect
from enhancers.load.raw import Spacing

_SQUARE = 0.005
"""Share by which the sides of square pixels may differ: densities are rounded."""


def aspect_tags(height: float, width: float) -> tuple[tuple[str, str], ...]:
    """The tag that `enhancers.image.MedicalImage.aspect` reads; none for squares.

    Parameters
    ----------
    height, width : float
        Of a pixel, in any unit; numbers that are no sides stand for a square.
    """
    height, width = shown_aspect((height, width))
    if abs(height / width - 1) < _SQUARE:
        return ()
    return (("PixelAspectRatio", f"{height:.9g}:{width:.9g}"),)


def oblong_notes(spacing: Spacing | None) -> tuple[str, ...]:
    """A sentence where a spacing is kept, but the pixels are shown as squares."""
    if spacing is None or spacing[0] == spacing[1] or shown_aspect(spacing) == spacing:
        return ()
    return (
        f"The file states pixels of {spacing[0]:.3g} x {spacing[1]:.3g} mm, which cannot be right; "
        "they are shown as squares.",
    )
