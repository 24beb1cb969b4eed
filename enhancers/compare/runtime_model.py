"""Prediction of run times: from earlier runs, and for classical methods before the first one."""

from __future__ import annotations

import functools
import math
import threading
import time
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Protocol, cast
from weakref import WeakKeyDictionary

import numpy as np

from enhancers.compare import classical_costs
from enhancers.image import MedicalImage
from enhancers.method import Method, ParameterValue
from enhancers.method_interface import load_method

LATEST_WEIGHT = 0.5
"""Weight of the latest run in the moving average, since a machine's load changes."""

STARTUP_SECONDS = 0.5
"""A classical run expected to be shorter teaches nothing: imports and other load outweigh it."""

REFERENCE_PROBE = 0.0071
"""Seconds of the probe of `machine_slowness` on the machine of `classical_costs`."""


class _Planned(Protocol):
    def work(self, image: MedicalImage, params: Mapping[str, ParameterValue]) -> float:
        """Planned network evaluations of a run, counted in patches."""
        ...


_PLANNED: WeakKeyDictionary[MedicalImage, dict[Hashable, float]] = WeakKeyDictionary()
"""The work of methods on an image: some measure its noise to know it, for every estimate again."""


def planned_work(
    image: MedicalImage, method: Method, params: Mapping[str, ParameterValue]
) -> float:
    """The work of a run: network calls counted in patches, or seconds by `classical_costs`.

    Parameters
    ----------
    image : MedicalImage
    method : Method
    params : mapping
        Complete, from `registry.resolve`.
    """
    if method.prior is None:
        return classical_costs.seconds(image, method.key, params)
    work = cast(_Planned, load_method(method.key)).work
    known = _PLANNED.setdefault(image, {})
    settings = work, *params.items()
    if settings not in known:
        known[settings] = work(image, params)
    return known[settings]


@functools.cache
def machine_slowness() -> float:
    """How much longer this machine takes than that of `classical_costs`, by a probe of 40 ms."""
    return min(_probe() for _ in range(5)) / REFERENCE_PROBE


def _probe() -> float:
    """Processor time of the arithmetic of a filter on a tile."""
    started = time.thread_time()
    tile = np.linspace(0.0, 1.0, 65536, dtype=np.float32).reshape(256, 256)
    for _ in range(40):
        weight = np.multiply(tile, np.float32(-3.0))
        np.exp(weight, out=weight)
        weight *= tile + weight
    return time.thread_time() - started


@dataclass(frozen=True)
class Rate:
    """Seconds per unit of work; ``trust`` in [0, 1] says how far runs confirm it."""

    seconds: float
    trust: float


class RuntimeModel:
    """Moving average of seconds per unit of work, per method, network and device.

    A classical method has a rate before its first run: that of the machine.
    """

    def __init__(self) -> None:
        self._rates: dict[tuple[str, str, str], Rate] = {}
        self._lock = threading.Lock()

    def update(
        self,
        method: Method,
        params: Mapping[str, ParameterValue],
        device: str,
        work: float,
        seconds: float,
    ) -> None:
        """Update the (geometric) average with a finished run."""
        if work <= 0 or seconds <= 0:
            return
        key, found = _key(method, params, device), seconds / work
        with self._lock:
            before = self._rate(method, key) or Rate(found, 0.0)
            share = 1.0
            if method.prior is None:
                expected = before.seconds * work
                share = max(0.0, 1.0 - STARTUP_SECONDS / expected)
            weight = share * max(LATEST_WEIGHT, 1.0 - before.trust)
            mean = math.exp((1.0 - weight) * math.log(before.seconds) + weight * math.log(found))
            self._rates[key] = Rate(mean, max(before.trust, share))

    def predict(
        self, method: Method, params: Mapping[str, ParameterValue], device: str, work: float
    ) -> float | None:
        """Expected seconds for this work; None for a network without an earlier run."""
        rate = self._rate(method, _key(method, params, device))
        return None if rate is None else rate.seconds * work

    def _rate(self, method: Method, key: tuple[str, str, str]) -> Rate | None:
        usual = Rate(machine_slowness(), 0.0) if method.prior is None else None
        return self._rates.get(key, usual)

    def clear(self) -> None:
        """Forget all runs."""
        with self._lock:
            self._rates.clear()


RUN_TIMES = RuntimeModel()
"""The run times of this process."""


def _key(method: Method, params: Mapping[str, ParameterValue], device: str) -> tuple[str, str, str]:
    return method.key, str(params.get("prior", "")), device
