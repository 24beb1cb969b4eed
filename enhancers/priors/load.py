"""Priors from their folders to the device, ready to predict noise, each loaded once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from enhancers.errors import PriorMissing
from enhancers.priors.catalog import Kind, Prior, prior

REFINEMENTS = 3
REFINED_PIXELS = 512 * 512


@dataclass(frozen=True, eq=False)
class PixelPrior:
    """ε-prediction on gray images in [-1, 1].

    Parameters
    ----------
    unet : UNet2DModel
    signal : Tensor, shape (T,)
        ābar of the schedule it was trained with.
    identity : str
        Name and SHA-256 of the weights.
    multiple : int
        The sides of an image must be divisible by this.
    """

    unet: Any
    signal: Tensor
    identity: str
    device: str
    multiple: int

    @torch.inference_mode()
    def predict(self, x: Tensor, t: int) -> Tensor:
        """The noise in ``x``, (B, 1, H, W), at timestep ``t``."""
        laid_out = x.contiguous(memory_format=torch.channels_last)
        noise: Tensor = self.unet(laid_out, t).sample
        return noise.contiguous()


@dataclass(frozen=True, eq=False)
class LatentPrior:
    """Autoencoder and ε-prediction on its scaled latents; images are gray, in [-1, 1].

    ``factor`` is the spatial reduction, ``scale`` the number latents are multiplied by,
    ``multiple`` what the sides of an image must be divisible by.
    """

    vae: Any
    unet: Any
    signal: Tensor
    identity: str
    device: str
    factor: int
    multiple: int
    scale: float

    def encode(self, images: Tensor) -> Tensor:
        """(B, 1, H, W) to scaled latents (B, D, H/factor, W/factor).

        The posterior's mode, moved by a few gradient steps toward the latent that decodes to the
        image (semi-amortised inference; Kim et al., ICML 2018), which adds about 1 dB to the round
        trip. Images above `REFINED_PIXELS` get the mode alone: the gradient needs much memory.
        """
        with torch.inference_mode():
            modes = self.vae.encode(images).latent_dist.mode()
        latents: Tensor = modes.clone()
        if images.shape[-2] * images.shape[-1] <= REFINED_PIXELS:
            pairs = zip(torch.split(images, 1), torch.split(latents, 1), strict=True)
            latents = torch.cat([self._refined(image, latent) for image, latent in pairs])
        return latents * self.scale

    def _refined(self, image: Tensor, latent: Tensor) -> Tensor:
        """The best of `REFINEMENTS` descent steps of Barzilai and Borwein from ``latent``."""
        best, least = latent, float("inf")
        before: tuple[Tensor, Tensor] | None = None
        for _ in range(REFINEMENTS + 1):
            latent = latent.detach().requires_grad_(True)
            error = (self.vae.decode(latent).sample - image).square().sum()
            (slope,) = torch.autograd.grad(error, latent)
            latent, value = latent.detach(), float(error.detach())
            if value < least:
                best, least = latent, value
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
        """Scaled latents to images, the inverse of `encode` up to the round-trip error."""
        images: Tensor = self.vae.decode(latents / self.scale).sample
        return images

    @torch.inference_mode()
    def predict(self, z: Tensor, t: int) -> Tensor:
        """The noise in latents ``z`` at timestep ``t``."""
        noise: Tensor = self.unet(z, t).sample
        return noise


def pixel_prior(device: str, key: str = "pixel") -> PixelPrior:
    """A network on images, on ``device``.

    Raises
    ------
    ParameterError
        No network on images has this key.
    PriorMissing
        Its weights are not on this machine.
    """
    return _pixel(_present(key, "pixel").folder, device, identity(key))


def latent_prior(device: str, key: str = "latent") -> LatentPrior:
    """An autoencoder and the network on its latents, on ``device``.

    Raises
    ------
    ParameterError
        No network on latents has this key.
    PriorMissing
        Its weights are not on this machine.
    """
    return _latent(_present(key, "latent").folder, device, identity(key))


def identity(key: str) -> str:
    """Name and SHA-256 of a prior's weights, without loading them into a network."""
    return _identity(_present(key))


def _present(key: str, kind: Kind | None = None) -> Prior:
    entry = prior(key, kind)
    if not entry.present:
        raise PriorMissing(
            f"The {entry.label.lower()} is not among the assets; restore assets/priors/{key}, or "
            f"train one: python -m enhancers priors train --which {key}."
        )
    return entry


@lru_cache(maxsize=8)
def _digest(path: Path, _changed: float) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _identity(entry: Prior) -> str:
    digests = [_digest(path, path.stat().st_mtime) for path in entry.files]
    return f"{entry.key}:" + hashlib.sha256("".join(digests).encode()).hexdigest()


# The identity is part of the key, so that a prior trained anew is loaded anew.
@lru_cache(maxsize=2)
def _pixel(folder: Path, device: str, name: str) -> PixelPrior:
    from diffusers import UNet2DModel

    unet = _network(UNet2DModel, folder / "unet", device)
    depth = 2 ** (len(unet.config.block_out_channels) - 1)
    return PixelPrior(unet, _signal(folder), name, device, depth)


@lru_cache(maxsize=2)
def _latent(folder: Path, device: str, name: str) -> LatentPrior:
    from diffusers import AutoencoderKL, UNet2DModel

    vae = _network(AutoencoderKL, folder / "vae", device)
    unet = _network(UNet2DModel, folder / "unet", device)
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    depth = 2 ** (len(unet.config.block_out_channels) - 1)
    return LatentPrior(
        vae=vae,
        unet=unet,
        signal=_signal(folder),
        identity=name,
        device=device,
        factor=factor,
        multiple=factor * depth,
        scale=float(vae.config.scaling_factor),
    )


def _network(kind: Any, folder: Path, device: str) -> Any:
    try:
        network = kind.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, low_cpu_mem_usage=False
        )
    except Exception as error:
        # The libraries below raise their own kinds for a truncated, foreign or misshapen file.
        raise PriorMissing(
            f"The weights in assets/priors/{folder.parent.name}/{folder.name} cannot be read: they "
            "are damaged or of another network. Restore the folder, or train the prior again."
        ) from error
    network = network.float().eval().requires_grad_(False)
    return network.to(device=device, memory_format=torch.channels_last)


def _signal(folder: Path) -> Tensor:
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler.from_pretrained(folder / "scheduler", local_files_only=True)
    signal: Tensor = scheduler.alphas_cumprod
    return signal
