"""A run of several methods on one image, and the state of each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from enhancers.compare import Event, Outcome, Request
from enhancers.image import MedicalImage, Pixels
from enhancers.job_queue import QueueStatus

State = Literal["waiting", "queued", "running", "done", "failed", "stopped"]
"""Waiting for the methods before it, queued for the device, running; and how it ended."""

ACTIVE: tuple[State, ...] = ("waiting", "queued", "running")


@dataclass(frozen=True, eq=False)
class MethodRun:
    """One method of a run: its request, state, progress and outcome."""

    request: Request
    label: str
    state: State = "waiting"
    fraction: float = 0.0
    seconds_left: float | None = None
    note: str = ""
    preview: Pixels | None = None
    outcome: Outcome | None = None
    cached: bool = False
    seconds: float = 0.0
    error: str = ""
    wait: QueueStatus | None = None

    @property
    def active(self) -> bool:
        """Whether a result may still come."""
        return self.state in ACTIVE

    @property
    def key(self) -> str:
        """The method's key, which is also the key of its panel."""
        return self.request.method

    @property
    def pixels(self) -> Pixels | None:
        """The result, or the latest preview."""
        return self.outcome.result.pixels if self.outcome else self.preview

    def updated(self, event: Event) -> MethodRun:
        """The state after an event."""
        if event.wait is not None:
            return replace(self, state="queued", wait=event.wait)
        if event.error:
            return replace(self, state="failed", error=event.error, preview=None, wait=None)
        if event.outcome is not None:
            return replace(
                self, state="done", fraction=1.0, seconds_left=0.0, note="", preview=None,
                outcome=event.outcome, cached=event.cached, seconds=event.seconds, wait=None,
            )  # fmt: skip
        step = event.step
        preview = self.preview if step.preview is None else step.preview
        return replace(
            self, state="running", fraction=step.fraction, seconds_left=step.seconds_left,
            note=step.note, preview=preview, wait=None,
        )  # fmt: skip


@dataclass(eq=False)
class Run:
    """The methods that were started on one image, and their results."""

    image: MedicalImage
    methods: list[MethodRun]
    seed: int

    @property
    def done(self) -> list[MethodRun]:
        """The finished methods."""
        return [method for method in self.methods if method.outcome is not None]

    @property
    def active(self) -> bool:
        """Whether a method is running or waiting."""
        return any(method.active for method in self.methods)

    @property
    def wait(self) -> QueueStatus | None:
        """The run's place in the queue; None while a method runs."""
        return next((method.wait for method in self.methods if method.wait is not None), None)

    def apply(self, event: Event) -> None:
        """Apply an event of `compare`; ignored for a method that was stopped."""
        if self.methods[event.index].state == "stopped":
            return
        self.methods[event.index] = self.methods[event.index].updated(event)
        if event.finished:
            self.advance()

    def advance(self) -> None:
        """Mark the next waiting method as running (they run in order)."""
        for index, method in enumerate(self.methods):
            if method.state == "waiting":
                self.methods[index] = replace(method, state="running")
                return

    def stopped(self) -> Run:
        """The same run as if it had been stopped now; its finished methods are shared."""
        copy = Run(self.image, self.methods, self.seed)
        copy.stop()
        return copy

    def stop(self) -> None:
        """Mark the unfinished methods as stopped and drop their previews, which are no results."""
        self.methods = [
            replace(method, state="stopped", preview=None, seconds_left=None, wait=None)
            if method.active
            else method
            for method in self.methods
        ]
