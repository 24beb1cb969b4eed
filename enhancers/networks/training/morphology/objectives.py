"""The losses of the three stages (Zhou et al., equations 9 to 11)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from enhancers.networks.morphology.tuner import MorphologyTuner, features_of
from enhancers.networks.morphology.unet import MorphologyUNet, Skip
from enhancers.networks.training.morphology.volumes import Batch


def velocity_loss(
    network: MorphologyUNet, clean: Tensor, signal: Tensor, skip: Skip | None = None
) -> Tensor:
    """Mean squared error of the velocity at timesteps that are drawn evenly.

    It is the sum of the squared errors of noise and clean estimate (equation 9), which the velocity
    has as its components: no term grows where there is little signal.
    """
    steps = torch.randint(len(signal), (len(clean),), device=clean.device)
    abar = signal[steps].view(-1, 1, 1, 1)
    noise = torch.randn_like(clean)
    kept, lost = abar.sqrt(), (1 - abar).sqrt()
    made = network(kept * clean + lost * noise, steps, skip)
    return F.mse_loss(made, kept * noise - lost * clean)


def segmentation_loss(network: MorphologyUNet, given: Batch) -> Tensor:
    """Cross-entropy of the four classes of the optimal image (equation 10)."""
    loss: Tensor = F.cross_entropy(network(given.optimal), given.classes)
    return loss


def tuner_loss(
    tuner: MorphologyTuner, network: MorphologyUNet, extractor: MorphologyUNet, given: Batch,
    signal: Tensor, weights: tuple[float, ...],
) -> Tensor:  # fmt: skip
    """Error of noise and clean estimate of the optimal image, given the features of all depths.

    Equation 11 has the noise alone, which says little at the times at which structure is decided.
    ``network`` and ``extractor`` are frozen; gradients go through the former to the tuner.
    """
    with torch.no_grad():
        features = features_of(extractor, given.depths, weights)
    return velocity_loss(network, given.optimal, signal, tuner.skip(features))
