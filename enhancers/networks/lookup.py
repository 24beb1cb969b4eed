"""Every network by its key: those of the catalogue and the user's own."""

from __future__ import annotations

from enhancers.errors import ParameterError
from enhancers.method import nearest
from enhancers.networks import catalog
from enhancers.networks.catalog import (
    Embedded,
    FromUser,
    Hub,
    Kind,
    NetworkEntry,
    bytes_text,
)
from enhancers.networks.user_networks import read_all


def entries() -> tuple[NetworkEntry, ...]:
    """Every prior: those of the catalogue, as they lie on this machine, then the user's own."""
    added = {entry.key: entry for entry in read_all().priors}
    shipped = [added.pop(entry.key, entry) for entry in catalog.NETWORKS]
    return (*shipped, *added.values())


def network_entry(key: str, kind: Kind | None = None) -> NetworkEntry:
    """The prior with this key, of the catalogue or added by the user.

    Raises
    ------
    ParameterError
        There is none, or it is of another kind than ``kind``.
    """
    every = entries()
    found = next((entry for entry in every if entry.key == key), None)
    if found is None:
        keys = [each.key for each in every if kind is None or each.kind == kind]
        raise ParameterError(f"No network {key}; {nearest(key, keys)}.")
    if kind is not None and found.kind != kind:
        raise ParameterError(
            f"The network {key} is a {found.kind} prior and this method samples from {kind} ones."
        )
    return found


def missing(entry: NetworkEntry) -> str:
    """The sentence for a prior that is not on this machine: what is missing and how to get it."""
    source = entry.source
    if isinstance(source, Embedded):
        return (
            f"The {entry.label.lower()} is not among the assets; restore "
            f"assets/networks/{entry.key}, or train one: "
            f"python -m enhancers networks train --which {entry.key}."
        )
    instead = f"Until then prior={entry.kind} takes the embedded one."
    if entry.origin is not None:
        return (
            f"The weights of {entry.label} are no longer in {entry.folder}; put them back, or run "
            f"python -m enhancers networks remove {entry.key} and add them again. {instead}"
        )
    if isinstance(source, FromUser):
        return (
            f"{entry.label} is not on this machine, and it cannot be fetched from here: it was "
            f"{source.where}: python -m enhancers networks add {source.file} --like {entry.key}. "
            f"{instead}"
        )
    what = "FOLDER" if isinstance(source, Hub) else "FILE"
    return (
        f"{entry.label} is not on this machine: fetch it ({bytes_text(entry.cost)}) with "
        f"python -m enhancers networks fetch {entry.key}, or add a copy you have with "
        f"python -m enhancers networks add {what} --like {entry.key}. {instead}"
    )
