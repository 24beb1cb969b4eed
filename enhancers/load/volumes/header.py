"""What the header of a volume says, whatever its format."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

import numpy as np

from enhancers.load.raw import MIN_SIDE
from enhancers.voxel_grid import PLANES, VoxelGrid

_N = TypeVar("_N", int, float)


@dataclass(frozen=True)
class Header:
    """Facts of the header; ``axes`` and ``flips`` map to left, posterior, superior.

    ``window`` is the display range that it states, ``affine`` the first three rows of the matrix
    from voxels to LPS in mm, row by row, and empty where it states no orientation.
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

    @property
    def oriented(self) -> bool:
        """Whether it states how the voxel axes lie in the patient."""
        return bool(self.affine)

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
        body = (first, second, third) if self.oriented else None
        row, column = self.plane
        stored = column + 1, row + 1, self.slice_axis + 1
        grid = VoxelGrid(self.shape, self.zooms, self.affine, body, stored)
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
        return cls(**{**known, "dtype": np.dtype(facts["dtype"])})

    @property
    def volume_bytes(self) -> int:
        """Size of the volume of one time."""
        return math.prod(self.shape) * self.channels * self.dtype.itemsize

    @property
    def total_bytes(self) -> int:
        """Size of the volumes of all times."""
        return self.volumes * self.volume_bytes


def _others(values: Sequence[_N], axis: int) -> list[_N]:
    return [value for index, value in enumerate(values) if index != axis]
