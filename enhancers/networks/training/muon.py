"""Orthogonalised momentum for the weights of convolutions, Adam for the rest.

The momentum of a weight matrix is replaced by the nearest matrix with equal singular values, so
that rare directions are learned as fast as frequent ones (Jordan et al., "Muon: an optimizer for
hidden layers in neural networks", 2024). Steps have the size of Adam's (Liu et al., "Muon is
scalable for LLM training", 2025), so that one learning rate serves both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

MOMENTUM = 0.95
LEAST_CHANNELS = 16
"""Convolutions from or to fewer channels, such as those of an image, are left to Adam."""
ITERATION = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
"""Coefficients of the odd quintic that drives singular values toward 1, and how often."""
WEIGHT_DECAY = 0.1
"""Without it the weights of a network without norms grow, until it becomes unstable."""
ADAM_RMS = 0.2
"""Typical root mean square of an Adam step at a learning rate of 1."""


class Muon(Optimizer):
    """Orthogonalised Nesterov momentum for weights of two or more dimensions."""

    def __init__(self, weights: Iterable[Tensor], lr: float) -> None:
        super().__init__(weights, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step; all weights must have gradients. A closure is not called."""
        for group in self.param_groups:
            for weight in group["params"]:
                state = self.state[weight]
                if not state:
                    state["momentum"] = torch.zeros_like(weight)
                momentum = state["momentum"].mul_(MOMENTUM).add_(weight.grad)
                ahead = weight.grad.add(momentum, alpha=MOMENTUM).flatten(1)
                size = ADAM_RMS * math.sqrt(max(ahead.shape))
                change = orthogonalised(ahead).reshape(weight.shape)
                weight.mul_(1 - group["lr"] * WEIGHT_DECAY)
                weight.add_(change, alpha=-group["lr"] * size)


def orthogonalised(matrix: Tensor) -> Tensor:
    """About U Vᵀ of the matrix U S Vᵀ, (rows, columns), by Newton-Schulz iterations."""
    wide = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = wide / (wide.norm() + 1e-7)
    a, b, c = ITERATION
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    found: Tensor = x.T if wide is not matrix else x
    return found


def optimizers(model: nn.Module, rate: float) -> Iterator[Optimizer]:
    """The optimisers of the weights of a model: Muon for its convolutions, Adam for the rest."""
    weights = list(model.parameters())
    hidden = [w for w in weights if w.ndim == 4 and min(w.shape[:2]) >= LEAST_CHANNELS]
    chosen = {id(weight) for weight in hidden}
    others = [weight for weight in weights if id(weight) not in chosen]
    if hidden:
        yield Muon(hidden, rate)
    if others:
        yield AdamW(others, lr=rate, weight_decay=1e-4)
