"""DDNM's one call, averaged over the eight turns and mirrorings of the image.

Self-ensemble: Timofte, Rothe, Van Gool, "Seven ways to improve example-based single image super
resolution", CVPR 2016, section 3.3. What the network finds only where the image lies one way
cancels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from enhancers.classical.restore_clipped import restore_clipped
from enhancers.devices import GpuPacing
from enhancers.evaluation.baselines.baseline import Work
from enhancers.evaluation.baselines.ddpm_chain import problem
from enhancers.image import Pixels
from enhancers.method_interface import ProgressTracker, Step, final_step
from enhancers.networks.timesteps import noise_level_step, timestep_pairs

TURNS = 8


def turned(x: Tensor, turn: int) -> Tensor:
    """One of the eight ways in which an image can lie; 0 leaves it."""
    x = torch.rot90(x, turn % 4, (-2, -1))
    return x.flip(-1) if turn >= 4 else x


def back(x: Tensor, turn: int) -> Tensor:
    """The inverse of `turned`."""
    x = x.flip(-1) if turn >= 4 else x
    return torch.rot90(x, -(turn % 4), (-2, -1))


def run(gray: Pixels, work: Work, *, seed: int, device: str) -> Iterator[Step]:
    """Denoise with one network call for each way the image can lie (see `Run`)."""
    found = problem(restore_clipped(gray, work.sigma, seed=seed), work, device)
    signal = found.network.prior.signal
    (moment,) = timestep_pairs(signal, [noise_level_step(signal, 2 * work.sigma)])
    watch, pace = ProgressTracker(TURNS, "network call"), GpuPacing(device)
    total = torch.zeros_like(found.y)
    for turn in range(TURNS):
        x = math.sqrt(moment.signal) * turned(found.y, turn).contiguous()
        total = total + back(moment.clean(x, found.network.predict(x, moment.t)), turn)
        pace.tick()
        yield watch.step(turn + 1, found.image(total / (turn + 1)))
    yield final_step(found.image(total / TURNS), calls=TURNS, notes=found.network.notes)
