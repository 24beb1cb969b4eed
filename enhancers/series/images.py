"""The images of a series: one window for all slices, whichever of them is looked at first.

The slice that is nearest to the middle and states a window decides. Where none states one, or it
shows nothing, values of slices from end to end do, as those of a volume in one file.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from dataclasses import replace

from enhancers.image import EACH_SLICE, MedicalImage, NamedWindow
from enhancers.load.raw import RawSlice, sample_of
from enhancers.load.window import as_source, finish, guess_modality, interpret, shows
from enhancers.method import Modality
from enhancers.series.found import Series

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

    @property
    def slice_count(self) -> int:
        """Number of slices."""
        return len(self.series.slices)

    def image(
        self, slice_index: int | None = None, window: tuple[float, float] | None = None
    ) -> MedicalImage:
        """A slice, as `enhancers.load.load` gives it.

        Parameters
        ----------
        slice_index : int, optional
            In the sorted order; by default the middle one.
        window : (low, high), optional
            In source units; by default that of the series.

        Raises
        ------
        ImageReadError, ParameterError
        """
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
        """What decides the modality, the units and the window of every slice."""
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
