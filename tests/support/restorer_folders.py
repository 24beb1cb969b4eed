"""Untrained restorers as networks of the catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from enhancers.networks import catalog
from enhancers.networks.entry import Embedded, NetworkEntry
from enhancers.networks.training.architectures import scheduler


def add_restorer(
    key: str, network: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> NetworkEntry:
    """Save a network below a folder and list it in the catalogue for the time of a test."""
    network.save_pretrained(folder / key / "restorer")
    scheduler().save_pretrained(folder / key / "scheduler")
    entry = NetworkEntry(
        key, key, "Untrained.", "restorer", ("restorer",), "", Embedded(), place=folder / key
    )
    others = [one for one in catalog.NETWORKS if one.key != key]
    monkeypatch.setattr(catalog, "NETWORKS", (*others, entry))
    return entry


def stirred(network: Any, seed: int = 0, spread: float = 0.05) -> Any:
    """The network with random weights of this standard deviation."""
    torch.manual_seed(seed)
    for weights in network.parameters():
        torch.nn.init.normal_(weights, std=spread)
    return network.eval()
