"""Caches of results, keyed by the provenance digest, with LRU eviction: in memory, and on disk.

Results show patients' images: they are written to disk only where the settings ask for it.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from enhancers import provenance
from enhancers.compare.events import Outcome
from enhancers.compare.seeds import SeedsResult
from enhancers.files import atomic_file, remove_leftovers
from enhancers.image import Pixels, check_pixels, pixels_digest
from enhancers.method_interface import Figure, Result
from enhancers.settings import get_settings

_log = logging.getLogger(__name__)


class ResultCache:
    """Outcomes in a folder, one ``<key>.npz`` each with the pixels and the record's JSON.

    Entries are written atomically, so several processes may share the folder. A damaged entry is
    removed and counts as absent. A failure to write is logged and does not fail the run.

    Parameters
    ----------
    folder : Path
        Created at the first write, accessible to its owner only: results show patients' images.
    max_bytes : int
        Total size of all entries.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self.max_bytes = max_bytes

    def get(self, key: str) -> Outcome | None:
        """The outcome under this key, or None; its pixels are checked against its record."""
        path = self._path(key)
        try:
            with path.open("rb") as file:
                outcome = _read(file, key)
        except OSError:
            return None
        except Exception as error:
            # A damaged archive may raise a dozen types of error; the reaction is the same.
            _log.warning("removing a damaged cache entry: %s", error)
            _remove(path)
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return outcome

    def put(self, key: str, outcome: Outcome) -> None:
        """Store an outcome and evict the least recently used ones."""
        if _size(outcome.result) > self.max_bytes:
            return
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._write(key, outcome)
            self._evict()
        except OSError as error:
            _log.warning("the result cache cannot be written: %s", error)

    def _path(self, key: str) -> Path:
        if not key.isalnum():
            raise ValueError(f"not a cache key: {key}")
        return self.folder / f"{key}.npz"

    def _write(self, key: str, outcome: Outcome) -> None:
        text = np.frombuffer(outcome.record.to_json().encode(), np.uint8)
        with atomic_file(self._path(key), mode=0o600) as file:
            np.savez(file, allow_pickle=False, record=text, **_arrays(outcome.result))

    def _evict(self) -> None:
        entries = sorted(self._entries())
        total = sum(size for _, size, _ in entries)
        for _, size, path in entries:
            if total <= self.max_bytes:
                break
            _remove(path)
            total -= size
        remove_leftovers(self.folder)

    def _entries(self) -> Iterator[tuple[float, int, Path]]:
        for path in self.folder.glob("*.npz"):
            # Another process may evict an entry between listing and stat.
            with contextlib.suppress(OSError):
                facts = path.stat()
                yield facts.st_mtime, facts.st_size, path


class MemoryCache:
    """Outcomes in memory, gone when the process ends; the least recently used are dropped.

    Parameters
    ----------
    max_bytes : int
        Total size of the pixels.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, Outcome] = OrderedDict()

    def get(self, key: str) -> Outcome | None:
        """The outcome under this key, or None."""
        with self._lock:
            found = self._entries.get(key)
            if found is not None:
                self._entries.move_to_end(key)
            return found

    def put(self, key: str, outcome: Outcome) -> None:
        """Keep an outcome and drop the least recently used ones."""
        with self._lock:
            self._entries[key] = outcome
            self._entries.move_to_end(key)
            total = sum(_size(entry.result) for entry in self._entries.values())
            while total > self.max_bytes:
                _, dropped = self._entries.popitem(last=False)
                total -= _size(dropped.result)


Cache = ResultCache | MemoryCache
"""Where finished results are looked for before a method runs."""

_in_memory = functools.cache(MemoryCache)


def default_cache() -> Cache | None:
    """The cache that the settings configure: on disk if they ask for it, else in memory."""
    settings = get_settings()
    if settings.cache_bytes:
        return ResultCache(settings.cache_dir / "results", settings.cache_bytes)
    return _in_memory(settings.memory_cache_bytes) if settings.memory_cache_bytes else None


def _read(file: BinaryIO, key: str) -> Outcome:
    with np.load(file, allow_pickle=False) as archive:
        pixels = archive["pixels"]
        deviation = archive["deviation"] if "deviation" in archive.files else None
        record = provenance.from_json(archive["record"].tobytes().decode())
    check_pixels(pixels)
    if record.key != key or pixels_digest(pixels) != record.result_digest:
        raise ValueError("the entry is not what its record says")
    if (deviation is None) != (record.seeds == 1):
        raise ValueError("the entry lacks the deviation of its seeds")
    result = Result(
        pixels=pixels,
        figures=tuple(Figure(f.name, f.label, f.value, f.unit) for f in record.figures),
        calls=record.calls,
        scale=record.scale,
        notes=record.notes,
    )
    if deviation is not None:
        result = SeedsResult(**vars(result), deviation=deviation, seeds=record.seeds)
    return Outcome(record.method, dict(record.params), result, record, record.seconds)


def _arrays(result: Result) -> dict[str, Pixels]:
    deviation = result.deviation if isinstance(result, SeedsResult) else None
    return {"pixels": result.pixels, **({} if deviation is None else {"deviation": deviation})}


def _size(result: Result) -> int:
    """Bytes of the arrays of a result."""
    return sum(array.nbytes for array in _arrays(result).values())


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
