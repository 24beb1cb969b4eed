"""Any size through a network: padding by reflection, overlapping tiles, feathered averages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from enhancers.image import Pixels

Predict = Callable[[Tensor, int], Tensor]
"""A noise prediction: (B, C, H, W) and a timestep to (B, C, H, W)."""

TILES_AT_ONCE = 8


@dataclass(frozen=True)
class Padding:
    """What was added at the bottom and the right, to be cropped away again."""

    height: int
    width: int

    def crop(self, pixels: Pixels, scale: int = 1) -> Pixels:
        """The original extent (times ``scale``) of a padded result."""
        return np.ascontiguousarray(pixels[: self.height * scale, : self.width * scale])


def pad(pixels: Pixels, *, multiple: int, least: int = 1) -> tuple[Pixels, Padding]:
    """Reflect a gray image at its lower and right border until its sides suit the network.

    Sides become multiples of ``multiple`` and at least ``least``; several reflections where the
    image is small.
    """
    height, width = pixels.shape
    added = [(0, -(-max(side, least) // multiple) * multiple - side) for side in (height, width)]
    return np.pad(pixels, added, mode="symmetric"), Padding(height, width)


@dataclass(frozen=True)
class Tiling:
    """Overlapping square tiles that cover an image, no two alike.

    Parameters
    ----------
    height, width : int
        Of the image.
    tile : int
        Side of a tile; a shorter image side is covered by a shorter tile.
    stride : int
        Distance of neighbours; the last one is moved inwards to end at the border.
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

    def predict(self, predict: Predict, x: Tensor, t: int) -> Tensor:
        """``predict`` on every tile of one image (1, C, H, W), batched, averaged with feathers."""
        if len(self.corners) == 1:
            return predict(x, t)
        return self.apply(lambda tiles: predict(tiles, t), x)

    def apply(self, function: Callable[[Tensor], Tensor], x: Tensor, ratio: float = 1.0) -> Tensor:
        """``function`` on every tile, averaged with feathers; its output is ``ratio`` as large.

        Corners and extents times ``ratio`` must be whole.
        """
        height, width = self.extent
        weight = feather(int(height * ratio), int(width * ratio)).to(x.device)
        total: Tensor | None = None
        weights = torch.zeros((1, 1, int(self.height * ratio), int(self.width * ratio)))
        weights = weights.to(x.device)
        for first in range(0, len(self.corners), TILES_AT_ONCE):
            corners = self.corners[first : first + TILES_AT_ONCE]
            tiles = torch.cat([x[..., y : y + height, c : c + width] for y, c in corners])
            for (y, c), tile in zip(corners, function(tiles), strict=True):
                if total is None:
                    total = tile.new_zeros((1, tile.shape[0], *weights.shape[-2:]))
                rows = slice(int(y * ratio), int((y + height) * ratio))
                columns = slice(int(c * ratio), int((c + width) * ratio))
                total[..., rows, columns] += tile * weight
                weights[..., rows, columns] += weight
        assert total is not None
        return total / weights


def feather(height: int, width: int) -> Tensor:
    """Weights of one tile, highest in its middle, never zero, shape (1, 1, height, width)."""
    ramps = [1.0 - torch.linspace(-1, 1, side + 2)[1:-1].abs() for side in (height, width)]
    return (ramps[0][:, None] * ramps[1][None, :])[None, None].clamp_min(1e-3)
