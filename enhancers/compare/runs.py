"""Running methods on an image: a single one, or several in order with every step streamed."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import cast

from enhancers import devices, job_queue, provenance
from enhancers.compare import zerogpu
from enhancers.compare.cache import Cache
from enhancers.compare.estimate import seconds_of_work
from enhancers.compare.events import Event, Outcome, Request
from enhancers.compare.runtime_model import RUN_TIMES, planned_work
from enhancers.compare.seed_spread import with_calibration
from enhancers.compare.seeds import SeedsResult, checked_seeds, seed_steps, slice_seed
from enhancers.devices.oom import is_out_of_memory
from enhancers.errors import OutOfDeviceMemory, ReadingRoomError
from enhancers.image import MedicalImage, check_pixels, pixels_digest
from enhancers.input_facts import InputFacts
from enhancers.method import Method, ParameterValue
from enhancers.method_interface import (
    UNCHANGED,
    Result,
    Step,
    load_method,
    with_unchanged_note,
)
from enhancers.provenance import PriorFacts, Record, RecordedFigure
from enhancers.registry import get, resolve
from enhancers.settings import get_settings

WAIT_TICK = 0.25
"""Seconds between two events of a queued method, and so the longest delay of a stop."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ResolvedRequest:
    """A request with complete parameters: everything that determines the result."""

    image: MedicalImage
    facts: InputFacts
    method: Method
    params: Mapping[str, ParameterValue]
    seed: int
    device: str
    prior: PriorFacts | None
    key: str
    seeds: int = 1

    def steps(self) -> Generator[Step, None, None]:
        """Start the run; the generator can be closed to stop it."""
        if self.seeds > 1:
            return seed_steps(self._steps, self.seed, self.seeds)
        return self._steps(self.seed)

    def noted(self, result: Result) -> Result:
        """The result with what is to be said about it: that it is unchanged, and of its seeds."""
        result = with_unchanged_note(result, self.image.pixels)
        if isinstance(result, SeedsResult):
            return with_calibration(result, self.method, self.params, self.prior)
        return result

    def _steps(self, seed: int) -> Generator[Step, None, None]:
        if not self.method.depths:
            seed = slice_seed(seed, self.image)
        if self.method.family != "classical":
            devices.limit_threads(get_settings().threads)
            if zerogpu.needed(self.device):
                return zerogpu.steps(self.method.key, self.image, self.params, seed, self.device)
        enhancer = load_method(self.method.key)
        steps = enhancer.run(self.image, self.params, seed=seed, device=self.device)
        return cast(Generator[Step, None, None], steps)


def enhance(
    image: MedicalImage,
    key: str,
    *,
    params: Mapping[str, ParameterValue] | None = None,
    seed: int = 0,
    device: str = "cpu",
    seeds: int = 1,
) -> Result:
    """Enhance an image by one method and return the result, without queueing for the device.

    Parameters
    ----------
    image : MedicalImage
    key : str
        The method's registry key.
    params : mapping, optional
        Parameters that differ from the preset for the image's modality.
    seed : int
    device : str
        "auto", "cpu", "cuda", "cuda:1" or "mps".
    seeds : int
        With more than one, the result is the mean of runs with consecutive seeds from ``seed`` on,
        a `SeedsResult` with the standard deviation of each pixel.

    Raises
    ------
    UnknownMethod, ParameterError, NetworkMissing, OutOfDeviceMemory, DeviceError

    Examples
    --------
    >>> from enhancers.compare import enhance
    >>> from enhancers.load import load
    >>> from enhancers.samples import sample
    >>> image = load(sample("ultrasound").degraded)
    >>> result = enhance(image, "srad", params={"steps": 20})
    >>> result.pixels.shape, [figure.name for figure in result.figures]
    ((256, 256), ['q0', 'steps', 'time'])
    """
    plan = resolve_request(image, Request(key, params or {}, seeds), seed, devices.choose(device))
    with closing(plan.steps()) as steps:
        for step in steps:
            if step.result is not None:
                return plan.noted(step.result)
    raise RuntimeError(f"{key} ended without a result")


def compare(
    image: MedicalImage,
    requests: Sequence[Request],
    *,
    seed: int = 0,
    device: str = "cpu",
    cache: Cache | None = None,
) -> Generator[Event, None, None]:
    """Run methods on an image in order, streaming every step.

    A method that fails ends with an event that has an `error`, and the next one starts. Each method
    queues for its device (see `enhancers.job_queue`); while it waits, its events have a `wait`.
    Closing the iterator stops the running method within one step and leaves the queue.

    Parameters
    ----------
    image : MedicalImage
    requests : sequence of Request
    seed : int
        Seed of every method.
    device : str
        "auto", "cpu", "cuda", "cuda:1" or "mps"; classical methods always run on the CPU. With
        several GPUs, auto takes the one with the shortest queue for each method.
    cache : Cache, optional
        Cache of finished results; a cached result is a single event.

    Raises
    ------
    DeviceError, ParameterError
        The device is not available.
    """
    present = _candidate_devices(device)
    for index, request in enumerate(requests):
        yield from _events(image, index, request, seed, present, cache)


def _candidate_devices(device: str) -> list[str]:
    """The devices for a request: one, except for auto on a machine with several GPUs."""
    if device.strip().lower() == "auto":
        several = [name for name in devices.devices() if devices.device_type(name) == "cuda"]
        if len(several) > 1:
            return several
    return [devices.choose(device)]


