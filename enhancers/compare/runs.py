"""Running methods on an image: one of them, or several in order with every step streamed."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import cast

from enhancers import devices, job_queue, provenance
from enhancers.compare import zerogpu
from enhancers.compare.cache import ResultCache
from enhancers.compare.estimate import expected_seconds
from enhancers.compare.events import Event, Outcome, Request
from enhancers.compare.runtime_model import RUN_TIMES, planned_work
from enhancers.devices.oom import is_out_of_memory
from enhancers.errors import OutOfDeviceMemory, ReadingRoomError
from enhancers.image import MedicalImage, check_pixels, pixels_digest
from enhancers.method import Method, ParameterValue
from enhancers.method_interface import Result, Step, load_method
from enhancers.provenance import PriorFacts, Record, RecordedFigure
from enhancers.registry import get, resolve
from enhancers.settings import get_settings

WAIT_TICK = 0.25
"""Seconds between two events of a method in line; a stop is noticed so late at most."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Plan:
    """A request made complete: all that determines the result."""

    image: MedicalImage
    facts: provenance.InputFacts
    method: Method
    params: Mapping[str, ParameterValue]
    seed: int
    device: str
    prior: PriorFacts | None
    key: str

    def steps(self) -> Generator[Step, None, None]:
        """Begin the run; every method is a generator, so that it can be closed."""
        if self.method.family == "diffusion":
            devices.limit_threads(get_settings().threads)
            if zerogpu.needed(self.device):
                return zerogpu.steps(
                    self.method.key, self.image, self.params, self.seed, self.device
                )  # fmt: skip
        enhancer = load_method(self.method.key)
        steps = enhancer.run(self.image, self.params, seed=self.seed, device=self.device)
        return cast(Generator[Step, None, None], steps)


def enhance(
    image: MedicalImage,
    key: str,
    *,
    params: Mapping[str, ParameterValue] | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> Result:
    """Enhance an image by one method and wait for the result; it stands in no line.

    Parameters
    ----------
    image : MedicalImage
    key : str
        The method's registry key.
    params : mapping, optional
        What differs from the preset for the image's modality.
    seed : int
    device : str
        "auto", "cpu", "cuda", "cuda:1" or "mps".

    Raises
    ------
    UnknownMethod, ParameterError, PriorMissing, OutOfDeviceMemory, DeviceError
    """
    plan = _plan(image, Request(key, params or {}), seed, devices.choose(device))
    with closing(plan.steps()) as steps:
        for step in steps:
            if step.result is not None:
                return step.result
    raise RuntimeError(f"{key} ended without a result")


def compare(
    image: MedicalImage,
    requests: Sequence[Request],
    *,
    seed: int = 0,
    device: str = "cpu",
    cache: ResultCache | None = None,
) -> Generator[Event, None, None]:
    """Run methods on an image in order, streaming every step.

    A method that fails ends with an event that has an `error`, and the next one begins. Each
    method gets in line for its device (see `enhancers.job_queue`); while it waits, its events have
    a `wait`. Closing the iterator stops the running method within one of its steps and leaves the
    line.

    Parameters
    ----------
    image : MedicalImage
    requests : sequence of Request
    seed : int
        Of every method.
    device : str
        "auto", "cpu", "cuda", "cuda:1" or "mps"; classical methods always run on the CPU. Among
        several GPUs, auto takes for each method the one with the shortest line.
    cache : ResultCache, optional
        Where finished results are kept and looked for; a result found is one event.

    Raises
    ------
    DeviceError, ParameterError
        The device is not there.
    """
    present = _candidates(device)
    for index, request in enumerate(requests):
        yield from _events(image, index, request, seed, present, cache)


def _candidates(device: str) -> list[str]:
    """The devices a request may go to: one, except for auto on a machine with several GPUs."""
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
    cache: ResultCache | None,
) -> Generator[Event, None, None]:
    started = time.perf_counter()
    try:
        plan = _plan(image, request, seed, job_queue.shortest_queue(present))
        found = cache.get(plan.key) if cache else None
        if found is not None:
            yield _cached(index, found, time.perf_counter() - started)
            return
        yield (yield from _run(index, plan, cache))
    except Exception as error:
        elapsed = time.perf_counter() - started
        step = Step(1.0, None, 0.0, "failed")
        yield Event(index, request.method, step, False, elapsed, None, _sentence(request, error))


def _run(index: int, plan: _Plan, cache: ResultCache | None) -> Generator[Event, None, Event]:
    """Get in line, then run; the last event is returned, once the place is free again."""
    work = planned_work(plan.image, plan.method, plan.params)
    expected = expected_seconds(plan.image, plan.method, plan.params, plan.device, work)
    with job_queue.queue_of(plan.method, plan.device).join(expected) as ticket:
        waited = yield from _wait(index, plan, ticket)
        # Whoever was ahead may have asked for the very same.
        found = cache.get(plan.key) if cache and waited else None
        if found is not None:
            return _cached(index, found, 0.0)
        started = time.perf_counter()
        with closing(plan.steps()) as steps:
            for step in steps:
                elapsed = time.perf_counter() - started
                if step.result is not None:
                    break
                ticket.report(step.seconds_left)
                yield Event(index, plan.method.key, step, False, elapsed)
            else:
                raise RuntimeError(f"{plan.method.key} ended without a result")
    outcome = _outcome(plan, step.result, elapsed)
    # A constant image is returned as it is, which teaches nothing.
    if step.result.calls or plan.prior is None:
        RUN_TIMES.note(plan.method, plan.params, plan.device, work, elapsed)
    if cache:
        cache.put(plan.key, outcome)
    return Event(index, plan.method.key, step, False, elapsed, outcome)


def _wait(index: int, plan: _Plan, ticket: job_queue.QueueSlot) -> Generator[Event, None, bool]:
    """Stand in line, saying where; returns whether that was needed."""
    started = time.perf_counter()
    waited = False
    while not ticket.wait(WAIT_TICK if waited else 0.0):
        wait = ticket.ahead
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


def _plan(image: MedicalImage, request: Request, seed: int, device: str) -> _Plan:
    method = get(request.method)
    params = resolve(method.key, image.modality, request.params)
    if method.family == "classical":
        device = "cpu"
    facts = provenance.describe_input(image)
    prior = _prior_facts(method, params)
    key = provenance.cache_key(
        facts,
        method.key,
        params,
        seed=seed,
        device=devices.model_name(device),
        software=provenance.software(method.family),
        prior=prior,
    )
    return _Plan(image, facts, method, params, seed, device, prior, key)


def _prior_facts(method: Method, params: Mapping[str, ParameterValue]) -> PriorFacts | None:
    if method.prior is None:
        return None
    from enhancers.networks.load import identity

    name, _, digest = identity(str(params["prior"])).partition(":")
    return PriorFacts(name, digest)


def _outcome(plan: _Plan, result: Result, seconds: float) -> Outcome:
    try:
        check_pixels(result.pixels)
    except ValueError as error:
        raise ReadingRoomError(
            f"{plan.method.label} made no valid image of this one: {error}."
        ) from error
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
    )
    return Outcome(plan.method.key, plan.params, result, record, record.seconds)


def _sentence(request: Request, error: Exception) -> str:
    """What the user is told; what is not meant for the user goes to the log."""
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
