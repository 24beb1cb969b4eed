"""A simulated CT scan of an image: counts of photons, their logarithm, filtered back-projection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from enhancers.errors import ParameterError
from enhancers.measured import Projections
from enhancers.operators import Beam, Projection

Array = NDArray[np.float64]

WATER_PER_MM = 0.0195
"""Attenuation of water at about 70 keV, the mean energy of a 120 kV beam."""
AIR_HU = -1000.0
SOURCE_MM = 570.0
"""Distance of the source from the centre of rotation, for a fan beam."""
LARGEST_SIDE = 640
"""Pixels; the matrix of a larger image would need gigabytes."""
LEAST_COUNT = 1.0


@dataclass(frozen=True)
class Scanner:
    """How a slice is scanned.

    Parameters
    ----------
    photons : float
        That reach a detector element in air, per view, at full dose.
    electronic : float
        Standard deviation of the noise of the electronics, in counts.
    views : int
    fan : bool
        A fan beam over a turn, in place of parallel beams over half a turn.
    """

    photons: float = 1e5
    electronic: float = 10.0
    views: int = 360
    fan: bool = False

    def beam(self, shape: tuple[int, int], pixel: float) -> Beam:
        """The geometry for an image of ``shape`` in the middle of a square.

        Raises
        ------
        ParameterError
            The image is too large.
        """
        side = max(shape)
        if side > LARGEST_SIDE:
            raise ParameterError(
                f"The scan of {shape[1]} x {shape[0]} pixels is not simulated; shrink or crop the "
                f"image to {LARGEST_SIDE} pixels each way."
            )
        octants = 8 if self.fan else 4
        views = -(-self.views // octants) * octants
        reach = 1.2 * side * pixel / 2**0.5
        return Beam(side, pixel, views, max(SOURCE_MM, reach) if self.fan else None)


def scanned(
    hu: Array, dose: float, rng: np.random.Generator, scanner: Scanner, *, pixel: float
) -> Projections:
    """The noisy line integrals of a slice.

    A ray of attenuation p has N exp(-p) of N photons on average (Beer and Lambert); their number is
    Poisson distributed, the electronics add Gaussian noise, and at least one is counted.

    Parameters
    ----------
    hu : ndarray, shape (H, W)
        In Hounsfield units; below -1000 it is air.
    dose : float
        Fraction of the full dose, more than 0.
    rng : numpy Generator
    scanner : Scanner
    pixel : float
        Side of a pixel in mm.

    Returns
    -------
    Projections

    Raises
    ------
    ParameterError
        The image is too large.
    """
    import torch

    height, width = hu.shape
    beam = scanner.beam((height, width), pixel)
    empty = np.zeros((beam.views, beam.detectors), np.float32)
    place = Projections(empty, beam, (height, width)).inset
    square = np.zeros((beam.side, beam.side), np.float32)
    square[place] = np.maximum(WATER_PER_MM * (1.0 + hu / 1000.0), 0.0)
    paths = Projection(beam).forward(torch.from_numpy(square)[None, None])[0, 0].numpy()
    sent = scanner.photons * dose
    counts = rng.poisson(sent * np.exp(-paths.astype(np.float64))).astype(np.float64)
    counts += scanner.electronic * rng.standard_normal(counts.shape)
    values = np.log(sent / np.maximum(counts, LEAST_COUNT)).astype(np.float32)
    return Projections(values, beam, (height, width))


def reconstructed(projections: Projections) -> Array:
    """The slice in HU by filtered back-projection with a Hann window, shape (H, W)."""
    import torch

    operator = Projection(projections.beam)
    image = operator.pinv(torch.from_numpy(projections.values)[None, None])[0, 0].numpy()
    return np.asarray((image[projections.inset] / WATER_PER_MM - 1.0) * 1000.0, np.float64)
