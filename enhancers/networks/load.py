"""Priors from their folders to the device, ready to predict noise, each loaded once."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from enhancers.devices import cached_model, network_dtype, prepare
from enhancers.devices.cuda_graphs import Runner, compiled
from enhancers.errors import NetworkMissing
from enhancers.method_interface import PATCH
from enhancers.networks import parts, runtime, stable_diffusion
from enhancers.networks.catalog import Embedded, Kind, NetworkEntry
from enhancers.networks.lookup import missing, network_entry

REFINEMENTS = 3
REFINED_PIXELS = 512 * 512
REFINED_WEIGHTS = 10_000_000
"""Largest autoencoder, in parameters, whose latents are refined by gradient steps."""

Noise = Callable[[Tensor, int], Tensor]


@dataclass(frozen=True, eq=False)
class PixelPrior:
    """ε-prediction on images in [-1, 1].

    Parameters
    ----------
    unet : UNet2DModel
    run : callable
        The network's whole output for a state and a timestep.
    betas : BetaSchedule
        The schedule it was trained with.
    identity : str
        Name and SHA-256 of the weights.
    multiple : int
        The sides of an image must be divisible by this.
    channels : int
        Of the images: 1 or 3.
    tile : int or None
        Side of the tiles in which it may see an image; None if it must see whole images.
    native : int
        Side of the images or crops it was trained on.
    """

    unet: Any
    run: Noise
    betas: parts.BetaSchedule
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
        # A learned variance, which the samplers here have no use for, comes after the noise.
        told = self.run(x, t)[:, : self.channels]
        return as_noise(told, x, t, self.betas).contiguous()


@dataclass(frozen=True, eq=False)
class LatentPrior:
    """Autoencoder and ε-prediction on its scaled latents; images are in [-1, 1].

    ``factor`` is the spatial reduction, ``scale`` the number latents are multiplied by,
    ``multiple`` what the sides of an image must be divisible by, ``channels`` those of the
    image (1 or 3), ``refines`` whether `encode` improves on the autoencoder's own latents.
    """

    vae: Any
    unet: Any
    run: Noise
    betas: parts.BetaSchedule
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
        """(B, C, H, W) to scaled latents (B, D, H/factor, W/factor); float32.

        The posterior's mode. For a small autoencoder it is moved by a few gradient steps toward
        the latent that decodes to the image (semi-amortised inference; Kim et al., ICML 2018),
        which adds about 1 dB to the round trip. Images above `REFINED_PIXELS` get the mode alone:
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
        """The best of `REFINEMENTS` descent steps of Barzilai and Borwein from ``latent``."""
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
        """Scaled latents to images, the inverse of `encode` up to the round-trip error."""
        images: Tensor = self.vae.decode(latents / self.scale).sample
        return images

    @torch.inference_mode()
    def predict(self, z: Tensor, t: int) -> Tensor:
        """The noise in latents ``z`` at timestep ``t``; float32."""
        return as_noise(self.run(z, t), z, t, self.betas)


def as_noise(told: Tensor, x: Tensor, t: int, betas: parts.BetaSchedule) -> Tensor:
    """The noise that a network's answer stands for: v = sqrt(ābar) ε - sqrt(1 - ābar) x0."""
    if betas.predicts == "epsilon":
        return told
    signal = float(betas.signal[t])
    return math.sqrt(signal) * told + math.sqrt(1 - signal) * x


def pixel_prior(device: str, key: str = "pixel") -> PixelPrior:
    """A network on images, on ``device``.

    Raises
    ------
    ParameterError
        No network on images has this key.
    PriorMissing
        Its weights are not on this machine.
    """
    entry = _present(key, "pixel")
    return cached_model(
        _identity(entry), device, lambda: _pixel(entry, device), lambda p: parts.bytes_of(p.unet)
    )


def latent_prior(device: str, key: str = "latent") -> LatentPrior:
    """An autoencoder and the network on its latents, on ``device``.

    Raises
    ------
    ParameterError
        No network on latents has this key.
    PriorMissing
        Its weights are not on this machine.
    """
    entry = _present(key, "latent")
    return cached_model(
        _identity(entry),
        device,
        lambda: _latent(entry, device),
        lambda p: parts.bytes_of(p.vae, p.unet),
    )


