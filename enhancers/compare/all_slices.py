"""All slices of a volume through one method, one at a time, into a file that grows with them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass
from typing import Protocol

from enhancers.compare.cache import Cache
from enhancers.compare.estimate import estimate_seconds
from enhancers.compare.events import Outcome, Request
from enhancers.compare.runs import compare
from enhancers.errors import ReadingRoomError
from enhancers.image import MedicalImage
from enhancers.job_queue import QueueStatus
from enhancers.provenance import Record
from enhancers.save.result_files import ResultFacts, Sink

ReadSlice = Callable[[int], MedicalImage]
"""From an index to the slice, in the window of all slices."""


class Target(Protocol):
    """Where the results go: a file or a folder that is there when all are written."""

    def open(
        self, facts: ResultFacts, record: Record, shape: tuple[int, int], slices: int
    ) -> AbstractContextManager[Sink]:
        """Begin, with what is known of the first slice's result.

        Parameters
        ----------
        facts : ResultFacts
        record : Record
        shape : (rows, columns)
            Of a result.
        slices : int
        """


@dataclass(frozen=True, eq=False)
class SlicesProgress:
    """Progress of a run of all slices.

    Parameters
    ----------
    done, total : int
        Slices.
    fraction : float
        In [0, 1]; 1 when the file is complete.
    seconds_left : float or None
    note : str
    outcome : Outcome or None
        Of the slice that was just written.
    wait : QueueStatus or None
        While the method waits for its device.
    """

    done: int
    total: int
    fraction: float
    seconds_left: float | None = None
    note: str = ""
    outcome: Outcome | None = None
    wait: QueueStatus | None = None


def enhance_slices(
    read: ReadSlice,
    count: int,
    request: Request,
    target: Target,
    *,
    seed: int = 0,
    device: str = "cpu",
    cache: Cache | None = None,
) -> Generator[SlicesProgress, None, None]:
    """Run a method on each slice on its own, and write every result as it comes.

    Closing the iterator stops the run within a step of the method and leaves no file. A slice has
    the result that it has when it is run alone with this seed.

    Parameters
    ----------
    read : callable
    count : int
        Slices.
    request : Request
    target : Target
    seed : int
    device : str
    cache : Cache, optional

    Raises
    ------
    ReadingRoomError
        A slice cannot be read, or the method failed on it; it is named.
    """
    clock = _Clock(count)
    with ExitStack() as stack:
        sink: Sink | None = None
        first: ResultFacts | None = None
        for index in range(count):
            image = _checked(_read(read, index, count), first, index)
            outcome = yield from _one(image, index, request, seed, device, cache, clock)
            facts = ResultFacts(image, outcome.record.result_units)
            pixels = outcome.result.pixels
            if sink is None:
                first = facts
                shape = pixels.shape[0], pixels.shape[1]
                sink = stack.enter_context(target.open(facts, outcome.record, shape, count))
            sink.add(facts, pixels)
            clock.done = index + 1
            if index + 1 < count:
                yield clock.progress(0.0, None, f"slice {index + 1} of {count}", outcome)
    yield clock.progress(0.0, None, "done", outcome)


def slices_seconds(
    image: MedicalImage, count: int, request: Request, device: str = "cpu"
) -> float | None:
    """Estimated seconds of a run of ``count`` slices like this one; None where none is possible."""
    one = estimate_seconds(image, request.method, request.params, device)
    return None if one is None else count * request.seeds * one


class RecordLines:
    """The records of the slices as one JSON document."""

    def __init__(self) -> None:
        self._records: list[dict[str, object]] = []

    def add(self, outcome: Outcome) -> None:
        """Take the record of the next slice."""
        self._records.append(outcome.record.as_dict())

    def to_json(self) -> str:
        """The document: how the slices were run, and a record for each."""
        document = {
            "slices": self._records,
            "how": "Each slice on its own, all in one window. Random numbers are drawn from the "
            "seed and the index of the slice.",
        }
        return json.dumps(document, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)


class _Clock:
    """The time that is left, from the slices that are done."""

    def __init__(self, count: int) -> None:
        self.done, self._count = 0, count
        self._started: float | None = None

    def start(self) -> None:
        """The first slice runs; what it waited does not count."""
        if self._started is None:
            self._started = time.perf_counter()

    def progress(
        self,
        part: float,
        left: float | None,
        note: str,
        outcome: Outcome | None = None,
        wait: QueueStatus | None = None,
    ) -> SlicesProgress:
        """The progress with this part of the next slice done, which needs ``left`` seconds more."""
        done = self.done + part
        seconds = None
        if self.done and self._started is not None:
            seconds = (time.perf_counter() - self._started) / done * (self._count - done)
        elif left is not None and part < 1:
            seconds = left + left / max(1.0 - part, 1e-3) * (self._count - 1)
        return SlicesProgress(
            self.done, self._count, done / self._count, seconds, note, outcome, wait
        )


def _one(
    image: MedicalImage,
    index: int,
    request: Request,
    seed: int,
    device: str,
    cache: Cache | None,
    clock: _Clock,
) -> Generator[SlicesProgress, None, Outcome]:
    name = f"slice {index + 1} of {clock.progress(0, None, '').total}"
    with closing(compare(image, [request], seed=seed, device=device, cache=cache)) as events:
        for event in events:
            if event.error:
                raise ReadingRoomError(f"{name.capitalize()}: {event.error}")
            if event.wait is None:
                clock.start()
            if event.outcome is not None:
                return event.outcome
            step = event.step
            note = f"{name}, {step.note}" if step.note else name
            yield clock.progress(step.fraction, step.seconds_left, note, wait=event.wait)
    raise RuntimeError("the method ended without a result")


def _read(read: ReadSlice, index: int, count: int) -> MedicalImage:
    try:
        return read(index)
    except ReadingRoomError as error:
        raise ReadingRoomError(f"Slice {index + 1} of {count}: {error}") from error


def _checked(image: MedicalImage, first: ResultFacts | None, index: int) -> MedicalImage:
    """The slice, if it can be in one volume with the first."""
    if first is None:
        return image
    known = first.image
    if image.pixels.shape != known.pixels.shape or image.units != known.units:
        raise ReadingRoomError(
            f"Slice {index + 1} has {image.shape[1]} x {image.shape[0]} pixels in {image.units}, "
            f"the first one {known.shape[1]} x {known.shape[0]} in {known.units}: they make no "
            "volume. Choose one series, or run the slices by themselves."
        )
    return image
