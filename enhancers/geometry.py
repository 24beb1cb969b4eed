"""Where an image lies in the patient: DICOM's coordinate system, in millimetres.

The axes are those of DICOM (PS3.3, C.7.6.2.1.1): x grows to the patient's left, y to posterior, z
to superior (LPS). NIfTI and its programs have x to the right and y to anterior (RAS).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = tuple[float, float, float]
Matrix = NDArray[np.float64]

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""Left of an LPS affine, it gives the RAS affine, and the other way round."""

_LETTERS = (("R", "L"), ("A", "P"), ("I", "S"))
_PLANES = ("sagittal", "coronal", "axial")
_OBLIQUE = math.cos(math.radians(35))
_SECOND_LETTER = math.sin(math.radians(20))
_UNIT, _PARALLEL = 1e-4, 1e-3

_LEAST, _MOST, _FARTHEST = 1e-9, 1e6, 1e9

MOST_OBLONG = 100.0
"""How many times as high as wide, or as wide as high, pixels are shown at most."""


@dataclass(frozen=True)
class ImageGeometry:
    """The position of a 2-D image in the patient; it holds no identifier.

    Parameters
    ----------
    origin : (x, y, z)
        Centre of the pixel of row 0 and column 0, LPS in mm.
    row : (x, y, z)
        Unit direction along a row, in which the column index grows.
    column : (x, y, z)
        Unit direction along a column, in which the row index grows. In sheared volumes it is not
        perpendicular to ``row``.
    spacing : (row, column)
        Distance of neighbouring rows and of neighbouring columns in mm.
    step : (x, y, z) or None
        From a pixel to the same pixel of the next slice, in mm; None where there is no next slice,
        or the file does not say. It is not along the normal where a stack is tilted.
    stored : (column, row, slice) or None
        The axes of the file's voxels, from 1, along which the three indices of the image grow;
        negative where they fall. None stands for (1, 2, 3).

    Raises
    ------
    ValueError
        Not finite, no unit directions, no positive spacing, or parallel directions.
    """

    origin: Vector
    row: Vector
    column: Vector
    spacing: tuple[float, float]
    step: Vector | None = None
    stored: tuple[int, int, int] | None = None

    def __post_init__(self) -> None:
        known = [*self.origin, *self.row, *self.column, *self.spacing, *(self.step or ())]
        if not np.isfinite(known).all():
            raise ValueError(f"a geometry needs finite numbers, got {known}")
        lengths = [math.hypot(*self.row), math.hypot(*self.column)]
        if not np.allclose(lengths, 1.0, atol=_UNIT) or min(self.spacing) <= 0:
            raise ValueError(f"directions of length {lengths} or spacing {self.spacing}")
        if float(np.linalg.norm(np.cross(self.row, self.column))) < _PARALLEL:
            raise ValueError("the directions of rows and columns are parallel")

    @classmethod
    def of_dicom(
        cls,
        position: Sequence[float],
        orientation: Sequence[float],
        spacing: tuple[float, float],
        step: Vector | None = None,
    ) -> ImageGeometry | None:
        """The geometry of Image Position, Image Orientation and Pixel Spacing.

        Directions are made unit vectors; None where the numbers are no geometry.
        """
        if len(position) != 3 or len(orientation) != 6:
            return None
        columns = [np.asarray(orientation[3 * axis : 3 * axis + 3]) for axis in (0, 1)]
        affine = np.eye(4)
        affine[:3, 0] = columns[0] * (spacing[1] / (np.linalg.norm(columns[0]) or math.nan))
        affine[:3, 1] = columns[1] * (spacing[0] / (np.linalg.norm(columns[1]) or math.nan))
        affine[:3, 3] = position
        found = cls.of_affine(affine)
        return None if found is None else replace(found, step=step)

    @classmethod
    def of_affine(cls, affine: ArrayLike) -> ImageGeometry | None:
        """The geometry of a matrix from (column, row, slice, 1) to LPS in mm, shape (4, 4).

        The third column is the step. None where the first two are no directions.
        """
        matrix = np.asarray(affine, np.float64)
        with np.errstate(all="ignore"):
            lengths = np.linalg.norm(matrix[:3, :2], axis=0)
            units = matrix[:3, :2] / lengths
        try:
            return cls(
                vector(matrix[:3, 3]), vector(units[:, 0]), vector(units[:, 1]),
                (float(lengths[1]), float(lengths[0])), vector(matrix[:3, 2]),
            )  # fmt: skip
        except ValueError:
            return None

    @classmethod
    def from_json(cls, facts: Mapping[str, Any] | None) -> ImageGeometry | None:
        """The geometry of `as_json`; None for None.

        Raises
        ------
        ValueError, TypeError, KeyError
            The values are no geometry.
        """
        if facts is None:
            return None
        row, column = (float(value) for value in facts["spacing"])
        step, stored = facts["step"], facts["stored"]
        return cls(
            vector(facts["origin"]), vector(facts["row"]), vector(facts["column"]), (row, column),
            None if step is None else vector(step), None if stored is None else _signed(stored),
        )  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        """The geometry as values for JSON."""
        return asdict(self)

    @property
    def normal(self) -> Vector:
        """Unit normal of the plane: row x column, as in DICOM."""
        cross = np.cross(self.row, self.column)
        return vector(cross / np.linalg.norm(cross))

    @property
    def affine(self) -> Matrix:
        """The matrix from (column, row, slice, 1) to LPS in mm, shape (4, 4).

        The image is slice 0. Without a ``step``, slices are 1 mm apart along the normal.
        """
        matrix = np.eye(4)
        matrix[:3, 0] = np.multiply(self.row, self.spacing[1])
        matrix[:3, 1] = np.multiply(self.column, self.spacing[0])
        matrix[:3, 2] = self.step or self.normal
        matrix[:3, 3] = self.origin
        return matrix

    @property
    def affine_ras(self) -> Matrix:
        """`affine` to right, anterior, superior: that of a NIfTI stored (column, row, slice)."""
        return np.asarray(LPS_TO_RAS @ self.affine)

    @property
    def plane(self) -> str:
        """The name of the plane (`plane_name`)."""
        return plane_name(self.normal)

    @property
    def edges(self) -> tuple[str, str, str, str]:
        """Letters of the directions at the left, right, top and bottom edge, as "R" or "AL"."""
        (left, right), (top, bottom) = (
            (direction_letters(np.negative(one)), direction_letters(one))
            for one in (self.row, self.column)
        )
        return left, right, top, bottom

    def point(self, row: float, column: float, slices: float = 0.0) -> Vector:
        """LPS in mm of the centre of a pixel, ``slices`` steps from this image."""
        return vector((self.affine @ (column, row, slices, 1.0))[:3])

    def enlarged(self, factor: float) -> ImageGeometry:
        """The geometry of the image that has ``factor`` times the rows and columns.

        Both images cover the same area, as with all methods of this project that enlarge: the
        first pixel of the larger one lies ``(factor - 1) / (2 * factor)`` of a pixel before that
        of the smaller one.
        """
        shift = (1.0 / factor - 1.0) / 2.0
        spacing = (self.spacing[0] / factor, self.spacing[1] / factor)
        return replace(self, origin=self.point(shift, shift), spacing=spacing)

    def cropped(self, top: int, left: int) -> ImageGeometry:
        """The geometry of the part that begins at this row and column."""
        return replace(self, origin=self.point(top, left))

    def flipped(self, axis: int, size: int) -> ImageGeometry:
        """The geometry of the image with its rows (axis 0, of ``size``) or columns (1) reversed."""
        columns, rows, slices = self.stored or (1, 2, 3)
        if axis == 0:
            return replace(
                self, origin=self.point(size - 1, 0), column=vector(np.negative(self.column)),
                stored=(columns, -rows, slices),
            )  # fmt: skip
        return replace(
            self, origin=self.point(0, size - 1), row=vector(np.negative(self.row)),
            stored=(-columns, rows, slices),
        )  # fmt: skip

    def transposed(self) -> ImageGeometry:
        """The geometry of the image with rows and columns exchanged."""
        spacing = (self.spacing[1], self.spacing[0])
        columns, rows, slices = self.stored or (1, 2, 3)
        return replace(
            self, row=self.column, column=self.row, spacing=spacing, stored=(rows, columns, slices)
        )


