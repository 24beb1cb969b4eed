"""What is measured on which volumes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from enhancers.phantoms.spine import DEPTHS
from enhancers.phantoms.spine.cohort import Scan, cohort

T = TypeVar("T")

SIDE = 256
"""Of the images in pixels, as in the paper; MS-SSIM with five scales needs 161."""
STEPS, SAMPLES = 20, 8
"""Of a sample, and how many are averaged: the defaults of the method."""
SEEDS = 3
"""Starts of the noise, one sample each."""
VARIANTS = ("tuned", "residual", "published")
SHIPPED = "tuned"
"""The variant of the skip connections that the method has by default."""

BEST = "input@best"
MEAN = "mean"
SRAD = "srad@best"
RIVAL = "unet"
CLEAN = "clean"
SHRUNK = "shrunk"
"""The artefact-free image, shrunk to the size of the networks and enlarged again."""
MASK = "mask"
FUSED = "fused"
"""The segmentations of all depths together, from which no image is made."""
SINGLE = tuple(f"input@{number}" for number in range(1, DEPTHS + 1))

COMPARED = (MEAN, RIVAL, *VARIANTS)
"""Images of all depths together, which are compared with each depth too."""


def started(variant: str, seed: int) -> str:
    """The key of one sample, which is from the start of this seed."""
    return f"{variant}#{seed}"


ONE = started(SHIPPED, 0)
"""What the paper shows: a single sample."""


def spread_out(items: Sequence[T], count: int | None) -> list[T]:
    """``count`` of the items at even distances; by default, and at most, all of them."""
    if count is None or count >= len(items):
        return list(items)
    return [items[place] for place in np.linspace(0, len(items) - 1, count).round().astype(int)]


def held_out(count: int | None = None) -> list[Scan]:
    """Volumes that no network was trained on, of as many subjects as possible."""
    return spread_out([scan for scan in cohort() if scan.part == "test"], count)
