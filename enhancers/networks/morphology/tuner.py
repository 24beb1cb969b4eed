"""The fusion of features over depths, and the tuners that bring them into a diffusion network."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.nn import functional as F

from enhancers.networks.morphology.unet import WIDTHS, Features, MorphologyUNet, Skip

VARIANTS = ("published", "residual", "tuned")
"""What a skip connection becomes: T(f, F) + F*, or f + T(f, F) + F*, or f + T(f, F + F*)."""


def fused(features: Features, weights: Sequence[float]) -> Features:
    """Σ w_d F^d of features of D depths, (B D, C, h, w) with the depths next to each other."""
    shares = torch.tensor(weights, device=features.encoder[0].device)

    def mean(values: Tensor) -> Tensor:
        each = values.reshape(-1, len(shares), *values.shape[1:])
        return torch.einsum("bdchw,d->bchw", each, shares.to(values.dtype))

    return Features(tuple(map(mean, features.encoder)), tuple(map(mean, features.decoder)))


def features_of(extractor: MorphologyUNet, depths: Tensor, weights: Sequence[float]) -> Features:
    """The fused features of images at several depths, (B, D, H, W) in [-1, 1]."""
    _, found = extractor.run(depths.flatten(0, 1)[:, None])
    return fused(found, weights)


class MorphologyTuner(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """T(f, F) = W_up GELU(W_down (f + F)) for each level, and the skip connections it makes.

    Parameters
    ----------
    block_out_channels : tuple of int
        Channels of the levels.
    reduction : int
        C over the channels of the bottleneck.
    variant : str
        One of `VARIANTS`. As published, a skip connection is T(f, F) + F*, in which the frozen
        decoder no longer finds its own f; "residual" adds f; "tuned" adds to f what is tuned only,
        so that an untrained tuner leaves the network as it is.
    """

    config_name = "config.json"

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        block_out_channels: tuple[int, ...] = WIDTHS,
        reduction: int = 4,
        variant: str = "published",
    ) -> None:
        super().__init__()
        self.down = nn.ModuleList(nn.Conv2d(c, c // reduction, 1) for c in block_out_channels)
        self.up = nn.ModuleList(nn.Conv2d(c // reduction, c, 1) for c in block_out_channels)
        for parameter in self.up.parameters():
            nn.init.zeros_(parameter)

    def forward(self, encoder: Sequence[Tensor], features: Features) -> list[Tensor]:
        """The skip connections of all levels, of the shapes of ``encoder``."""
        made = []
        levels = zip(self.down, self.up, encoder, *features, strict=True)
        for down, up, own, there, back in levels:
            if self.config.variant == "tuned":
                made.append(own + up(F.gelu(down(own + there + back))))
                continue
            tuned = up(F.gelu(down(own + there))) + back
            made.append(own + tuned if self.config.variant == "residual" else tuned)
        return made

    def skip(self, features: Features) -> Skip:
        """The skip connections that follow ``features``."""
        return partial(self.forward, features=features)
