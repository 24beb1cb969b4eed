"""Decoded slices and volumes of open files, kept for a second look."""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict

from enhancers.load.raw import RawSlice
from enhancers.load.volumes.volume import Volume

Kept = RawSlice | Volume
Part = tuple[str, int, int] | None
"""A plane, a slice and a time of a file; None for its volume."""


class SliceStore:
    """What was decoded, by file and slice; the least recently used goes first.

    Parameters
    ----------
    capacity : int
        Most bytes of all arrays.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._entries: OrderedDict[tuple[int, Part], tuple[Kept, int]] = OrderedDict()
        self._size = 0
        self._lock = threading.RLock()

    @property
    def size(self) -> int:
        """Bytes of what is kept."""
        return self._size

    def get(self, file: int, part: Part) -> Kept | None:
        """A slice of a file, or its volume."""
        with self._lock:
            entry = self._entries.get((file, part))
            if entry is None:
                return None
            self._entries.move_to_end((file, part))
            return entry[0]

    def put(self, file: int, part: Part, value: Kept) -> None:
        """Keep a slice or volume, unless it is larger than everything."""
        size = _size(value)
        with self._lock:
            self._remove((file, part))
            if size > self.capacity:
                return
            self._entries[file, part] = value, size
            self._size += size
            while self._size > self.capacity:
                self._remove(next(iter(self._entries)))

    def forget(self, file: int) -> None:
        """Remove everything of a file."""
        with self._lock:
            for key in [key for key in self._entries if key[0] == file]:
                self._remove(key)

    def _remove(self, key: tuple[int, Part]) -> None:
        if entry := self._entries.pop(key, None):
            self._size -= entry[1]


def _size(value: Kept) -> int:
    if isinstance(value, Volume):
        return value.stored.nbytes
    # The sample is that of the file, for all its slices.
    arrays = [value.values]
    if value.spectrum is not None:
        arrays += [value.spectrum.samples, value.spectrum.sampled]
    return sum(array.nbytes for array in arrays)


@functools.cache
def slice_store() -> SliceStore:
    """The store of this process, of the size that the settings say."""
    # Workers import this module, and nothing of the settings.
    from enhancers.settings import get_settings

    return SliceStore(round(get_settings().slice_store_mb * 1e6))
