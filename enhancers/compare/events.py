"""What a comparison is asked for and what it gives: requests, events, outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from enhancers.job_queue import QueueStatus
from enhancers.method import ParameterValue
from enhancers.method_interface import Result, Step
from enhancers.provenance import Record


@dataclass(frozen=True)
class Request:
    """One method with the parameters that differ from its preset for the image's modality."""

    method: str
    params: Mapping[str, ParameterValue] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Outcome:
    """A finished run: the complete parameters, the result, its record and its wall time."""

    method: str
    params: Mapping[str, ParameterValue]
    result: Result
    record: Record
    seconds: float


@dataclass(frozen=True, eq=False)
class Event:
    """One thing that happened in a comparison.

    Parameters
    ----------
    index : int
        Which of the requests.
    method : str
        Its registry key.
    step : Step
        Progress; the last one of a method has fraction 1, and a result unless it failed.
    cached : bool
        The result was read from the cache: it is this method's only event.
    seconds : float
        Since this method began, or since it got in line while it waits.
    outcome : Outcome or None
        With the last event of a method that succeeded.
    error : str
        With the last event of a method that failed: a sentence for the user.
    wait : QueueStatus or None
        While the method is in line for its device: how long still.
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
