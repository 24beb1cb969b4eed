"""A U-Net whose skip connections are seen and can be replaced, with a time embedding or without.

Residual blocks as in Nichol and Dhariwal, "Improved denoising diffusion probabilistic models",
ICML 2021: the time is a scale and shift of each block, with attention at the lowest resolution.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.attention_processor import Attention
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor, nn
from torch.nn import functional as F

GROUPS = 8
HEAD_CHANNELS = 16
WIDTHS = (48, 72, 104, 144)


class Features(NamedTuple):
    """What a network made of images, from the finest level to the coarsest.

    Parameters
    ----------
    encoder, decoder : tuple of Tensor
        f_i and f*_i; both of shape (B, C_i, h_i, w_i).
    """

    encoder: tuple[Tensor, ...]
    decoder: tuple[Tensor, ...]


Skip = Callable[[Sequence[Tensor]], Sequence[Tensor]]
"""From the encoder's features to what the decoder receives in their place."""


class MorphologyUNet(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Velocity of a state (`sampling.Velocity`), or logits of the classes of an image.

    Parameters
    ----------
    in_channels, out_channels : int
    block_out_channels : tuple of int
        Channels of each level; each has half the resolution of the one before.
    fold : int
        Side of the squares of pixels that are the channels of one pixel of the first level.
    timed : bool
        Whether blocks are given the time of a diffusion.
    sample_size : int
        Side in pixels of the images it was trained on.
    """

    config_name = "config.json"

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 1,
        block_out_channels: tuple[int, ...] = WIDTHS,
        fold: int = 2,
        timed: bool = True,
        sample_size: int = 128,
    ) -> None:
        super().__init__()
        widths = tuple(block_out_channels)
        embedded = 4 * widths[0] if timed else None
        if embedded is not None:
            self.project = Timesteps(widths[0], flip_sin_to_cos=True, downscale_freq_shift=0)
            self.embed = TimestepEmbedding(widths[0], embedded)

        def block(given: int, made: int) -> ResnetBlock2D:
            return ResnetBlock2D(
                in_channels=given, out_channels=made, temb_channels=embedded, groups=GROUPS,
                time_embedding_norm="scale_shift" if timed else "default",
            )  # fmt: skip

        last = widths[-1]
        self.conv_in = nn.Conv2d(in_channels * fold * fold, widths[0], 3, padding=1)
        self.down = nn.ModuleList(
            block(given, made) for given, made in pairwise((widths[0], *widths))
        )
        self.shrink = nn.ModuleList(
            nn.Conv2d(width, width, 3, stride=2, padding=1) for width in widths[:-1]
        )
        self.middle = nn.ModuleList([block(last, last), block(last, last)])
        self.attention = Attention(
            last, heads=last // HEAD_CHANNELS, dim_head=HEAD_CHANNELS, norm_num_groups=GROUPS,
            residual_connection=True, bias=True,
        )  # fmt: skip
        self.grow = nn.ModuleList(
            nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(coarse, fine, 3, padding=1))
            for fine, coarse in pairwise(widths)
        )
        # Beside what comes from below, each is given a skip connection of the same width.
        self.up = nn.ModuleList(block(2 * width, width) for width in widths)
        self.norm = nn.GroupNorm(GROUPS, widths[0])
        self.conv_out = nn.Conv2d(widths[0], out_channels * fold * fold, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)

    @property
    def multiple(self) -> int:
        """By which the sides of an image must be divisible."""
        return int(self.config.fold * 2 ** (len(self.config.block_out_channels) - 1))

    def forward(self, x: Tensor, steps: Tensor | None = None, skip: Skip | None = None) -> Tensor:
        """The velocity or the logits, (B, out_channels, H, W).

        Parameters
        ----------
        x : Tensor, shape (B, in_channels, H, W)
        steps : Tensor of int, shape (B,)
            Timesteps, for a network with a time embedding.
        skip : callable, optional
            Replaces the skip connections.
        """
        return self.run(x, steps, skip)[0]

    def run(
        self, x: Tensor, steps: Tensor | None = None, skip: Skip | None = None
    ) -> tuple[Tensor, Features]:
        """The result of `forward`, and the features of each level."""
        time = None
        if steps is not None:
            time = self.embed(self.project(steps).to(x.dtype))
        x = self.conv_in(F.pixel_unshuffle(x, self.config.fold))
        encoder: list[Tensor] = []
        for level, block in enumerate(self.down):
            x = block(x, time)
            encoder.append(x)
            if level < len(self.shrink):
                x = self.shrink[level](x)
        x = self.middle[1](self.attention(self.middle[0](x, time)), time)
        given = encoder if skip is None else skip(encoder)
        decoder: list[Tensor] = []
        for level in reversed(range(len(self.up))):
            if level < len(self.grow):
                x = self.grow[level](x)
            x = self.up[level](torch.cat([given[level], x], dim=1), time)
            decoder.insert(0, x)
        out = self.conv_out(F.silu(self.norm(x)))
        made: Tensor = F.pixel_shuffle(out, self.config.fold)
        return made, Features(tuple(encoder), tuple(decoder))
