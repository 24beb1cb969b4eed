"""What tells the frames of a series apart, and the plane that they lie in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from enhancers.geometry import Vector, plane_name
from enhancers.image import Window

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FrameFacts:
    """What tells the frames of a series apart.

    Parameters
    ----------
    series, instance, reference : str
        Unique identifiers of series, object and frame of reference; empty where absent.
    frame : int or None
        Index in an object of several frames.
    series_number, instance_number : float or None
    modality : str
        A code of C.7.3.1.1.1 that is known, or empty.
    rows, columns : int
    orientation : tuple of float
        Cosines of rows and columns (six numbers); empty where absent.
    position : (x, y, z) or None
        Centre of the first pixel in mm.
    spacing : (row, column) or None
        In mm.
    thickness : float or None
        In mm.
    kind : tuple of str
        Words of the image type, upper case.
    echo, echo_time, b_value : float or None
        Echo time in ms, b-value in s/mm².
    stack : str
    repeats : tuple of (name, value)
        What may tell frames at one position apart, the most certain first.
    tile : bool
        Whether the frame is a part of a picture: a slice of a mosaic.
    alone : bool
        Whether the object is a volume of its own: it has frames, and no functional groups.
    time : float
        Seconds; only differences mean something.
    window : Window or None
        The first one that is stated.
    """

    series: str
    instance: str
    reference: str
    frame: int | None
    series_number: float | None
    instance_number: float | None
    modality: str
    rows: int
    columns: int
    orientation: tuple[float, ...] = ()
    position: Vector | None = None
    spacing: tuple[float, float] | None = None
    thickness: float | None = None
    kind: tuple[str, ...] = ()
    echo: float | None = None
    echo_time: float | None = None
    b_value: float | None = None
    stack: str = ""
    repeats: tuple[tuple[str, object], ...] = ()
    tile: bool = False
    alone: bool = False
    time: float = 0.0
    window: Window | None = None

    @property
    def placed(self) -> bool:
        """Whether the frame states where it is."""
        return self.position is not None and bool(normal(self.orientation).any())


def normal(orientation: Sequence[float]) -> Floats:
    """The unit normal of the plane of rows and columns; zeros where there is none."""
    if len(orientation) != 6:
        return np.zeros(3)
    cross = np.cross(orientation[:3], orientation[3:])
    length = float(np.linalg.norm(cross))
    return cross / length if length > 0.1 else np.zeros(3)


def plane(orientation: Sequence[float]) -> str:
    """Sagittal, coronal, axial or oblique; empty without an orientation."""
    return plane_name(tuple(normal(orientation)))
