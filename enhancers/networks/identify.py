"""Identifies a network that a user adds: its key, and the facts that its files lack."""

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
"""Side of the training images where it is not stated: the default of guided-diffusion's code."""


@dataclass(frozen=True)
class NetworkImport:
    """What to add, and the facts that its files lack; None for those that are not given.

    Parameters
    ----------
    path : Path
        A checkpoint of guided-diffusion or of a network for restoration, a folder of a
        UNet2DModel, or a folder of a pipeline.
    key : str or None
        Its key; by default that of the catalogue's entry it is identified as, else the file's name.
    label : str or None
        What the page calls it.
    like : str or None
        The catalogue's entry whose facts apply (and whose key, unless ``key`` is given).
    head_channels : int or None
        Width of an attention head; 0 for one head.
    qkv_order, schedule, native, tiles, licence
        As of `NetworkEntry` and `Checkpoint`.
    source : str or None
        Where a network for restoration is from.
    hu : (low, high) or None
        The values in HU that a network for restoration takes as 0 and 1.
    digest : str or None
        SHA-256 of the file, if it is known.
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
    source: str | None = None
    hu: tuple[float, float] | None = None
    digest: str | None = None

    @property
    def samples(self) -> bool:
        """Whether a fact is given that only networks to sample from have."""
        facts = (self.like, self.head_channels, self.qkv_order, self.schedule)
        return any(fact is not None for fact in facts)


def catalogue_entry(key: str) -> NetworkEntry:
    """The entry of the catalogue for ``--like``; ParameterError where there is none."""
    known = [entry for entry in catalog.NETWORKS if not isinstance(entry.source, Embedded)]
    for entry in known:
        if entry.key == key:
            return entry
    keys = [entry.key for entry in known]
    raise ParameterError(f"The catalogue has no --like {key}; {nearest(key, keys)}.")


def identify(
    wanted: NetworkImport, digest: str, tensors: Mapping[str, Tensor]
) -> tuple[NetworkEntry | None, NetworkEntry | None]:
    """The catalogue's entry whose facts apply to a checkpoint, and the entry that it is, if any.

    It is found by ``--like``, the SHA-256, or the number of parameters with the file's name.
    """
    if wanted.like:
        like = catalogue_entry(wanted.like)
        if like.checkpoint is None:
            raise ParameterError(
                f"{wanted.path.name} is one file and {like.label} a folder of several networks; "
                "give the folder."
            )
        return like, like if wanted.key in (None, like.key) else None
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
    facts = {(entry.checkpoint, entry.schedule) for entry in alike}
    return (alike[0] if len(facts) == 1 else None), None


def attention_facts(wanted: NetworkImport, like: NetworkEntry | None) -> Checkpoint:
    """Head width and row order of the attention: from the options, else from the entry ``like``.

    Raises
    ------
    NetworkFactsMissing
        Neither has them.
    """
    known = like.checkpoint if like else None
    if wanted.head_channels is None and known is None:
        raise NetworkFactsMissing(
            f"{wanted.path.name} does not state the width of its attention heads: give "
            "--head-channels (0 for one head, 64 in OpenAI's networks), or --like KEY of the "
            "catalogue."
        )
    heads = known.head_channels if known else None
    if wanted.head_channels is not None:
        heads = wanted.head_channels or None
    order = wanted.qkv_order or (known.qkv_order if known else None)
    if order is None and heads is not None:
        raise NetworkFactsMissing(
            f"{wanted.path.name} does not state how the rows of its attention are sorted: give "
            "--qkv-order legacy (guided-diffusion's default) or new (use_new_attention_order)."
        )
    return Checkpoint(heads, order or "legacy")


def new_entry(
    wanted: NetworkImport,
    like: NetworkEntry | None,
    same: NetworkEntry | None,
    checkpoint: Checkpoint | None,
) -> NetworkEntry:
    """The entry as far as it is known before the network is read.

    Parameters
    ----------
    wanted : NetworkImport
    like : NetworkEntry or None
        Whose facts apply.
    same : NetworkEntry or None
        The catalogue's entry that the network is.
    checkpoint : Checkpoint or None

    Raises
    ------
    ParameterError
        The key is not possible or taken, or an option does not apply.
    """
    key = wanted.key or (same.key if same else _slug(wanted.path))
    if not key:
        raise ParameterError(
            f"The name {wanted.path.name} has no letters a to z or digits for a key; give --key."
        )
    if not PRIOR_KEY.fullmatch(key):
        raise ParameterError(
            f"--key {key[:60]!r} is not possible; up to 40 small letters, digits and hyphens."
        )
    shipped = next((entry for entry in catalog.NETWORKS if entry.key == key), None)
    if shipped is not None and shipped is not same:
        hint = "" if isinstance(shipped.source, Embedded) else f", or --like {key} if it is this"
        raise ParameterError(f"{key} is a network of the catalogue; give another --key{hint}.")
    check_free(key)
    if same is not None:
        _check_catalogued(wanted, same)
        return replace(same, checkpoint=checkpoint or same.checkpoint)
    label = " ".join((wanted.label or wanted.path.stem).split())[:80]
    schedule = like.schedule if like else Schedule()
    return NetworkEntry(
        key=key,
        label=label or key,
        summary="",
        kind="pixel",
        parts=("unet",),
        licence=wanted.licence or "not stated",
        source=FromUser(wanted.path.name, "added by you"),
        tiles=(like.tiles if like else False) if wanted.tiles is None else wanted.tiles,
        native=wanted.native or (like.native if like else NATIVE),
        schedule=SCHEDULES[wanted.schedule] if wanted.schedule else schedule,
        checkpoint=checkpoint,
    )


def check_size(same: NetworkEntry, parameters: int) -> None:
    """Raise CheckpointError where a network has another size than the entry it is said to be."""
    if same.parameters != parameters:
        raise CheckpointError(
            f"It has {parameters:,} parameters and {same.label} has {same.parameters:,}: it is "
            "another network. Give a --key of your own to use its facts alone."
        )


def _check_catalogued(wanted: NetworkImport, same: NetworkEntry) -> None:
    """Refuse options that contradict the facts of the catalogue."""
    options = {
        "--label": wanted.label, "--schedule": wanted.schedule, "--native": wanted.native,
        "--tiles": wanted.tiles, "--licence": wanted.licence,
    }  # fmt: skip
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise ParameterError(
            f"{given[0]} does not apply: this becomes {same.key} of the catalogue, whose facts are "
            "known. Give a --key of your own to change them."
        )


def _slug(path: Path) -> str:
    return re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")[:40].rstrip("-")
