"""The time of a method's sampling loop relative to the bare calls of its network."""

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
"""Number of runs of a loop and of its bare calls."""


@dataclass(frozen=True)
class Call:
    """A call of the network: the shape of its input, and the timestep."""

    shape: tuple[int, ...]
    t: int


@dataclass(frozen=True)
class Loop:
    """A sampling loop without its first step, and the same calls of the network alone.

    Parameters
    ----------
    seconds, bare : float
        Of the loop's steps, and of the same network calls alone.
    calls : int
        Network calls in both.
    images : float
        Mean number of images, or tiles, per step.
    largest : int
        Largest number of them in one call.
    result : Result
    work : float or None
        On a CPU, the ratio in processor time, which other programs do not affect.
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
        """Seconds of the loop per second of the bare network."""
        return self.seconds / self.bare


class Watch:
    """Wraps a network and records its calls."""

    def __init__(self, run: Callable[[Tensor, int], Tensor]) -> None:
        self.run = run
        self.calls: list[Call] = []

    def __call__(self, x: Tensor, t: int) -> Tensor:
        """The network's output."""
        self.calls.append(Call(tuple(x.shape), t))
        return self.run(x, t)

    def taken(self) -> list[Call]:
        """The calls since this method was last called."""
        calls, self.calls = self.calls, []
        return calls


def loaded(key: str, prior: str, device: str) -> PixelPrior | LatentPrior:
    """The loaded network that the method ``key`` will use."""
    from enhancers.networks.load import latent_prior, pixel_prior

    return latent_prior(device, prior) if get(key).prior == "latent" else pixel_prior(device, prior)


@contextmanager
def watched(prior: PixelPrior | LatentPrior) -> Iterator[Watch]:
    """Record the calls of a loaded network."""
    watch = Watch(prior.run)
    # The dataclass is frozen, so that methods do not change it.
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
    """Time a method's loop against its own network calls, without previews.

    An autoencoder runs before the first and after the last call and is not included.

    On a CPU each step is followed by its bare calls, so that both see the same load of the machine,
    and the shortest round of each step counts. On a GPU, where waiting within the loop would slow
    it down, complete loops and complete sequences of calls alternate, and the shortest of each
    counts.
    """
    params = resolve(key, image.modality, {**given, "preview_every": 100})
    prior = loaded(key, str(params["prior"]), device)
    with watched(prior) as watch:

        def steps() -> Iterator[tuple[list[Call], Result | None]]:
            for step in load_method(key).run(image, params, seed=0, device=device):
                yield watch.taken(), step.result

        if devices.device_type(device) == "cpu":
            return _side_by_side(steps, watch.run, rounds)
        return in_turns(steps, watch.run, device, rounds)


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
    # The shortest round of each step: a longer one is due to other programs.
    (seconds, work), (bare, bare_work) = np.array(taken).min(axis=0).sum(axis=0).tolist()
    return _loop(seconds, bare, counted, result, work / bare_work)


def _clocks() -> NDArray[np.float64]:
    """Wall time and processor time of this process, in seconds."""
    return np.array([time.perf_counter(), time.process_time()])


def in_turns(
    steps: Callable[[], Iterator[tuple[list[Call], Result | None]]],
    run: Callable[[Tensor, int], Tensor],
    device: str,
    rounds: int,
) -> Loop:
    """Time complete loops and complete sequences of their calls alternately."""
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
    """Seconds for these calls of a network on noise."""
    import torch

    inputs = {call.shape: torch.randn(call.shape, device=device) for call in calls}
    with torch.inference_mode():
        devices.synchronize(device)
        started = time.perf_counter()
        for call in calls:
            run(inputs[call.shape], call.t)
        devices.synchronize(device)
        return time.perf_counter() - started
