"""Figures of the three stages on validation volumes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from enhancers.curve_angle import CLASSES
from enhancers.networks.morphology.sampling import samples, signal
from enhancers.networks.morphology.tuner import MorphologyTuner, features_of
from enhancers.networks.morphology.unet import MorphologyUNet
from enhancers.networks.training.morphology.volumes import Batch, Volumes, batch_of
from enhancers.networks.training.restorers.validation import psnr

MOST, STEPS = 10, 10
"""Volumes, and steps of a sample."""
TIMESTEPS = (100, 400, 700)


def known(volumes: Volumes, device: str) -> Batch:
    """The first volumes."""
    return batch_of(volumes, np.arange(min(MOST, len(volumes))), device)


@torch.no_grad()
def velocity_figures(network: MorphologyUNet, volumes: Volumes, device: str) -> dict[str, float]:
    """Mean squared error of the velocity of artefact-free images."""
    clean = known(volumes, device).clean
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0)).to(device)
    found = {}
    for step in TIMESTEPS:
        abar = signal()[step].to(device)
        steps = torch.full((len(clean),), step, device=device)
        kept, lost = abar.sqrt(), (1 - abar).sqrt()
        error = network(kept * clean + lost * noise, steps) - (kept * noise - lost * clean)
        found[f"clean velocity error at t = {step}"] = round(float(error.square().mean()), 4)
    return found


@torch.no_grad()
def segmentation_figures(
    network: MorphologyUNet, volumes: Volumes, device: str
) -> dict[str, float]:
    """Dice of each structure in the optimal and in the artefact-free images."""
    given = known(volumes, device)
    figures = {}
    for kind, images in (("optimal", given.optimal), ("clean", given.clean)):
        found = network(images).argmax(1)
        for place, name in enumerate(CLASSES):
            if place:
                value = dice(found == place, given.classes == place)
                figures[f"{kind} Dice of {name}"] = round(value, 3)
    return figures


def dice(one: Tensor, other: Tensor) -> float:
    """2 |A and B| / (|A| + |B|) of two masks; 1 for two empty ones."""
    total = int(one.sum() + other.sum())
    return 2 * int((one & other).sum()) / total if total else 1.0


@torch.no_grad()
def restoration_figures(
    tuner: MorphologyTuner, network: MorphologyUNet, extractor: MorphologyUNet, volumes: Volumes,
    weights: tuple[float, ...], device: str,
) -> dict[str, float]:  # fmt: skip
    """PSNR in dB of samples, of the optimal depths and of the mean of depths, to the truth."""
    given = known(volumes, device)
    skip = tuner.skip(features_of(extractor, given.depths, weights))
    start = torch.randn(given.clean.shape, generator=torch.Generator().manual_seed(0)).to(device)
    *_, last = samples(lambda state, steps: network(state, steps, skip), start, STEPS)
    shares = torch.tensor(weights, device=device).view(-1, 1, 1)
    mean = (given.depths * shares).sum(1, keepdim=True)
    images = {"restored": last, "optimal depth": given.optimal, "mean of depths": mean}
    return {f"{name}, dB": round(psnr(image, given.clean), 2) for name, image in images.items()}
