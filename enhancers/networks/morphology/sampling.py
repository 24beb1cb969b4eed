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

Velocity = Callable[[Tensor, Tensor], Tensor]
"""√ābar ε - √(1 - ābar) x of states (B, 1, H, W) at timesteps (B,), for noise ε and image x."""


def signal() -> Tensor:
    """ābar of each timestep, float32, shape (1000,)."""
    return signal_of(SCHEDULE)


def samples(velocity: Velocity, start: Tensor, steps: int) -> Iterator[Tensor]:
    """The clean estimate after each step, (B, 1, H, W) in [-1, 1]; the last one is the sample.

    Parameters
    ----------
    velocity : callable
    start : Tensor, shape (B, 1, H, W)
        Standard normal noise, or what `inverted` gives.
    steps : int
        1 to 1000.
    """
    state = start
    for pair in timesteps(signal(), steps):
        clean, made = _estimate(velocity, state, pair.t, pair)
        yield clean
        state = pair.a * clean + pair.s * made


def inverted(velocity: Velocity, image: Tensor, steps: int) -> Tensor:
    """The start whose sample is about ``image``: the steps of DDIM in the other direction.

    Parameters
    ----------
    velocity : callable
    image : Tensor, shape (B, 1, H, W), in [-1, 1]
        As the weighted mean of the depths.
    steps : int
        As of the samples.
    """
    state, below = image, 0
    for pair in reversed(timesteps(signal(), steps)):
        here = TimestepPair(below, pair.next_signal, pair.signal)
        clean, made = _estimate(velocity, state, below, here)
        state = math.sqrt(pair.signal) * clean + math.sqrt(1 - pair.signal) * made
        below = pair.t
    return state


def _estimate(
    velocity: Velocity, state: Tensor, timestep: int, pair: TimestepPair
) -> tuple[Tensor, Tensor]:
    """The clean estimate within [-1, 1], and the noise that it leaves in the state."""
    there = velocity(state, torch.full((len(state),), timestep, device=state.device))
    kept, lost = math.sqrt(pair.signal), math.sqrt(1 - pair.signal)
    clean = (kept * state - lost * there).clamp(-1, 1)
    return clean, (state - kept * clean) / lost if lost else there
