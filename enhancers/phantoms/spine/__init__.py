"""A three-dimensional spine, seen in coronal ultrasound projections at five depths.

It stands in for the data of "Morphological-consistent diffusion network for ultrasound coronal
image enhancement" (Zhou et al.), which are not public: a spine with a thoracic and a lumbar curve
of known angles, and the projections of its volume, with the artefacts that the paper names.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from enhancers.curve_angle import LUMP, TRANSVERSE_PROCESS
from enhancers.errors import ParameterError
from enhancers.image import Pixels
from enhancers.method import nearest
from enhancers.phantoms.spine.acquisition import (
    DEPTHS,
    LEVELS,
    OPTIMAL_SHARES,
    acquire,
    ideal,
    mask_of,
    visibility,
)
from enhancers.phantoms.spine.anatomy import (
    Curves,
    Vertebra,
    angles,
    parts,
    spine,
)

__all__ = ["DEPTHS", "LEVELS", "OPTIMAL_SHARES", "Curves", "SpineVolume", "Vertebra",
           "spine_volume"]  # fmt: skip

MOST_ANGLE = 50.0
MIN_SIZE, MAX_SIZE = 64, 1024


@dataclass(frozen=True, eq=False)
class SpineVolume:
    """Five projections of one volume, and what is true of it.

    Parameters
    ----------
    depths : ndarray, float32, shape (5, H, W), in [0, 1]
        From superficial to deep.
    clean : ndarray, float32, shape (H, W), in [0, 1]
        The artefact-free image: all structures, without speckle and attenuation.
    mask : ndarray, uint8, shape (H, W)
        0 background, 1 transverse process, 2 rib, 3 lumbar lump.
    body : ndarray, bool, shape (H, W)
        What the sweep covers.
    optimal : int
        The depth, 0 to 4, in which transverse processes and lumps are seen best.
    curves : Curves
        The ultrasound curve angles UCA-T and UCA-L in degrees, between the most tilted levels.
    vertebrae : tuple of Vertebra
    """

    depths: Pixels
    clean: Pixels
    mask: NDArray[np.uint8]
    body: NDArray[np.bool_]
    optimal: int
    curves: Curves
    vertebrae: tuple[Vertebra, ...]


def spine_volume(
    curves: Curves | None = None, *, size: int = 256, seed: int = 0, scan: int = 0,
    level: str = "moderate", artefacts: bool = True,
) -> SpineVolume:  # fmt: skip
    """Draw a spine and scan it; the same arguments give the same bytes.

    Parameters
    ----------
    curves : Curves, optional
        By default each is drawn from 0 to 50 degrees, to either side.
    size : int
        Side in pixels, 64 to 1024.
    seed : int
        Chooses the anatomy, at least 0.
    scan : int
        Chooses position, artefacts and speckle, at least 0.
    level : str
        A key of `LEVELS`: "easy", "moderate" or "poor".
    artefacts : bool
        Whether there may be missing strips, shadows and streaks.

    Raises
    ------
    ParameterError
        For an unknown level, or an angle, size or seed outside its range.
    """
    _check(curves, size, seed, scan, level)
    body = np.random.default_rng([0, seed])
    drawn = body.uniform(0, MOST_ANGLE, 2) * body.choice((-1.0, 1.0), 2)
    vertebrae = spine(curves or Curves(*(float(angle) for angle in drawn)), body)

    rng = np.random.default_rng([1, seed, scan])
    dx, dy = rng.normal(0, 0.012), rng.normal(0, 0.006)
    drawn_parts = tuple(parts(vertebrae, size, dx, dy))
    view, places, depths = acquire(drawn_parts, size, LEVELS[level], rng, artefacts=artefacts)
    measured = [part for part in drawn_parts if part.kind in (TRANSVERSE_PROCESS, LUMP)]
    seen = [sum(visibility(part, place) for part in measured) for place in places]
    return SpineVolume(
        depths, ideal(view), mask_of(view), view.body, int(np.argmax(seen)),
        angles(vertebrae), vertebrae,
    )  # fmt: skip


def _check(curves: Curves | None, size: int, seed: int, scan: int, level: str) -> None:
    if level not in LEVELS:
        raise ParameterError(f"No level {level}; {nearest(level, list(LEVELS))}.")
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise ParameterError(f"size={size} is not possible; give {MIN_SIZE} to {MAX_SIZE} pixels.")
    for name, value in (("seed", seed), ("scan", scan)):
        if value < 0:
            raise ParameterError(f"{name}={value} is not possible; give 0 or more.")
    for name in ("thoracic", "lumbar") if curves else ():
        angle = float(getattr(curves, name))
        if not abs(angle) <= MOST_ANGLE:
            raise ParameterError(f"{name}={angle:g} is not possible; give -50 to 50 degrees.")