def vector(values: ArrayLike) -> Vector:
    """Three numbers as a tuple of floats, with 0 for -0."""
    x, y, z = (float(value) + 0.0 for value in np.asarray(values, np.float64))
    return x, y, z


def _signed(values: Sequence[Any]) -> tuple[int, int, int]:
    columns, rows, slices = (int(value) for value in values)
    return columns, rows, slices


def is_length(*millimetres: float) -> bool:
    """Whether these can be sides of voxels: from a picometre to a kilometre."""
    return all(_LEAST <= one <= _MOST for one in millimetres)


def is_place(*millimetres: float) -> bool:
    """Whether these can be coordinates of a patient or a specimen."""
    return all(abs(one) <= _FARTHEST for one in millimetres)


def is_affine(matrix: ArrayLike) -> bool:
    """Whether a matrix from voxels to mm, (3, 4) or (4, 4), has possible sides and an origin."""
    known = np.asarray(matrix, np.float64)[:3]
    # A damaged matrix may overflow.
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.linalg.norm(known[:, :3], axis=0)
    return is_length(*lengths) and is_place(*known[:, 3])


def shown_aspect(sides: tuple[float, float] | None) -> tuple[float, float]:
    """Height and width with which a pixel is shown: these, or those of a square.

    Pixels that are not known are squares, and those beyond `MOST_OBLONG`, too: of an image, a
    header with such a fault would leave a line.
    """
    height, width = sides or (1.0, 1.0)
    usable = math.isfinite(height) and math.isfinite(width) and min(height, width) > 0
    if not usable or not 1 / MOST_OBLONG <= height / width <= MOST_OBLONG:
        return 1.0, 1.0
    return float(height), float(width)


def plane_name(normal: Sequence[float]) -> str:
    """The plane with this unit normal: sagittal, coronal, axial, or oblique beyond 35 degrees.

    Empty for the zero vector.
    """
    along = np.abs(normal)
    largest = int(np.argmax(along))
    if along[largest] == 0:
        return ""
    return _PLANES[largest] if along[largest] >= _OBLIQUE else "oblique"


def direction_letters(direction: ArrayLike) -> str:
    """The anatomical direction of a unit vector (LPS): R, L, A, P, I, S, the main one first.

    A second and third letter are added beyond 20 degrees from the main plane.
    """
    values = np.asarray(direction, np.float64)
    order = np.argsort(-np.abs(values), kind="stable")
    return "".join(
        _LETTERS[axis][int(values[axis] > 0)]
        for place, axis in enumerate(order)
        if place == 0 or abs(values[axis]) > _SECOND_LETTER
    )
