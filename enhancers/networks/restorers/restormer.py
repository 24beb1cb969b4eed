"""Restormer: a transformer that attends across channels instead of pixels.

Zamir et al., "Restormer: efficient transformer for high-resolution image restoration", CVPR 2022:
four levels of blocks of multi-Dconv transposed attention and gated-Dconv feed-forward, with skip
connections, and a refinement stage. The cost grows linearly with the number of pixels. Unlike the
published one the first level works on a folded image, of half the resolution and four times the
channels, which takes a quarter of the time.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.nn import functional as F

from enhancers.networks.restorers.conditions import MODALITIES


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of each pixel, without bias and without centring."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """The same shape, (B, C, H, W)."""
        return x * torch.rsqrt(x.var(dim=1, keepdim=True, unbiased=False) + 1e-5) * self.weight


class TransposedAttention(nn.Module):
    """Attention between channels: each is a query for the others, over all pixels."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.local = nn.Conv2d(
            3 * channels, 3 * channels, 3, padding=1, groups=3 * channels, bias=False
        )
        self.out = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """The same shape, (B, C, H, W)."""
        parts = self.local(self.qkv(x)).unflatten(1, (3, self.heads, -1)).flatten(-2)
        queries, keys, values = parts.unbind(1)
        scores = F.normalize(queries, dim=-1) @ F.normalize(keys, dim=-1).transpose(-2, -1)
        mixed = (scores * self.temperature).softmax(dim=-1) @ values
        out: Tensor = self.out(mixed.flatten(1, 2).unflatten(-1, x.shape[-2:]))
        return out


class GatedFeedForward(nn.Module):
    """Two branches of 1x1 and depth-wise 3x3 convolutions, of which one gates the other."""

    def __init__(self, channels: int, expansion: float) -> None:
        super().__init__()
        hidden = int(channels * expansion)
        self.widen = nn.Conv2d(channels, 2 * hidden, 1, bias=False)
        self.local = nn.Conv2d(2 * hidden, 2 * hidden, 3, padding=1, groups=2 * hidden, bias=False)
        self.out = nn.Conv2d(hidden, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """The same shape, (B, C, H, W)."""
        gate, value = self.local(self.widen(x)).chunk(2, dim=1)
        out: Tensor = self.out(F.gelu(gate) * value)
        return out


class Block(nn.Module):
    """Attention, then feed-forward, each normalised before and added."""

    def __init__(self, channels: int, heads: int, expansion: float) -> None:
        super().__init__()
        self.before_attention = ChannelNorm(channels)
        self.attention = TransposedAttention(channels, heads)
        self.before_feed_forward = ChannelNorm(channels)
        self.feed_forward = GatedFeedForward(channels, expansion)

    def forward(self, x: Tensor) -> Tensor:
        """The same shape, (B, C, H, W)."""
        x = x + self.attention(self.before_attention(x))
        out: Tensor = x + self.feed_forward(self.before_feed_forward(x))
        return out


def _convolution(given: int, made: int) -> nn.Conv2d:
    return nn.Conv2d(given, made, 3, padding=1, bias=False)


def _blocks(channels: int, count: int, heads: int, expansion: float) -> nn.Sequential:
    return nn.Sequential(*(Block(channels, heads, expansion) for _ in range(count)))


class Restormer(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Estimates the clean image of a degraded one in one call.

    Parameters
    ----------
    in_channels : int
        The image and the planes of its modality.
    out_channels : int
    width : int
        Channels of the first level, divisible by the number of its heads; each further level has
        twice as many at half the resolution.
    fold : int
        Side of the squares of pixels that are the channels of one pixel of the first level.
    blocks, heads : tuple of int
        Of each level.
    refinement : int
        Blocks of the last stage, at the resolution of the first level.
    expansion : float
        Of the feed-forward parts.
    """

    config_name = "config.json"

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        in_channels: int = 1 + len(MODALITIES),
        out_channels: int = 1,
        width: int = 24,
        fold: int = 2,
        blocks: tuple[int, ...] = (2, 2, 2, 4),
        heads: tuple[int, ...] = (1, 2, 4, 8),
        refinement: int = 2,
        expansion: float = 2.66,
    ) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(len(blocks))]
        stages = list(zip(widths, blocks, heads, strict=True))
        pairs = list(pairwise(widths))
        folded = fold * fold
        self.embed = _convolution(in_channels * folded, width)
        self.down = nn.ModuleList(_blocks(*stage, expansion) for stage in stages)
        # Halved by folding 2 x 2 pixels into channels, and doubled by unfolding them.
        self.shrink = nn.ModuleList(
            nn.Sequential(_convolution(fine, fine // 2), nn.PixelUnshuffle(2)) for fine, _ in pairs
        )
        self.grow = nn.ModuleList(
            nn.Sequential(_convolution(coarse, 2 * coarse), nn.PixelShuffle(2))
            for _, coarse in pairs
        )
        # The first level keeps the channels of its skip connection, as published.
        self.join = nn.ModuleList(
            nn.Identity() if place == 0 else nn.Conv2d(2 * fine, fine, 1, bias=False)
            for place, (fine, _) in enumerate(pairs)
        )
        self.up = nn.ModuleList(
            _blocks(2 * fine if place == 0 else fine, count, head, expansion)
            for place, (fine, count, head) in enumerate(stages[:-1])
        )
        self.refine = _blocks(2 * width, refinement, heads[0], expansion)
        self.out = _convolution(2 * width, out_channels * folded)
        # Untrained, it returns the image.
        nn.init.zeros_(self.out.weight)

    @property
    def multiple(self) -> int:
        """By which the sides of an image must be divisible."""
        return int(self.config.fold * 2 ** len(self.shrink))

    def forward(self, x: Tensor) -> Tensor:
        """The clean image, (B, 1, H, W), of an image with its modality, (B, 4, H, W)."""
        image, x = x[:, :1], self.embed(F.pixel_unshuffle(x, self.config.fold))
        skips = []
        for level, shrink in zip(self.down, self.shrink, strict=False):
            x = level(x)
            skips.append(x)
            x = shrink(x)
        x = self.down[-1](x)
        for place in reversed(range(len(self.up))):
            x = torch.cat([self.grow[place](x), skips[place]], dim=1)
            x = self.up[place](self.join[place](x))
        out: Tensor = image + F.pixel_shuffle(self.out(self.refine(x)), self.config.fold)
        return out
