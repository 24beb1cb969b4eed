"""The geometry of a CT scan."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Beam:
    """The geometry of a scan of a square image.

    Parameters
    ----------
    side : int
        Of the image, in pixels.
    pixel : float
        Side of a pixel, which is also the distance of detector elements (of a fan beam: at the
        centre of rotation), in mm.
    views : int
        Over half a turn for parallel beams, a multiple of 4; over a turn for a fan, one of 8.
    source : float or None
        Distance of the source from the centre in mm; None for parallel beams. The detector is flat.
    """

    side: int
    pixel: float
    views: int = 360
    source: float | None = None

    def __post_init__(self) -> None:
        if self.views < 1 or self.views % self.octants:
            raise ValueError(f"{self.views} views; give a multiple of {self.octants}")
        if self.source is not None and self.source <= 1.05 * self.radius:
            raise ValueError(
                f"the source, {self.source:g} mm from the centre, has to be outside of the image, "
                f"whose corner is at {self.radius:.4g} mm"
            )

    @property
    def octants(self) -> int:
        """How many symmetric parts the views have."""
        return 4 if self.source is None else 8

    @property
    def views_per_octant(self) -> int:
        """Views in one of them."""
        return self.views // self.octants

    @property
    def radius(self) -> float:
        """Distance of a corner from the centre, in mm."""
        return self.side * self.pixel / math.sqrt(2)

    @property
    def detectors(self) -> int:
        """Detector elements that see the image, an odd number; the central ray meets the middle."""
        reach = self.radius
        if self.source is not None:
            reach *= self.source / math.sqrt(self.source**2 - self.radius**2)
        return 2 * math.ceil(reach / self.pixel) + 1

    @property
    def positions(self) -> Array:
        """Of the detector elements in mm, shape (detectors,)."""
        return np.asarray(
            (np.arange(self.detectors) - self.detectors // 2) * self.pixel, np.float64
        )

    @property
    def step(self) -> float:
        """Angle from one view to the next in radians."""
        return (math.pi if self.source is None else 2 * math.pi) / self.views

    @property
    def angles(self) -> Array:
        """Of the views in radians, shape (views,); the first is half a step."""
        return np.asarray((np.arange(self.views) + 0.5) * self.step)

    def lines(self, angle: float) -> tuple[Array, Array]:
        """The rays of a view, x cos(a) + y sin(a) = s with y downwards: their a and s (mm)."""
        u = self.positions
        if self.source is None:
            return np.full(u.shape, angle), u
        return angle + np.arctan2(u, self.source), u * self.source / np.hypot(u, self.source)
