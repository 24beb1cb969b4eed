"""What the buttons of the Networks tab do; each yields its progress and returns what it did."""

from __future__ import annotations

from collections.abc import Generator

from enhancers.errors import ParameterError
from enhancers.networks import fetch as fetching
from enhancers.networks import installed
from enhancers.networks import verify as verification
from enhancers.networks.entry import NetworkEntry, bytes_text
from enhancers.networks.identify import NetworkImport
from enhancers.networks.import_network import import_network
from enhancers.networks.lookup import network_entry
from enhancers.networks.progress import Progress
from enhancers.ui.render import Notice
from enhancers.warm_up import import_networks


def add(wanted: NetworkImport) -> Generator[Progress, None, NetworkEntry]:
    """Add a checkpoint or a folder to the installed networks."""
    yield Progress(f"Reading {wanted.path.name}", 0, 0)
    import_networks()
    return (yield from import_network(wanted))


def fetch(key: str) -> Generator[Progress, None, Notice]:
    """Download a network of the catalogue."""
    import_networks()
    yield from fetching.fetch(key)
    entry = network_entry(key)
    return Notice("info", (f"{entry.label} was installed.",))


def verify(key: str) -> Generator[Progress, None, Notice]:
    """Check every file of an installed network against its record."""
    yield Progress(f"Verifying {key}", 0, 0)
    findings = yield from verification.verify(key)
    wrong = [f"{each.what}: {each.says}." for each in findings if not each.good]
    if wrong:
        return Notice("error", (f"{key} is damaged.", *wrong))
    return Notice("info", (f"{key} is intact: {len(findings)} files and values were checked.",))


def remove(key: str) -> Generator[Progress, None, Notice]:
    """Remove an installed network."""
    yield Progress(f"Removing {key}", 0, 0)
    return Notice("info", (f"{key} was removed and {bytes_text(installed.remove(key))} freed.",))


def reject(key: str) -> Generator[Progress, None, Notice]:
    """Refuse an action that the page does not have."""
    yield Progress("", 0, 0)
    raise ParameterError(f"The page has no such action for {key[:40]!r}; reload it.")
