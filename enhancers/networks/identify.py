"""What a network that a user brings is: its key and the facts its files do not tell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from enhancers.errors import CheckpointError, NetworkFactsMissing, ParameterError
from enhancers.method import PRIOR_KEY, nearest
from enhancers.networks import catalog
from enhancers.networks.entry import (
    Checkpoint,
    Download,
    Embedded,
    FromUser,
    NetworkEntry,
    QkvOrder,
    Schedule,
    ScheduleName,
)
from enhancers.networks.staging import check_free

if TYPE_CHECKING:
    from torch import Tensor

SCHEDULES: Mapping[ScheduleName, Schedule] = {
    "linear": Schedule(),
    "scaled_linear": Schedule("scaled_linear", 0.00085, 0.012),
    "squaredcos_cap_v2": Schedule("squaredcos_cap_v2"),
}
NATIVE = 256
"""Side of the training images where nobody says: what guided-diffusion's code trains on."""


@dataclass(frozen=True)
class NetworkImport:
    """What to add, and what its files do not tell.

    Parameters
    ----------
    path : Path
        A guided-diffusion checkpoint, a folder of a UNet2DModel, or a folder of a pipeline.
    key : str or None
        Its name on the shelf; else the catalogue's where it is recognised, else the file's.
    like : str or None
        The entry of the catalogue whose facts hold (and whose key, unless ``key`` says another).
    head_channels : int or None
        Width of an attention head; 0 for one head.
    digest : str or None
        SHA-256 of the file, where the caller has just computed it.
    """

    path: Path
    key: str | None = None
    label: str | None = None
    like: str | None = None
    head_channels: int | None = None
    qkv_order: QkvOrder | None = None
    schedule: ScheduleName | None = None
    native: int | None = None
    tiles: bool | None = None
    licence: str | None = None
    digest: str | None = None


def catalogued(key: str) -> NetworkEntry:
    """The catalogue's entry to take after; ParameterError where none can be."""
    known = [entry for entry in catalog.NETWORKS if not isinstance(entry.source, Embedded)]
    for entry in known:
        if entry.key == key:
            return entry
    keys = [entry.key for entry in known]
    raise ParameterError(f"The catalogue has no --like {key}; {nearest(key, keys)}.")


def identified(
    wanted: NetworkImport, digest: str, tensors: Mapping[str, Tensor]
) -> tuple[NetworkEntry | None, NetworkEntry | None]:
    """The entry whose facts hold, and the entry that this is; None where neither is known."""
    if wanted.like:
        facts = catalogued(wanted.like)
        if facts.checkpoint is None:
            raise ParameterError(
                f"{wanted.path.name} is one file and {facts.label} a folder of several networks; "
                "give the folder."
            )
        return facts, facts if wanted.key in (None, facts.key) else None
    for entry in catalog.NETWORKS:
        if isinstance(entry.source, Download) and entry.source.sha256 == digest:
            return entry, entry if wanted.key in (None, entry.key) else None
    total = sum(tensor.numel() for tensor in tensors.values())
    alike = [entry for entry in catalog.NETWORKS if entry.checkpoint and entry.parameters == total]
    by_name = [
        entry
        for entry in alike
        if isinstance(entry.source, FromUser)
        and entry.source.file.partition(".")[0].lower() == wanted.path.stem.lower()
    ]
    if by_name and wanted.key in (None, by_name[0].key):
        return by_name[0], by_name[0]
    facts_of = {(entry.checkpoint, entry.schedule) for entry in alike}
    return (alike[0] if len(facts_of) == 1 else None), None


def unreadable(wanted: NetworkImport, facts: NetworkEntry | None) -> Checkpoint:
    """What the tensors do not say, from the options, else from the entry it is like."""
    known = facts.checkpoint if facts else None
    if wanted.head_channels is None and known is None:
        raise NetworkFactsMissing(
            f"{wanted.path.name} does not tell the width of its attention heads: give "
            "--head-channels (0 for one head, 64 in OpenAI's networks), or --like KEY of the "
            "catalogue."
        )
    heads = known.head_channels if known else None
    if wanted.head_channels is not None:
        heads = wanted.head_channels or None
    order = wanted.qkv_order or (known.qkv_order if known else None)
    if order is None and heads is not None:
        raise NetworkFactsMissing(
            f"{wanted.path.name} does not tell how its attention's rows are sorted: give "
            "--qkv-order legacy (guided-diffusion's default) or new (use_new_attention_order)."
        )
    return Checkpoint(heads, order or "legacy")


def named(
    wanted: NetworkImport,
    facts: NetworkEntry | None,
    same: NetworkEntry | None,
    checkpoint: Checkpoint | None,
) -> NetworkEntry:
    """The entry as far as it is known before the network is built; the key is free."""
    key = wanted.key or (same.key if same else _slug(wanted.path))
    if not PRIOR_KEY.fullmatch(key):
        raise ParameterError(
            f"--key {key[:60]!r} is not possible; up to 40 small letters, digits and hyphens."
        )
    shipped = next((entry for entry in catalog.NETWORKS if entry.key == key), None)
    if shipped is not None and shipped is not same:
        hint = "" if isinstance(shipped.source, Embedded) else f" or, if it is that, --like {key}"
        raise ParameterError(f"{key} is a network of the catalogue; give another --key{hint}.")
    check_free(key)
    if same is not None:
        _check_catalogued(wanted, same)
        return replace(same, checkpoint=checkpoint or same.checkpoint)
    label = " ".join((wanted.label or wanted.path.stem).split())[:80]
    schedule = facts.schedule if facts else Schedule()
    return NetworkEntry(
        key=key,
        label=label or key,
        summary="",
        kind="pixel",
        parts=("unet",),
        licence=wanted.licence or "not stated",
        source=FromUser(wanted.path.name, "added by you"),
        tiles=(facts.tiles if facts else False) if wanted.tiles is None else wanted.tiles,
        native=wanted.native or (facts.native if facts else NATIVE),
        schedule=SCHEDULES[wanted.schedule] if wanted.schedule else schedule,
        checkpoint=checkpoint,
    )


def check_size(same: NetworkEntry, parameters: int) -> None:
    """Raise CheckpointError where a network is not of the size of the entry it is to become."""
    if same.parameters != parameters:
        raise CheckpointError(
            f"It has {parameters:,} parameters and {same.label} has {same.parameters:,}: it is "
            "another network. Give a --key of your own to take no more than its facts."
        )


def _check_catalogued(wanted: NetworkImport, same: NetworkEntry) -> None:
    """Of a network of the catalogue, the catalogue's facts hold."""
    options = {
        "--label": wanted.label, "--schedule": wanted.schedule, "--native": wanted.native,
        "--tiles": wanted.tiles, "--licence": wanted.licence,
    }  # fmt: skip
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise ParameterError(
            f"{given[0]} does not apply: this becomes {same.key} of the catalogue, whose facts are "
            "known. Give a --key of your own to have others."
        )


def _slug(path: Path) -> str:
    return re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")[:40].rstrip("-")
