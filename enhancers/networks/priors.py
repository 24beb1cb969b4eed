"""Networks in memory, ready to predict noise: on images, or on the latents of an autoencoder."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from enhancers.networks.beta_schedule import BetaSchedule

REFINEMENTS = 3
REFINED_PIXELS = 512 * 512
"""Largest image whose latents are refined by gradient steps."""

Noise = Callable[[Tensor, int], Tensor]
"""The output of a network for a state and a timestep."""


@dataclass(frozen=True, eq=False)
class PixelPrior:
    """A network that predicts noise in images in [-1, 1].

    Parameters
    ----------
    unet : UNet2DModel or DenoisingUNet
    run : callable
        The network's output, all channels, for a state and a timestep.
    betas : BetaSchedule
        The schedule it was trained with.
    identity : str
        Name and SHA-256 of the weights.
    device : str
    multiple : int
        The sides of an image must be divisible by this.
    channels : int
        Of the images: 1 or 3.
    tile : int or None
        Side of the tiles into which an image may be split; None if it may not be split.
    native : int
        Side of the images or crops it was trained on.
    """

    unet: Any
    run: Noise
    betas: BetaSchedule
    identity: str
    device: str
    multiple: int
    channels: int
    tile: int | None
    native: int

    @property
    def signal(self) -> Tensor:
        """ābar of the schedule, shape (T,), on the CPU."""
        return self.betas.signal

    @torch.inference_mode()
    def predict(self, x: Tensor, t: int) -> Tensor:
        """The noise in ``x``, (B, C, H, W) with C = `channels`, at timestep ``t``; float32."""
        # The channels after the noise are a learned variance, which no sampler here uses.
        output = self.run(x, t)[:, : self.channels]
        return as_noise(output, x, t, self.betas).contiguous()


@dataclass(frozen=True, eq=False)
class LatentPrior:
    """An autoencoder and a network that predicts noise in its scaled latents.

    Parameters
    ----------
    vae : AutoencoderKL
        On images in [-1, 1].
    unet : UNet2DModel or UNet2DConditionModel
    run, betas, identity, device, native
        As of `PixelPrior`.
    factor : int
        Spatial reduction of the autoencoder.
    multiple : int
        The sides of an image must be divisible by this.
    scale : float
        By which latents are multiplied.
    channels : int
        Of the images: 1 or 3.
    refines : bool
        Whether `encode` improves the autoencoder's latents by gradient steps.
    """

    vae: Any
    unet: Any
    run: Noise
    betas: BetaSchedule
    identity: str
    device: str
    factor: int
    multiple: int
    scale: float
    channels: int
    native: int
    refines: bool

    @property
    def signal(self) -> Tensor:
        """ābar of the schedule, shape (T,), on the CPU."""
        return self.betas.signal

    def encode(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) as scaled latents (B, D, H/factor, W/factor), float32.

        The mode of the posterior. For a small autoencoder, a few gradient steps move it toward the
        latent that decodes to the image (semi-amortised inference; Kim et al., ICML 2018), which
        adds about 1 dB to the round trip. Images above `REFINED_PIXELS` are not refined, because
        the gradient needs much memory.
        """
        with torch.inference_mode():
            modes = self.vae.encode(images).latent_dist.mode()
        latents: Tensor = modes.clone()
        if self.refines and images.shape[-2] * images.shape[-1] <= REFINED_PIXELS:
            pairs = zip(torch.split(images, 1), torch.split(latents, 1), strict=True)
            latents = torch.cat([self._refined(image, latent) for image, latent in pairs])
        return latents * self.scale

    def _refined(self, image: Tensor, latent: Tensor) -> Tensor:
        """The best of `REFINEMENTS` gradient steps of Barzilai and Borwein from ``latent``."""
        best, least = latent, float("inf")
        before: tuple[Tensor, Tensor] | None = None
        for step in range(REFINEMENTS + 1):
            last = step == REFINEMENTS
            latent = latent.detach().requires_grad_(not last)
            error = (self.vae.decode(latent).sample - image).square().sum()
            value = float(error.detach())
            if value < least:
                best, least = latent.detach(), value
            if last:
                break
            (slope,) = torch.autograd.grad(error, latent)
            latent = latent.detach()
            rate = 0.5 * value / float(slope.square().sum().clamp_min(1e-12))
            if before is not None:
                moved, turned = latent - before[0], slope - before[1]
                curvature = float((moved * turned).sum().abs().clamp_min(1e-12))
                rate = float(moved.square().sum()) / curvature
            before = latent, slope
            latent = latent - rate * slope
        return best

    @torch.inference_mode()
    def decode(self, latents: Tensor) -> Tensor:
        """Scaled latents as images; the inverse of `encode` up to the error of the round trip."""
        images: Tensor = self.vae.decode(latents / self.scale).sample
        return images

    @torch.inference_mode()
    def predict(self, z: Tensor, t: int) -> Tensor:
        """The noise in latents ``z`` at timestep ``t``; float32."""
        return as_noise(self.run(z, t), z, t, self.betas)


def as_noise(output: Tensor, x: Tensor, t: int, betas: BetaSchedule) -> Tensor:
    """The noise ε in ``x`` from a network's output: ε or v = sqrt(ābar) ε - sqrt(1 - ābar) x0."""
    if betas.predicts == "epsilon":
        return output
    signal = float(betas.signal[t])
    return math.sqrt(signal) * output + math.sqrt(1 - signal) * x
