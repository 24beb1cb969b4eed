"""Loads the networks of the morphology-consistent diffusion onto a device, each set once."""

from __future__ import annotations

from typing import Any, cast

import torch

from enhancers import devices
from enhancers.devices import cached_model
from enhancers.errors import NetworkMissing
from enhancers.networks import parts
from enhancers.networks.config_checks import CLASSES
from enhancers.networks.entry import NetworkEntry, Part
from enhancers.networks.load import identity_of
from enhancers.networks.lookup import missing, network_entry
from enhancers.networks.morphology.enhance import MorphologyNetworks


def morphology_networks(device: str, variant: str, key: str = "morphology") -> MorphologyNetworks:
    """The networks with this key and the tuner of a variant, loaded once per device; float32.

    Raises
    ------
    ParameterError
        No such networks have this key.
    NetworkMissing
        Their weights are not on this machine, or damaged.
    """
    entry = network_entry(key, "morphology")
    if not entry.present:
        raise NetworkMissing(missing(entry))
    return cached_model(
        f"{identity_of(entry)}:{variant}",
        device,
        lambda: _load(entry, variant, device),
        lambda found: parts.bytes_of(found.diffusion, found.extractor, found.tuner),
    )


def _load(entry: NetworkEntry, variant: str, device: str) -> MorphologyNetworks:
    devices.prepare(device)

    def part(name: str) -> Any:
        chosen = cast(Part, name)
        return parts.network(entry, chosen, CLASSES[chosen], device=device, dtype=torch.float32)

    return MorphologyNetworks(part("diffusion"), part("segmentation"), part(f"tuner_{variant}"))
