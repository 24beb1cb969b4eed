"""The fused features of all volumes of a corpus, computed once for the training of the tuners."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from enhancers.networks.morphology.tuner import features_of
from enhancers.networks.morphology.unet import Features, MorphologyUNet
from enhancers.networks.training.morphology.volumes import Volumes, batch_of, mirrored

TOGETHER = 8
"""Volumes whose features are computed at once."""


class FusedVolumes:
    """Images with the features of all depths, of volumes and their mirror images.

    The frozen extractor takes longer than a step of a tuner: its features are kept, in half
    precision, 1.2 MB a volume of 128 x 128 pixels.

    Parameters
    ----------
    volumes : Volumes
    extractor : MorphologyUNet
        Frozen.
    weights : sequence of float
        Of the depths.
    device : str
    """

    @torch.no_grad()
    def __init__(
        self, volumes: Volumes, extractor: MorphologyUNet, weights: Sequence[float], device: str
    ) -> None:
        self.device = device
        optimal, clean, found = [], [], []
        for start in range(0, len(volumes), TOGETHER):
            given = batch_of(volumes, np.arange(start, min(start + TOGETHER, len(volumes))), device)
            for each in (given, mirrored(given)):
                found.append(features_of(extractor, each.depths, weights))
                optimal.append(each.optimal.cpu())
                clean.append(each.clean.cpu())
        self.optimal, self.clean = torch.cat(optimal), torch.cat(clean)
        self.features = Features(*(_levels(parts) for parts in zip(*found, strict=True)))

    def batch(
        self, images: Tensor, count: int, random: np.random.Generator
    ) -> tuple[Tensor, Features]:
        """``count`` of the ``images``, `optimal` or `clean`, with their features, float32."""
        picked = torch.from_numpy(random.integers(len(self.optimal), size=count))

        def chosen(levels: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            return tuple(level[picked].to(self.device).float() for level in levels)

        return images[picked].to(self.device), Features(*map(chosen, self.features))


def _levels(batches: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """The levels of all volumes, from those of batches."""
    return tuple(
        torch.cat([level.half().cpu() for level in same]) for same in zip(*batches, strict=True)
    )
