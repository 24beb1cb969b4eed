"""Zero-DCE: brightness curves from a small network that was trained without reference images.

Guo et al., "Zero-reference deep curve estimation for low-light image enhancement", CVPR 2020:
LE_n = LE_{n-1} + A_n LE_{n-1} (1 - LE_{n-1}) for n = 1 to 8 (eq. 4), with a map A_n in [-1, 1] for
each iteration from a network of seven convolutions with symmetric concatenations (section 3.2).
Here it runs on the luminance and has 8 channels instead of 32. ``benchmarks zero-dce`` trains it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from enhancers.asset_files import ASSETS
from enhancers.evaluation.baselines.baseline import Work
from enhancers.image import Pixels
from enhancers.method_interface import Step, final_step

WEIGHTS = ASSETS / "baselines" / "zero_dce.safetensors"
CURVES, WIDTH = 8, 8
WELL_EXPOSED = 0.6
"""Mean gray level of a well-exposed region, as published."""
REGION, EXPOSED_REGION = 4, 16
"""Sides in pixels of the regions of the spatial consistency and the exposure loss, as published."""
SMOOTHNESS = 20.0
"""Weight of the smoothness of the curve maps, as published; the other losses have 1."""


class CurveNetwork(nn.Module):
    """The network that estimates the curve maps, (B, 1, H, W) to (B, `CURVES`, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        into = (1, WIDTH, WIDTH, WIDTH, 2 * WIDTH, 2 * WIDTH, 2 * WIDTH)
        out = (*[WIDTH] * 6, CURVES)
        self.layers = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1) for a, b in zip(into, out, strict=True)
        )

    def forward(self, gray: Tensor) -> Tensor:
        """The maps A_1 to A_8 of images in [0, 1]."""
        one, two, three, four, five, six, seven = self.layers
        first = F.relu(one(gray))
        second = F.relu(two(first))
        third = F.relu(three(second))
        fourth = F.relu(four(third))
        fifth = F.relu(five(torch.cat([third, fourth], dim=1)))
        sixth = F.relu(six(torch.cat([second, fifth], dim=1)))
        return torch.tanh(seven(torch.cat([first, sixth], dim=1)))


def enhanced(gray: Tensor, maps: Tensor) -> Tensor:
    """The images after the curves of all iterations (eq. 4)."""
    for curve in torch.chunk(maps, maps.shape[1], dim=1):
        gray = gray + curve * gray * (1.0 - gray)
    return gray


def loss(gray: Tensor, maps: Tensor) -> Tensor:
    """Spatial consistency, exposure and smoothness (eq. 5, 6 and 8); gray has no colour loss."""
    result = enhanced(gray, maps)
    before, after = F.avg_pool2d(gray, REGION), F.avg_pool2d(result, REGION)
    # Each pair of neighbours counts once here and twice in the paper, hence the factor.
    spatial = torch.zeros(())
    for axis in (-1, -2):
        contrast = after.diff(dim=axis).abs() - before.diff(dim=axis).abs()
        spatial = spatial + 2.0 * contrast.square().mean()
    exposure = (F.avg_pool2d(result, EXPOSED_REGION) - WELL_EXPOSED).abs().mean()
    slopes = maps.diff(dim=-1).abs().mean(dim=(-1, -2)) + maps.diff(dim=-2).abs().mean(dim=(-1, -2))
    return spatial + exposure + SMOOTHNESS * slopes.square().mean()


@cache
def network() -> CurveNetwork:
    """The trained network, on the CPU."""
    from safetensors.torch import load_file

    trained = CurveNetwork()
    trained.load_state_dict(load_file(WEIGHTS))
    return trained.eval()


def run(gray: Pixels, work: Work, *, seed: int, device: str) -> Iterator[Step]:
    """Apply the curves (see `Run`)."""
    yield Step(0.0, note="estimating the curves")
    x = torch.from_numpy(np.ascontiguousarray(gray))[None, None]
    with torch.inference_mode():
        result = enhanced(x, network()(x))
    yield final_step(result[0, 0].numpy())
