"""The voxels of a volume in the patient, and the planes in which they are looked at."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from enhancers.errors import ParameterError
from enhancers.geometry import ImageGeometry

STORED = "stored"
PLANES = ("axial", "coronal", "sagittal")
"""The planes that are made of the voxels; `STORED` is that in which the file has its slices."""

_T = TypeVar("_T")

MOST_TURNED = 1.0
"""Degrees between the voxel axes and those of the body that are not mentioned."""

Axes = tuple[int, int, int]
"""Three axes, from 1, of which the negative ones are reversed."""

# Along left, posterior and superior: how columns, rows and slices of a plane grow.
_SHOWN: dict[str, Axes] = {"axial": (1, 2, 3), "coronal": (1, -3, 2), "sagittal": (2, -3, 1)}


@dataclass(frozen=True)
class VoxelGrid:
    """Voxels [i, j, k] in the patient.

    Planes are those of the voxels that are nearest to the anatomical ones; nothing is resampled.
    They are shown in the radiological convention: the patient's right, or anterior, on the left,
    and anterior, or the head, at the top. Slices are counted from the feet, from anterior, and from
    the patient's right.

    Parameters
    ----------
    shape : (i, j, k)
    zooms : (i, j, k)
        Distances of neighbouring voxels in mm.
    affine : tuple of float
        The first three rows of the matrix from (i, j, k, 1) to LPS in mm, row by row; empty where
        the file does not say.
    body : Axes or None
        The voxel axes that grow to left, posterior and superior; None where the file does not say.
    stored : Axes
        The voxel axes along which columns, rows and slices of the plane `STORED` grow.
    """

    shape: tuple[int, int, int]
    zooms: tuple[float, float, float]
    affine: tuple[float, ...] = ()
    body: Axes | None = None
    stored: Axes = (1, 2, 3)

    @classmethod
    def of_affine(
        cls, shape: Sequence[int], affine: ArrayLike, stored: Axes = (1, 2, 3)
    ) -> VoxelGrid:
        """The grid of a matrix from (i, j, k, 1) to LPS in mm, shape (3, 4) or (4, 4).

        Raises
        ------
        ValueError
            A column has no length.
        """
        matrix = np.asarray(affine, np.float64)[:3]
        lengths = np.linalg.norm(matrix[:, :3], axis=0)
        if not (np.isfinite(matrix).all() and lengths.all()):
            raise ValueError(f"no matrix of voxels: {matrix}")
        known = tuple(float(value) for value in matrix.reshape(-1))
        return cls(
            _three(int(size) for size in shape), _three(float(size) for size in lengths),
            known, body_axes(matrix[:, :3]), stored,
        )  # fmt: skip

    @property
    def planes(self) -> tuple[str, ...]:
        """The planes that can be shown."""
        return (STORED,) if self.body is None else (*PLANES, STORED)

    def axes(self, plane: str) -> Axes:
        """The voxel axes along which columns, rows and slices of a plane grow.

        Raises
        ------
        ParameterError
            There is no such plane.
        """
        if plane == STORED:
            return self.stored
        if plane not in _SHOWN:
            raise ParameterError(f"There is no plane {plane}; use {', '.join(PLANES)} or {STORED}.")
        if self.body is None:
            raise ParameterError(
                f"The file does not say how its voxels lie in the patient, so there is no {plane} "
                f"plane; use {STORED}."
            )
        body = self.body
        return _three(
            int(math.copysign(1, shown)) * body[abs(shown) - 1] for shown in _SHOWN[plane]
        )

    def same_as(self, plane: str) -> str:
        """The anatomical plane that is shown as this one is; the plane itself where none is."""
        axes = self.axes(plane)
        named = self.planes[:-1]
        return next((one for one in named if self.axes(one) == axes), plane)

    def size(self, plane: str) -> tuple[int, int, int]:
        """Rows, columns and slices of a plane."""
        column, row, across = (self.shape[abs(axis) - 1] for axis in self.axes(plane))
        return row, column, across

    def spacing(self, plane: str) -> tuple[float, float]:
        """Distances of rows and of columns of a plane in mm."""
        column, row, _ = (self.zooms[abs(axis) - 1] for axis in self.axes(plane))
        return row, column

    def cut(self, values: NDArray[Any], plane: str, index: int) -> NDArray[Any]:
        """A slice of an array [i, j, k, ...] as [row, column, ...]; a view.

        Raises
        ------
        ParameterError
            There is no such plane.
        """
        column, row, across = self.axes(plane)
        turned = np.moveaxis(values, (abs(row) - 1, abs(column) - 1, abs(across) - 1), (0, 1, 2))
        place = index if across > 0 else turned.shape[2] - 1 - index
        return turned[:: int(math.copysign(1, row)), :: int(math.copysign(1, column)), place]

    def voxel(self, plane: str, index: int, row: float, column: float) -> tuple[float, ...]:
        """The voxel [i, j, k] of a pixel."""
        found = [0.0, 0.0, 0.0]
        for axis, place in zip(self.axes(plane), (column, row, index), strict=True):
            last = self.shape[abs(axis) - 1] - 1
            found[abs(axis) - 1] = place if axis > 0 else last - place
        return tuple(found)

    def pixel(self, plane: str, voxel: Sequence[float]) -> tuple[float, float, float]:
        """Index, row and column at which a plane shows a voxel."""
        column, row, index = (
            voxel[abs(axis) - 1]
            if axis > 0
            else self.shape[abs(axis) - 1] - 1 - voxel[abs(axis) - 1]
            for axis in self.axes(plane)
        )
        return index, row, column

    def geometry(self, plane: str, index: int) -> ImageGeometry | None:
        """Where a slice of a plane lies in the patient; None where the file does not say."""
        if not self.affine:
            return None
        stored = np.reshape(self.affine, (3, 4))
        axes = self.axes(plane)
        affine = np.eye(4)
        for column, axis in enumerate(axes):
            affine[:3, column] = math.copysign(1, axis) * stored[:, abs(axis) - 1]
        affine[:3, 3] = stored @ (*self.voxel(plane, index, 0, 0), 1.0)
        found = ImageGeometry.of_affine(affine)
        return None if found is None else replace(found, stored=axes)

    @property
    def turned(self) -> float:
        """Degrees by which the voxel axes differ from the anatomical ones, at most."""
        if not self.affine or self.body is None:
            return 0.0
        matrix = np.reshape(self.affine, (3, 4))[:, :3] / self.zooms
        along = [abs(matrix[world, abs(axis) - 1]) for world, axis in enumerate(self.body)]
        return math.degrees(math.acos(min(1.0, *along)))


def cut_notes(grid: VoxelGrid, plane: str) -> tuple[str, ...]:
    """Sentences about a plane that is cut out of a volume."""
    if grid.turned <= MOST_TURNED:
        return ()
    return (
        f"The voxels are turned by {grid.turned:.2g} degrees against the body: the {plane} plane "
        "is that of the voxels, and nothing is resampled.",
    )


def body_axes(matrix: NDArray[np.float64]) -> Axes:
    """The voxel axes nearest to left, posterior and superior.

    Parameters
    ----------
    matrix : ndarray, shape (3, 3)
        The voxel axes, as columns, in LPS.
    """
    units = matrix / np.linalg.norm(matrix, axis=0)
    best = max(
        itertools.permutations(range(3)),
        key=lambda axes: sum(abs(units[world, axis]) for world, axis in enumerate(axes)),
    )
    return _three(
        -(axis + 1) if units[world, axis] < 0 else axis + 1 for world, axis in enumerate(best)
    )


def _three(values: Iterable[_T]) -> tuple[_T, _T, _T]:
    first, second, third = values
    return first, second, third
