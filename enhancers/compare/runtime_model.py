"""How long runs will take, learned from the runs before them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Protocol, cast

from enhancers.image import MedicalImage
from enhancers.method import Method, ParameterValue
from enhancers.method_interface import load_method, patches

LATEST_WEIGHT = 0.5
"""Weight of the latest run against all before it: a machine's load changes."""


class _Planned(Protocol):
    def work(self, image: MedicalImage, params: Mapping[str, ParameterValue]) -> float:
        """Network evaluations a run will take, in patches."""
        ...


def planned_work(
    image: MedicalImage, method: Method, params: Mapping[str, ParameterValue]
) -> float:
    """What a run's duration grows with: network calls on patches, or the area in patches.

    Parameters
    ----------
    image : MedicalImage
    method : Method
    params : mapping
        Complete: the outcome of `registry.resolve`.
    """
    if method.prior is None:
        return patches(*image.shape)
    return cast(_Planned, load_method(method.key)).work(image, params)


class RuntimeModel:
    """Seconds per unit of work, by method, network and device."""

    def __init__(self) -> None:
        self._pace: dict[tuple[str, str, str], float] = {}
        self._lock = threading.Lock()

    def note(
        self,
        method: Method,
        params: Mapping[str, ParameterValue],
        device: str,
        work: float,
        seconds: float,
    ) -> None:
        """Learn from a run that has ended."""
        if work <= 0:
            return
        key = _key(method, params, device)
        with self._lock:
            before = self._pace.get(key, seconds / work)
            self._pace[key] = LATEST_WEIGHT * seconds / work + (1 - LATEST_WEIGHT) * before

    def expect(
        self, method: Method, params: Mapping[str, ParameterValue], device: str, work: float
    ) -> float | None:
        """Seconds for this work; None where no such run has ended yet."""
        pace = self._pace.get(_key(method, params, device))
        return None if pace is None else pace * work

    def forget(self) -> None:
        """Begin anew."""
        with self._lock:
            self._pace.clear()


RUN_TIMES = RuntimeModel()
"""That of this process."""


def _key(method: Method, params: Mapping[str, ParameterValue], device: str) -> tuple[str, str, str]:
    return method.key, str(params.get("prior", "")), device
