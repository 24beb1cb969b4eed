"""The voxels of a result in space: their number, their place, and their order in the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhancers.geometry import LPS_TO_RAS, is_length
from enhancers.image import MedicalImage

Axes = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Grid:
    """A volume of results, with axes column, row and slice.

    Parameters
    ----------
    shape : (columns, rows, slices)
    affine : ndarray, shape (4, 4)
        From (column, row, slice, 1) to LPS in mm.
    placed : bool
        Whether the affine is that of the patient; else it holds the spacing only.
    stored : (column, row, slice)
        Axes of the source's voxels, as `ImageGeometry.stored`.
    """

    shape: Axes
    affine: NDArray[np.float64]
    placed: bool
    stored: Axes = (1, 2, 3)

    @classmethod
    def of_result(
        cls, image: MedicalImage, shape: tuple[int, int], slices: int | None = None
    ) -> Grid:
        """The grid of results of ``shape`` (rows, columns).

        Parameters
        ----------
        image : MedicalImage
            That the result was made of; any slice where the results are of a volume.
        shape : (rows, columns)
        slices : int, optional
            Number of slices of the volume; None for the result of this image.
        """
        size = (shape[1], shape[0], 1 if slices is None else slices)
        scale = shape[0] / image.shape[0]
        geometry = image.geometry
        if geometry is None:
            row, column = image.spacing or (1.0, 1.0)
            matrix = np.diag([column / scale, row / scale, _between(image), 1.0])
            return cls(size, matrix, False, _stored(image))
        if slices is not None:
            start = geometry.point(0, 0, -image.slice_index)
            matrix = geometry.enlarged(scale).affine
            matrix[:3, 3] += np.subtract(start, geometry.origin)
        else:
            matrix = geometry.enlarged(scale).affine
        return cls(size, matrix, True, geometry.stored or (1, 2, 3))

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance of neighbouring columns, rows and slices in mm."""
        x, y, z = (float(one) for one in np.linalg.norm(self.affine[:3, :3], axis=0))
        return x, y, z

    @property
    def stored_shape(self) -> Axes:
        """Sizes of the axes in the order of the source's voxels."""
        sizes = [0, 0, 0]
        for size, axis in zip(self.shape, self.stored, strict=True):
            sizes[abs(axis) - 1] = size
        return sizes[0], sizes[1], sizes[2]

    @property
    def stored_affine_ras(self) -> NDArray[np.float64]:
        """From the indices of the source's voxels to right, anterior, superior in mm."""
        turned = np.zeros((4, 4))
        turned[3, 3] = 1.0
        for place, (size, axis) in enumerate(zip(self.shape, self.stored, strict=True)):
            turned[place, abs(axis) - 1] = np.sign(axis)
            turned[place, 3] = size - 1 if axis < 0 else 0
        return np.asarray(LPS_TO_RAS @ self.affine @ turned)

    def as_stored(self, volume: NDArray[Any]) -> NDArray[Any]:
        """Slices, rows, columns (and channels) in the order of the source's voxels; a view.

        Parameters
        ----------
        volume : ndarray, shape (slices, rows, columns) or (slices, rows, columns, 3)
            All slices, or consecutive ones.
        """
        reversed_ = tuple(slice(None, None, -1 if axis < 0 else 1) for axis in self.stored[::-1])
        order = [0, 0, 0]
        for place, axis in zip((2, 1, 0), self.stored, strict=True):
            order[abs(axis) - 1] = place
        return volume[reversed_].transpose(*order, *range(3, volume.ndim))


def _between(image: MedicalImage) -> float:
    """The distance of slices in mm where the file states one without positions; else 1."""
    stated = dict(image.tags).get("SpacingBetweenSlices", "1 mm")
    distance = abs(float(stated.removesuffix(" mm")))
    return distance if is_length(distance) else 1.0


def _stored(image: MedicalImage) -> Axes:
    """The axes of the source's voxels where the file states no orientation."""
    i, j, k = (int(axis) for axis in dict(image.tags).get("StoredAxes", "1 2 3").split())
    return i, j, k
