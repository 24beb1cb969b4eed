"""Networks by their keys: those of the catalogue and those the user added."""

from __future__ import annotations

from enhancers.errors import ParameterError
from enhancers.method import nearest
from enhancers.networks import catalog
from enhancers.networks.entry import Embedded, FromUser, Hub, Kind, NetworkEntry, bytes_text
from enhancers.networks.user_networks import read_all


def entries() -> tuple[NetworkEntry, ...]:
    """Every network: those of the catalogue, as installed here, then those the user added."""
    added = {entry.key: entry for entry in read_all().networks}
    shipped = [added.pop(entry.key, entry) for entry in catalog.NETWORKS]
    return (*shipped, *added.values())


def network_entry(key: str, kind: Kind | None = None) -> NetworkEntry:
    """The network with this key.

    Raises
    ------
    ParameterError
        There is none, or its kind is not ``kind``.
    """
    known = entries()
    found = next((entry for entry in known if entry.key == key), None)
    if found is None:
        keys = [each.key for each in known if kind is None or each.kind == kind]
        raise ParameterError(f"No network {key}; {nearest(key, keys)}.")
    if kind is not None and found.kind != kind:
        raise ParameterError(
            f"The network {key} is a {found.kind} network and this method uses {kind} ones."
        )
    return found


def missing(entry: NetworkEntry) -> str:
    """A sentence on a network that is not on this machine: what is missing, how to get it."""
    source = entry.source
    if isinstance(source, Embedded):
        return (
            f"The {entry.label.lower()} is not among the assets; restore "
            f"assets/networks/{entry.key}, or train one: "
            f"python -m enhancers networks train --which {entry.key}."
        )
    restores = entry.kind == "restoration"
    instead = "" if restores else f"Until then prior={entry.kind} takes the embedded one."
    if entry.origin is not None:
        return (
            f"The weights of {entry.label} are no longer in {entry.folder}; put them back, or run "
            f"python -m enhancers networks remove {entry.key} and add them again. {instead}"
        ).rstrip()
    if isinstance(source, FromUser):
        return (
            f"{entry.label} is not on this machine, and it cannot be fetched from here: it was "
            f"{source.where}: python -m enhancers networks add {source.file} --like {entry.key}. "
            f"{instead}"
        )
    return (
        f"{entry.label} is not on this machine: fetch it ({bytes_text(entry.cost)}) with "
        f"python -m enhancers networks fetch {entry.key}, or add a copy you have with "
        f"{add_command(entry)}. {instead}"
    )


def add_command(entry: NetworkEntry) -> str:
    """The command that adds a copy of a network of the catalogue."""
    what = "FOLDER" if isinstance(entry.source, Hub) else "FILE"
    return f"python -m enhancers networks add {what} --like {entry.key}"
