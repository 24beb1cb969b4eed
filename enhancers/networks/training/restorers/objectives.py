"""What the restorers are trained for: losses of a batch of pairs."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from enhancers.networks.restorers.conditions import with_modality
from enhancers.networks.training.restorers.pairs import PairBatch

ABSOLUTE_WEIGHT = 100.0
"""Of the absolute error in the loss of Pix2Pix, whose adversarial part has 1."""
LOW_PASS, LOW_PASS_WEIGHT = 4, 0.1
"""Average pooling and weight of the absolute error that steadies low frequencies."""
UNTOLD_SHARE = 0.1
"""Share of the images for which the diffusion network is not told the degraded image."""


class Given(NamedTuple):
    """A batch on a device: degraded images with their modality (B, 4, S, S), clean (B, 1, S, S)."""

    condition: Tensor
    clean: Tensor
    modalities: Tensor

    @classmethod
    def of(cls, batch: PairBatch, device: str) -> Given:
        """A batch of arrays as tensors."""
        worse, clean, modalities = (torch.from_numpy(np.asarray(x)).to(device) for x in batch)
        return cls(with_modality(worse, modalities), clean, modalities)


def absolute_loss(network: Any, given: Given) -> Tensor:
    """Mean absolute error of the estimate."""
    loss: Tensor = F.l1_loss(network(given.condition), given.clean)
    return loss


def adversarial_loss(networks: nn.ModuleDict, given: Given) -> Tensor:
    """The losses of the generator and of the discriminator, each with gradients for its own part.

    Both are trained at once: the discriminator judges the generator's result as it is, the
    generator is judged by the discriminator as it is.
    """
    generator, discriminator = networks["generator"], networks["discriminator"]
    made = generator(given.condition)
    fixed = {name: weight.detach() for name, weight in discriminator.named_parameters()}
    buffers = {name: buffer.clone() for name, buffer in discriminator.named_buffers()}
    judged = functional_call(discriminator, {**fixed, **buffers}, (given.condition, made))
    real = discriminator(given.condition, given.clean)
    false = discriminator(given.condition, made.detach())
    fooled = F.binary_cross_entropy_with_logits(judged, torch.ones_like(judged))
    told_apart = (
        F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
        + F.binary_cross_entropy_with_logits(false, torch.zeros_like(false))
    ) / 2
    return fooled + ABSOLUTE_WEIGHT * F.l1_loss(made, given.clean) + told_apart


def conditional_loss(network: Any, given: Given, signal: Tensor) -> Tensor:
    """Mean squared error of the noise or velocity, and of the low-passed clean estimate.

    Parameters
    ----------
    network : DiffusionUNet
    given : Given
    signal : Tensor, shape (T,)
        ābar; timesteps are drawn evenly.
    """
    count = len(given.clean)
    image = given.condition[:, :1]
    wanted = given.clean
    if network.config.target == "residual":
        wanted = (wanted - image) / network.deviations(given.modalities)
    steps = torch.randint(len(signal), (count,), device=wanted.device)
    abar = signal[steps].view(-1, 1, 1, 1)
    noise = torch.randn_like(wanted)
    state = abar.sqrt() * wanted + (1 - abar).sqrt() * noise
    told = (torch.rand(count, device=wanted.device) >= UNTOLD_SHARE).view(-1, 1, 1, 1)
    made = network(state, steps, given.condition * told)
    if network.config.prediction_type == "epsilon":
        target, clean = noise, (state - (1 - abar).sqrt() * made) / abar.sqrt()
    else:
        target = abar.sqrt() * noise - (1 - abar).sqrt() * wanted
        clean = abar.sqrt() * state - (1 - abar).sqrt() * made
    low = (F.avg_pool2d(clean, LOW_PASS) - F.avg_pool2d(wanted, LOW_PASS)).abs()
    loss: Tensor = (made - target).square().mean() + LOW_PASS_WEIGHT * (abar * low).mean()
    return loss
