"""Pix2Pix: a U-Net generator, trained with an absolute error and against a patch discriminator.

Isola et al., "Image-to-image translation with conditional adversarial networks", CVPR 2017.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.nn import functional as F

from enhancers.networks.restorers.conditions import MODALITIES

SLOPE = 0.2
DROPPED = 3
"""The deepest levels of the decoder, in which half of the values are left out in training."""


class Pix2PixGenerator(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Estimates the clean image of a degraded one in one call.

    Parameters
    ----------
    in_channels : int
        The image and the planes of its modality.
    out_channels : int
    widths : tuple of int
        Channels of each level; each has half the resolution of the one before, the first half that
        of the image.
    """

    config_name = "config.json"

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        in_channels: int = 1 + len(MODALITIES),
        out_channels: int = 1,
        widths: tuple[int, ...] = (40, 80, 128, 160, 160, 160),
    ) -> None:
        super().__init__()
        last = len(widths) - 1
        self.down = nn.ModuleList(
            _halved(given, made, norm=0 < level < last)
            for level, (given, made) in enumerate(pairwise((in_channels, *widths)))
        )
        # Below the first, each level is given the skip connection beside what comes from below.
        self.up = nn.ModuleList(
            _doubled(
                widths[level] * (1 if level == last else 2),
                widths[level - 1] if level else out_channels,
                norm=level > 0,
                dropped=level > last - DROPPED and level > 0,
            )
            for level in range(len(widths))
        )

    @property
    def multiple(self) -> int:
        """By which the sides of an image must be divisible."""
        return int(2 ** len(self.down))

    def forward(self, x: Tensor) -> Tensor:
        """The clean image, (B, 1, H, W), of an image with its modality, (B, 4, H, W)."""
        image = x[:, :1]
        skips = []
        for place, level in enumerate(self.down):
            x = level(F.leaky_relu(x, SLOPE) if place else x)
            skips.append(x)
        for place in reversed(range(len(self.up))):
            if place < len(self.up) - 1:
                x = torch.cat([x, skips[place]], dim=1)
            x = self.up[place](F.relu(x))
        return image + x


def _halved(given: int, made: int, *, norm: bool) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(given, made, 4, stride=2, padding=1, bias=not norm)]
    return nn.Sequential(*layers, *([nn.BatchNorm2d(made)] if norm else []))


def _doubled(given: int, made: int, *, norm: bool, dropped: bool) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.ConvTranspose2d(given, made, 4, stride=2, padding=1, bias=not norm)
    ]
    layers += [nn.BatchNorm2d(made)] if norm else []
    return nn.Sequential(*layers, *([nn.Dropout(0.5)] if dropped else []))


class PatchDiscriminator(nn.Module):
    """Says of each patch of 70 x 70 pixels whether it is of a clean image; for training alone.

    Parameters
    ----------
    in_channels : int
        The degraded image with its modality, and the image in question.
    width : int
        Channels of the first layer.
    """

    def __init__(self, in_channels: int = 2 + len(MODALITIES), width: int = 32) -> None:
        super().__init__()
        widths = (in_channels, width, 2 * width, 4 * width, 8 * width)
        layers: list[nn.Module] = []
        for place, (given, made) in enumerate(pairwise(widths)):
            stride = 1 if place == 3 else 2
            layers.append(nn.Conv2d(given, made, 4, stride, 1, bias=place == 0))
            if place:
                layers.append(nn.BatchNorm2d(made))
            layers.append(nn.LeakyReLU(SLOPE))
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 1, 1))

    def forward(self, given: Tensor, image: Tensor) -> Tensor:
        """Logits of patches, (B, 1, h, w), for images (B, 1, H, W) of ``given``, (B, 4, H, W)."""
        out: Tensor = self.layers(torch.cat([given, image], dim=1))
        return out
