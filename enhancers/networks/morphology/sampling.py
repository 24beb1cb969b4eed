"""Deterministic samples (DDIM with η 0): the same start gives the same image."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from enhancers.networks.entry import Schedule
from enhancers.networks.timesteps import TimestepPair, signal_of, timesteps

SCHEDULE = Schedule("squaredcos_cap_v2", steps=1000)
"""Of Nichol and Dhariwal, as in the paper."""

Noise = Callable[[Tensor, Tensor], Tensor]
"""The noise in states (B, 1, H, W) at timesteps (B,)."""


def signal() -> Tensor:
    """ābar of each timestep, float32, shape (1000,)."""
    return signal_of(SCHEDULE)


def samples(noise: Noise, start: Tensor, steps: int) -> Iterator[Tensor]:
    """The clean estimate after each step, (B, 1, H, W) in [-1, 1]; the last one is the sample.

    Parameters
    ----------
    noise : callable
    start : Tensor, shape (B, 1, H, W)
        Standard normal noise, or what `inverted` gives.
    steps : int
        1 to 1000.
    """
    state = start
    for pair in timesteps(signal(), steps):
        clean, made = _estimate(noise, state, pair.t, pair)
        yield clean
        state = pair.a * clean + pair.s * made


def inverted(noise: Noise, image: Tensor, steps: int) -> Tensor:
    """The start whose sample is about ``image``: the steps of DDIM in the other direction.

    Parameters
    ----------
    noise : callable
    image : Tensor, shape (B, 1, H, W), in [-1, 1]
        As the weighted mean of the depths.
    steps : int
        As of the samples.
    """
    state, below = image, 0
    for pair in reversed(timesteps(signal(), steps)):
        here = TimestepPair(below, pair.next_signal, pair.signal)
        clean, made = _estimate(noise, state, below, here)
        state = math.sqrt(pair.signal) * clean + math.sqrt(1 - pair.signal) * made
        below = pair.t
    return state


def _estimate(
    noise: Noise, state: Tensor, timestep: int, pair: TimestepPair
) -> tuple[Tensor, Tensor]:
    """The clean estimate within [-1, 1], and the noise that it leaves in the state."""
    made = noise(state, torch.full((len(state),), timestep, device=state.device))
    clean = pair.clean(state, made).clamp(-1, 1)
    if pair.signal < 1:
        made = (state - math.sqrt(pair.signal) * clean) / math.sqrt(1 - pair.signal)
    return clean, made
