"""The losses of the three stages (Zhou et al., equations 9 to 11)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from enhancers.networks.morphology.tuner import MorphologyTuner, features_of
from enhancers.networks.morphology.unet import MorphologyUNet, Skip
from enhancers.networks.training.morphology.volumes import Batch


def noise_loss(
    network: MorphologyUNet, clean: Tensor, signal: Tensor, skip: Skip | None = None,
    *, image_term: bool = False,
) -> Tensor:  # fmt: skip
    """Mean squared error of the noise at timesteps that are drawn evenly.

    With ``image_term`` that of the clean estimate is added (equation 9). It is the error of the
    noise over the signal-to-noise ratio SNR, and grows without bound where there is little signal:
    it is weighted by min(SNR, 1), so that the noise's error counts 1 + min(1, 1 / SNR).
    """
    steps = torch.randint(len(signal), (len(clean),), device=clean.device)
    abar = signal[steps].view(-1, 1, 1, 1)
    noise = torch.randn_like(clean)
    state = abar.sqrt() * clean + (1 - abar).sqrt() * noise
    error = (network(state, steps, skip) - noise).square()
    if image_term:
        error = error * (1 + ((1 - abar) / abar).clamp(max=1))
    loss: Tensor = error.mean()
    return loss


def segmentation_loss(network: MorphologyUNet, given: Batch) -> Tensor:
    """Cross-entropy of the four classes of the optimal image (equation 10)."""
    loss: Tensor = F.cross_entropy(network(given.optimal), given.classes)
    return loss


def tuner_loss(
    tuner: MorphologyTuner, network: MorphologyUNet, extractor: MorphologyUNet, given: Batch,
    signal: Tensor, weights: tuple[float, ...],
) -> Tensor:  # fmt: skip
    """Error of the noise in the optimal image, given the features of all depths (equation 11).

    ``network`` and ``extractor`` are frozen; gradients go through the former to the tuner.
    """
    with torch.no_grad():
        features = features_of(extractor, given.depths, weights)
    return noise_loss(network, given.optimal, signal, tuner.skip(features))
