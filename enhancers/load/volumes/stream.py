"""The slices of a volume's file in their order, some megabytes of them at a time."""

from __future__ import annotations

import mmap
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from enhancers.load.file_format import Format
from enhancers.load.raw import Caps, RawSlice, pick_slice, pick_time
from enhancers.load.volumes import parse
from enhancers.load.volumes.header import Header
from enhancers.load.volumes.packing import VolumeBytes
from enhancers.load.volumes.volume import (
    channels_last,
    is_small,
    raw_slice,
    sampled_places,
    sampled_times,
    scaled,
    shaped,
    to_body,
)
from enhancers.voxel_grid import STORED

BLOCK_BYTES = 32 * 2**20
"""Bytes of slices that are read in one pass through the file."""


class Mapped(mmap.mmap):
    """A file as bytes of which only those are read that are looked at."""

    def startswith(self, mark: bytes) -> bool:
        """Whether it begins so."""
        return self[: len(mark)] == mark


class VolumeStream:
    """Slices of a plane at a time, best asked for in ascending order.

    Parameters
    ----------
    path : Path
    kind : Format
        One of volumes, in one file.
    caps : Caps
    plane : str
    time : int

    Raises
    ------
    ImageReadError
        The header is damaged, or exceeds a limit.
    ParameterError
        There is no such plane or time.
    """

    def __init__(
        self, path: Path, kind: Format, caps: Caps, plane: str = STORED, time: int = 0
    ) -> None:
        self._path, self._plane = path, plane
        with path.open("rb") as file, Mapped(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            # A reader takes bytes, and slices of this are such.
            self.header: Header = parse(kind, cast(bytes, data), caps)
            self._size = len(data)
        self._time = pick_time(time, self.header.volumes)
        self.count = self.header.grid.size(plane)[2]
        self._block: tuple[int, NDArray[Any]] | None = None

    def slice(self, index: int | None) -> RawSlice:
        """The slice with this index, by default the middle one.

        Raises
        ------
        ImageReadError
            The file ends early, or is damaged.
        ParameterError
            There is no such slice.
        """
        index = pick_slice(index, self.count, self.count // 2)
        if self._block is None or not 0 <= index - self._block[0] < self._length(self._block[1]):
            self._block = None
            self._block = index, self._read(index)
        first, values = self._block
        taken = self.header.grid.cut(values, self._plane, index - first)
        return raw_slice(taken.copy(), self._sample, self.header, index, self._plane, self._time)

    @property
    def _axis(self) -> int:
        """The voxel axis across the slices."""
        return abs(self.header.grid.axes(self._plane)[2]) - 1

    def _length(self, values: NDArray[Any]) -> int:
        return int(values.shape[self._axis])

    def _read(self, first: int) -> NDArray[Any]:
        """Slices from ``first`` on, as many as a block holds, as [i, j, k] with colours last."""
        header, axis = self.header, self._axis
        each = header.volume_bytes // header.shape[axis]
        last = min(self.count, first + max(1, BLOCK_BYTES // each)) - 1
        ends = [int(header.grid.voxel(self._plane, place, 0, 0)[axis]) for place in (first, last)]
        low, high = min(ends), max(ends) + 1
        size = [*header.shape]
        size[axis] = high - low
        channels = (header.channels,) if header.channels > 1 else ()
        block = np.empty((*channels, *size), header.dtype, order="F")
        buffer = np.empty(header.volume_bytes // header.shape[2], np.uint8)
        with self._path.open("rb") as file:
            reader = VolumeBytes(file, header)
            skipped = low if axis == 2 else 0
            reader.skip(self._time * header.volume_bytes + skipped * buffer.size)
            thin: list[Any] = [slice(None)] * 2
            if axis != 2:
                thin[axis] = slice(low, high)
            for place in range(size[2]):
                reader.fill(buffer)
                plane = shaped(buffer, header, (*header.shape[:2], 1))
                block[..., place] = plane[(..., *thin, 0)]
        return channels_last(block, header)

    @cached_property
    def _sample(self) -> NDArray[Any]:
        """Values from end to end, as those by which `volume.read` chooses the window."""
        header = self.header
        kept = sampled_places(header)
        step = sampled_times(header) if is_small(header, self._size) else header.volumes
        buffer = np.empty(header.volume_bytes // header.shape[2], np.uint8)
        parts = []
        with self._path.open("rb") as file:
            reader = VolumeBytes(file, header)
            for time in range(header.volumes if step < header.volumes else 1):
                if time % step:
                    reader.skip(header.volume_bytes)
                    continue
                samples = {}
                for number in range(header.shape[2]):
                    reader.fill(buffer)
                    if number in kept[2]:
                        plane = shaped(buffer, header, (*header.shape[:2], 1))
                        samples[number] = plane[..., kept[0], :, :][..., kept[1], :].copy()
                parts.append(np.concatenate([samples[number] for number in kept[2]], axis=-1))
        # The places of the sample are in the order of the turned axes already.
        upright = replace(header, flips=(False, False, False))
        found = scaled(np.stack([to_body(part, upright) for part in parts]), header)
        return np.abs(found) if np.iscomplexobj(found) else found
