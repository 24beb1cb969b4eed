"""Figures as PNG files of few bytes, since the project keeps them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def small_png(figure: Figure, dpi: float, colours: int | None = None) -> bytes:
    """A figure on white, in at most 256 ``colours``; None is for one that is gray.

    A third of the size of what matplotlib writes.
    """
    from PIL import Image

    drawn, written = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=dpi, facecolor="white")
    image = Image.open(drawn)
    few = image.convert("L") if colours is None else image.convert("RGB").quantize(colours)
    few.save(written, "PNG", optimize=True)
    return written.getvalue()
