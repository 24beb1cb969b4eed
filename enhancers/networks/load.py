"""Loads installed networks onto a device, each once, as `PixelPrior` or `LatentPrior`."""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import torch
from torch import Tensor

from enhancers.devices import cached_model, network_dtype, prepare
from enhancers.devices.cuda_graphs import Runner, compiled
from enhancers.errors import NetworkMissing
from enhancers.method_interface import PATCH
from enhancers.networks import parts, runtime
from enhancers.networks.config_checks import (
    CLASSES,
    OF_IMAGES,
    check_unet,
    check_vae,
    image_channels,
    multiple_of,
)
from enhancers.networks.denoising_unet import DenoisingUNet
from enhancers.networks.digests import digest
from enhancers.networks.empty_prompt import empty_prompt
from enhancers.networks.entry import Embedded, Kind, NetworkEntry
from enhancers.networks.lookup import missing, network_entry
from enhancers.networks.priors import LatentPrior, Noise, PixelPrior

REFINED_WEIGHTS = 10_000_000
"""Largest autoencoder, in parameters, whose latents are refined by gradient steps."""


def pixel_prior(device: str, key: str = "pixel") -> PixelPrior:
    """The network on images with this key, loaded once per device.

    Raises
    ------
    ParameterError
        No network on images has this key.
    NetworkMissing
        Its weights are not on this machine.
    """
    entry = _present(key, "pixel")
    return cached_model(
        identity_of(entry),
        device,
        lambda: load_pixel_prior(entry, device),
        lambda p: parts.bytes_of(p.unet),
    )


def latent_prior(device: str, key: str = "latent") -> LatentPrior:
    """The autoencoder and the network on its latents with this key, loaded once per device.

    Raises
    ------
    ParameterError
        No network on latents has this key.
    NetworkMissing
        Its weights are not on this machine.
    """
    entry = _present(key, "latent")
    return cached_model(
        identity_of(entry),
        device,
        lambda: load_latent_prior(entry, device),
        lambda p: parts.bytes_of(p.vae, p.unet),
    )


def identity(key: str) -> str:
    """Name and SHA-256 of the weights with this key, without loading them."""
    return identity_of(_present(key))


def _present(key: str, kind: Kind | None = None) -> NetworkEntry:
    entry = network_entry(key, kind)
    if not entry.present:
        raise NetworkMissing(missing(entry))
    return entry


def identity_of(entry: NetworkEntry) -> str:
    """Key and SHA-256 over the weights and, unless embedded, the configurations of a network."""
    files = list(entry.files)
    if not isinstance(entry.source, Embedded):
        # The schedule or the tokenizer in a user's folder may change as well.
        files += [path for path in sorted(entry.folder.glob("*/*.json")) if path.is_file()]
    digests = [digest(path) for path in files]
    if entry.restoration is not None:
        # The code of the architecture, and what else decides how the network is called.
        digests.append(f"{entry.restoration} spandrel {_spandrel()}")
    return f"{entry.key}:" + hashlib.sha256("".join(digests).encode()).hexdigest()


def _spandrel() -> str:
    try:
        return version("spandrel")
    except PackageNotFoundError:
        return ""


def load_pixel_prior(entry: NetworkEntry, device: str) -> PixelPrior:
    """Load a network on images onto ``device``; NetworkMissing where it cannot be used."""
    prepare(device)
    betas = parts.betas(entry)
    dtype = network_dtype(device)
    unet = parts.network(entry, "unet", OF_IMAGES, device=device, dtype=dtype)
    with parts.usable(entry, "unet"):
        check_unet(unet.config, int(unet.config.in_channels))
        channels = image_channels(unet.config)
        if isinstance(unet, DenoisingUNet):
            unet.check_schedule(betas.signal)
    multiple = multiple_of(unet.config)
    side = PATCH if isinstance(entry.source, Embedded) else -(-entry.native // multiple) * multiple
    return PixelPrior(
        unet=unet,
        run=_runner(unet, device, layout="channels last"),
        betas=betas,
        identity=identity_of(entry),
        device=device,
        multiple=multiple,
        channels=channels,
        tile=side if entry.tiles else None,
        native=entry.native,
    )


def load_latent_prior(entry: NetworkEntry, device: str) -> LatentPrior:
    """Load an autoencoder and its network onto ``device``; NetworkMissing where it is unusable."""
    prepare(device)
    betas = parts.betas(entry)
    # In float32 on every device, because it bounds the fidelity of every result.
    vae = parts.network(entry, "vae", ("AutoencoderKL",), device=device, dtype=torch.float32)
    with parts.usable(entry, "vae"):
        check_vae(vae.config)
    dtype = network_dtype(device)
    unet = parts.network(entry, "unet", CLASSES["unet"], device=device, dtype=dtype)
    with parts.usable(entry, "unet"):
        check_unet(unet.config, int(vae.config.latent_channels))
    prompt = None
    if "cross_attention_dim" in unet.config:
        prompt = empty_prompt(entry, int(unet.config.cross_attention_dim))
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    return LatentPrior(
        vae=vae,
        unet=unet,
        run=_runner(unet, device, layout="as it comes", prompt=prompt),
        betas=betas,
        identity=identity_of(entry),
        device=device,
        factor=factor,
        multiple=factor * multiple_of(unet.config),
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
    """The network as a function of a float32 state and a timestep, with float32 output."""
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
