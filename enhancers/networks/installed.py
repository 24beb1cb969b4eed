"""Which networks are on this machine, in what state, and how to remove them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from enhancers.errors import ParameterError
from enhancers.method import PRIOR_KEY
from enhancers.networks import user_networks
from enhancers.networks.entry import (
    Download,
    Embedded,
    FromUser,
    Hub,
    Kind,
    KnownFile,
    NetworkEntry,
    bytes_text,
)
from enhancers.networks.lookup import entries, missing, network_entry
from enhancers.networks.staging import discard, locked
from enhancers.settings import get_settings

PARTIAL = ".partial"
"""Folder of unfinished downloads below `Settings.models_dir`."""

Status = Literal["present", "not here", "incomplete", "damaged"]


@dataclass(frozen=True)
class State:
    """The state of one network on this machine.

    Parameters
    ----------
    key : str
    entry : NetworkEntry or None
        None for a folder that is no network.
    status : Status
    size : int
        Bytes of its weights on this machine.
    cost : int
        Bytes that a fetch downloads now; 0 where there is nothing to fetch.
    note : str
        What is missing or wrong, as a sentence; else empty.
    """

    key: str
    entry: NetworkEntry | None
    status: Status
    size: int
    cost: int
    note: str

    @property
    def kind(self) -> Kind | None:
        """The kind of its entry."""
        return self.entry.kind if self.entry else None


def states() -> tuple[State, ...]:
    """Every network of the catalogue and of the user, then the damaged folders."""
    broken = user_networks.read_all().damages
    damaged = (State(each.key, None, "damaged", 0, 0, each.says) for each in broken)
    return (*(state(entry) for entry in entries()), *damaged)


def state(entry: NetworkEntry) -> State:
    """The state of one network, from the names and sizes of its files."""
    wrong = _wrong_files(entry)
    if not wrong:
        return State(entry.key, entry, "present", entry.size, 0, "")
    note = missing(entry)
    if entry.origin is not None or isinstance(entry.source, Embedded):
        status: Status = "damaged" if entry.present else "incomplete"
        note = f"Of {entry.label}, {', '.join(wrong[:3])}. {note}"
        return State(entry.key, entry, status, entry.size, 0, note)
    source = entry.source
    arrived = 0
    if isinstance(source, Hub):
        arrived = sum(file.size for file in source.files if _fits(entry.folder, file))
    elif isinstance(source, Download):
        partial = partial_file(source)
        arrived = partial.stat().st_size if partial.is_file() else 0
    begun = bool(arrived) or entry.folder.is_dir()
    if arrived:
        note = f"{bytes_text(arrived)} of {bytes_text(entry.cost)} are here. {note}"
    cost = max(0, entry.cost - arrived)
    return State(entry.key, entry, "incomplete" if begun else "not here", arrived, cost, note)


def known_files(entry: NetworkEntry) -> tuple[KnownFile, ...]:
    """The files whose sizes and digests are known: as added, or as the hub has them."""
    if entry.stored or not isinstance(entry.source, Hub):
        return entry.stored
    # A folder copied there by hand may have them in another precision.
    return entry.source.files if entry.folder == entry.source.folder else ()


def partial_file(source: Download) -> Path:
    """Where an unfinished download is."""
    name = source.address.rpartition("/")[2]
    return get_settings().models_dir / PARTIAL / source.sha256[:12] / name


def _wrong_files(entry: NetworkEntry) -> list[str]:
    """The files of a network that are missing or have another size than when written."""
    wrong = [
        f"{file.path} is missing or changed"
        for file in known_files(entry)
        if not _fits(entry.folder, file)
    ]
    absent = [path for path in entry.files if not path.is_file()]
    return wrong or [f"{path.parent.name}/{path.name} is missing" for path in absent]


def _fits(folder: Path, file: KnownFile) -> bool:
    path = folder / file.path
    return path.is_file() and path.stat().st_size == file.size


def remove(key: str) -> int:
    """Delete an added or fetched network and return the freed bytes.

    A folder that was added in place stays.

    Raises
    ------
    ParameterError
        There is no such network, or it is not this program's to delete.
    """
    folder = get_settings().models_dir / key
    broken = any(each.key == key for each in user_networks.read_all().damages)
    if broken or (PRIOR_KEY.fullmatch(key) and (folder / user_networks.NAME).is_file()):
        freed = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
        discard(key)
        return freed
    entry = network_entry(key)
    if isinstance(entry.source, Download) and (partial := partial_file(entry.source)).is_file():
        freed = partial.stat().st_size
        with locked(f"{key}.download"):
            shutil.rmtree(partial.parent)
        return freed
    if isinstance(entry.source, Embedded):
        raise ParameterError(f"{key} comes with the project and is not removed.")
    if not entry.folder.is_dir():
        raise ParameterError(f"{entry.label} is not on this machine; there is nothing to remove.")
    shared = isinstance(entry.source, Hub) and entry.folder == entry.source.folder
    owner = (
        "the hub's cache, which other programs share"
        if shared
        else "a folder that was put there by hand"
    )
    raise ParameterError(f"{entry.label} lies in {owner}: delete {entry.folder} yourself.")


def describe_source(entry: NetworkEntry) -> str:
    """Where a network comes from, in words."""
    source = entry.source
    if isinstance(source, Embedded):
        return "comes with the project"
    if isinstance(source, Hub):
        return f"huggingface.co/{source.repository} at {source.revision[:12]}, {source.variant}"
    if isinstance(source, Download):
        return source.address
    assert isinstance(source, FromUser)
    return f"{source.file}: {source.where}"
