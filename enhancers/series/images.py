"""The images of a series: one window for all slices, whichever of them is looked at first.

The slice that is nearest to the middle and states a window decides. Where none states one, or it
shows nothing, values of slices from end to end do, as those of a volume in one file.
"""

from __future__ import annotations

import hashlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhancers.errors import ParameterError
from enhancers.image import EACH_SLICE, MedicalImage, NamedWindow
from enhancers.load.depths import with_depths
from enhancers.load.raw import RawSlice, pick_slice, pick_time, sample_of
from enhancers.load.window import as_source, finish, guess_modality, interpret, shows
from enhancers.method import Modality
from enhancers.series.found import Series
from enhancers.series.times import time_name
from enhancers.voxel_grid import STORED, VoxelGrid, cut_notes

DIFFERENT = (
    "The slices state different windows. All have the one of the middle slice, unless that of each "
    "slice is chosen."
)


class SeriesImages(ABC):
    """The slices of a series as images.

    Parameters
    ----------
    series : Series
    """

    def __init__(self, series: Series) -> None:
        self.series = series
        self._lock = threading.Lock()
        self._known_basis: RawSlice | None = None

    @abstractmethod
    def read(self, index: int) -> tuple[RawSlice, str]:
        """What the file of a slice gives by itself, and the digest of the file.

        Raises
        ------
        ImageReadError
        """

    def read_all(self, indices: Iterable[int]) -> Iterator[RawSlice]:
        """Several slices, one after another (errors as `read`)."""
        return (self.read(index)[0] for index in indices)

    @property
    def slice_count(self) -> int:
        """Number of slices."""
        return len(self.series.slices)

    @property
    def grid(self) -> VoxelGrid | None:
        """The voxels [column, row, slice] (`Series.grid`)."""
        return self.series.grid

    def image(
        self,
        slice_index: int | None = None,
        window: tuple[float, float] | None = None,
        *,
        plane: str = STORED,
        time: int | None = None,
    ) -> MedicalImage:
        """A slice, as `enhancers.load.load` gives it.

        Parameters
        ----------
        slice_index : int, optional
            In the sorted order, or of the plane; by default the middle one.
        window : (low, high), optional
            In source units; by default that of the series.
        plane : str
            Another than "stored" is cut out of all slices (`VoxelGrid`).
        time : int, optional
            By default that of this series (`at`).

        Raises
        ------
        ImageReadError, ParameterError
        """
        other = self.at(time)
        if other is not self:
            return other.image(slice_index, window, plane=plane)
        image = self._image(slice_index, window, plane)
        image = with_depths(image, lambda others: self._sections(plane, others))
        return replace(image, time_index=self.time_index, time_count=self.time_count)

    def _sections(self, plane: str, indices: Sequence[int]) -> Iterable[NDArray[Any]]:
        """The source values of several slices of a plane."""
        if plane == STORED:
            return (one.values for one in self.read_all(indices))
        return (self.section(plane, index) for index in indices)

    def at(self, time: int | None) -> SeriesImages:
        """The same volume at another time; this one for None.

        Raises
        ------
        ParameterError
            There is no such time.
        """
        if time is not None:
            pick_time(time, self.time_count)
        return self

    @property
    def time_index(self) -> int:
        """Which of the times of a volume this is."""
        return 0

    @property
    def time_count(self) -> int:
        """How many times there are."""
        return 1

    @property
    def time_name(self) -> str:
        """What differs from one time to the next, in a word."""
        return time_name(self.series)

    def _image(
        self, slice_index: int | None, window: tuple[float, float] | None, plane: str
    ) -> MedicalImage:
        if plane == STORED:
            return self._stored(slice_index, window)
        grid = self._grid_of(plane)
        count = grid.size(plane)[2]
        index = pick_slice(slice_index, count, count // 2)
        if grid.axes(plane) == grid.axes(STORED):
            image = self._stored(index, window)
            return replace(image, plane=plane, warnings=(*image.warnings, *cut_notes(grid, plane)))
        values = self.section(plane, index)
        basis = self._basis()
        placed = replace(
            basis, values=values, windows=basis.windows, plane=plane, slice_index=index,
            slice_count=count, spacing=grid.spacing(plane), geometry=grid.geometry(plane, index),
            region=None, warnings=(*basis.warnings, *cut_notes(grid, plane)),
        )  # fmt: skip
        return finish(placed, self.digest(index, plane), window, basis)

    def section(self, plane: str, index: int, time: int | None = None) -> NDArray[Any]:
        """The source values of a slice of a plane, (rows, columns) or (rows, columns, 3).

        Raises
        ------
        ImageReadError, ParameterError
        """
        other = self.at(time)
        if other is not self:
            return other.section(plane, index)
        if plane == STORED:
            return self.read(index)[0].values
        grid = self._grid_of(plane)
        axis = abs(grid.axes(plane)[2]) - 1
        place = int(grid.voxel(plane, index, 0, 0)[axis])
        slices = (place,) if axis == 2 else range(self.slice_count)
        thin = slice(None) if axis == 2 else slice(place, place + 1)
        inside = (slice(None), thin) if axis == 0 else (thin, slice(None))
        lines = [np.swapaxes(one.values[inside], 0, 1) for one in self.read_all(slices)]
        return grid.cut(np.stack(lines, axis=2), plane, 0)

    def count(self, plane: str) -> int:
        """Slices of a plane (errors as `image`)."""
        return self.slice_count if plane == STORED else self._grid_of(plane).size(plane)[2]

    def _grid_of(self, plane: str) -> VoxelGrid:
        grid = self.grid
        if grid is None:
            raise ParameterError(
                f"The slices do not say where they lie, so there is no {plane} plane; use {STORED}."
            )
        return grid

    def digest(self, index: int, plane: str = STORED) -> str:
        """The digest of the file of a slice; of all files where a plane is cut out of them.

        Raises
        ------
        ImageReadError, ParameterError
        """
        grid = None if plane == STORED else self._grid_of(plane)
        if grid is None or grid.axes(plane) == grid.axes(STORED):
            return self._file_digest(index)
        digests = [self._file_digest(one) for one in range(self.slice_count)]
        return hashlib.sha256("".join(digests).encode()).hexdigest()

    def _file_digest(self, index: int) -> str:
        return self.read(index)[1]

    def _stored(self, slice_index: int | None, window: tuple[float, float] | None) -> MedicalImage:
        series = self.series
        index = series.middle if slice_index is None else slice_index
        step = series.slice(index).step
        raw, digest = self.read(index)
        basis = self._basis()
        windows, notes = basis.windows, raw.warnings
        if series.windows_differ:
            known = {one.window for one in windows}
            other = [one for one in raw.windows if one.window not in known]
            own = (other or raw.windows)[:1]
            windows += tuple(NamedWindow(EACH_SLICE, one.window) for one in own)
            notes += (DIFFERENT,)
        placed = replace(
            raw,
            slice_index=index,
            slice_count=self.slice_count,
            windows=windows,
            warnings=notes,
            sample=basis.sample,
            geometry=raw.geometry and replace(raw.geometry, step=step),
        )
        return finish(placed, digest, window, basis)

    def window(
        self, modality: Modality | None = None
    ) -> tuple[tuple[float, float], tuple[str, ...]]:
        """The limits that all slices have, also for another modality, and sentences about them.

        Raises
        ------
        ImageReadError
            The slice that decides cannot be read.
        """
        basis = self._basis()
        found = modality or basis.modality or guess_modality(basis.values, basis)
        window, _, notes = interpret(replace(basis, warnings=()), None, found)
        return window.ends, (*notes, *([DIFFERENT] if self.series.windows_differ else []))

    def _basis(self) -> RawSlice:
        """What decides the modality, the units and the window of every slice and time."""
        first = self.at(0)
        if first is not self:
            return first._basis()
        with self._lock:
            if self._known_basis is None:
                self._known_basis = self._new_basis()
            return self._known_basis

    def _new_basis(self) -> RawSlice:
        raw, _ = self.read(self.series.reference)
        source = as_source(raw.values)
        stated = tuple(one for one in raw.windows if one.name != EACH_SLICE)
        sample = None
        # 8 bits are shown as they are.
        if raw.bits > 8 and not any(shows(one.window, source) for one in stated):
            sample = sample_of(self.slice_count, lambda index: self.read(index)[0].values)
        return replace(
            raw, values=source, windows=stated, sample=sample, slice_count=self.slice_count
        )
