"""Cache of loaded networks per device, with a memory budget and LRU eviction."""

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
"""Default share of a device's memory for networks; images need the rest."""

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


MODELS: OrderedDict[Key, CachedModel] = OrderedDict()
_making: dict[Key, threading.Lock] = {}
_guard = threading.RLock()


def cached_model(identity: str, device: str, make: Callable[[], T], size: Callable[[T], int]) -> T:
    """The cached network, or the result of ``make``, kept on ``device`` while memory allows.

    Every precision has its own entry (see `precision_name`). Two threads that request the same
    network share one. Other networks on the device are evicted, the least recently used first, when
    the budget is exceeded or ``make`` runs out of memory; references keep an evicted one alive.

    Parameters
    ----------
    identity : str
        Unique identity, such as name and digest of the weights.
    device : str
        From `choose`.
    make : callable
    size : callable
        Gives the size of a network in bytes.
    """
    key = (identity, numbered(device), precision_name(device))
    with _guard:
        lock = _making.setdefault(key, threading.Lock())
    with lock:
        with _guard:
            if key in MODELS:
                MODELS.move_to_end(key)
                found: T = MODELS[key].value
                return found
        value = _made(make, device)
        with _guard:
            MODELS[key] = CachedModel(*key, size(value), value)
            _shrink(numbered(device), budget(device), keep=key)
    return value


def cached_models(device: str | None = None) -> tuple[CachedModel, ...]:
    """The networks in memory, least recently used first, of one device or of all."""
    with _guard:
        entries = tuple(MODELS.values())
    return tuple(e for e in entries if device is None or e.device == numbered(device))


def release(device: str) -> int:
    """Evict all networks of a device; returns their number."""
    with _guard:
        return _shrink(numbered(device), 0, keep=None)


def budget(device: str) -> int:
    """Memory budget in bytes: the setting `model_memory_gb`, or a share of the device's memory."""
    wanted = get_settings().model_memory_gb
    if wanted is not None:
        return round(wanted * 1e9)
    return round(memory(device) * SHARES[device_type(device)])


def free_unused(device: str) -> None:
    """Return unused memory to the device."""
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
    # Outside the handler, whose traceback would keep the incomplete network alive.
    release(device)
    free_unused(device)
    return make()


def _shrink(device: str, limit: int, keep: Key | None) -> int:
    """Evict the oldest until at most ``limit`` bytes are used on ``device``, except ``keep``."""
    total = sum(entry.size for entry in MODELS.values() if entry.device == device)
    dropped = 0
    for key in list(MODELS):
        if total <= limit:
            break
        if key != keep and key[1] == device:
            total -= MODELS.pop(key).size
            dropped += 1
    if dropped:
        free_unused(device)
    return dropped