def identity(key: str) -> str:
    """Name and SHA-256 of a prior's weights, without loading them into a network."""
    return _identity(_present(key))


def _present(key: str, kind: Kind | None = None) -> NetworkEntry:
    entry = network_entry(key, kind)
    if not entry.present:
        raise NetworkMissing(missing(entry))
    return entry


def _identity(entry: NetworkEntry) -> str:
    files = list(entry.files)
    if not isinstance(entry.source, Embedded):
        # Of a user's folder the schedule or the tokenizer may change as well as the weights.
        files += [path for path in sorted(entry.folder.glob("*/*.json")) if path.is_file()]
    digests = [parts.digest(path) for path in files]
    return f"{entry.key}:" + hashlib.sha256("".join(digests).encode()).hexdigest()


def _pixel(entry: NetworkEntry, device: str) -> PixelPrior:
    prepare(device)
    betas = parts.betas(entry)
    dtype = network_dtype(device)
    unet = parts.network(entry, "unet", ("UNet2DModel",), device=device, dtype=dtype)
    stable_diffusion.check_unet(entry, unet.config, int(unet.config.in_channels))
    depth = 2 ** (len(unet.config.block_out_channels) - 1)
    side = PATCH if isinstance(entry.source, Embedded) else -(-entry.native // depth) * depth
    return PixelPrior(
        unet=unet,
        run=_runner(unet, device, layout="channels last"),
        betas=betas,
        identity=_identity(entry),
        device=device,
        multiple=depth,
        channels=int(unet.config.in_channels),
        tile=side if entry.tiles else None,
        native=entry.native,
    )


def _latent(entry: NetworkEntry, device: str) -> LatentPrior:
    prepare(device)
    betas = parts.betas(entry)
    # The autoencoder bounds the fidelity of every result, so it stays in float32 everywhere.
    vae = parts.network(entry, "vae", ("AutoencoderKL",), device=device, dtype=torch.float32)
    stable_diffusion.check_vae(entry, vae.config)
    kinds = ("UNet2DModel", "UNet2DConditionModel")
    unet = parts.network(entry, "unet", kinds, device=device, dtype=network_dtype(device))
    stable_diffusion.check_unet(entry, unet.config, int(vae.config.latent_channels))
    prompt = None
    if "cross_attention_dim" in unet.config:
        prompt = stable_diffusion.empty_prompt(entry, int(unet.config.cross_attention_dim))
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    depth = 2 ** (len(unet.config.block_out_channels) - 1)
    return LatentPrior(
        vae=vae,
        unet=unet,
        run=_runner(unet, device, layout="as it comes", prompt=prompt),
        betas=betas,
        identity=_identity(entry),
        device=device,
        factor=factor,
        multiple=factor * depth,
        scale=float(vae.config.scaling_factor),
        channels=int(vae.config.in_channels),
        native=entry.native,
        refines=sum(weights.numel() for weights in vae.parameters()) <= REFINED_WEIGHTS,
    )


def _runner(
    unet: Any,
    device: str,
    *,
    layout: Literal["channels last", "as it comes"],
    prompt: Tensor | None = None,
) -> Noise:
    """The network as a function of a float32 state and a timestep, float32 again."""
    quick = runtime.on_cpu(unet, device)
    if quick is not None:
        return quick
    dtype = next(unet.parameters()).dtype
    given = None if prompt is None else prompt.to(device=device, dtype=dtype)
    network = compiled(unet, device)

    def forward(x: Tensor, t: Tensor) -> Tensor:
        state = x.to(dtype)
        if layout == "channels last":
            state = state.contiguous(memory_format=torch.channels_last)
        more = {} if given is None else {"encoder_hidden_states": given.expand(len(x), -1, -1)}
        noise: Tensor = network(state, t, **more).sample
        return noise.float()

    return Runner(forward, device)
