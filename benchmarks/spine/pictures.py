"""A picture of what methods make of a volume of each level of difficulty."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.spine import settings
from benchmarks.spine.methods import Tools, quick
from benchmarks.spine.published import label
from enhancers.files import atomic_path
from enhancers.phantoms.spine import LEVELS
from enhancers.phantoms.spine.cohort import Scan

SHOWN = (settings.BEST, settings.MEAN, settings.SRAD, settings.RIVAL, settings.SHIPPED,
         settings.CLEAN)  # fmt: skip
GAP = 4
"""Between images in pixels."""


def store(path: Path, scans: Sequence[Scan], side: int, tools: Tools) -> None:
    """Write the images of the first volume of each level, a row each, as PNG."""
    candidates = {one.key: one for one in quick()}
    rows = []
    firsts = {scan.level: scan for scan in reversed(scans)}
    for level in sorted(firsts, key=list(LEVELS).index):
        volume = firsts[level].volume(side)
        images = [candidates[key].make(volume, tools).pixels for key in SHOWN]
        rows.append(
            [np.pad(image, GAP, constant_values=1) for image in images if image is not None]
        )
    with atomic_path(path) as part:
        whole = Image.fromarray(np.round(np.block(rows) * 255).astype(np.uint8))
        # Half the size: speckle takes many bytes.
        whole.reduce(2).quantize(64).save(part, format="PNG", optimize=True)


def caption(name: str) -> str:
    """The picture in Markdown, with what it shows."""
    shown = ", ".join(label(key) for key in SHOWN)
    return (
        f"![Images of spines]({name})\n\nFrom left: {shown}. Rows: the first volume of each level."
    )
