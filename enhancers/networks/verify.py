"""Verifies a network: every byte whose digest is known, and that weights fit configurations."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from enhancers.errors import CheckpointError, NetworkMissing
from enhancers.networks import user_networks
from enhancers.networks.digests import sha256_steps
from enhancers.networks.entry import Download, Embedded, KnownFile, NetworkEntry, Part
from enhancers.networks.installed import known_files, state
from enhancers.networks.lookup import network_entry
from enhancers.networks.progress import Progress
from enhancers.settings import get_settings


@dataclass(frozen=True)
class Finding:
    """The result of `verify` for one file or fact: what was checked, and what was found."""

    what: str
    good: bool
    says: str


def verify(key: str) -> Generator[Progress, None, list[Finding]]:
    """Check a network, with progress.

    Raises
    ------
    ParameterError
        There is no such network.
    NetworkMissing
        It is not on this machine.
    """
    damage = next((each for each in user_networks.read_all().damages if each.key == key), None)
    if damage is not None:
        return [Finding(str(damage.folder), False, damage.says)]
    entry = network_entry(key)
    if not entry.present and not entry.stored:
        raise NetworkMissing(state(entry).note)
    findings = []
    for file in known_files(entry):
        finding = yield from _compare(entry.folder, file)
        findings.append(finding)
    findings += [_check_structure(entry, part) for part in entry.parts]
    origin = _compare_origin(entry)
    return [*findings, origin] if origin else findings


def _compare(folder: Path, file: KnownFile) -> Generator[Progress, None, Finding]:
    path = folder / file.path
    if not path.is_file():
        return Finding(file.path, False, "is missing")
    size = path.stat().st_size
    if size != file.size:
        return Finding(file.path, False, f"has {size:,} bytes, not {file.size:,}")
    digest = yield from sha256_steps(path)
    if digest != file.sha256:
        return Finding(file.path, False, f"has SHA-256 {digest}, not {file.sha256}")
    return Finding(file.path, True, f"SHA-256 {digest}")


def _check_structure(entry: NetworkEntry, part: Part) -> Finding:
    from enhancers.networks.weight_checks import check_weights

    try:
        count = check_weights(entry.folder / part, part, entry.weights(part))
    except CheckpointError as error:
        return Finding(part, False, str(error))
    says = "" if part == "network" else ", as its config.json states"
    return Finding(part, True, f"{count:,} parameters{says}")


def _compare_origin(entry: NetworkEntry) -> Finding | None:
    """Whether an added file is the published one, where its digest is known."""
    if entry.origin is None or not isinstance(entry.source, Download):
        return None
    same = entry.origin.sha256 == entry.source.sha256
    says = "is the published file" if same else (
        f"has SHA-256 {entry.origin.sha256 or 'unknown'}: not the published file, which has "
        f"{entry.source.sha256}"
    )  # fmt: skip
    # A copy in another format has another digest and may be the same network.
    return Finding(f"made from {entry.origin.file}", True, says)


def how_to_mend(key: str) -> str:
    """How to repair a damaged network."""
    folder = get_settings().models_dir / key
    if (folder / user_networks.NAME).is_file():
        return f"remove it (python -m enhancers networks remove {key}) and add or fetch it again"
    entry = network_entry(key)
    if isinstance(entry.source, Embedded):
        return f"take {entry.folder} from the project again"
    return f"delete {entry.folder}, then python -m enhancers networks fetch {key}"
