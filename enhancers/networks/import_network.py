"""Installs a user's network: a checkpoint is converted, a diffusers folder is checked."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from enhancers.errors import CheckpointError, ParameterError
from enhancers.files import given_path
from enhancers.networks import user_networks
from enhancers.networks.digests import files_below, known_files, sha256_steps
from enhancers.networks.download import check_space
from enhancers.networks.entry import NetworkEntry, Origin, weight_names
from enhancers.networks.identify import (
    NetworkImport,
    attention_facts,
    catalogue_entry,
    check_size,
    identify,
    new_entry,
)
from enhancers.networks.lookup import network_entry
from enhancers.networks.progress import Progress
from enhancers.networks.staging import staged
from enhancers.settings import get_settings

if TYPE_CHECKING:
    from torch import Tensor

    from enhancers.networks.diffusers_folders import FolderContent

PARALLEL = ("module.", "netG.")
"""Prefixes that every architecture gets in training; others may be names of an architecture."""
GUIDED_DIFFUSION = (".input_blocks.", ".time_embed.")
"""Parts of names that tell a guided-diffusion network."""


def import_network(wanted: NetworkImport) -> Generator[Progress, None, NetworkEntry]:
    """Install a user's network and return its entry, with progress; closing it leaves no trace.

    A guided-diffusion checkpoint is converted, the weights of a network for restoration and a
    folder of one network are copied, a folder of a pipeline stays where it is.

    Raises
    ------
    CheckpointError
        The file or folder holds no network that can be used.
    ParameterError
        The file lacks facts that the user must state, or the key is taken.
    """
    from enhancers.networks import diffusers_folders

    path = given_path(wanted.path).absolute()
    wanted = replace(wanted, path=path)
    if wanted.like is not None:
        catalogue_entry(wanted.like)
    if wanted.native is not None and not 8 <= wanted.native <= 8192:
        raise ParameterError(f"--native {wanted.native} is no side in pixels; give 8 to 8192.")
    _check_regular(path)
    if not path.is_dir():
        made = yield from _from_checkpoint(wanted)
    elif (path / "unet").is_dir():
        made = yield from _by_reference(wanted, diffusers_folders.read_pipeline(path))
    else:
        made = yield from _by_copy(wanted, diffusers_folders.read_network(path))
    return network_entry(made.key)


def _check_regular(path: Path) -> None:
    """Refuse named pipes and devices: opening one may wait for ever."""
    for one in (path, *path.glob("*"), *path.glob("*/*")):
        if one.exists() and not (one.is_dir() or one.is_file()):
            raise CheckpointError(f"{one.name} is neither a file nor a folder.")


def _from_checkpoint(wanted: NetworkImport) -> Generator[Progress, None, NetworkEntry]:
    from enhancers.networks.checkpoint import read_tensors, without_wrappers

    path = wanted.path
    if not wanted.samples:
        from enhancers.networks.import_restoration import check_file

        check_file(path, _is_sampled)
    whole = read_tensors(path, PARALLEL)
    tensors = without_wrappers(whole)
    if "conv_in.weight" in tensors:
        raise CheckpointError(
            f"{path.name} holds the weights of a diffusers network; add the folder with its "
            "config.json instead."
        )
    digest = wanted.digest or (yield from sha256_steps(path))
    if not wanted.samples and not any(map(_is_sampled, tensors)):
        from enhancers.networks.import_restoration import from_restoration_checkpoint

        origin = _origin(path.name, digest)
        return (yield from from_restoration_checkpoint(wanted, whole, digest, origin))
    return (yield from _converted(wanted, tensors, digest))


def _is_sampled(name: str) -> bool:
    """Whether the name of a tensor is one of guided-diffusion, whatever stands before it."""
    return any(part in f".{name}" for part in GUIDED_DIFFUSION)


def _converted(
    wanted: NetworkImport, tensors: Mapping[str, Tensor], digest: str
) -> Generator[Progress, None, NetworkEntry]:
    """Install a guided-diffusion checkpoint."""
    from enhancers.networks.config_checks import check_unet
    from enhancers.networks.guided_diffusion import convert, save_folder

    path = wanted.path
    for option, value in (("--source", wanted.source), ("--hu", wanted.hu)):
        if value is not None:
            raise ParameterError(f"{option} is for a network that restores images.")
    like, same = identify(wanted, digest, tensors)
    checkpoint = attention_facts(wanted, like)
    entry = new_entry(wanted, like, same, checkpoint)
    size = sum(4 * tensor.numel() for tensor in tensors.values())
    check_space(get_settings().models_dir, size, f"The conversion of {path.name}")
    yield Progress(f"Converting {path.name}", 0, size)
    network = convert(tensors, checkpoint)
    channels = int(network.config.in_channels)
    if channels not in (1, 3):
        raise CheckpointError(f"{path.name} takes images of {channels} channels, not 1 or 3.")
    check_unet(network.config, channels)
    parameters = sum(weight.numel() for weight in network.parameters())
    entry = replace(
        entry, channels=channels, parameters=parameters, origin=_origin(path.name, digest)
    )
    if same is not None:
        check_size(same, parameters)
    else:
        entry = replace(
            entry, summary=f"Guided-diffusion network, {parameters / 1e6:.1f} M parameters."
        )
    with staged(entry.key) as stage:
        save_folder(network, entry.schedule, stage)
        entry = replace(entry, stored=(yield from known_files(stage, files_below(stage))))
        user_networks.write(entry, stage)
    return entry


def _by_copy(
    wanted: NetworkImport, found: FolderContent
) -> Generator[Progress, None, NetworkEntry]:
    """Install a folder of one network by copying its files."""
    from enhancers.networks.beta_schedule import beta_schedule
    from enhancers.networks.config_checks import SCHEDULER, read_config
    from enhancers.networks.diffusers_folders import find_scheduler
    from enhancers.networks.guided_diffusion import save_schedule

    entry = _of_folder(wanted, found)
    (weights,) = found.weights
    size = weights.stat().st_size
    check_space(get_settings().models_dir, size, f"The copy of {wanted.path}")
    with staged(entry.key) as stage:
        (stage / "unet").mkdir()
        shutil.copyfile(wanted.path / "config.json", stage / "unet" / "config.json")
        yield Progress(f"Copying {weights.name}", 0, size)
        shutil.copyfile(weights, stage / "unet" / weight_names("unet")[0])
        scheduler = find_scheduler(wanted.path)
        if scheduler is not None and wanted.schedule is None:
            (stage / "scheduler").mkdir()
            beta_schedule(read_config(scheduler))
            shutil.copyfile(scheduler, stage / "scheduler" / SCHEDULER)
        else:
            save_schedule(entry.schedule, stage)
        entry = replace(entry, stored=(yield from known_files(stage, files_below(stage))))
        user_networks.write(entry, stage)
    return entry


def _by_reference(
    wanted: NetworkImport, found: FolderContent
) -> Generator[Progress, None, NetworkEntry]:
    """Install a folder of a pipeline, which stays where it is."""
    if wanted.schedule is not None:
        raise ParameterError(
            f"--schedule does not apply: {wanted.path} has a scheduler of its own."
        )
    entry = _of_folder(wanted, found)
    stored = yield from known_files(wanted.path, (*found.weights, *found.others))
    entry = replace(entry, place=wanted.path, stored=stored)
    with staged(entry.key) as stage:
        user_networks.write(entry, stage)
    return entry


def _of_folder(wanted: NetworkImport, found: FolderContent) -> NetworkEntry:
    """The entry of a folder, whose files are not installed yet."""
    if wanted.head_channels is not None or wanted.qkv_order is not None:
        raise ParameterError(
            "--head-channels and --qkv-order are for a checkpoint; a folder's config.json has them."
        )
    like = catalogue_entry(wanted.like) if wanted.like else None
    if like is not None and like.kind != found.kind:
        raise ParameterError(
            f"{wanted.path} is a {found.kind} network and --like {like.key} a {like.kind} one."
        )
    same = like if like and wanted.key in (None, like.key) else None
    entry = new_entry(wanted, like, same, None)
    if same is not None:
        check_size(same, found.parameters)
    else:
        native = wanted.native or found.native or entry.native
        summary = f"A {found.kind} network of diffusers, {found.parameters / 1e6:.1f} M parameters."
        entry = replace(entry, kind=found.kind, native=native, summary=summary)
    return replace(
        entry,
        parts=found.parts,
        channels=found.channels,
        parameters=found.parameters,
        origin=_origin(wanted.path.name, ""),
    )


def _origin(name: str, digest: str) -> Origin:
    return Origin(name, digest, datetime.now(UTC).isoformat(timespec="seconds"))
