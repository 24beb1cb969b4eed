"""Deep image prior: a network with random weights is fitted to the measurement, stopped early.

Ulyanov, Vedaldi and Lempitsky, CVPR 2018: minimise ||H f(z) - y||² over the weights of f for a
fixed random z, perturbed at each step; the result is the running mean of the outputs. No trained
network and no other image is used.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from enhancers.evaluation.baselines.baseline import Work
from enhancers.image import Pixels
from enhancers.method_interface import Figure, ProgressTracker, Step, final_step
from enhancers.networks.tiles import Padding, pad
from enhancers.operators import BlockMean, Identity, Operator

INPUT_CHANNELS = 32
INPUT_LEVEL = 0.1
PERTURBATION = 1 / 30
RATE = 0.01
"""Input, its perturbation and Adam's rate as published."""
WIDTH, SKIP_WIDTH, MOST_LEVELS = 32, 4, 5
"""The published network has 128 channels, which a CPU does not fit to an image in minutes."""
SMALLEST = 4
"""Side of the image at the lowest level."""
MEMORY = 0.99
NOISE_LEFT = 0.8
"""Share of the noise at which the fit stops. Clipping takes a part of σ away, and the running mean
lags behind: PSNR was highest at 0.7 to 0.85 for sides of 64 and 128 pixels."""
PREVIEW_EVERY, CHECK_EVERY = 50, 10


class Hourglass(nn.Module):
    """An encoder and decoder with thin skip connections, (1, 32, H, W) to (1, 1, H, W) in [0, 1].

    No operation in it sums in varying order on a GPU: borders are filled with zeros, and enlarging
    repeats pixels.
    """

    def __init__(self, levels: int) -> None:
        super().__init__()
        into = [INPUT_CHANNELS] + [WIDTH] * (levels - 1)
        self.skips = nn.ModuleList(_block(width, SKIP_WIDTH, 1) for width in into)
        self.downs = nn.ModuleList(
            nn.Sequential(_block(width, WIDTH, 3, stride=2), _block(WIDTH, WIDTH, 3))
            for width in into
        )
        self.ups = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm2d(WIDTH + SKIP_WIDTH),
                _block(WIDTH + SKIP_WIDTH, WIDTH, 3),
                _block(WIDTH, WIDTH, 1),
            )
            for _ in into
        )
        self.last = nn.Conv2d(WIDTH, 1, 1)

    def forward(self, z: Tensor) -> Tensor:
        """The image that the network makes of ``z``."""
        skipped = []
        for skip, down in zip(self.skips, self.downs, strict=True):
            skipped.append(skip(z))
            z = down(z)
        for up, skip in zip(reversed(self.ups), reversed(skipped), strict=True):
            z = up(torch.cat([F.interpolate(z, scale_factor=2, mode="nearest"), skip], dim=1))
        return torch.sigmoid(self.last(z))


def _block(channels: int, width: int, side: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, width, side, stride, padding=side // 2),
        nn.BatchNorm2d(width),
        nn.LeakyReLU(0.2),
    )


def depth_for(height: int, width: int) -> int:
    """The number of halvings, at least one, that leave `SMALLEST` pixels per side."""
    return max(1, min(MOST_LEVELS, int(math.log2(max(min(height, width) / SMALLEST, 2)))))


class PriorFit:
    """The network, its optimiser and the running mean of its outputs.

    Parameters
    ----------
    y : Tensor, shape (1, 1, h, w), in [0, 1]
        The measurement.
    operator : Operator
    factor : int
    levels : int
    seed : int
    """

    def __init__(self, y: Tensor, operator: Operator, factor: int, levels: int, seed: int) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = Hourglass(levels).to(y.device)
        self.generator = torch.Generator().manual_seed(seed)
        shape = (1, INPUT_CHANNELS, y.shape[-2] * factor, y.shape[-1] * factor)
        self.z = INPUT_LEVEL * torch.rand(shape, generator=self.generator)
        self.y, self.operator = y, operator
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=RATE)
        self.mean: Tensor | None = None

    def step(self) -> Tensor:
        """One step of the fit; the running mean of the outputs, (1, 1, H, W)."""
        shift = PERTURBATION * torch.randn(self.z.shape, generator=self.generator)
        with torch.enable_grad(), torch.backends.cudnn.flags(deterministic=True, benchmark=False):
            self.optimiser.zero_grad()
            out = self.network((self.z + shift).to(self.y.device))
            torch.autograd.backward(F.mse_loss(self.operator.forward(out), self.y))
            self.optimiser.step()
        out = out.detach()
        self.mean = out if self.mean is None else torch.lerp(out, self.mean, MEMORY)
        return self.mean

    def error(self) -> float:
        """Root of the mean squared difference of the mean's measurement from ``y``."""
        if self.mean is None:
            return math.inf
        return float(F.mse_loss(self.operator.forward(self.mean), self.y).sqrt())


def run(gray: Pixels, work: Work, *, seed: int, device: str) -> Iterator[Step]:
    """Fit to the measurement until the steps are done or its noise is reached (see `Run`).

    With a known noise σ the fit ends where ||H x̂ - y|| is about that of the noise (the
    discrepancy principle), since a network that is fitted on reproduces the noise as well.
    """
    factor, steps = work.factor, work.steps
    levels = depth_for(gray.shape[0] * factor, gray.shape[1] * factor)
    multiple = 2**levels // math.gcd(2**levels, factor)
    low, padding = pad(gray, multiple=multiple)
    operator = Identity() if factor == 1 else BlockMean(factor)
    fit = PriorFit(torch.from_numpy(low)[None, None].to(device), operator, factor, levels, seed)
    watch, mean, made = ProgressTracker(steps, "iteration"), None, 0
    yield watch.step(0)
    for made in range(1, steps + 1):
        mean = fit.step()
        show = made % PREVIEW_EVERY == 0
        if made % CHECK_EVERY == 0 and fit.error() <= NOISE_LEFT * work.sigma:
            break
        yield watch.step(made, _image(mean, padding, factor) if show else None)
    if mean is None:
        raise ValueError("a fit needs at least one step")
    figures = (
        Figure("iterations", "Iterations", float(made)),
        Figure("misfit", "RMS of H x̂ − y", fit.error()),
    )
    yield final_step(_image(mean, padding, factor), figures=figures, scale=factor)


def _image(mean: Tensor, padding: Padding, factor: int) -> Pixels:
    return padding.crop(mean[0, 0].cpu().numpy().astype(np.float32), factor)
