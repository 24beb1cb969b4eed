"""Networks that restore an image in one call, of the architectures that spandrel recognises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from enhancers.devices import cached_model, network_dtype, prepare
from enhancers.errors import NetworkMissing
from enhancers.networks import parts
from enhancers.networks.entry import NetworkEntry, Restoration
from enhancers.networks.load import identity_of
from enhancers.networks.lookup import missing, network_entry
from enhancers.networks.spandrel_package import require_spandrel


@dataclass(frozen=True, eq=False)
class RestorationNetwork:
    """A network on images in [0, 1] that restores or enlarges them.

    Parameters
    ----------
    descriptor : spandrel.ImageModelDescriptor
    noise_level : bool
        Whether its last input channel is the standard deviation of the noise.
    """

    descriptor: Any
    noise_level: bool

    @property
    def channels(self) -> int:
        """Of the images that it takes: 1 or 3."""
        return int(self.descriptor.input_channels)

    @property
    def scale(self) -> int:
        """Enlargement of its results."""
        return int(self.descriptor.scale)

    @torch.inference_mode()
    def restored(self, image: Tensor, sigma: float = 0.0) -> Tensor:
        """The result for an image (1, `channels`, H, W) in [0, 1], (1, C, kH, kW), float32.

        Parameters
        ----------
        image : Tensor
            On the device of the network; padded here to the size that the network requires.
        sigma : float
            Standard deviation of its noise, for a network that takes one.
        """
        state = image.to(self.descriptor.dtype)
        if not self.noise_level:
            restored: Tensor = self.descriptor(state)
            return restored.float()
        height, width = image.shape[-2:]
        right, below = self.descriptor.size_requirements.get_padding(width, height)
        state = functional.pad(state, (0, right, 0, below), "replicate")
        level = torch.full_like(state[:, :1], sigma)
        result: Tensor = self.descriptor.model(torch.cat([state, level], dim=1))
        return result[..., :height, :width].float().clamp(0, 1)


def restoration_network(device: str, key: str) -> RestorationNetwork:
    """The network for restoration with this key, loaded once per device.

    It computes in float32 unless the setting `precision` is "half" or memory ran out: its output
    is an image, and one in bfloat16 has 256 gray levels at most.

    Raises
    ------
    ParameterError
        No network for restoration has this key.
    NetworkMissing
        Its weights, or the package spandrel, are not on this machine.
    """
    entry = network_entry(key, "restoration")
    if not entry.present:
        raise NetworkMissing(missing(entry))
    require_spandrel(entry.label)
    return cached_model(
        identity_of(entry),
        device,
        lambda: _load(entry, device),
        lambda network: parts.bytes_of(network.descriptor.model),
    )


def descriptor_of(tensors: Mapping[str, Tensor], facts: Restoration | None = None) -> Any:
    """The network of which these are the weights, as spandrel's descriptor, on the CPU.

    Parameters
    ----------
    tensors : mapping
        By name; from `read_tensors`, or the file that was written of them.
    facts : Restoration, optional

    Raises
    ------
    spandrel.UnsupportedModelError
        They are of no architecture that is known.
    """
    from spandrel import MAIN_REGISTRY

    from enhancers.networks.red_cnn import RedCnnArchitecture

    red_cnn = RedCnnArchitecture(*(facts.normalisation if facts else ()))
    state = dict(tensors)
    descriptor = red_cnn.load(state) if red_cnn.detect(state) else MAIN_REGISTRY.load(state)
    descriptor.model.requires_grad_(False)
    return descriptor.eval()


def takes_noise_level(descriptor: Any) -> bool:
    """Whether the network is given the standard deviation of the noise as an input channel."""
    kind = descriptor.architecture.id
    return bool(kind == "DRUNet" or (kind == "DnCNN" and descriptor.model.mode == "FDnCNN"))


def _load(entry: NetworkEntry, device: str) -> RestorationNetwork:
    from safetensors.torch import load_file

    prepare(device)
    try:
        descriptor = descriptor_of(load_file(entry.weights("network")), entry.restoration)
    except Exception as error:
        # spandrel and safetensors have many errors for a truncated or changed file.
        raise parts.unusable(entry, "network", _words(error)) from error
    descriptor.to(device=torch.device(device), dtype=_dtype(descriptor, device))
    return RestorationNetwork(descriptor, takes_noise_level(descriptor))


def _dtype(descriptor: Any, device: str) -> torch.dtype:
    """16 bits only where they are asked for, and then float16 where the architecture allows it."""
    from enhancers.devices.precision import is_half

    wanted = network_dtype(device)
    if not is_half():
        return torch.float32
    if descriptor.supports_half and torch.device(device).type != "cpu":
        return torch.float16
    if descriptor.supports_bfloat16 and wanted != torch.float16:
        return torch.bfloat16
    return torch.float32


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
