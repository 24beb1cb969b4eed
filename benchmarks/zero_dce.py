"""Trains the curve network of the Zero-DCE baseline on darkened images of a corpus."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from enhancers.evaluation.baselines.zero_dce import CurveNetwork, loss
from enhancers.networks.training.corpus import Corpus, Crops

SIDE, BATCH, RATE = 128, 8, 1e-3
DARKEST = 0.15
"""The crops are darkened by factors from this to 1: a corpus of several exposures, as published."""
CLIP = 0.1
"""Largest norm of the gradient, as in the published code."""


@dataclass(frozen=True)
class Progress:
    """The mean loss of the last steps, after ``done`` steps."""

    done: int
    loss: float


def darkened(crops: Crops, random: np.random.Generator) -> Tensor:
    """A batch of crops in [0, 1] at random exposures."""
    unit = (crops.batch(BATCH, SIDE) + 1) / 2
    factors = random.uniform(DARKEST, 1.0, (BATCH, 1, 1, 1))
    return torch.from_numpy((unit * factors).astype(np.float32))


def train(
    network: CurveNetwork, corpus: Corpus, steps: int, *, seed: int = 0, every: int = 50
) -> Iterator[Progress]:
    """Train ``network`` in place; yields after every ``every`` steps and at the end."""
    crops, random = Crops(corpus, seed), np.random.default_rng(seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE, weight_decay=1e-4)
    recent: list[float] = []
    for done in range(1, steps + 1):
        gray = darkened(crops, random)
        value = loss(gray, network(gray))
        optimizer.zero_grad()
        torch.autograd.backward(value)
        torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()
        recent.append(float(value.detach()))
        if done % every == 0 or done == steps:
            yield Progress(done, float(np.mean(recent)))
            recent.clear()
