"""The networks a user has added: a folder each below `Settings.models_dir`, with a prior.json.

The file holds all facts that the catalogue has of its networks. A damaged one is reported and does
not affect the others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError

from enhancers import added_networks
from enhancers.method import PRIOR_KEY
from enhancers.networks import catalog
from enhancers.networks.entry import (
    Checkpoint,
    Embedded,
    FromUser,
    Kind,
    KnownFile,
    NetworkEntry,
    Origin,
    Part,
    Restoration,
    Schedule,
)

NAME = added_networks.NAME
MAX_BYTES = added_networks.MAX_BYTES
FORMAT = 1


@dataclass(frozen=True)
class Record:
    """The content of a prior.json, whose fields are those of `NetworkEntry`.

    Where ``catalogued`` is true, the network is the catalogue's entry with this key, whose label,
    source and licence apply.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    format: int
    key: str
    catalogued: bool
    label: str
    summary: str
    kind: Kind
    parts: tuple[Part, ...]
    licence: str
    channels: int
    tiles: bool
    native: int
    schedule: Schedule
    checkpoint: Checkpoint | None
    parameters: int
    place: Path | None
    origin: Origin
    stored: tuple[KnownFile, ...]
    restoration: Restoration | None = None


@dataclass(frozen=True)
class DamagedFolder:
    """A folder below `Settings.models_dir` that cannot be used, and why."""

    key: str
    folder: Path
    says: str


@dataclass(frozen=True)
class UserNetworks:
    """The networks and the unusable folders below `Settings.models_dir`."""

    networks: tuple[NetworkEntry, ...]
    damages: tuple[DamagedFolder, ...]


def write(entry: NetworkEntry, folder: Path) -> None:
    """Write the prior.json of an added network into ``folder``."""
    if entry.origin is None:
        raise ValueError("only an added network has a prior.json")
    record = Record(
        format=FORMAT,
        key=entry.key,
        catalogued=any(entry.key == each.key for each in catalog.NETWORKS),
        label=entry.label,
        summary=entry.summary,
        kind=entry.kind,
        parts=entry.parts,
        licence=entry.licence,
        channels=entry.channels,
        tiles=entry.tiles,
        native=entry.native,
        schedule=entry.schedule,
        checkpoint=entry.checkpoint,
        parameters=entry.parameters,
        place=entry.place,
        origin=entry.origin,
        stored=entry.stored,
        restoration=entry.restoration,
    )
    (folder / NAME).write_bytes(TypeAdapter(Record).dump_json(record, indent=2) + b"\n")


def read_all() -> UserNetworks:
    """Every network below `Settings.models_dir`, sorted by key."""
    from enhancers.settings import get_settings

    networks: list[NetworkEntry] = []
    damages: list[DamagedFolder] = []
    try:
        folders = sorted(get_settings().models_dir.iterdir())
    except OSError:
        # The folder is made with the first network that is added.
        return UserNetworks((), ())
    for folder in folders:
        if folder.name.startswith(".") or not folder.is_dir():
            continue
        found = _read(folder)
        if isinstance(found, NetworkEntry):
            networks.append(found)
        elif found is not None:
            damages.append(found)
    return UserNetworks(tuple(networks), tuple(damages))


def _read(folder: Path) -> NetworkEntry | DamagedFolder | None:
    """The entry of a folder; None for a catalogued network copied there by hand."""
    shipped = next((entry for entry in catalog.NETWORKS if entry.key == folder.name), None)
    path = folder / NAME
    if shipped is not None and isinstance(shipped.source, Embedded):
        return _damage(folder, "an embedded network has this key")
    if not path.is_file():
        return None if shipped is not None else _damage(folder, f"it has no {NAME}")
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
        if len(text) > MAX_BYTES:
            return _damage(folder, f"its {NAME} is larger than {MAX_BYTES // 2**20} MB")
        record = TypeAdapter(Record).validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(step) for step in first["loc"]) or "it"
        return _damage(folder, f"its {NAME} cannot be read ({field}: {first['msg']})")
    except OSError as error:
        return _damage(folder, f"its {NAME} cannot be read ({error.strerror})")
    wrong = _wrong(record, folder, shipped)
    return _damage(folder, f"its {NAME} {wrong}") if wrong else _entry(record, shipped)


def _wrong(record: Record, folder: Path, shipped: NetworkEntry | None) -> str:
    """What is wrong with a record; empty where nothing is."""
    if record.format != FORMAT:
        return f"has format {record.format}; this version reads {FORMAT}"
    if record.key != folder.name or not PRIOR_KEY.fullmatch(record.key):
        return f"names the key {record.key[:40]!r} and not its folder's"
    if record.catalogued != (shipped is not None) or (shipped and shipped.kind != record.kind):
        return "does not agree with the catalogue"
    if not record.parts or record.channels not in (1, 3) or not 8 <= record.native <= 8192:
        return "has impossible values (parts, channels or native)"
    if (record.kind == "restoration") != (record.restoration is not None):
        return "has no facts about restoration, or has them for a network that samples"
    inside = (Path(file.path) for file in record.stored)
    if any(path.is_absolute() or ".." in path.parts for path in inside):
        return "names files outside its folder"
    return ""


def _entry(record: Record, shipped: NetworkEntry | None) -> NetworkEntry:
    if shipped is not None:
        return replace(
            shipped, parts=record.parts, channels=record.channels, place=record.place,
            origin=record.origin, stored=record.stored, parameters=record.parameters,
        )  # fmt: skip
    day = record.origin.when[:10]
    return NetworkEntry(
        key=record.key,
        label=record.label,
        summary=record.summary,
        kind=record.kind,
        parts=record.parts,
        licence=record.licence,
        source=FromUser(record.origin.file, f"added by you on {day}"),
        channels=record.channels,
        tiles=record.tiles,
        native=record.native,
        schedule=record.schedule,
        checkpoint=record.checkpoint,
        parameters=record.parameters,
        place=record.place,
        origin=record.origin,
        stored=record.stored,
        restoration=record.restoration,
    )


def _damage(folder: Path, why: str) -> DamagedFolder:
    return DamagedFolder(
        folder.name, folder,
        f"The folder {folder} is no network that can be used: {why}. Run "
        f"python -m enhancers networks remove {folder.name}, and add it again.",
    )  # fmt: skip
