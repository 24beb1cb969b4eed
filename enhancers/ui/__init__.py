"""The compare page: an image in, several methods beside each other, measured and exported."""

from __future__ import annotations

from enhancers.ui import quick_start  # noqa: F401  (must precede the first import of gradio)
from enhancers.ui.doors import Doors
from enhancers.ui.page import ComparePage, build

__all__ = ["ComparePage", "Doors", "build"]
