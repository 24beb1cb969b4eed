"""What the buttons of the Networks tab set going, with progress on the way."""

from __future__ import annotations

from collections.abc import Generator

from enhancers.errors import ParameterError
from enhancers.networks import installed
from enhancers.networks.catalog import NetworkEntry, bytes_text
from enhancers.networks.digests import Progress
from enhancers.networks.identify import NetworkImport
from enhancers.networks.import_network import adding as put_on_shelf
from enhancers.networks.lookup import network_entry
from enhancers.ui.render import Notice
from enhancers.warm_up import import_networks


def adding(wanted: NetworkImport) -> Generator[Progress, None, NetworkEntry]:
    """Put a file or a folder on the shelf."""
    yield Progress(f"Reading {wanted.path.name}", 0, 0)
    import_networks()
    return (yield from put_on_shelf(wanted))


def fetching(key: str) -> Generator[Progress, None, Notice]:
    """Download a network of the catalogue."""
    import_networks()
    yield from installed.fetch(key)
    entry = network_entry(key)
    return Notice("info", (f"{entry.label} is here: {entry.folder}.",))


def verifying(key: str) -> Generator[Progress, None, Notice]:
    """Check every byte of a network that is known."""
    yield Progress(f"Checking every byte of {key}", 0, 0)
    findings = installed.verify(key)
    wrong = [f"{each.what}: {each.says}." for each in findings if not each.good]
    if wrong:
        return Notice("error", (f"{key} is damaged.", *wrong))
    return Notice(
        "info", (f"{key} is as it should be: {len(findings)} files and facts were checked.",)
    )


def removing(key: str) -> Generator[Progress, None, Notice]:
    """Take a network off the shelf."""
    yield Progress(f"Removing {key}", 0, 0)
    return Notice("info", (f"{key} is removed, {bytes_text(installed.remove(key))} are free.",))


def unknown(key: str) -> Generator[Progress, None, Notice]:
    """Refuse what no button of the page asks for."""
    yield Progress("", 0, 0)
    raise ParameterError(f"The page cannot do that with {key[:40]!r}; reload it.")
