"""Synthetic images with known truth: drawn anatomy, random by seed, without noise.

They serve demonstrations, tests and training, which need clean images that are free to share. They
resemble the modality and show no person.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from enhancers.errors import ParameterError
from enhancers.image import Pixels
from enhancers.method import Modality, nearest

_MODALITIES = {
    "echo": Modality.US,
    "cardiac_mr": Modality.MR,
    "ct": Modality.CT,
    "chest_xray": Modality.XR,
    "fundus": Modality.FUNDUS,
    "endoscopy": Modality.ENDOSCOPY,
}

KINDS: tuple[str, ...] = tuple(_MODALITIES)
"""The kinds of phantoms; each is a module of this package."""

MIN_SIZE, MAX_SIZE = 32, 2048


@dataclass(frozen=True, eq=False)
class Phantom:
    """A clean synthetic image.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    pixels : ndarray, float32, shape (H, W) or (H, W, 3), in [0, 1]
    modality : Modality
    labels : ndarray, uint8, shape (H, W), or None
        Classes: echo 0 background, 1 left ventricle, 2 myocardium, 3 left atrium; cardiac_mr
        0 background, 1 left ventricle, 2 myocardium, 3 right ventricle; None for other kinds.
    """

    kind: str
    pixels: Pixels
    modality: Modality
    labels: NDArray[np.uint8] | None = None


def phantom(kind: str, *, size: int = 256, seed: int = 0) -> Phantom:
    """Draw a phantom; the same arguments give the same bytes.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    size : int
        Side in pixels, 32 to 2048.
    seed : int
        Chooses the anatomy, at least 0.

    Raises
    ------
    ParameterError
        For an unknown kind, or a size or seed outside its range.
    """
    if kind not in _MODALITIES:
        raise ParameterError(f"No phantom {kind}; {nearest(kind, list(KINDS))}.")
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise ParameterError(f"size={size} is not possible; give {MIN_SIZE} to {MAX_SIZE} pixels.")
    if seed < 0:
        raise ParameterError(f"seed={seed} is not possible; give 0 or more.")
    module = importlib.import_module(f"enhancers.phantoms.{kind}")
    # The kind is part of the seed, so that equal seeds give unrelated anatomy across kinds.
    rng = np.random.default_rng([KINDS.index(kind), seed])
    pixels, labels = module.draw(size, rng)
    unit = np.clip(pixels, 0.0, 1.0).astype(np.float32)
    return Phantom(kind, np.ascontiguousarray(unit), _MODALITIES[kind], labels)
