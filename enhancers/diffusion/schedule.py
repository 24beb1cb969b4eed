"""Timesteps, their signal shares ābar, and the noise of each timestep."""

from __future__ import annotations

import hashlib
import math
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from enhancers.networks.entry import Schedule

START = 1000
"""Key of the initial noise; not a timestep."""
PREFETCHED, PREFETCH_THREADS = 4, 2
"""With a GPU: how many noise tensors are drawn ahead, and by how many threads."""


@dataclass(frozen=True)
class TimestepPair:
    """One sampling step, from timestep ``t`` to the next lower one.

    ``signal`` and ``next_signal`` are ābar before and after; after the last step ābar is 1.
    """

    t: int
    signal: float
    next_signal: float

    @property
    def a(self) -> float:
        """Signal amplitude after the step, sqrt(ābar_next)."""
        return math.sqrt(self.next_signal)

    @property
    def s(self) -> float:
        """Noise amplitude after the step, sqrt(1 - ābar_next)."""
        return math.sqrt(1.0 - self.next_signal)

    def clean(self, x: Tensor, noise: Tensor) -> Tensor:
        """x̂0 = (x_t - sqrt(1 - ābar_t) ε) / sqrt(ābar_t)."""
        return (x - math.sqrt(1.0 - self.signal) * noise) / math.sqrt(self.signal)


def timesteps(
    signal: Tensor, steps: int, *, offset: int = 0, final: float = 1.0
) -> tuple[TimestepPair, ...]:
    """Evenly strided timesteps from high noise to none ("leading" spacing of diffusers).

    Parameters
    ----------
    signal : Tensor, shape (T,)
        ābar of the prior's own schedule.
    steps : int
        At most T. 100 of 1000 gives t = 990, 980, ..., 0.
    offset : int
        Added to every timestep (`steps_offset` of the prior's scheduler).
    final : float
        ābar after the last step: 1, or that of timestep 0 (`set_alpha_to_one` False).
    """
    stride, last = len(signal) // steps, len(signal) - 1
    return timestep_pairs(signal, [min(stride * i + offset, last) for i in range(steps)], final)


def timestep_pairs(
    signal: Tensor, ascending: list[int], final: float = 1.0
) -> tuple[TimestepPair, ...]:
    """The steps through these timesteps, given in ascending order, from the highest down."""
    shares = signal.double().tolist()
    previous = [final] + [shares[t] for t in ascending[:-1]]
    pairs = zip(ascending, previous, strict=True)
    return tuple(TimestepPair(t, shares[t], below) for t, below in pairs)[::-1]


def signal_of(schedule: Schedule) -> Tensor:
    """The signal shares ābar of a schedule, shape (T,), without loading the network.

    The cosine schedule is that of Nichol and Dhariwal (2021), equation 17, with β at most 0.999.
    """
    if schedule.name == "linear":
        betas = torch.linspace(schedule.start, schedule.end, schedule.steps)
    elif schedule.name == "scaled_linear":
        ends = schedule.start**0.5, schedule.end**0.5
        betas = torch.linspace(*ends, schedule.steps) ** 2
    else:
        times = torch.linspace(0, 1, schedule.steps + 1, dtype=torch.float64)
        share = torch.cos((times + 0.008) / 1.008 * math.pi / 2) ** 2
        betas = (1 - share[1:] / share[:-1]).clamp(max=0.999).float()
    return torch.cumprod(1.0 - betas, dim=0)


def noise_level_step(signal: Tensor, sigma: float) -> int:
    """The timestep whose noise-to-signal ratio sqrt(1 - ābar)/sqrt(ābar) is nearest ``sigma``.

    ``sigma`` is in network units, twice the value in [0, 1] units.
    """
    ratio = ((1 - signal.double()) / signal.double()).sqrt()
    return int((ratio - sigma).abs().argmin())


def noise_for_timestep(
    shape: tuple[int, ...], seed: int, t: int, sample: int = 0, *, pinned: bool = False
) -> Tensor:
    """Standard normal noise that depends on (seed, sample, t) alone, drawn on the CPU.

    Schedules that share a timestep share its noise, so that skipping steps changes nothing else.
    ``pinned`` allocates page-locked memory, for asynchronous copies to a GPU.
    """
    text = f"{seed}/{sample}/{t}".encode()
    key = int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1
    return torch.randn(shape, generator=torch.Generator().manual_seed(key), pin_memory=pinned)


class NoisePrefetcher:
    """`noise_for_timestep` on the network's device, prefetched where that is a GPU.

    With a GPU, threads draw the noise a few steps ahead into pinned memory and copy it on a
    separate stream. On a CPU drawing would compete with the network, so that noise is drawn on
    request. Leaving the context stops the threads.

    Parameters
    ----------
    shape : tuple of int
    seed : int
    times : sequence of int
        The timesteps in the order of use.
    device : torch.device
    sample : int
    threads : int, optional
        By default `PREFETCH_THREADS` for an NVIDIA GPU, none elsewhere.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        seed: int,
        times: Sequence[int],
        device: torch.device,
        sample: int = 0,
        threads: int | None = None,
    ) -> None:
        self.shape, self.seed, self.sample, self.device = shape, seed, sample, device
        self._stream: Any = None
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            threads = PREFETCH_THREADS if threads is None else threads
        self._pool = ThreadPoolExecutor(threads, "noise") if threads else None
        self._times = deque(times)
        self._prefetched: deque[tuple[int, Future[tuple[Tensor, Any]]]] = deque()
        self._prefetch()

    def __enter__(self) -> NoisePrefetcher:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def take(self, t: int) -> Tensor:
        """The noise of timestep ``t``, on the device."""
        if self._prefetched and self._prefetched[0][0] == t:
            noise, copied = self._prefetched.popleft()[1].result()
            self._prefetch()
            if copied is not None:
                current = torch.cuda.current_stream(self.device)
                current.wait_event(copied)
                noise.record_stream(current)
            return noise
        return noise_for_timestep(self.shape, self.seed, t, self.sample).to(self.device)

    def _prefetch(self) -> None:
        while self._pool is not None and self._times and len(self._prefetched) < PREFETCHED:
            t = self._times.popleft()
            self._prefetched.append((t, self._pool.submit(self._draw, t)))

    def _draw(self, t: int) -> tuple[Tensor, Any]:
        if self._stream is None:
            return noise_for_timestep(self.shape, self.seed, t, self.sample).to(self.device), None
        noise = noise_for_timestep(self.shape, self.seed, t, self.sample, pinned=True)
        with torch.cuda.stream(self._stream):
            there = noise.to(self.device, non_blocking=True)
            copied = self._stream.record_event()
        return there, copied
