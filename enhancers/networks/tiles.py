"""Images of any size through a network: reflection padding, overlapping tiles, blending."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from torch import Tensor

from enhancers.image import Pixels

Predict = Callable[[Tensor, int], Tensor]
"""A noise prediction from a state (B, C, H, W) and a timestep; same shape."""

TILES_AT_ONCE = 16
"""A 512 x 512 image has 9 tiles of 256 at a stride of 128."""


@dataclass(frozen=True)
class Padding:
    """The original extent of a padded image."""

    height: int
    width: int

    def crop(self, pixels: Pixels, scale: int = 1) -> Pixels:
        """Crop a padded result to the original extent times ``scale``."""
        return np.ascontiguousarray(pixels[: self.height * scale, : self.width * scale])


def pad(pixels: Pixels, *, multiple: int, least: int = 1) -> tuple[Pixels, Padding]:
    """Pad a gray image at the bottom and the right by reflection.

    Sides become multiples of ``multiple`` and at least ``least``; small images are reflected
    repeatedly.
    """
    height, width = pixels.shape
    added = [(0, -(-max(side, least) // multiple) * multiple - side) for side in (height, width)]
    return np.pad(pixels, added, mode="symmetric"), Padding(height, width)


@dataclass(frozen=True)
class Tiling:
    """Overlapping square tiles that cover an image.

    Parameters
    ----------
    height, width : int
        Size of the image.
    tile : int
        Side of a tile; tiles are shorter where the image side is.
    stride : int
        Distance of neighbours; the last tile ends at the border.
    """

    height: int
    width: int
    tile: int
    stride: int

    @cached_property
    def corners(self) -> tuple[tuple[int, int], ...]:
        """Upper left corners, row by row."""
        return tuple((y, x) for y in self._starts(self.height) for x in self._starts(self.width))

    def _starts(self, side: int) -> list[int]:
        last = max(side - self.tile, 0)
        return sorted({*range(0, last, self.stride), last})

    @property
    def extent(self) -> tuple[int, int]:
        """Height and width of a tile."""
        return min(self.tile, self.height), min(self.tile, self.width)

    def predict(self, predict: Predict, x: Tensor, t: int, at_once: int = TILES_AT_ONCE) -> Tensor:
        """Apply ``predict`` to the tiles of images (B, C, H, W) in batches and blend."""
        if len(self.corners) == 1:
            parts = batches(x, at_once)
            return predict(x, t) if len(parts) == 1 else torch.cat([predict(p, t) for p in parts])
        return self.apply(lambda tiles: predict(tiles, t), x, at_once=at_once)

    def apply(
        self,
        function: Callable[[Tensor], Tensor],
        x: Tensor,
        ratio: float = 1.0,
        at_once: int = TILES_AT_ONCE,
    ) -> Tensor:
        """Apply ``function`` to every tile and blend; its output has ``ratio`` times the size.

        Corners and extents times ``ratio`` must be integers. ``at_once`` is the batch size.
        """
        height, width = self.extent
        weight, weights = blending_weights(self, ratio, x.device)
        cut = [x[..., y : y + height, c : c + width] for y, c in self.corners]
        parts = batches(torch.cat(cut), at_once)
        done = torch.split(torch.cat([function(part) for part in parts]), x.shape[0])
        total = done[0].new_zeros((*done[0].shape[:2], *weights.shape[-2:]))
        for (y, c), tile in zip(self.corners, done, strict=True):
            _window(total, y, c, tile.shape[-2:], ratio).add_(tile * weight)
        return total / weights


def batches(x: Tensor, at_once: int) -> tuple[Tensor, ...]:
    """Split ``x`` into the fewest parts of at most ``at_once``, all of about equal size."""
    parts: tuple[Tensor, ...] = torch.tensor_split(x, -(-x.shape[0] // at_once))
    return parts


def _window(total: Tensor, y: int, x: int, extent: tuple[int, ...], ratio: float) -> Tensor:
    top, left = int(y * ratio), int(x * ratio)
    window: Tensor = total[..., top : top + extent[0], left : left + extent[1]]
    return window


@lru_cache(maxsize=8)
def blending_weights(tiling: Tiling, ratio: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """The blending weights of one tile, and their sum over all tiles."""
    extent = tuple(int(side * ratio) for side in tiling.extent)
    weight = feather(*extent)
    total = torch.zeros((1, 1, int(tiling.height * ratio), int(tiling.width * ratio)))
    for y, x in tiling.corners:
        _window(total, y, x, extent, ratio).add_(weight)
    return weight.to(device), total.to(device)


def feather(height: int, width: int) -> Tensor:
    """Blending weights of a tile, highest in the centre, above zero, shape (1, 1, H, W)."""
    ramps = [1.0 - torch.linspace(-1, 1, side + 2)[1:-1].abs() for side in (height, width)]
    return (ramps[0][:, None] * ramps[1][None, :])[None, None].clamp_min(1e-3)
