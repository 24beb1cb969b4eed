"""Requests to a comparison, and its events and outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from enhancers.job_queue import QueueStatus
from enhancers.method import ParameterValue
from enhancers.method_interface import Result, Step
from enhancers.provenance import Record


@dataclass(frozen=True)
class Request:
    """A method and the parameters that differ from its preset for the image's modality.

    With ``seeds`` above 1, which methods that sample allow, it runs with so many consecutive seeds,
    and the result is their mean (see `enhancers.compare.seeds`).
    """

    method: str
    params: Mapping[str, ParameterValue] = field(default_factory=dict)
    seeds: int = 1


@dataclass(frozen=True, eq=False)
class Outcome:
    """A finished run: complete parameters, result, provenance record, wall time in seconds."""

    method: str
    params: Mapping[str, ParameterValue]
    result: Result
    record: Record
    seconds: float


@dataclass(frozen=True, eq=False)
class Event:
    """An event of a comparison: progress, the result or the error of one method.

    Parameters
    ----------
    index : int
        Index of the request.
    method : str
        The method's registry key.
    step : Step
        Progress; the last step of a method has fraction 1, and a result unless it failed.
    cached : bool
        Whether the result was read from the cache; the method then has a single event.
    seconds : float
        Seconds since the method started, or since it joined the queue while it waits.
    outcome : Outcome or None
        Set on the last event of a method that succeeded.
    error : str
        Set on the last event of a method that failed: a sentence for the user.
    wait : QueueStatus or None
        Position and expected wait while the method is queued for its device.
    """

    index: int
    method: str
    step: Step
    cached: bool = False
    seconds: float = 0.0
    outcome: Outcome | None = None
    error: str = ""
    wait: QueueStatus | None = None

    @property
    def finished(self) -> bool:
        """Whether this is the method's last event."""
        return self.outcome is not None or bool(self.error)
