"""Texture of the noise and visibility of faint discs, which PSNR does not measure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from enhancers.evaluation.texture.discs import GROUP, Cells, Discs, cells, disc_case, discs
from enhancers.evaluation.texture.observer import Detectability, detectability
from enhancers.evaluation.texture.spectrum import Spectrum, spectrum

__all__ = [
    "GROUP",
    "Cells",
    "Detectability",
    "Discs",
    "Spectrum",
    "cells",
    "detectability",
    "disc_case",
    "discs",
    "noise_of",
    "spectrum",
]


def noise_of(images: Sequence[Cells]) -> Spectrum:
    """The noise power spectrum in the cells without a disc of one or more images of a method."""
    return spectrum(np.concatenate([one.absent for one in images]))
