"""Prediction of run times from earlier runs."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Protocol, cast

from enhancers.image import MedicalImage
from enhancers.method import Method, ParameterValue
from enhancers.method_interface import load_method, patches

LATEST_WEIGHT = 0.5
"""Weight of the latest run in the moving average, since a machine's load changes."""


class _Planned(Protocol):
    def work(self, image: MedicalImage, params: Mapping[str, ParameterValue]) -> float:
        """Planned network evaluations of a run, counted in patches."""
        ...


def planned_work(
    image: MedicalImage, method: Method, params: Mapping[str, ParameterValue]
) -> float:
    """The work of a run: network calls counted in patches, or the image area in patches.

    Parameters
    ----------
    image : MedicalImage
    method : Method
    params : mapping
        Complete, from `registry.resolve`.
    """
    if method.prior is None:
        return patches(*image.shape)
    return cast(_Planned, load_method(method.key)).work(image, params)


class RuntimeModel:
    """Moving average of seconds per unit of work, per method, network and device."""

    def __init__(self) -> None:
        self._rates: dict[tuple[str, str, str], float] = {}
        self._lock = threading.Lock()

    def update(
        self,
        method: Method,
        params: Mapping[str, ParameterValue],
        device: str,
        work: float,
        seconds: float,
    ) -> None:
        """Update the average with a finished run."""
        if work <= 0:
            return
        key = _key(method, params, device)
        with self._lock:
            before = self._rates.get(key, seconds / work)
            self._rates[key] = LATEST_WEIGHT * seconds / work + (1 - LATEST_WEIGHT) * before

    def predict(
        self, method: Method, params: Mapping[str, ParameterValue], device: str, work: float
    ) -> float | None:
        """Expected seconds for this work; None without an earlier run."""
        rate = self._rates.get(_key(method, params, device))
        return None if rate is None else rate * work

    def clear(self) -> None:
        """Forget all runs."""
        with self._lock:
            self._rates.clear()


RUN_TIMES = RuntimeModel()
"""The run times of this process."""


def _key(method: Method, params: Mapping[str, ParameterValue], device: str) -> tuple[str, str, str]:
    return method.key, str(params.get("prior", "")), device
