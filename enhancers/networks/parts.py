"""One part of an installed network from its diffusers folder: a network on a device, a schedule."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from enhancers.errors import CheckpointError, NetworkMissing, ReadingRoomError
from enhancers.networks.beta_schedule import BetaSchedule, beta_schedule, scheduler_config
from enhancers.networks.checkpoint import listed
from enhancers.networks.config_checks import SCHEDULER, network_class, part_config, read_config
from enhancers.networks.entry import Embedded, NetworkEntry, Part


def network(
    entry: NetworkEntry,
    part: Part,
    classes: tuple[str, ...],
    *,
    device: str,
    dtype: torch.dtype,
) -> Any:
    """A part of ``entry`` as the class that its configuration names, ready for inference.

    Parameters
    ----------
    entry : NetworkEntry
    part : Part
    classes : tuple of str
        The classes that can be used.
    device : str
    dtype : torch dtype

    Raises
    ------
    NetworkMissing
        Its files are damaged, of another class, or do not fit each other.
    """
    with usable(entry, part):
        config = part_config(entry.folder / part, part, classes)
    made = network_class(config)
    try:
        found, info = made.from_pretrained(
            entry.folder / part,
            local_files_only=True,
            use_safetensors=True,
            variant="fp16" if ".fp16." in entry.weights(part).name else None,
            torch_dtype=dtype,
            low_cpu_mem_usage=not isinstance(entry.source, Embedded),
            output_loading_info=True,
        )
    except Exception as error:
        # diffusers and safetensors have many errors for a truncated, foreign or misshapen file.
        raise unusable(entry, part, _reason(error)) from error
    for what in ("missing_keys", "unexpected_keys"):
        if info[what]:
            names = f"{len(info[what])} tensors are {what.partition('_')[0]}"
            raise unusable(entry, part, f"{names} ({listed(sorted(info[what]))})")
    return found.eval().requires_grad_(False).to(device=device, memory_format=torch.channels_last)


def betas(entry: NetworkEntry) -> BetaSchedule:
    """The schedule of the network's own scheduler; without one, that of the catalogue.

    Raises
    ------
    NetworkMissing
        The scheduler's configuration is damaged or cannot be used.
    """
    folder = entry.folder / "scheduler"
    with usable(entry, "scheduler"):
        if folder.is_dir():
            return beta_schedule(read_config(folder / SCHEDULER))
        return beta_schedule(scheduler_config(entry.schedule))


@contextmanager
def usable(entry: NetworkEntry, part: str) -> Iterator[None]:
    """Turn a `CheckpointError` about the files of a part into `NetworkMissing`."""
    try:
        yield
    except CheckpointError as error:
        raise unusable(entry, part, _reason(error)) from error


def unusable(entry: NetworkEntry, part: str, why: str) -> NetworkMissing:
    """The error for a part whose files are present and cannot be used."""
    if isinstance(entry.source, Embedded):
        what = "Restore the folder, or train the network again."
    else:
        what = f"python -m enhancers networks verify {entry.key} reports what is damaged."
    return NetworkMissing(
        f"The weights in {entry.folder.name}/{part} of {entry.label} cannot be read: {why}. {what}"
    )


def bytes_of(*modules: Any) -> int:
    """Memory in bytes of the weights of networks."""
    return sum(tensor.nbytes for module in modules for tensor in module.state_dict().values())


def _reason(error: Exception) -> str:
    if isinstance(error, ReadingRoomError):
        return str(error).rstrip(".")
    words = " ".join(str(error).split())
    return f"they are damaged or of another network ({words[:160].rstrip('. ')})"
