"""The losses of the three stages (Zhou et al., equations 9 to 11)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from enhancers.networks.morphology.tuner import MorphologyTuner
from enhancers.networks.morphology.unet import Features, MorphologyUNet, Skip
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
    """Cross-entropy of the four classes (equation 10), of an even number of volumes.

    One half shows its optimal image, as in the paper. The other shows its artefact-free one: angles
    are measured on results, which look like these.
    """
    half = len(given.classes) // 2
    images = torch.cat([given.optimal[:half], given.clean[half:]])
    loss: Tensor = F.cross_entropy(network(images), given.classes)
    return loss


def tuner_loss(
    tuner: MorphologyTuner, network: MorphologyUNet, optimal: Tensor, features: Features,
    signal: Tensor,
) -> Tensor:  # fmt: skip
    """Error of noise and clean estimate of optimal images, given the features of all depths.

    Equation 11 has the noise alone, which says little at the times at which structure is decided.
    ``network`` is frozen; gradients go through it to the tuner.
    """
    return velocity_loss(network, optimal, signal, tuner.skip(features))