def _events(
    image: MedicalImage,
    index: int,
    request: Request,
    seed: int,
    present: Sequence[str],
    cache: Cache | None,
) -> Generator[Event, None, None]:
    started = time.perf_counter()
    try:
        plan = resolve_request(image, request, seed, job_queue.shortest_queue(present))
        found = cache.get(plan.key) if cache else None
        if found is not None:
            yield _cached(index, found, time.perf_counter() - started)
            return
        yield (yield from _run(index, plan, cache))
    except Exception as error:
        elapsed = time.perf_counter() - started
        step = Step(1.0, None, 0.0, "failed")
        yield Event(
            index, request.method, step, False, elapsed, None, _error_message(request, error)
        )


def _run(index: int, plan: ResolvedRequest, cache: Cache | None) -> Generator[Event, None, Event]:
    """Queue, then run; the last event is returned, after the slot is released."""
    work = planned_work(plan.image, plan.method, plan.params) * plan.seeds
    expected = seconds_of_work(plan.image, plan.method, plan.params, plan.device, work)
    with job_queue.queue_of(plan.method, plan.device).join(expected) as slot:
        waited = yield from _wait(index, plan, slot)
        # A run ahead in the queue may have computed the same result.
        found = cache.get(plan.key) if cache and waited else None
        if found is not None:
            return _cached(index, found, 0.0)
        started = time.perf_counter()
        with closing(plan.steps()) as steps:
            for step in steps:
                elapsed = time.perf_counter() - started
                if step.result is not None:
                    break
                slot.report(step.seconds_left)
                yield Event(index, plan.method.key, step, False, elapsed)
            else:
                raise RuntimeError(f"{plan.method.key} ended without a result")
    outcome = make_outcome(plan, step.result, elapsed)
    # The run time of a method that decided to do nothing would mislead.
    worked = step.result.calls if plan.prior else UNCHANGED not in outcome.result.notes
    if worked:
        RUN_TIMES.update(plan.method, plan.params, plan.device, work, elapsed)
    if cache:
        cache.put(plan.key, outcome)
    return Event(index, plan.method.key, step, False, elapsed, outcome)


def _wait(
    index: int, plan: ResolvedRequest, slot: job_queue.QueueSlot
) -> Generator[Event, None, bool]:
    """Wait in the queue, yielding the position; returns whether waiting was necessary."""
    started = time.perf_counter()
    waited = False
    while not slot.wait(WAIT_TICK if waited else 0.0):
        wait = slot.ahead
        if wait is None:
            continue
        waited = True
        step = Step(0.0, None, wait.seconds, wait.text)
        elapsed = time.perf_counter() - started
        yield Event(index, plan.method.key, step, False, elapsed, wait=wait)
    return waited


def _cached(index: int, found: Outcome, seconds: float) -> Event:
    step = Step(1.0, None, 0.0, "from the cache", found.result)
    return Event(index, found.method, step, True, seconds, found)


def resolve_request(
    image: MedicalImage, request: Request, seed: int, device: str
) -> ResolvedRequest:
    """Complete the parameters of a request and compute its cache key."""
    method = get(request.method)
    params = resolve(method.key, image.modality, request.params)
    if method.family == "classical":
        device = "cpu"
    seeds = checked_seeds(method, request.seeds)
    facts = InputFacts.of(image)
    prior = prior_facts(method, params)
    key = provenance.cache_key(
        facts,
        method.key,
        params,
        seed=seed,
        device=devices.model_name(device),
        software=provenance.software(method.family),
        prior=prior,
        seeds=seeds,
    )
    return ResolvedRequest(image, facts, method, params, seed, device, prior, key, seeds)


def prior_facts(method: Method, params: Mapping[str, ParameterValue]) -> PriorFacts | None:
    """Facts about the network of a method; None for a classical one."""
    if method.prior is None:
        return None
    from enhancers.networks.load import identity
    from enhancers.networks.lookup import network_entry

    name, _, digest = identity(str(params["prior"])).partition(":")
    entry = network_entry(name)
    if entry.restoration is None or entry.origin is None:
        return PriorFacts(name, digest)
    origin, facts = entry.origin, entry.restoration
    return PriorFacts(
        name, digest, origin.file, origin.sha256, facts.architecture, entry.licence, facts.source
    )  # fmt: skip


def make_outcome(plan: ResolvedRequest, result: Result, seconds: float) -> Outcome:
    """Check a result and write its provenance record; an unchanged image is noted."""
    try:
        check_pixels(result.pixels)
    except ValueError as error:
        raise ReadingRoomError(
            f"{plan.method.label} made no valid image of this one: {error}."
        ) from error
    result = plan.noted(result)
    record = Record(
        key=plan.key,
        created=provenance.now(),
        input=plan.facts,
        method=plan.method.key,
        params=tuple(sorted(plan.params.items())),
        seed=plan.seed,
        device=devices.describe(plan.device),
        software=provenance.software(plan.method.family),
        prior=plan.prior,
        seconds=round(seconds, 3),
        calls=result.calls,
        scale=result.scale,
        figures=tuple(
            RecordedFigure(f.name, f.label, float(f.value), f.unit) for f in result.figures
        ),
        notes=result.notes,
        result_digest=pixels_digest(result.pixels),
        result_units=plan.method.result_units(plan.image.units, plan.params),
        seeds=plan.seeds,
    )
    return Outcome(plan.method.key, plan.params, result, record, record.seconds)


def _error_message(request: Request, error: Exception) -> str:
    """The error message for the user; unexpected errors are logged."""
    if isinstance(error, ReadingRoomError):
        return str(error)
    if is_out_of_memory(error):
        return str(
            OutOfDeviceMemory(
                f"There is too little memory for {request.method} on an image of this size; "
                "use a smaller one or another device."
            )
        )
    _log.error("%s failed", request.method, exc_info=error)
    return f"{request.method} stopped with an internal error ({type(error).__name__}); see the log."
