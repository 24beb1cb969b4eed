"""Priors that need no weights: exact for Gaussian images, and they note what they were given."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from enhancers.networks import tiled_networks
from enhancers.networks.beta_schedule import BetaSchedule
from enhancers.networks.training.architectures import scheduler

SIGNAL = scheduler().alphas_cumprod
VARIANCE = 0.09


def exact(x: Tensor, t: int) -> Tensor:
    """The noise prediction for white Gaussian images of this variance."""
    kept = float(SIGNAL[t])
    return x * math.sqrt(1 - kept) / (kept * VARIANCE + 1 - kept)


@dataclass(eq=False)
class FakePixel:
    """A network on images; runs out of memory above ``most`` elements."""

    channels: int = 3
    multiple: int = 32
    most: int = 10**9
    shapes: list[tuple[int, ...]] = field(default_factory=list)
    signal: Tensor = SIGNAL

    def predict(self, x: Tensor, t: int) -> Tensor:
        if x.numel() > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        self.shapes.append(tuple(x.shape))
        return exact(x, t)


@dataclass(eq=False)
class FakeLatent:
    """An autoencoder that averages 8 x 8 blocks and says the same on every channel but a bit."""

    channels: int = 3
    factor: int = 8
    multiple: int = 64
    most: int = 10**9
    betas: BetaSchedule = BetaSchedule(SIGNAL, "epsilon", offset=1, final=float(SIGNAL[0]))  # noqa: RUF009
    encoded: list[tuple[int, ...]] = field(default_factory=list)
    times: list[int] = field(default_factory=list)

    def encode(self, images: Tensor) -> Tensor:
        if images.numel() > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        self.encoded.append(tuple(images.shape))
        small = F.avg_pool2d(images, self.factor).mean(dim=1, keepdim=True)
        return small.expand(-1, 4, -1, -1).contiguous()

    def decode(self, latents: Tensor) -> Tensor:
        large = latents.mean(dim=1, keepdim=True)
        large = large.repeat_interleave(self.factor, -1).repeat_interleave(self.factor, -2)
        return large + 0.1 * torch.tensor([-1.0, 0.0, 1.0])[: self.channels, None, None]

    def predict(self, z: Tensor, t: int) -> Tensor:
        self.times.append(t)
        return exact(z, t)


def put(monkeypatch: pytest.MonkeyPatch, prior: FakePixel | FakeLatent) -> None:
    """Let every method sample from this prior, on whatever device it asks for."""
    asked: Callable[[str, str], object] = lambda device, key: prior  # noqa: E731
    name = "pixel_prior" if isinstance(prior, FakePixel) else "latent_prior"
    monkeypatch.setattr(tiled_networks, name, asked)
