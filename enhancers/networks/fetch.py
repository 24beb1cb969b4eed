"""Fetches a network of the catalogue: downloads it and, where it is a checkpoint, converts it."""

from __future__ import annotations

import shutil
from collections.abc import Generator

from enhancers.errors import NetworkMissing
from enhancers.networks import download
from enhancers.networks.entry import Download, Hub
from enhancers.networks.identify import NetworkImport
from enhancers.networks.import_network import import_network
from enhancers.networks.installed import partial_file, state
from enhancers.networks.lookup import add_command, network_entry
from enhancers.networks.progress import Progress
from enhancers.networks.staging import locked
from enhancers.settings import get_settings


def fetch(key: str) -> Generator[Progress, None, None]:
    """Download and install a network of the catalogue, continuing an interrupted download.

    Closing the generator stops it; what has arrived is used the next time.

    Raises
    ------
    NetworkMissing
        It cannot be fetched: the user must supply it, or network access is switched off.
    FetchFailed
        There is no connection or no room on the disk, or the file is not the published one.
    """
    entry = network_entry(key)
    source = entry.source
    now = state(entry)
    if now.status == "present":
        return
    if not isinstance(source, Hub | Download) or entry.origin is not None:
        raise NetworkMissing(now.note)
    if download.offline():
        raise NetworkMissing(
            f"{entry.label} is not fetched, because HF_HUB_OFFLINE forbids network access: unset "
            f"it, or add a copy you have with {add_command(entry)}."
        )
    if isinstance(source, Hub):
        download.check_space(source.folder, now.cost, entry.label, setting="HF_HOME")
        yield from download.snapshot(source)
        return
    # For a moment there is the download and the converted network, which is as large.
    models = get_settings().models_dir
    download.check_space(models, now.cost + source.size, entry.label)
    partial = partial_file(source)
    with locked(f"{key}.download"):
        yield from download.download(source, partial)
        yield from import_network(NetworkImport(partial, like=key, digest=source.sha256))
        shutil.rmtree(partial.parent)
