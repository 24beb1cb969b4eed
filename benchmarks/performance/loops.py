"""What a method's sampling loop costs beside the calls of its network."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from enhancers import devices
from enhancers.image import MedicalImage
from enhancers.method import ParameterValue
from enhancers.method_interface import Result, load_method
from enhancers.registry import get, resolve

if TYPE_CHECKING:
    from torch import Tensor

    from enhancers.networks.priors import LatentPrior, PixelPrior

ROUNDS = 3
"""Runs of a loop and of its bare calls."""


@dataclass(frozen=True)
class Call:
    """A call of the network: the shape of what went in, and the timestep."""

    shape: tuple[int, ...]
    t: int


@dataclass(frozen=True)
class Loop:
    """A sampling loop without its first step, and the same calls of the network alone.

    Parameters
    ----------
    seconds, bare : float
        Of the loop's steps, and of their calls repeated without anything around them.
    calls : int
        Network calls counted in both.
    images : float
        Images, or tiles of one, that a step puts through the network.
    largest : int
        Most of them in one call.
    result : Result
    work : float or None
        On a CPU the ratio in processor time, which other programs do not lengthen.
    """

    seconds: float
    bare: float
    calls: int
    images: float
    largest: int
    result: Result
    work: float | None = None

    @property
    def ratio(self) -> float:
        """Seconds of the loop for each second of the bare network."""
        return self.seconds / self.bare


class Watch:
    """Stands before a prior's network and notes its calls."""

    def __init__(self, run: Callable[[Tensor, int], Tensor]) -> None:
        self.run = run
        self.calls: list[Call] = []

    def __call__(self, x: Tensor, t: int) -> Tensor:
        """The network's answer."""
        self.calls.append(Call(tuple(x.shape), t))
        return self.run(x, t)

    def taken(self) -> list[Call]:
        """The calls since the last time."""
        calls, self.calls = self.calls, []
        return calls


def loaded(key: str, prior: str, device: str) -> PixelPrior | LatentPrior:
    """The prior that a method with this key will use."""
    from enhancers.networks.load import latent_prior, pixel_prior

    return latent_prior(device, prior) if get(key).prior == "latent" else pixel_prior(device, prior)


@contextmanager
def watched(prior: PixelPrior | LatentPrior) -> Iterator[Watch]:
    """Note the calls of a prior that is in memory."""
    watch = Watch(prior.run)
    # It is frozen, lest a method change it; who measures must stand in between.
    object.__setattr__(prior, "run", watch)
    try:
        yield watch
    finally:
        object.__setattr__(prior, "run", watch.run)


def measure(
    key: str,
    image: MedicalImage,
    given: Mapping[str, ParameterValue],
    device: str,
    *,
    rounds: int = ROUNDS,
) -> Loop:
    """Run a method and time its loop against its own network calls, previews switched off.

    An autoencoder's work comes before the first call and after the last: it is on neither side.

    On a CPU each step is followed by its bare calls, so that both see the same moments of a busy
    machine, and of each step the shortest of all rounds counts. A GPU works on its own and must
    not be waited for within the loop: whole loops and whole sequences of calls alternate there,
    and the shortest of each count.
    """
    params = resolve(key, image.modality, {**given, "preview_every": 100})
    prior = loaded(key, str(params["prior"]), device)
    with watched(prior) as watch:

        def steps() -> Iterator[tuple[list[Call], Result | None]]:
            for step in load_method(key).run(image, params, seed=0, device=device):
                yield watch.taken(), step.result

        if devices.device_type(device) == "cpu":
            return _side_by_side(steps, watch.run, rounds)
        return _in_turns(steps, watch.run, device, rounds)


def _side_by_side(
    steps: Callable[[], Iterator[tuple[list[Call], Result | None]]],
    run: Callable[[Tensor, int], Tensor],
    rounds: int,
) -> Loop:
    counted: list[list[Call]] = []
    taken = []
    result = None
    for _ in range(rounds):
        counted, found, warm, before = [], [], False, _clocks()
        for calls, ended in steps():
            elapsed = _clocks() - before
            result = ended
            if calls and warm:
                before = _clocks()
                bare_seconds(calls, run, "cpu")
                found.append((elapsed, _clocks() - before))
                counted.append(calls)
            warm = warm or bool(calls)
            before = _clocks()
        taken.append(found)
    assert result is not None
    # The same step of all rounds: what took longer once was the machine's, not the step's.
    (seconds, work), (bare, bare_work) = np.array(taken).min(axis=0).sum(axis=0).tolist()
    return _loop(seconds, bare, counted, result, work / bare_work)


def _clocks() -> NDArray[np.float64]:
    """Seconds of the wall's clock and of all processors for this process."""
    return np.array([time.perf_counter(), time.process_time()])


def _in_turns(
    steps: Callable[[], Iterator[tuple[list[Call], Result | None]]],
    run: Callable[[Tensor, int], Tensor],
    device: str,
    rounds: int,
) -> Loop:
    total = sum(bool(calls) for calls, _ in steps())
    loops, alone = [], []
    counted: list[list[Call]] = []
    for _ in range(rounds):
        counted, result, made, started = [], None, 0, 0.0
        for calls, ended in steps():
            result = ended
            if not calls:
                continue
            made += 1
            if made > 1:
                counted.append(calls)
            if made in (1, total):
                devices.synchronize(device)
                if made == total:
                    loops.append(time.perf_counter() - started)
                started = time.perf_counter()
        alone.append(bare_seconds([call for calls in counted for call in calls], run, device))
    assert result is not None
    return _loop(min(loops), min(alone), counted, result)


def _loop(
    seconds: float,
    bare: float,
    counted: list[list[Call]],
    result: Result,
    work: float | None = None,
) -> Loop:
    sizes = [call.shape[0] for calls in counted for call in calls]
    images = sum(sizes) / max(len(counted), 1)
    return Loop(seconds, bare, len(sizes), images, max(sizes, default=0), result, work)


def bare_seconds(calls: list[Call], run: Callable[[Tensor, int], Tensor], device: str) -> float:
    """Seconds for these calls of a network on noise, nothing between them."""
    import torch

    inputs = {call.shape: torch.randn(call.shape, device=device) for call in calls}
    with torch.inference_mode():
        devices.synchronize(device)
        started = time.perf_counter()
        for call in calls:
            run(inputs[call.shape], call.t)
        devices.synchronize(device)
        return time.perf_counter() - started
