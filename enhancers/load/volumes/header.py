"""What the header of a volume says, whatever its format."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from enhancers.errors import ImageReadError
from enhancers.geometry import is_affine, is_length
from enhancers.load.raw import MIN_SIDE, Caps
from enhancers.method import Modality
from enhancers.voxel_grid import PLANES, VoxelGrid, body_axes

_N = TypeVar("_N", int, float)


@dataclass(frozen=True)
class Header:
    """Facts of the header; ``axes`` and ``flips`` map to left, posterior, superior.

    ``window`` is the display range that it states, ``affine`` the first three rows of the matrix
    from voxels to LPS in mm, row by row, and empty where it states no orientation.

    The values begin ``offset`` bytes into what the file holds from byte ``start`` on, which is
    packed as ``packing`` says: not at all (empty), "gzip", "zlib", "bzip2", or as "text" or "hex".
    ``hint`` is what free text says of the modality, ``stated`` what this program wrote about the
    values (`enhancers.stated_facts`), and ``notes`` are sentences for the user.
    """

    shape: tuple[int, int, int]
    volumes: int
    dtype: np.dtype[Any]
    channels: int
    offset: int
    scale: tuple[float, float]
    window: tuple[float, float] | None
    zooms: tuple[float, float, float]
    axes: tuple[int, int, int]
    flips: tuple[bool, bool, bool]
    affine: tuple[float, ...]
    format: str = "NIfTI"
    start: int = 0
    packing: str = ""
    hint: Modality | None = None
    stated: str = ""
    notes: tuple[str, ...] = ()

    @property
    def colour(self) -> bool:
        """Whether a voxel is a colour; of other vectors, the first component is shown."""
        return self.channels in (3, 4) and self.dtype.itemsize == 1

    @property
    def oriented(self) -> bool:
        """Whether it states how the voxel axes lie in the patient."""
        return bool(self.affine)

    @property
    def upright(self) -> bool:
        """Whether it says where the head is, so that rows along the body are shown from there."""
        return self.oriented or any(self.flips)

    @property
    def slice_axis(self) -> int:
        """The slice axis: the one of coarsest spacing, else a clearly thin one, else axial."""
        sizes = [self.shape[axis] for axis in self.axes]
        steps = [self.zooms[axis] for axis in self.axes]
        usable = [axis for axis in (2, 1, 0) if min(_others(sizes, axis)) >= MIN_SIDE] or [2, 1, 0]
        for axis in usable:
            if steps[axis] > 1.1 * max(_others(steps, axis)):
                return axis
        for axis in usable:
            if 2 * sizes[axis] <= min(_others(sizes, axis)):
                return axis
        return usable[0]

    @property
    def slice_count(self) -> int:
        """Slices along `slice_axis`."""
        return self.shape[self.axes[self.slice_axis]]

    @property
    def plane(self) -> tuple[int, int]:
        """Anatomical axes of the rows and of the columns of a slice."""
        return ((2, 1), (2, 0), (1, 0))[self.slice_axis]

    @property
    def grid(self) -> VoxelGrid:
        """The voxels in the patient, and their planes."""
        first, second, third = (
            -(axis + 1) if flip else axis + 1
            for axis, flip in zip(self.axes, self.flips, strict=True)
        )
        body = (first, second, third) if self.upright else None
        row, column = self.plane
        stored = column + 1, row + 1, self.slice_axis + 1
        i, j, k = (one if is_length(one) else 1.0 for one in self.zooms)
        grid = VoxelGrid(self.shape, (i, j, k), self.affine, body, stored)
        if body is None:
            return grid
        return replace(grid, stored=grid.axes(PLANES[2 - self.slice_axis]))

    def as_json(self) -> dict[str, Any]:
        """The header as values for JSON."""
        return {**asdict(self), "dtype": self.dtype.str}

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Header:
        """The header of `as_json`."""
        known = {name: tuple(v) if isinstance(v, list) else v for name, v in facts.items()}
        hint = Modality(facts["hint"]) if facts["hint"] else None
        return cls(**{**known, "dtype": np.dtype(facts["dtype"]), "hint": hint})

    def at(self, offset: int) -> Header:
        """The header of values that begin there in what is packed."""
        if not 0 <= offset < 2**40:
            raise ImageReadError(
                f"The {self.format} header places the data nowhere; it is damaged."
            )
        return replace(self, offset=offset)

    def checked(self, caps: Caps, size: int) -> Header:
        """The header, if a file of ``size`` bytes can hold such a volume.

        Raises
        ------
        ImageReadError
            The file is too short; `ImageTooLarge` beyond ``caps``.
        """
        if not 1 <= self.channels <= _MOST_CHANNELS:
            raise ImageReadError(
                f"The {self.format} header states {self.channels} values a voxel; save one of them."
            )
        rows, columns = (self.shape[self.axes[axis]] for axis in self.plane)
        caps.check_size(rows, columns, min(self.channels, 3), size)
        caps.check_inflated(self.offset + self.volume_bytes, size)
        if not self.packing and self.start + self.offset + self.volume_bytes > size:
            raise ImageReadError(
                f"The {self.format} file is truncated: it ends before the last of the "
                f"{self.start + self.offset + self.volume_bytes} bytes that are announced."
            )
        return self

    @property
    def volume_bytes(self) -> int:
        """Size of the volume of one time."""
        return math.prod(self.shape) * self.channels * self.dtype.itemsize

    @property
    def total_bytes(self) -> int:
        """Size of the volumes of all times."""
        return self.volumes * self.volume_bytes


_MOST_CHANNELS = 4096
_MOST_AXES = 7
_Sizes = tuple[int, int, int]


def sizes_of(name: str, sizes: Sequence[int]) -> tuple[_Sizes, int]:
    """The shape of a volume, and how many volumes there are, from the sizes of all axes.

    Raises
    ------
    ImageReadError
        These are no sizes.
    """
    if not 2 <= len(sizes) <= _MOST_AXES or any(not 1 <= one < 2**31 for one in sizes):
        raise ImageReadError(f"The {name} header states no usable dimensions; the file is damaged.")
    padded = (*sizes, 1)
    return (padded[0], padded[1], padded[2]), math.prod(padded[3:])


def placed(
    affine: ArrayLike | None,
) -> tuple[_Sizes, tuple[bool, bool, bool], tuple[float, ...]]:
    """The voxel axis nearest to left, posterior and superior, whether it is flipped, the affine.

    Parameters
    ----------
    affine : array_like, shape (3, 4) or (4, 4), or None
        From voxels to LPS in mm; None where a file states none. One that cannot be counts as none.
    """
    none = (0, 1, 2), (False, False, False), ()
    if affine is None:
        return none
    matrix = np.asarray(affine, np.float64)[:3]
    if not is_affine(matrix):
        return none
    body = body_axes(matrix[:, :3])
    axes, flips = [abs(axis) - 1 for axis in body], [axis < 0 for axis in body]
    known = tuple(float(value) for value in matrix.reshape(-1))
    return (axes[0], axes[1], axes[2]), (flips[0], flips[1], flips[2]), known


def _others(values: Sequence[_N], axis: int) -> list[_N]:
    return [value for index, value in enumerate(values) if index != axis]
