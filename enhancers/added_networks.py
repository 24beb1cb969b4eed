"""What the registry needs to know of networks that a user added for restoration.

Each is a method of the registry. Its facts are in the ``prior.json`` of its folder, which
`enhancers.networks.user_networks` writes and reads in full; a file that cannot be read here is no
method, and the list of networks says what is wrong with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from enhancers.method import PRIOR_KEY
from enhancers.user_folders import models_dir

NAME = "prior.json"
MAX_BYTES = 2**20
"""Largest prior.json that is read; the usual one has a few thousand bytes."""


@dataclass(frozen=True)
class AddedNetwork:
    """A network for restoration that a user added.

    Parameters
    ----------
    key, label, licence, file, sha256 : str
        ``file`` and ``sha256`` are of the file that was added.
    architecture : str
    scale : int
        Enlargement of its results.
    noise_level : bool
        Whether it is given the standard deviation of the noise.
    source : str
        Where it is from, as the user stated it.
    """

    key: str
    label: str
    licence: str
    file: str
    sha256: str
    architecture: str
    scale: int
    noise_level: bool
    source: str


def added_networks() -> Iterator[AddedNetwork]:
    """The networks for restoration below the folder of networks, sorted by key."""
    try:
        folders = sorted(models_dir().iterdir())
    except OSError:
        return
    for folder in folders:
        if (found := added_network(folder.name)) is not None:
            yield found


def added_network(key: str) -> AddedNetwork | None:
    """The network for restoration with this key; None where there is none."""
    if not PRIOR_KEY.fullmatch(key):
        return None
    try:
        facts = json.loads(_text(models_dir() / key / NAME))
        return _network(key, facts, facts["restoration"]) if facts["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _text(path: Path) -> str:
    with path.open("rb") as file:
        text = file.read(MAX_BYTES + 1)
    if len(text) > MAX_BYTES:
        raise ValueError(f"{path} is too large")
    return text.decode()


def _network(key: str, facts: Mapping[str, Any], own: Mapping[str, Any]) -> AddedNetwork:
    return AddedNetwork(
        key,
        str(facts["label"]),
        str(facts["licence"]),
        str(facts["origin"]["file"]),
        str(facts["origin"]["sha256"]),
        str(own["architecture"]),
        int(own["scale"]),
        bool(own["noise_level"]),
        str(own["source"]),
    )
