"""Timesteps and their signal shares ābar."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from enhancers.networks.entry import Schedule


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
