"""Networks stay on their device within a budget; the least recently used leaves first."""

from __future__ import annotations

import gc
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from enhancers.devices.device_names import device_type, numbered
from enhancers.devices.oom import is_out_of_memory
from enhancers.devices.precision import precision_name
from enhancers.devices.selection import memory
from enhancers.settings import get_settings

T = TypeVar("T")

SHARES = {"cuda": 0.6, "mps": 0.3, "cpu": 0.3}
"""Part of a device's memory that networks may keep, by default: images need the rest."""

Key = tuple[str, str, str]
"""Identity, device and precision."""


@dataclass(frozen=True, eq=False)
class CachedModel:
    """A network in memory: its identity, device, precision and size in bytes."""

    identity: str
    device: str
    precision: str
    size: int
    value: Any = field(repr=False)


_table: OrderedDict[Key, CachedModel] = OrderedDict()
_making: dict[Key, threading.Lock] = {}
_guard = threading.RLock()


def cached_model(identity: str, device: str, make: Callable[[], T], size: Callable[[T], int]) -> T:
    """What ``make`` returns, kept on ``device`` as long as there is room.

    Made anew for another precision (see `precision_name`). Two threads that ask for the same at
    once get one. Others on the device leave, the least recently used first, when the budget is
    exceeded or ``make`` runs out of memory; who still computes with one keeps it that long.

    Parameters
    ----------
    identity : str
        All that tells it from others, such as name and digest of the weights.
    device : str
        Of `choose`.
    make : callable
    size : callable
        Bytes of what was made.
    """
    key = (identity, numbered(device), precision_name(device))
    with _guard:
        lock = _making.setdefault(key, threading.Lock())
    with lock:
        with _guard:
            if key in _table:
                _table.move_to_end(key)
                found: T = _table[key].value
                return found
        value = _made(make, device)
        with _guard:
            _table[key] = CachedModel(*key, size(value), value)
            _shrink(numbered(device), budget(device), keep=key)
    return value


def cached_models(device: str | None = None) -> tuple[CachedModel, ...]:
    """What is in memory, the least recently used first; on one device, or on all."""
    with _guard:
        entries = tuple(_table.values())
    return tuple(e for e in entries if device is None or e.device == numbered(device))


def release(device: str) -> int:
    """Let go of everything on a device; how many networks that were."""
    with _guard:
        return _shrink(numbered(device), 0, keep=None)


def budget(device: str) -> int:
    """Bytes that networks may keep on ``device``: the setting `model_memory_gb`, or a share."""
    wanted = get_settings().model_memory_gb
    if wanted is not None:
        return round(wanted * 1e9)
    return round(memory(device) * SHARES[device_type(device)])


def free_unused(device: str) -> None:
    """Return memory that nothing uses to the device."""
    gc.collect()
    kind = device_type(device)
    if kind == "cuda":
        import torch

        with torch.cuda.device(torch.device(device)):
            torch.cuda.empty_cache()
    elif kind == "mps":
        import torch

        torch.mps.empty_cache()


def _made(make: Callable[[], T], device: str) -> T:
    try:
        return make()
    except Exception as error:
        if not is_out_of_memory(error):
            raise
    # Outside the handler, whose traceback would keep the half-made network alive.
    release(device)
    free_unused(device)
    return make()


def _shrink(device: str, limit: int, keep: Key | None) -> int:
    """Drop from the oldest until ``limit`` bytes are left on ``device``; ``keep`` stays."""
    total = sum(entry.size for entry in _table.values() if entry.device == device)
    dropped = 0
    for key in list(_table):
        if total <= limit:
            break
        if key != keep and key[1] == device:
            total -= _table.pop(key).size
            dropped += 1
    if dropped:
        free_unused(device)
    return dropped
