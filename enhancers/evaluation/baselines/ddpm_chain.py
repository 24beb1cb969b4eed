"""The measurement in network space, and the step of DDPM, for baselines that sample."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from enhancers.evaluation.baselines.baseline import Work
from enhancers.image import Pixels
from enhancers.networks.lookup import network_entry as entry_of
from enhancers.networks.tiled_networks import (
    MAX_TILE,
    OVERLAP,
    PixelNetwork,
    gray_of,
    tile_sizes,
)
from enhancers.networks.tiles import Padding, pad
from enhancers.networks.timesteps import TimestepPair
from enhancers.operators import BlockMean, Identity, Operator


@dataclass(frozen=True, eq=False)
class Problem:
    """y = H x + n in network space, [-1, 1], padded so that the network takes x.

    ``y`` has the shape (1, C, h, w) and ``shape`` is that of x.
    """

    network: PixelNetwork
    operator: Operator
    y: Tensor
    padding: Padding
    factor: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape (1, C, H, W) of the image to estimate."""
        _, channels, height, width = self.y.shape
        return 1, channels, height * self.factor, width * self.factor

    def image(self, x: Tensor) -> Pixels:
        """An estimate in network space as a gray image in [0, 1], cropped."""
        gray = (gray_of(x)[0, 0].clamp(-1, 1) + 1) / 2
        return self.padding.crop(gray.cpu().numpy().astype(np.float32), self.factor)


def problem(gray: Pixels, work: Work, device: str) -> Problem:
    """The measurement of a gray image, with the network on ``device``.

    Raises
    ------
    ParameterError, NetworkMissing, OutOfDeviceMemory
    """
    entry = entry_of(work.prior, "pixel")
    network = PixelNetwork(entry.key, device, tile_sizes(entry, MAX_TILE, OVERLAP))
    multiple = network.prior.multiple
    small = multiple // math.gcd(multiple, work.factor)
    low, padding = pad(gray, multiple=small, least=-(-network.sizes.least // work.factor))
    y = (torch.from_numpy(low)[None, None] * 2 - 1).to(device)
    y = y.expand(-1, network.prior.channels, -1, -1)
    operator = Identity() if work.factor == 1 else BlockMean(work.factor)
    return Problem(network, operator, y, padding, work.factor)


def ancestral(moment: TimestepPair, x: Tensor, x0: Tensor, z: Tensor) -> Tensor:
    """x_next of DDPM from x_t, the clean estimate and standard normal noise.

    The posterior q(x_next | x_t, x̂0) of Ho et al. (NeurIPS 2020), equations 6 and 7, between any
    two timesteps; after the last step x̂0 itself.
    """
    kept = moment.signal / moment.next_signal
    share = (1 - moment.next_signal) / (1 - moment.signal)
    of_clean = math.sqrt(moment.next_signal) * (1 - kept) / (1 - moment.signal)
    mean = of_clean * x0 + math.sqrt(kept) * share * x
    return mean + math.sqrt((1 - kept) * share) * z
