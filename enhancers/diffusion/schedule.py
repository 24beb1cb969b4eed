"""Timesteps, their signal shares, and noise that belongs to a timestep."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Moment:
    """One sampling step, from timestep ``t`` to the next lower one.

    ``signal`` and ``next_signal`` are ābar at both; after the last step ābar is 1.
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


def timeline(signal: Tensor, steps: int) -> tuple[Moment, ...]:
    """``steps`` evenly strided moments from high noise to none ("leading" spacing, offset 0).

    Parameters
    ----------
    signal : Tensor, shape (T,)
        ābar of the prior's own schedule.
    steps : int
        At most T. 100 of 1000 gives t = 990, 980, ..., 0.
    """
    stride = len(signal) // steps
    return moments(signal, [stride * index for index in range(steps)])


def moments(signal: Tensor, ascending: list[int]) -> tuple[Moment, ...]:
    """The moments that visit these timesteps, given in ascending order, from the highest down."""
    shares = signal.double().tolist()
    previous = [1.0] + [shares[t] for t in ascending[:-1]]
    pairs = zip(ascending, previous, strict=True)
    return tuple(Moment(t, shares[t], below) for t, below in pairs)[::-1]


def noise_level_step(signal: Tensor, sigma: float) -> int:
    """The timestep whose noise-to-signal ratio sqrt(1 - ābar)/sqrt(ābar) is nearest ``sigma``.

    ``sigma`` is in network units, twice the value in [0, 1] units.
    """
    ratio = ((1 - signal.double()) / signal.double()).sqrt()
    return int((ratio - sigma).abs().argmin())


def keyed_noise(shape: tuple[int, ...], seed: int, t: int, sample: int = 0) -> Tensor:
    """Standard normal noise that depends on (seed, sample, t) alone, drawn on the CPU.

    Schedules that share a timestep share its noise, so leaving steps out changes nothing else.
    """
    text = f"{seed}/{sample}/{t}".encode()
    key = int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1
    return torch.randn(shape, generator=torch.Generator().manual_seed(key))
