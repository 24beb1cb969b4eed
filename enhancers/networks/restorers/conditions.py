"""What a restorer is told beside the image: the modality, as one plane for each that it knows."""

from __future__ import annotations

import torch
from torch import Tensor

MODALITIES = ("CT", "MR", "US")
"""The modalities that restorers are trained for, in the order of their planes."""


def with_modality(images: Tensor, modalities: Tensor) -> Tensor:
    """Images (B, 1, H, W) with planes of 0 and 1 that name their modality, (B, 4, H, W).

    Parameters
    ----------
    images : Tensor
    modalities : Tensor of int, shape (B,)
        Places in `MODALITIES`.
    """
    named = images.new_zeros(len(images), len(MODALITIES), 1, 1)
    named[torch.arange(len(images)), modalities] = 1
    return torch.cat([images, named.expand(-1, -1, *images.shape[-2:])], dim=1)
