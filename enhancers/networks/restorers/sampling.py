"""Samples of a Diffusion-UNet: DDIM and ancestral steps with classifier-free guidance."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from enhancers.networks.restorers.diffusion_unet import DiffusionUNet
from enhancers.networks.timesteps import TimestepPair, timesteps

Network = Callable[[Tensor, Tensor, Tensor], Tensor]
"""`DiffusionUNet.forward`."""
Draw = Callable[[torch.Size], Tensor]
"""Standard normal noise of a shape."""
Correct = Callable[[Tensor], Tensor]
"""A clean estimate, (B, 1, H, W) in [-1, 1], made consistent with what was measured."""


@dataclass(frozen=True)
class Sampling:
    """How samples are drawn.

    Parameters
    ----------
    steps : int
        1 to 1000.
    guidance : float
        w of ε_u + w (ε_c - ε_u) (Ho and Salimans 2022): 1 follows the condition as it was learned,
        more exaggerates it, and takes a second call for each step.
    eta : float
        0 for the deterministic steps of DDIM (Song et al. 2021), 1 for ancestral ones.
    """

    steps: int = 20
    guidance: float = 1.0
    eta: float = 0.0

    @property
    def calls(self) -> int:
        """Network calls for one sample."""
        return self.steps * (1 if self.guidance == 1.0 else 2)


def samples(
    network: DiffusionUNet,
    call: Network,
    signal: Tensor,
    condition: Tensor,
    how: Sampling,
    draw: Draw,
    correct: Correct | None = None,
) -> Iterator[Tensor]:
    """The clean estimate after each step, (B, 1, H, W) in about [-1, 1]; the last is the sample.

    Parameters
    ----------
    network : DiffusionUNet
        Says what is predicted, and of what.
    call : Network
        ``network`` itself, or tiles of it.
    signal : Tensor, shape (T,)
        ābar.
    condition : Tensor, shape (B, 4, H, W)
    how : Sampling
    draw : Draw
    correct : Correct, optional
        Applied to the clean estimate of each step.
    """
    image = condition[:, :1]
    scale = network.deviations(condition[:, 1:, 0, 0].argmax(dim=1))
    residual = network.config.target == "residual"
    state = draw(image.shape)
    for pair in timesteps(signal, how.steps):
        steps = torch.full((len(image),), pair.t, device=image.device)
        made = _guided(call, state, steps, condition, how.guidance)
        clean = _clean(network.config.prediction_type, state, made, pair)
        estimate = image + scale * clean if residual else clean
        bounded = estimate.clamp(-1, 1)
        if correct is not None:
            bounded = correct(bounded)
        clean = (bounded - image) / scale if residual else bounded
        yield bounded
        noise = (state - math.sqrt(pair.signal) * clean) / math.sqrt(1 - pair.signal)
        state = _next(pair, clean, noise, how.eta, draw)


def _guided(
    call: Network, state: Tensor, steps: Tensor, condition: Tensor, guidance: float
) -> Tensor:
    told = call(state, steps, condition)
    if guidance == 1.0:
        return told
    untold = call(state, steps, torch.zeros_like(condition))
    return untold + guidance * (told - untold)


def _clean(kind: str, state: Tensor, made: Tensor, pair: TimestepPair) -> Tensor:
    if kind == "epsilon":
        return pair.clean(state, made)
    return math.sqrt(pair.signal) * state - math.sqrt(1 - pair.signal) * made


def _next(pair: TimestepPair, clean: Tensor, noise: Tensor, eta: float, draw: Draw) -> Tensor:
    """The state after a step, of which part of the noise is drawn anew."""
    above, below = pair.signal, pair.next_signal
    drawn = eta * math.sqrt((1 - below) / (1 - above) * (1 - above / below)) if below < 1 else 0.0
    kept = math.sqrt(max(1 - below - drawn**2, 0.0))
    state = math.sqrt(below) * clean + kept * noise
    return state + drawn * draw(state.shape) if drawn else state
