"""Files of voxels that are written slice by slice: NIfTI, NRRD, MHA."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from enhancers.save.grid import Grid
from enhancers.save.nifti import nifti_header, nifti_samples
from enhancers.save.text_headers import metaimage_header, nrrd_header
from enhancers.stated_facts import StatedFacts

BLOCK_BYTES = 32 * 2**20
"""Bytes of slices that are held where they do not lie one after the other in the file."""

_LEVEL = 4
_PIECE = 2**20


class VoxelWriter:
    """Writes slices of one volume, in ascending order, to a file.

    Parameters
    ----------
    file : binary file
        Empty, and seekable where slices do not lie one after the other (`is_sequential`).
    kind : {"nii", "nrrd", "mha"}
    grid : Grid
    facts : StatedFacts
    colour : bool
    """

    def __init__(
        self, file: IO[bytes], kind: str, grid: Grid, facts: StatedFacts, colour: bool
    ) -> None:
        self._file, self._kind, self._grid = file, kind, grid
        self._facts, self._colour = facts, colour
        self._block: list[NDArray[Any]] = []
        self._done = 0
        self._sequential = is_sequential(kind, grid)
        dtype: np.dtype[Any] = np.dtype("<f4")
        if colour:
            eight = kind == "nii" or facts.window.ends == (0.0, 255.0)
            dtype = np.dtype("u1" if eight else "<u2")
        self._dtype = dtype
        if kind == "nii":
            head = nifti_header(grid, facts, colour)
        else:
            make = nrrd_header if kind == "nrrd" else metaimage_header
            head = make(grid, facts, dtype, colour)
        self._start = len(head)
        file.write(head)

    def add(self, values: NDArray[Any]) -> None:
        """Write the next slice, in the units that the file states.

        Parameters
        ----------
        values : ndarray, shape (H, W) or (H, W, 3)
        """
        samples = self._samples(values)
        if self._kind != "nii":
            self._file.write(np.ascontiguousarray(samples).data)
            self._done += 1
            return
        self._block.append(samples)
        if self._sequential or sum(one.nbytes for one in self._block) >= BLOCK_BYTES:
            self._flush()

    def end(self) -> None:
        """Write what is held.

        Raises
        ------
        ValueError
            There were fewer or more slices than announced.
        """
        self._flush()
        if self._done != self._grid.shape[2]:
            raise ValueError(f"{self._done} slices of {self._grid.shape[2]}")

    def _samples(self, values: NDArray[Any]) -> NDArray[Any]:
        if self._kind == "nii":
            return nifti_samples(values, self._facts, self._colour)
        if not self._colour:
            return np.asarray(values, "<f4")
        top = np.iinfo(self._dtype).max
        return np.asarray(np.clip(np.rint(values), 0, top), self._dtype)

    def _flush(self) -> None:
        if not self._block:
            return
        block = np.stack(self._block)
        self._block = []
        stored = self._grid.as_stored(block)
        first, self._done = self._done, self._done + len(block)
        if self._colour:
            stored = np.moveaxis(stored, -1, 0)
        if self._sequential:
            self._file.write(stored.tobytes(order="F"))
            return
        axis, count = self._grid.stored[2], self._grid.shape[2]
        place = slice(first, self._done)
        if axis < 0:
            place = slice(count - self._done, count - first)
        where: list[Any] = [slice(None)] * 3
        where[abs(axis) - 1] = place
        shape = self._grid.stored_shape
        # The map is closed at once: it would hold the pages of all the file.
        target = np.memmap(
            self._file, self._dtype, "r+", self._start, (3, *shape) if self._colour else shape, "F"
        )  # fmt: skip
        target[(..., *where)] = stored
        del target


def is_sequential(kind: str, grid: Grid) -> bool:
    """Whether the slices lie one after the other in the file."""
    return kind != "nii" or grid.stored[2] == 3


@contextmanager
def voxel_file(
    path: Path, kind: str, grid: Grid, facts: StatedFacts, colour: bool
) -> Iterator[VoxelWriter]:
    """A writer to a new file at ``path``, which is complete when the block ends.

    Parameters
    ----------
    path : Path
    kind : {"nii", "nii.gz", "nrrd", "mha"}
    grid, facts, colour
        As for `VoxelWriter`.
    """
    plain, packed = kind.removesuffix(".gz"), kind.endswith(".gz")
    if not packed or is_sequential(plain, grid):
        with path.open("w+b") as file:
            if not packed:
                yield from _written(VoxelWriter(file, plain, grid, facts, colour))
                return
            with _packed(file) as target:
                yield from _written(VoxelWriter(target, plain, grid, facts, colour))
        return
    loose = path.with_name(f"{path.name}.loose")
    try:
        with loose.open("w+b") as file:
            yield from _written(VoxelWriter(file, plain, grid, facts, colour))
        with (
            loose.open("rb") as source,
            path.open("wb") as packed_file,
            _packed(packed_file) as target,
        ):
            shutil.copyfileobj(source, target, _PIECE)
    finally:
        loose.unlink(missing_ok=True)


def _written(writer: VoxelWriter) -> Iterator[VoxelWriter]:
    yield writer
    writer.end()


def _packed(file: IO[bytes]) -> IO[bytes]:
    # Without name and time: the same result gives the same bytes.
    packed = gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=file, mtime=0)
    return cast(IO[bytes], packed)
