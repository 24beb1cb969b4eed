"""Imports that take seconds, done while the user looks at the first page."""

from __future__ import annotations

import importlib
import time

# In the order in which a user meets them; torch last of the first run's needs, since it is longest.
HEAVY = (
    "cv2",
    "pydicom",
    "skimage.restoration",
    "torch",
    "SimpleITK",
    "diffusers",
    "enhancers.compare",
    "enhancers.diffusion.null_space",
    "enhancers.diffusion.pseudo_label",
    "enhancers.diffusion.unimie",
)

HEAD_START = 1.0
"""Seconds the first page has for itself before the imports compete with it."""


def import_heavy(head_start: float = HEAD_START) -> None:
    """Import everything in `HEAVY`; what fails here fails again, and is told, where it is used."""
    time.sleep(head_start)
    for name in HEAVY:
        try:
            importlib.import_module(name)
        except Exception:
            continue
